//! Nouns and rules of Claviger.
//!
//! Nothing here does I/O, awaits, reads a clock or draws randomness: time comes in as a [`time::Timestamp`], entropy as
//! bytes. Whatever is decided about an application, a secret or a grant is decided here or in `app`, never in a face.

pub mod access;
pub mod access_level;
pub mod access_profile;
pub mod address;
pub mod advice;
pub mod application;
pub mod assertion;
pub mod audit;
pub mod bulk;
pub mod catalogue;
pub mod claim;
pub mod country;
pub mod credential_policy;
pub mod dpop;
pub mod endpoints;
pub mod error;
pub mod factor;
pub mod findings;
pub mod foreign_key;
pub mod foreign_token;
pub mod grants;
pub mod guess;
pub mod id;
pub mod idempotency;
pub mod import;
pub mod issuer_keys;
pub mod issuer_trial;
pub mod jwk;
pub mod jws;
pub mod key_type;
pub mod leak;
pub mod letters;
pub mod lifetime;
pub mod mail;
pub mod name;
pub mod network;
pub mod notice;
pub mod outgoing;
pub mod page;
pub mod password;
pub mod provisioning;
pub mod public_key;
pub mod purge;
pub mod rate;
pub mod rotation;
pub mod scope;
pub mod secret;
pub mod sign_in;
pub mod signing;
pub mod simulation;
pub mod temporary;
pub mod tenant;
pub mod time;
pub mod token;
pub mod totp;
pub mod trusted_issuer;
pub mod usage;
pub mod user;
pub mod user_link;
pub mod user_session;
pub mod visibility;

pub use error::{Error, FieldError, Refusal, Result};
