//! OAuth 2.0 for machines: `/oauth2/token` (RFC 6749), introspection (RFC 7662), revocation (RFC 7009), and what
//! `/.well-known` says of them (RFC 8414, RFC 7517). It translates forms into verbs and holds no rule.

mod error;
mod introspection;
mod metadata;
mod revocation;
pub mod routes;
mod token;
mod workload;
