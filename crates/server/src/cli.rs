//! The command line. No secret is ever an argument: arguments are visible to every process of the machine.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::config::Overrides;

mod access;

pub use access::{KeysCommand, PoliciesArgs, PoliciesCommand, TrustedIssuersArgs, TrustedIssuersCommand};

/// The bearer of the keys: applications, access levels and verification as one server.
#[derive(Debug, Parser)]
#[command(name = "claviger", version, propagate_version = true, arg_required_else_help = true)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the server.
    Serve(ServeArgs),
    /// Run the server on sample tenants, levels, applications and traffic, and print calls to paste.
    Demo(ServeArgs),
    /// Bring the store to this version's schema.
    Migrate(StoreArgs),
    /// Check the configuration and print what would be used, secrets masked.
    CheckConfig(ServeArgs),
    /// Print the OpenAPI document.
    Openapi,
    /// Look at the audit log offline.
    #[command(subcommand)]
    Audit(AuditCommand),
    /// Look for secrets of ours in a text, offline.
    #[command(subcommand)]
    Secrets(SecretsCommand),
    /// Manage applications of a running server, over HTTP.
    Applications(ApplicationsArgs),
    /// Look at and try the issuers whose tokens a tenant trusts, of a running server, over HTTP.
    TrustedIssuers(TrustedIssuersArgs),
    /// Look at and set a tenant's credential policy, of a running server, over HTTP.
    Policies(PoliciesArgs),
    /// Look at, suspend, reactivate and delete tenants of a running server, over HTTP.
    Tenants(TenantsArgs),
    /// Look at, rotate and revoke the keys that sign session tokens, of a running server, over HTTP.
    SigningKeys(SigningKeysArgs),
    /// Bring a running server to what a file says, over HTTP: shows the plan, and does it with --yes
    Apply(ApplyArgs),
    /// List the servers of the store, with lag and lease, over HTTP.
    Nodes(ClientArgs),
    /// Bring a restored backup up to what was revoked since it was taken.
    #[command(subcommand)]
    Restore(RestoreCommand),
}

/// Which configuration file.
#[derive(Args, Clone, Debug, Default)]
pub struct ConfigArgs {
    /// The configuration file (TOML); also CLAVIGER_CONFIG
    #[arg(long, value_name = "FILE", env = "CLAVIGER_CONFIG")]
    pub config: Option<PathBuf>,
}

/// Which store.
#[derive(Args, Clone, Debug, Default)]
pub struct StoreArgs {
    /// The configuration file.
    #[command(flatten)]
    pub config: ConfigArgs,
    /// The directory of the embedded store, the private CA and the root key
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<String>,
    /// A PostgreSQL URL; one with a password belongs into the configuration file or CLAVIGER_DATABASE
    #[arg(long, value_name = "URL")]
    pub database: Option<String>,
}

/// How to serve.
#[derive(Args, Clone, Debug, Default)]
pub struct ServeArgs {
    /// The store and the configuration file.
    #[command(flatten)]
    pub store: StoreArgs,
    /// The address and port to listen on
    #[arg(long, value_name = "ADDR:PORT")]
    pub listen: Option<String>,
    /// Where to write the base URL, the CA file and the credentials of a first start (mode 0600)
    #[arg(long, value_name = "FILE")]
    pub credentials_file: Option<String>,
}

impl StoreArgs {
    /// What these arguments override in the configuration.
    pub fn overrides(&self) -> Overrides {
        Overrides { data_dir: self.data_dir.clone(), database: self.database.clone(), ..Overrides::default() }
    }
}

impl ServeArgs {
    /// What these arguments override in the configuration.
    pub fn overrides(&self) -> Overrides {
        Overrides {
            listen: self.listen.clone(),
            credentials_file: self.credentials_file.clone(),
            ..self.store.overrides()
        }
    }
}

/// Commands on a restored backup.
#[derive(Debug, Subcommand)]
pub enum RestoreCommand {
    /// Revoke once more what the file of revocations in the data directory knows; to be run on the data directory of every
    /// server of the store, while none runs
    Confirm(StoreArgs),
}

/// Commands on secrets.
#[derive(Debug, Subcommand)]
pub enum SecretsCommand {
    /// Read standard input and print where secrets of ours stand in it; exit 1 when there is one, 0 when there is none
    Check,
}

/// Commands on the audit log.
#[derive(Debug, Subcommand)]
pub enum AuditCommand {
    /// Verify the hash chain of every tenant and its signed heads; exit 0 when whole, 1 when not
    Verify(VerifyArgs),
}

/// What to verify, and against what.
#[derive(Args, Clone, Debug, Default)]
pub struct VerifyArgs {
    /// The store.
    #[command(flatten)]
    pub store: StoreArgs,
    /// The audit key that the server printed at its start: proves that the heads were not signed anew
    #[arg(long, value_name = "HEX")]
    pub public_key: Option<String>,
}

/// How to reach the server, and what to do there.
#[derive(Args, Debug)]
pub struct ApplicationsArgs {
    /// The connection.
    #[command(flatten)]
    pub client: ClientArgs,
    /// What to do.
    #[command(subcommand)]
    pub command: ApplicationsCommand,
}

/// How to reach a running server. Credentials come from the file or from CLAVIGER_CLIENT_ID and CLAVIGER_SECRET, or are a session
/// token in CLAVIGER_TOKEN.
#[derive(Args, Clone, Debug, Default)]
pub struct ClientArgs {
    /// The server's URL [default: base_url of the credentials file]
    #[arg(long, global = true, value_name = "URL")]
    pub url: Option<String>,
    /// A PEM file with the CA to trust [default: ca_file of the credentials file]
    #[arg(long, global = true, value_name = "FILE")]
    pub ca_file: Option<PathBuf>,
    /// The file that `serve --credentials-file` wrote
    #[arg(long, global = true, value_name = "FILE")]
    pub credentials_file: Option<PathBuf>,
    /// The tenant that is meant [default: the caller's own]
    #[arg(long, global = true, value_name = "ID")]
    pub tenant: Option<String>,
    /// How to print
    #[arg(short, long, global = true, value_enum, default_value_t = Output::Table)]
    pub output: Output,
}

/// What to apply, and how far to go.
#[derive(Args, Clone, Debug, Default)]
pub struct ApplyArgs {
    /// The connection. The tenant is the one that the file's paths begin at.
    #[command(flatten)]
    pub client: ClientArgs,
    /// A file of tenants, credential policies, token settings, access levels, applications and trusted issuers (YAML or JSON),
    /// - for standard input; may be repeated
    #[arg(short = 'f', long = "file", value_name = "FILE", required = true)]
    pub files: Vec<PathBuf>,
    /// Do what the plan says
    #[arg(long)]
    pub yes: bool,
    /// Only ask: exit 1 when changes are pending, 0 when there are none
    #[arg(long, conflicts_with = "yes")]
    pub check: bool,
    /// Delete the trusted issuers, applications and access levels that the file's tenants have and its lists do not
    #[arg(long)]
    pub prune: bool,
    /// Write the secrets of new applications to a new file of mode 0600, one JSON object a line, instead of printing them
    #[arg(long, value_name = "FILE")]
    pub secrets_file: Option<PathBuf>,
}

/// Forms of output.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// Aligned columns for people.
    #[default]
    Table,
    /// The server's JSON for programs.
    Json,
}

/// How to reach the server, and what to do with its tenants.
#[derive(Args, Debug)]
pub struct TenantsArgs {
    /// The connection.
    #[command(flatten)]
    pub client: ClientArgs,
    /// What to do.
    #[command(subcommand)]
    pub command: TenantsCommand,
}

/// Commands on tenants.
#[derive(Debug, Subcommand)]
pub enum TenantsCommand {
    /// List the tenants within reach
    List {
        /// Beginnings of words of the name
        #[arg(long, value_name = "WORDS")]
        search: Option<String>,
        /// The id of the tenant right above
        #[arg(long, value_name = "ID")]
        parent: Option<String>,
        /// partner, organization or instance
        #[arg(long, value_name = "KIND")]
        kind: Option<String>,
        /// active, suspended or deleting
        #[arg(long, value_name = "STATUS")]
        status: Option<String>,
    },
    /// Show one tenant
    Show {
        /// The tenant's id
        id: String,
    },
    /// Serve neither the tenant nor anything beneath it any more
    Suspend {
        /// The tenant's id
        id: String,
    },
    /// Serve it again; a deletion whose grace is not over is taken back
    Reactivate {
        /// The tenant's id
        id: String,
    },
    /// Delete a suspended tenant with everything beneath it, for good in 30 days
    Delete {
        /// The tenant's id
        id: String,
    },
}

/// How to reach the server, and what to do with its signing keys.
#[derive(Args, Debug)]
pub struct SigningKeysArgs {
    /// The connection.
    #[command(flatten)]
    pub client: ClientArgs,
    /// What to do.
    #[command(subcommand)]
    pub command: SigningKeysCommand,
}

/// Commands on signing keys.
#[derive(Debug, Subcommand)]
pub enum SigningKeysCommand {
    /// List the keys and what each does
    List,
    /// Publish the next key now; it takes over by itself, and no token ends
    Rotate,
    /// Revoke a stolen key; every token that it signed is dead at once
    Revoke {
        /// The key's name, as `list` shows it
        kid: String,
    },
}

/// Commands on applications.
#[derive(Debug, Subcommand)]
pub enum ApplicationsCommand {
    /// List the tenant's applications
    List,
    /// Create an application and show its secret, once
    Create(Box<CreateArgs>),
    /// Show one application, never a secret
    Show {
        /// The application's id
        id: String,
    },
    /// Make a new secret; the old one is dead at once
    Regenerate {
        /// The application's id
        id: String,
        /// Write the secret to a new file of mode 0600 instead of printing it
        #[arg(long, value_name = "FILE")]
        secret_file: Option<PathBuf>,
    },
    /// Turn applications of legacy key types into custom ones with an access level of the same rights; id and secret stay
    Migrate {
        /// The application's id [default: all of the tenant, and of those beneath it within reach]
        id: Option<String>,
        /// Do it; without this, only show what would be done
        #[arg(long)]
        apply: bool,
    },
    /// Delete an application; its secrets are dead at once
    Delete {
        /// The application's id
        id: String,
    },
    /// Public keys that prove an application in place of a secret
    #[command(subcommand)]
    Keys(KeysCommand),
}

/// A new application.
#[derive(Args, Debug, Default)]
pub struct CreateArgs {
    /// Its name, unique in the tenant
    #[arg(long)]
    pub name: Option<String>,
    /// What it is for
    #[arg(long)]
    pub description: Option<String>,
    /// The id of its access level
    #[arg(long, value_name = "ID", conflicts_with = "grants")]
    pub access_level: Option<String>,
    /// A right of its own, such as org.audits:READ or applications:READ,UPDATE; may be repeated
    #[arg(long = "grant", value_name = "PERMISSION:VERBS")]
    pub grants: Vec<String>,
    /// A network it may call from; may be repeated [default: any]
    #[arg(long = "network", value_name = "CIDR")]
    pub networks: Vec<String>,
    /// When it stops working (RFC 3339)
    #[arg(long, value_name = "TIME")]
    pub expires_at: Option<String>,
    /// A JSON file with the request's body, - for standard input; other options override its members
    #[arg(long, value_name = "FILE")]
    pub from: Option<PathBuf>,
    /// Write the secret to a new file of mode 0600 instead of printing it
    #[arg(long, value_name = "FILE")]
    pub secret_file: Option<PathBuf>,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_definitions_are_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn flags_reach_the_configuration() {
        let cli = Cli::parse_from(["claviger", "serve", "--listen", "127.0.0.1:1", "--data-dir", "d"]);
        let Command::Serve(args) = cli.command else { panic!("not serve") };
        let overrides = args.overrides();
        assert_eq!((overrides.listen.as_deref(), overrides.data_dir.as_deref()), (Some("127.0.0.1:1"), Some("d")));
    }
}
