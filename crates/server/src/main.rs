//! The `claviger` binary.

use clap::Parser as _;
use claviger_server::cli::{AuditCommand, Cli, Command, RestoreCommand, SecretsCommand};
use claviger_server::commands::{
    Failure, applications, apply, check_config, demo, nodes, policies, print, secrets, serve, signing_keys, store,
    tenants, trusted_issuers,
};
use claviger_server::config::environment;
use std::io::Write as _;
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&Failure(format!("no threads: {error}"))),
    };
    match runtime.block_on(run(cli)) {
        Ok(code) => code,
        Err(failure) => fail(&failure),
    }
}

async fn run(cli: Cli) -> Result<ExitCode, Failure> {
    match cli.command {
        Command::Serve(args) => serve::run(&args).await?,
        Command::Demo(args) => demo::run(&args).await?,
        Command::Migrate(args) => store::migrate(&args).await?,
        Command::CheckConfig(args) => check_config::run(&args, environment())?,
        Command::Openapi => print(&claviger_api::openapi_json())?,
        Command::Audit(AuditCommand::Verify(args)) => {
            if !store::verify_audit(&args.store, args.public_key.as_deref()).await? {
                return Ok(ExitCode::from(1));
            }
        }
        Command::Secrets(SecretsCommand::Check) => {
            if secrets::check(std::io::stdin().lock())? {
                return Ok(ExitCode::from(1));
            }
        }
        Command::SigningKeys(args) => signing_keys::run(args, |name| std::env::var(name).ok()).await?,
        Command::TrustedIssuers(args) => {
            if trusted_issuers::run(args, |name| std::env::var(name).ok()).await? {
                return Ok(ExitCode::from(1));
            }
        }
        Command::Policies(args) => policies::run(args, |name| std::env::var(name).ok()).await?,
        Command::Apply(args) => {
            if apply::run(args, |name| std::env::var(name).ok()).await? {
                return Ok(ExitCode::from(1));
            }
        }
        Command::Tenants(args) => tenants::run(args, |name| std::env::var(name).ok()).await?,
        Command::Nodes(args) => nodes::run(&args, |name| std::env::var(name).ok()).await?,
        Command::Restore(RestoreCommand::Confirm(args)) => store::confirm_restore(&args).await?,
        Command::Applications(args) => applications::run(args, |name| std::env::var(name).ok()).await?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Exit code 2: 1 is an answer of commands that ask something.
fn fail(failure: &Failure) -> ExitCode {
    let _ = writeln!(std::io::stderr(), "claviger: {failure}");
    ExitCode::from(2)
}
