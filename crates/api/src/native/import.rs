//! Import of applications that clients know already.

use crate::kit::{Api, Authenticated, Fields, Path, Post, Query, fit};
use crate::native::answer::{Answer, json, keep, replayed};
use crate::native::applications::NewApplicationBody;
use crate::native::openapi::{Creating, Writing};
use axum::extract::State;
use claviger_app::import::Imported;
use claviger_app::unit::{Kept, OnceFor, Posted};
use claviger_domain::application::{Application, Secret, parse_expiry};
use claviger_domain::catalogue::Catalogue;
use claviger_domain::id::{ApplicationId, ClientId, SecretId, TenantId};
use claviger_domain::import::{
    HINT_DEFAULT, Import, ImportedApplication, ImportedSecret, check_count, check_secrets, parse_hint, parse_sha256,
};
use claviger_domain::time::Timestamp;
use claviger_domain::{Error, Result};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::{IntoParams, ToSchema};

/// An application to be taken over: what [`NewApplicationBody`] has, and these.
#[derive(Debug, ToSchema)]
#[schema(as = ImportedApplication)]
#[expect(dead_code, reason = "describes what is taken apart below")]
pub(crate) struct ImportedApplicationBody {
    #[serde(flatten)]
    new: NewApplicationBody,
    /// What its clients present: visible ASCII without a colon, unique in the whole server.
    #[schema(min_length = 1, max_length = 128, example = "ABCDE12345")]
    client_id: String,
    /// The secrets that its clients hold.
    #[schema(min_items = 1, max_items = 2)]
    secrets: Vec<ImportedSecretBody>,
}

/// A secret that clients hold, by its hash.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ImportedSecret)]
pub(crate) struct ImportedSecretBody {
    /// SHA-256 of its text in UTF-8: 64 hexadecimal digits.
    #[schema(min_length = 64, max_length = 64)]
    sha256: String,
    /// When it stops.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Option<Timestamp>,
    /// By what people recognise it, such as its last four characters; `imported` if not given.
    #[serde(default)]
    #[schema(min_length = 1, max_length = 16)]
    hint: Option<String>,
}

/// The members that an import has besides those of a new application.
#[derive(Debug, Deserialize)]
struct OwnMembers {
    client_id: String,
    secrets: Vec<ImportedSecretBody>,
}

/// One application or a list of them.
#[derive(Debug, ToSchema)]
#[schema(as = ApplicationImport)]
#[serde(untagged)]
#[expect(dead_code, reason = "describes what is taken apart below")]
pub(crate) enum ImportBody {
    /// One.
    One(Box<ImportedApplicationBody>),
    /// At most 1,000.
    List(Vec<ImportedApplicationBody>),
}

/// Whether it is done.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ImportQuery {
    /// Only say what would come of it.
    #[serde(default)]
    dry_run: Option<bool>,
}

/// What was taken over.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ImportedApplications)]
pub(crate) struct ImportedBody {
    /// Whether nothing was made, since it was only asked.
    dry_run: bool,
    /// How many applications there are.
    count: usize,
    /// The applications in the order in which they came.
    items: Vec<ImportedItem>,
}

/// An application that was taken over.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ImportedItem)]
pub(crate) struct ImportedItem {
    /// Its id; `null` on a dry run.
    #[schema(required = true, value_type = Option<Uuid>)]
    id: Option<ApplicationId>,
    /// Its client id.
    client_id: String,
    /// Its name.
    name: String,
    /// The ids of its secrets; none on a dry run.
    #[schema(value_type = Vec<Uuid>)]
    secret_ids: Vec<SecretId>,
}

impl From<&Imported> for ImportedBody {
    fn from(imported: &Imported) -> Self {
        let made = !imported.dry_run;
        let item = |(application, secrets): &(Application, Vec<Secret>)| ImportedItem {
            id: made.then_some(application.id),
            client_id: application.client_id.to_string(),
            name: application.name.clone(),
            secret_ids: secrets.iter().filter(|_| made).map(|secret| secret.id).collect(),
        };
        let items: Vec<_> = imported.applications.iter().map(item).collect();
        Self { dry_run: imported.dry_run, count: items.len(), items }
    }
}

fn status(imported: &Imported) -> StatusCode {
    if imported.dry_run { StatusCode::OK } else { StatusCode::CREATED }
}

fn kept(imported: &Imported) -> Kept {
    keep(status(imported), &ImportedBody::from(imported))
}

/// Reads a whole import, and gathers what is wrong with each of its applications.
fn parse(body: Value, dry_run: bool, catalogue: &Catalogue, now: Timestamp) -> Result<Import> {
    let (items, listed) = match body {
        Value::Array(items) => (items, true),
        one => (vec![one], false),
    };
    check_count(items.len())?;
    let mut import = Import { applications: Vec::with_capacity(items.len()), listed, dry_run };
    let mut fields = Fields::new();
    for (index, item) in items.into_iter().enumerate() {
        let parsed = application(item, catalogue, now).map_err(|error| match error {
            Error::Invalid(mut invalid) => {
                invalid.iter_mut().for_each(|field| field.pointer = import.pointer(index, &field.pointer));
                Error::Invalid(invalid)
            }
            other => other,
        });
        import.applications.extend(fields.take(parsed));
    }
    fields.finish(Some(import))
}

fn application(item: Value, catalogue: &Catalogue, now: Timestamp) -> Result<ImportedApplication> {
    let (mut own, mut rest) = (Map::new(), item);
    if let Value::Object(members) = &mut rest {
        for member in ["client_id", "secrets"] {
            own.extend(members.remove(member).map(|value| (member.to_owned(), value)));
        }
    }
    let mut fields = Fields::new();
    if rest.get("secret_expires_at").is_some() {
        fields.refuse("/secret_expires_at", "no secret is made", "give expires_at with each of the secrets");
    }
    let new = fields.take(fit::<NewApplicationBody>(rest).and_then(|body| body.parse(catalogue, now)));
    let own = fields.take(fit::<OwnMembers>(Value::Object(own)));
    let (client_id, secrets) = own.map(|own| secrets(&mut fields, own, now)).unzip();
    let built = new.zip(client_id.flatten()).zip(secrets);
    fields.finish(built.map(|((new, client_id), secrets)| ImportedApplication { client_id, new, secrets }))
}

fn secrets(fields: &mut Fields, own: OwnMembers, now: Timestamp) -> (Option<ClientId>, Vec<ImportedSecret>) {
    let given = own.secrets.len();
    let mut secrets = Vec::new();
    for (index, body) in own.secrets.into_iter().enumerate() {
        let at = |member: &str| format!("/secrets/{index}/{member}");
        let Some(hash) = fields.take(parse_sha256(&at("sha256"), &body.sha256, &own.client_id)) else { continue };
        let hint = body.hint.as_deref().unwrap_or(HINT_DEFAULT);
        let hint = fields.take(parse_hint(&at("hint"), hint, &hash)).unwrap_or_default();
        let expires_at = body.expires_at.and_then(|end| fields.take(parse_expiry(&at("expires_at"), end, now)));
        secrets.push(ImportedSecret { hash, hint, expires_at });
    }
    // Where one of them is refused, that is told already.
    if secrets.len() == given {
        fields.take(check_secrets("/secrets", &secrets));
    }
    (fields.take(ClientId::parse("/client_id", &own.client_id)), secrets)
}

/// Import applications
///
/// With the client ids and the hashes of the secrets that their clients have, so that keys in the field go on working: one
/// application, or a list of at most 1,000, all of them or none. `errors` names what cannot be taken over, with the place
/// in the list. docs/import.md says what a hash must be of.
#[utoipa::path(post, path = "/v1/tenants/{tenant_id}/applications/import", tag = "applications",
    params(("tenant_id" = Uuid, Path), ImportQuery, Creating), request_body = ImportBody,
    responses((status = 201, description = "Made", body = ImportedBody),
        (status = 200, description = "A dry run: nothing was made", body = ImportedBody), Writing))]
pub(crate) async fn import_applications(
    State(api): State<Api>,
    Authenticated(caller): Authenticated,
    Path(tenant): Path<TenantId>,
    Query(query): Query<ImportQuery>,
    Post { body, once }: Post<Value>,
) -> Answer {
    let import = parse(body, query.dry_run.unwrap_or(false), api.app.catalogue(), api.app.clock().now())?;
    let once = once.map(|once| OnceFor { once, keep: kept });
    match api.app.import_applications(&caller, tenant, import, once).await? {
        Posted::Done(imported) => json(status(&imported), &ImportedBody::from(&imported)),
        Posted::Replayed(kept) => replayed(kept),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn pointers(body: Value) -> Vec<String> {
        match parse(body, true, &Catalogue::built_in(), Timestamp::from_micros(0)) {
            Err(Error::Invalid(fields)) => fields.into_iter().map(|field| field.pointer).collect(),
            other => panic!("{other:?}"),
        }
    }

    fn hash(digit: char) -> String {
        digit.to_string().repeat(64)
    }

    #[test]
    fn one_and_many_are_read_alike() {
        let one = json!({"name": "A", "grants": {}, "client_id": "A1", "secrets": [{"sha256": hash('1')}]});
        let read = |body| parse(body, true, &Catalogue::built_in(), Timestamp::from_micros(0)).unwrap();
        let (single, list) = (read(one.clone()), read(json!([one])));
        assert_eq!((single.listed, list.listed), (false, true));
        let [application] = &list.applications[..] else { panic!("{list:?}") };
        assert_eq!((application.client_id.as_str(), application.secrets[0].hint.as_str()), ("A1", "imported"));
    }

    #[test]
    fn a_body_full_of_nonsense_gets_a_short_answer() {
        assert_eq!(pointers(json!(vec![7; 500_000])), [""], "too many are not even looked at");
        assert!(pointers(json!(vec![7; 1_000])).len() < 300, "an answer names the first few hundred");
        let networks = vec!["x"; 256];
        let one = json!({"name": "A", "grants": {}, "client_id": "A1", "allowed_networks": networks, "secrets": []});
        assert!(pointers(json!(vec![one; 50])).len() < 300);
    }

    #[test]
    fn everything_wrong_is_placed() {
        let body = json!([
            {"name": "A", "grants": {}, "client_id": "A1", "secrets": [{"sha256": hash('1')}]},
            {"name": "", "grants": {"nothing": ["READ"]}, "client_id": "a:b", "secrets": [{"sha256": "x"}]},
            {"name": "C", "grants": {}, "secret": "no"},
            {"name": "D", "grants": {}, "client_id": "D1", "secrets": []},
            7
        ]);
        let expected =
            ["/1/name", "/1/grants/nothing", "/1/secrets/0/sha256", "/1/client_id", "/2/secret", "/2/client_id"];
        let found = pointers(body);
        assert_eq!(found[..6], expected, "{found:?}");
        assert!(found.contains(&"/3/secrets".to_owned()) && found.contains(&"/4".to_owned()), "{found:?}");
        assert_eq!(
            pointers(
                json!({"name": "A", "grants": {}, "client_id": "A", "secrets": [{"sha256": hash('1'), "hint": ""}]})
            ),
            ["/secrets/0/hint"]
        );
    }
}
