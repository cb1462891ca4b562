//! `claviger serve`: run the server.

use super::{Failure, print};
use crate::cli::ServeArgs;
use crate::config::{Config, Overrides, environment};
use crate::credentials::Credentials;
use crate::edge::signal;
use crate::server::Server;
use crate::telemetry;
use claviger_app::App;
use claviger_app::clock::Clock;
use claviger_app::first_person::FIRST_START_SECONDS;
use claviger_app::random::Random;
use std::fmt::Write as _;
use std::sync::Arc;

/// Serves until SIGTERM or SIGINT.
///
/// # Errors
/// In words for the operator.
pub async fn run(args: &ServeArgs) -> Result<(), Failure> {
    let server = open(configure(args, args.overrides())?, async |_, _| Ok(())).await?;
    let mut text = greeting(&server);
    if server.first_start {
        text.push_str(&welcome(&server, FIRST_START_SECONDS).await?);
    }
    print(&text)?;
    server.serve(shutdown()?).await
}

/// Reads the configuration.
pub(crate) fn configure(args: &ServeArgs, overrides: Overrides) -> Result<Config, Failure> {
    Config::load(args.store.config.config.as_deref(), environment(), overrides)
        .map_err(|error| Failure(error.to_string()))
}

/// Starts the logs and opens the server.
pub(crate) async fn open(
    config: Config,
    furnish: impl AsyncFnOnce(&Arc<App>, &mut Credentials) -> Result<(), Failure>,
) -> Result<Server, Failure> {
    telemetry::init(&config.logs).map_err(Failure)?;
    for variable in &config.ignored {
        tracing::warn!(variable, "this variable is no setting and is ignored");
    }
    Server::open(config, Clock::system(), Random::System, furnish).await
}

/// Resolves when the server is to end.
pub(crate) fn shutdown() -> Result<impl Future<Output = ()>, Failure> {
    signal::termination().map_err(|error| Failure(format!("signals: {error}")))
}

/// How the first person comes in; nothing where the operator has people.
pub(crate) async fn welcome(server: &Server, seconds: i64) -> Result<String, Failure> {
    let made = server.app.create_first_person_link(seconds).await;
    let Some(link) = made.map_err(|error| Failure(error.to_string()))? else { return Ok(String::new()) };
    let (base, token) = (&server.credentials.base_url, link.token.reveal());
    Ok(format!(
        "\n# The console: the first person of the operator comes in by this link, once, until {}\n\
         {base}/console/first-person#{token}\n",
        link.expires_at
    ))
}

fn greeting(server: &Server) -> String {
    let mut text = format!("Claviger listens on {}\n", server.credentials.base_url);
    if let Some(ca_file) = &server.credentials.ca_file {
        let _ = writeln!(text, "clients trust it with {} (curl --cacert, REQUESTS_CA_BUNDLE)", ca_file.display());
    }
    let _ = writeln!(text, "audit key {}", server.app.audit_public_key());
    if let (true, Some(operator)) = (server.first_start, &server.credentials.operator) {
        let _ = writeln!(
            text,
            "\nThe store is new. The operator's first application (Super Admin, reaching everything beneath):\n  \
             tenant     {}\n  client id  {}\n  secret     {}\nThe secret is shown this once; it is stored only as a hash.",
            operator.tenant_id, operator.client_id, operator.secret
        );
    }
    text
}
