//! The Claviger server: configuration, sockets, signals, telemetry and the command line.

pub mod cli;
pub mod commands;
pub mod config;
pub mod edge;
pub mod metrics;
pub mod probe;
pub mod telemetry;
pub mod tls;
