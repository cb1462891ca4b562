//! The native API `/v1`: problem documents (RFC 9457), cursors, merge patches, entity tags. It translates requests into
//! verbs and holds no rule.

mod access_levels;
mod access_record;
mod answer;
mod applications;
mod audit;
mod bulk;
mod catalogue;
mod credential_policy;
mod error;
mod export;
mod findings;
mod grants;
mod import;
mod key_types;
mod leaks;
mod me;
mod members;
mod migration;
mod nodes;
mod notices;
mod openapi;
mod problems;
mod public_keys;
mod rate_limit;
mod rotation;
mod routes;
mod secrets;
mod sessions;
mod sign_in;
mod signing_keys;
mod simulations;
mod temporary;
mod tenants;
mod trusted_issuers;
mod usage;
mod users;
mod verify;
mod visibility;
mod whoami;

pub use error::Native;
pub use openapi::openapi_json;
pub use routes::{router, with_fallback};
pub(crate) use verify::{PATH as VERIFY, Questions, answer as verify_at_once};
