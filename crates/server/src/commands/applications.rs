//! `claviger applications …`: the applications of a running server, over HTTP.

mod keys;
mod migrate;

use std::fs::OpenOptions;
use std::io::{ErrorKind, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use reqwest::Method;
use serde_json::{Map, Value, json};

use super::http_client::{HttpClient, segment};
use super::{Failure, print};
use crate::cli::{ApplicationsArgs, ApplicationsCommand, ClientArgs, CreateArgs, Output};

/// Carries the command out. `env` looks an environment variable up.
///
/// # Errors
/// When the server cannot be reached or refuses, or a file cannot be used.
pub async fn run(args: ApplicationsArgs, env: impl Fn(&str) -> Option<String>) -> Result<(), Failure> {
    let client = HttpClient::new(&args.client, env)?;
    let tenant = tenant(&client, &args.client).await?;
    let all = format!("/v1/tenants/{}/applications", segment(&tenant));
    let one = |id: &str| format!("{all}/{}", segment(id));
    let output = args.client.output;
    match args.command {
        ApplicationsCommand::List => list(&client, &all, output).await,
        ApplicationsCommand::Show { id } => {
            let application = client.call(Method::GET, &one(&id), None).await?;
            print(&shown(&application, output))
        }
        ApplicationsCommand::Create(new) => {
            let secret_file = new.secret_file.clone();
            let body = body(*new)?;
            mint(&client, &all, Some(&body), secret_file.as_deref(), output).await
        }
        ApplicationsCommand::Regenerate { id, secret_file } => {
            mint(&client, &format!("{}/regenerate", one(&id)), None, secret_file.as_deref(), output).await
        }
        ApplicationsCommand::Migrate { id, apply } => migrate::run(&client, &tenant, id, apply, output).await,
        ApplicationsCommand::Delete { id } => client.call(Method::DELETE, &one(&id), None).await.map(|_| ()),
        ApplicationsCommand::Keys(command) => keys::run(&client, &all, command, output).await,
    }
}

/// The tenant that is meant.
pub(super) async fn tenant(client: &HttpClient, args: &ClientArgs) -> Result<String, Failure> {
    match &args.tenant {
        Some(tenant) => Ok(tenant.clone()),
        None => Ok(text(&client.call(Method::GET, "/v1/whoami", None).await?, "tenant_id").to_owned()),
    }
}

async fn list(client: &HttpClient, all: &str, output: Output) -> Result<(), Failure> {
    let items = client.list(all).await?;
    print(&listed(&items, &["id", "client_id", "name", "enabled", "expires_at"], output))
}

/// Items with these members, or as they came.
pub(super) fn listed(items: &[Value], columns: &[&str], output: Output) -> String {
    if output == Output::Json {
        return pretty(&json!({ "items": items, "next_cursor": null }));
    }
    let mut rows = vec![columns.iter().map(|name| name.to_uppercase()).collect()];
    rows.extend(items.iter().map(|item| columns.iter().map(|name| cell(item.get(*name))).collect()));
    table(&rows)
}

/// The secret's own file. Opened before the secret is made: a secret that cannot be kept must not be made.
struct SecretFile(std::fs::File, std::path::PathBuf);

impl SecretFile {
    fn open(path: &Path) -> Result<Self, Failure> {
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
        file.map(|file| Self(file, path.to_owned())).map_err(|error| match error.kind() {
            ErrorKind::AlreadyExists => Failure::at(path, "it exists already; name a new file for the secret"),
            _ => Failure::at(path, error),
        })
    }

    /// Takes the empty file away again, so that it does not stand in the way of another try.
    fn discard(self) {
        let _ = std::fs::remove_file(self.1);
    }
}

/// Makes a call whose answer holds a secret, and shows the answer.
async fn mint(
    client: &HttpClient,
    path: &str,
    body: Option<&Value>,
    secret_file: Option<&Path>,
    output: Output,
) -> Result<(), Failure> {
    let file = secret_file.map(SecretFile::open).transpose()?;
    match client.call(Method::POST, path, body).await {
        Ok(made) => minted(made, file, output),
        Err(failure) => {
            if let Some(file) = file {
                file.discard();
            }
            Err(failure)
        }
    }
}

/// Shows what was made; the secret goes to its file, if there is one, and is then not printed.
fn minted(mut made: Value, file: Option<SecretFile>, output: Output) -> Result<(), Failure> {
    let secret = made.pointer("/secret/text").and_then(Value::as_str).map(str::to_owned);
    if let (Some(SecretFile(mut file, path)), Some(secret)) = (file, &secret) {
        writeln!(file, "{secret}").and_then(|()| file.sync_all()).map_err(|error| Failure::at(&path, error))?;
        if let Some(shown) = made.pointer_mut("/secret/text") {
            *shown = Value::Null;
        }
    }
    if output == Output::Json {
        return print(&pretty(&made));
    }
    let mut shown = made.get("application").map(|application| shown(application, output)).unwrap_or_default();
    if let Some(secret) = made.pointer("/secret/text").and_then(Value::as_str) {
        shown.push_str(&format!("secret  {secret}\n\nThe secret is not shown again.\n"));
    }
    print(&shown)
}

/// The body of a create call.
fn body(new: CreateArgs) -> Result<Value, Failure> {
    let mut body = match &new.from {
        None => Map::new(),
        Some(path) => match serde_json::from_str(&read(path)?).map_err(|error| Failure::at(path, error))? {
            Value::Object(body) => body,
            _ => return Err(Failure::at(path, "expected a JSON object")),
        },
    };
    let mut put = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            body.insert(name.to_owned(), value);
        }
    };
    put("name", new.name.map(Value::from));
    put("description", new.description.map(Value::from));
    put("access_level_id", new.access_level.map(Value::from));
    put("expires_at", new.expires_at.map(Value::from));
    put("allowed_networks", (!new.networks.is_empty()).then(|| Value::from(new.networks)));
    let mut grants = Map::new();
    for grant in &new.grants {
        let (permission, verbs) = grant.split_once(':').filter(|(_, verbs)| !verbs.is_empty()).ok_or_else(|| {
            Failure(format!("--grant {grant}: expected PERMISSION:VERBS, such as org.audits:READ or users:READ,UPDATE"))
        })?;
        let verbs: Vec<String> = verbs.split(',').map(|verb| verb.trim().to_ascii_uppercase()).collect();
        grants.insert(permission.to_owned(), Value::from(verbs));
    }
    put("grants", (!grants.is_empty()).then_some(Value::Object(grants)));
    if !body.contains_key("name") {
        return Err(Failure("an application needs a --name".to_owned()));
    }
    Ok(Value::Object(body))
}

/// The text of a file, `-` being standard input.
pub(super) fn read(path: &Path) -> Result<String, Failure> {
    if path == Path::new("-") {
        let mut text = String::new();
        return match std::io::stdin().lock().read_to_string(&mut text) {
            Ok(_) => Ok(text),
            Err(error) => Err(Failure(format!("standard input: {error}"))),
        };
    }
    std::fs::read_to_string(path).map_err(|error| Failure::at(path, error))
}

/// An object, member by member or as it came.
pub(super) fn shown(object: &Value, output: Output) -> String {
    match object.as_object() {
        Some(members) if output == Output::Table => {
            let rows: Vec<_> = members.iter().map(|(name, value)| vec![name.clone(), cell(Some(value))]).collect();
            table(&rows)
        }
        _ => pretty(object),
    }
}

pub(super) fn pretty(value: &Value) -> String {
    format!("{value:#}\n")
}

fn text<'a>(object: &'a Value, member: &str) -> &'a str {
    object.get(member).and_then(Value::as_str).unwrap_or_default()
}

/// A value in a table. Control characters are left out: a name must not move the cursor.
pub(super) fn cell(value: Option<&Value>) -> String {
    let text = match value {
        None | Some(Value::Null) => "-".to_owned(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    };
    text.chars().filter(|c| !c.is_control()).collect()
}

pub(super) fn table(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or_default();
    let width =
        |at: usize| rows.iter().filter_map(|row| row.get(at)).map(|cell| cell.chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut out = String::new();
    for row in rows {
        let line: Vec<String> = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        out.push_str(line.join("  ").trim_end());
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests;
