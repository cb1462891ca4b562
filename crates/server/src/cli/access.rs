//! Commands on what lets applications in: public keys, trusted issuers, credential policies.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::ClientArgs;

/// Commands on public keys of an application.
#[derive(Debug, Subcommand)]
pub enum KeysCommand {
    /// List the application's keys
    List {
        /// The application's id
        id: String,
    },
    /// Register a public key: whoever signs with its private half is the application
    Add {
        /// The application's id
        id: String,
        /// What people call the key
        #[arg(long)]
        name: String,
        /// A file with the public key as a JWK (Ed25519 or P-256), - for standard input
        #[arg(long, value_name = "FILE")]
        jwk: PathBuf,
        /// When it stops working (RFC 3339)
        #[arg(long, value_name = "TIME")]
        expires_at: Option<String>,
    },
    /// Delete a key; every token that was got with it is dead at once
    Delete {
        /// The application's id
        id: String,
        /// The key's id
        key: String,
    },
}

/// How to reach the server, and what to do with a tenant's trusted issuers.
#[derive(Args, Debug)]
pub struct TrustedIssuersArgs {
    /// The connection.
    #[command(flatten)]
    pub client: ClientArgs,
    /// What to do.
    #[command(subcommand)]
    pub command: TrustedIssuersCommand,
}

/// Commands on trusted issuers. `claviger apply` makes and changes them.
#[derive(Debug, Subcommand)]
pub enum TrustedIssuersCommand {
    /// List the tenant's trusted issuers
    List,
    /// Show one with its bindings and when each was used last
    Show {
        /// The issuer's id
        id: String,
    },
    /// Say which step of verification a token would not pass; exit 0 when it would be accepted, 1 when not
    Test {
        /// The issuer's id
        id: String,
        /// The application that a workload would name
        #[arg(long, value_name = "ID")]
        application: Option<String>,
        /// A file with the token, - for standard input
        #[arg(long, value_name = "FILE", default_value = "-")]
        token: PathBuf,
    },
    /// Trust one no longer; every session token that was got by its tokens is dead at once
    Delete {
        /// The issuer's id
        id: String,
    },
}

/// How to reach the server, and what to do with a tenant's credential policy.
#[derive(Args, Debug)]
pub struct PoliciesArgs {
    /// The connection.
    #[command(flatten)]
    pub client: ClientArgs,
    /// What to do.
    #[command(subcommand)]
    pub command: PoliciesCommand,
}

/// Commands on credential policies.
#[derive(Debug, Subcommand)]
pub enum PoliciesCommand {
    /// Show what the tenant says itself, and what holds
    Show,
    /// Change what the tenant says itself; members that are not named stay
    Set {
        /// Such as rotate_every_days=90 or static_secrets=forbidden; none takes a member back
        #[arg(required = true, value_name = "MEMBER=VALUE")]
        members: Vec<String>,
        /// Do it although it ends the credential in use
        #[arg(long)]
        confirm: bool,
    },
}
