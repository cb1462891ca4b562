//! The Claviger server: configuration, sockets, signals, telemetry and the command line.

pub mod app_metrics;
pub mod cli;
pub mod commands;
pub mod config;
pub mod credentials;
pub mod data_dir;
pub mod edge;
mod mail;
pub mod metrics;
pub mod node_id;
pub mod probe;
pub mod root_key;
pub mod server;
pub mod telemetry;
pub mod tls;
