//! `claviger apply`: brings a running server to what a file says, over HTTP. It shows the plan first and changes nothing
//! unless it is told to.

mod carry_out;
mod current;
mod document;
mod kind;
mod plan;
mod show;
mod yaml;

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use serde_json::Value;

use self::carry_out::Made;
use self::document::{Kind, Wanted, shown};
use self::plan::Action;
use super::http_client::HttpClient;
use super::{Failure, print};
use crate::cli::{ApplyArgs, Output};

/// Carries the command out; whether changes are pending, where that was the question. `env` looks an environment variable up.
///
/// # Errors
/// When a file cannot be read or asks for what cannot be, or the server cannot be reached or refuses.
pub async fn run(args: ApplyArgs, env: impl Fn(&str) -> Option<String>) -> Result<bool, Failure> {
    let mut documents = Vec::new();
    for path in &args.files {
        documents.extend(yaml::parse(&read(path)?).map_err(|what| Failure::at(path, what))?);
    }
    let wanted = Wanted::read(documents).map_err(Failure)?;
    let client = HttpClient::new(&args.client, env)?;
    let current = current::read(&client, args.client.tenant.as_deref(), &wanted).await?;
    let plan = plan::plan(&current, &wanted, args.prune).map_err(|what| Failure(what.join("\n")))?;
    let output = args.client.output;
    let pending = plan.pending().count();
    if output == Output::Table {
        print(&show::text(&plan))?;
    }
    if !args.yes || pending == 0 {
        match output {
            Output::Json => print(&format!("{:#}\n", show::json(&plan)))?,
            Output::Table if pending > 0 && !args.check => {
                print("Nothing was changed. Repeat with --yes to do it.\n")?;
            }
            Output::Table => {}
        }
        return Ok(args.check && pending > 0);
    }
    let makes_secrets = plan.pending().any(|step| step.kind == Kind::Application && step.action == Action::Create);
    let path = args.secrets_file.as_deref().filter(|_| makes_secrets);
    let mut secrets = Secrets { file: path.map(SecretsFile::create).transpose()?, shown: Vec::new() };
    let mut done = 0;
    let outcome = carry_out::carry_out(&client, &current, &plan, |step, made| {
        done += 1;
        if output == Output::Table {
            print(&format!("done: {}", show::line(step)))?;
        }
        made.map_or(Ok(()), |made| secrets.keep(&made, output))
    })
    .await;
    secrets.discard_if_empty();
    if output == Output::Json {
        let mut answer = show::json(&plan);
        if let Some(members) = answer.as_object_mut() {
            members.insert("done".into(), done.into());
            members.insert("secrets".into(), secrets.shown.into());
        }
        print(&format!("{answer:#}\n"))?;
    }
    outcome.map(|()| false)
}

/// Where the secrets go that are made: to a file, or onto the screen. A secret exists only once, so each is kept at once.
struct Secrets {
    file: Option<SecretsFile>,
    shown: Vec<Value>,
}

struct SecretsFile {
    file: File,
    path: PathBuf,
    is_empty: bool,
}

impl SecretsFile {
    /// Opened before the first secret is made: one that cannot be kept must not be made.
    fn create(path: &Path) -> Result<Self, Failure> {
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
        let file = file.map_err(|error| match error.kind() {
            ErrorKind::AlreadyExists => Failure::at(path, "it exists already; name a new file for the secrets"),
            _ => Failure::at(path, error),
        })?;
        Ok(Self { file, path: path.to_owned(), is_empty: true })
    }
}

impl Secrets {
    fn keep(&mut self, made: &Made, output: Output) -> Result<(), Failure> {
        if let Some(SecretsFile { file, path, is_empty }) = &mut self.file {
            *is_empty = false;
            let written = writeln!(file, "{}", made.to_json()).and_then(|()| file.sync_all());
            return written.map_err(|error| Failure::at(path, error));
        }
        if output == Output::Json {
            self.shown.push(made.to_json());
            return Ok(());
        }
        let Made { client_id, secret, .. } = made;
        print(&format!("    client id  {}\n    secret     {}\n", shown(client_id), shown(secret)))
    }

    /// Takes an empty file away again, so that it does not stand in the way of another try.
    fn discard_if_empty(&mut self) {
        if let Some(SecretsFile { path, .. }) = self.file.take_if(|file| file.is_empty) {
            let _ = std::fs::remove_file(path);
        }
    }
}

/// The text of a file, `-` being standard input.
fn read(path: &Path) -> Result<String, Failure> {
    let limit = u64::try_from(yaml::TEXT_MAX).unwrap_or(u64::MAX).saturating_add(1);
    let mut text = String::new();
    let read = if path == Path::new("-") {
        std::io::stdin().lock().take(limit).read_to_string(&mut text)
    } else {
        File::open(path).and_then(|file| file.take(limit).read_to_string(&mut text))
    };
    read.map(|_| text).map_err(|error| Failure::at(path, error))
}

#[cfg(test)]
mod tests;
