//! The Carbon Black face: what clients of Carbon Black Cloud's audit log, jobs, users and grants send and expect.
//!
//! Tenants are organisations with an org key, applications are API keys (connectors). No rule lives here: what a client may
//! see is decided by the verbs that the handlers call.

mod audit_log;
mod auditlogs_v3;
mod auth;
mod bad_request;
mod criteria;
mod csp;
mod csv;
mod description;
mod error;
mod grants;
mod jobs;
mod members;
mod model;
mod query;
pub mod routes;
mod search;
mod text;
mod times;
mod urn;
mod users;
mod wildcard;
