//! Findings about applications, and shrinking: the call that mends rights held in vain.

use crate::kit::{Api, Authenticated, Path, Post, Precondition, Query};
use crate::native::answer::{Answer, json, keep, page, replayed};
use crate::native::grants::GrantsBody;
use crate::native::members::PageOf;
use crate::native::openapi::{Creating, Matching, Reading, Writing};
use axum::extract::State;
use claviger_app::findings::FindingsQuery;
use claviger_app::shrink::{Shrinking, Shrunk};
use claviger_app::unit::{Kept, OnceFor, Posted};
use claviger_domain::Result;
use claviger_domain::findings::{DAYS_DEFAULT, Finding, Kind, Remedy, parse_days};
use claviger_domain::id::{AccessLevelId, ApplicationId, TenantId};
use claviger_domain::page::PageRequest;
use claviger_domain::time::Timestamp;
use http::{StatusCode, Uri};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json as value};
use utoipa::{IntoParams, ToSchema};

/// What is found.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = FindingKind)]
pub(crate) enum KindWord {
    /// Nobody calls with the application.
    ApplicationUnused,
    /// Nobody calls with the secret: one of two, or one that was never used.
    SecretUnused,
    /// It holds rights that it does not use.
    PermissionUnused,
    /// Networks are allowed from which no call comes.
    NetworkNeverSeen,
    /// Neither the application nor its secret has an end.
    NoExpiry,
    /// Nobody is named who answers for it.
    NoOwner,
    /// Its rights come from the type of its key.
    LegacyKeyType,
    /// It has a secret that works: what forbidding secrets would end. Found only where this kind is asked for.
    StaticSecret,
}

impl From<KindWord> for Kind {
    fn from(word: KindWord) -> Self {
        match word {
            KindWord::ApplicationUnused => Self::ApplicationUnused,
            KindWord::SecretUnused => Self::SecretUnused,
            KindWord::PermissionUnused => Self::PermissionUnused,
            KindWord::NetworkNeverSeen => Self::NetworkNeverSeen,
            KindWord::NoExpiry => Self::NoExpiry,
            KindWord::NoOwner => Self::NoOwner,
            KindWord::LegacyKeyType => Self::LegacyKeyType,
            KindWord::StaticSecret => Self::StaticSecret,
        }
    }
}

impl From<Kind> for KindWord {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::ApplicationUnused => Self::ApplicationUnused,
            Kind::SecretUnused => Self::SecretUnused,
            Kind::PermissionUnused => Self::PermissionUnused,
            Kind::NetworkNeverSeen => Self::NetworkNeverSeen,
            Kind::NoExpiry => Self::NoExpiry,
            Kind::NoOwner => Self::NoOwner,
            Kind::LegacyKeyType => Self::LegacyKeyType,
            Kind::StaticSecret => Self::StaticSecret,
        }
    }
}

/// Which findings are wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct FindingQuery {
    /// About this application alone.
    #[param(value_type = Option<Uuid>)]
    application_id: Option<ApplicationId>,
    /// Of this kind alone.
    #[param(inline)]
    kind: Option<KindWord>,
    /// Days without use that are too many, in place of those that hold for the tenant.
    #[param(minimum = 1, maximum = 365)]
    days: Option<i64>,
    /// Items on a page.
    #[param(minimum = 1, maximum = 1000, default = 50)]
    limit: Option<i64>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// An application by id and name.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = FindingApplication)]
pub(crate) struct NamedBody {
    /// Id.
    #[schema(value_type = Uuid)]
    id: ApplicationId,
    /// Name.
    name: String,
}

/// The one call that mends it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = FindingRemedy)]
pub(crate) struct RemedyBody {
    /// Method.
    method: &'static str,
    /// Path.
    path: String,
    /// JSON body; `null` for a call without one.
    #[schema(required = true, value_type = Object, nullable)]
    body: Option<Value>,
    /// JSON pointers to members of the body that whoever calls has to fill in first.
    fill: Vec<&'static str>,
}

/// One finding.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Finding)]
pub(crate) struct FindingBody {
    /// What is found.
    kind: KindWord,
    /// The application.
    application: NamedBody,
    /// The secret (by id), rights or networks it is about; empty where it is about the application as a whole.
    subjects: Vec<String>,
    /// The same in a sentence.
    detail: String,
    /// Since when it has been so.
    #[schema(value_type = String, format = DateTime)]
    since: Timestamp,
    /// The one call that mends it.
    remedy: RemedyBody,
}

impl FindingBody {
    fn of(tenant: TenantId, found: Finding) -> Self {
        let path = format!("/v1/tenants/{tenant}/applications/{}", found.application);
        let patch = |body, fill| RemedyBody { method: "PATCH", path: path.clone(), body: Some(body), fill };
        let remedy = match found.remedy {
            Remedy::Disable => patch(value!({ "enabled": false }), Vec::new()),
            Remedy::RevokeSecret(secret) => {
                RemedyBody { method: "DELETE", path: format!("{path}/secrets/{secret}"), body: None, fill: Vec::new() }
            }
            Remedy::Shrink(days) => {
                let body = Some(value!({ "days": days, "dry_run": false }));
                RemedyBody { method: "POST", path: format!("{path}/shrink"), body, fill: Vec::new() }
            }
            Remedy::KeepNetworks(networks) => {
                let networks: Vec<_> = networks.iter().map(ToString::to_string).collect();
                patch(value!({ "allowed_networks": networks }), Vec::new())
            }
            Remedy::End(at) => patch(value!({ "expires_at": at }), Vec::new()),
            Remedy::NameOwner => patch(value!({ "owner": null }), vec!["/owner"]),
            Remedy::Migrate => {
                let body = Some(value!({ "dry_run": false }));
                RemedyBody { method: "POST", path: format!("{path}/migrate"), body, fill: Vec::new() }
            }
            Remedy::Bind => {
                let condition = value!({ "claim": "sub", "equals": "" });
                let binding = value!({ "application_id": found.application, "conditions": [condition] });
                let body = Some(value!({ "name": found.name, "issuer": "", "bindings": [binding] }));
                let path = format!("/v1/tenants/{tenant}/trusted-issuers");
                RemedyBody { method: "POST", path, body, fill: vec!["/issuer", "/bindings/0/conditions/0/equals"] }
            }
        };
        Self {
            kind: found.kind.into(),
            application: NamedBody { id: found.application, name: found.name },
            subjects: found.subjects,
            detail: found.detail,
            since: found.since,
            remedy,
        }
    }
}

/// List findings
///
/// What the applications of a tenant could do without, each with the one call that mends it, by application. A page may
/// have fewer items than asked for, even none, and a `next_cursor` all the same.
#[utoipa::path(get, path = "/v1/tenants/{tenant_id}/findings", tag = "insight",
    params(("tenant_id" = Uuid, Path), FindingQuery),
    responses((status = 200, description = "Done", body = PageOf<FindingBody>), Reading))]
pub(crate) async fn list_findings(
    State(api): State<Api>,
    Authenticated(caller): Authenticated,
    Path(tenant): Path<TenantId>,
    Query(query): Query<FindingQuery>,
    uri: Uri,
) -> Answer {
    let request = PageRequest::parse(query.limit, query.cursor.as_deref())?;
    let days = query.days.map(|days| parse_days("days", days)).transpose()?;
    let wanted = FindingsQuery { application: query.application_id, kind: query.kind.map(Kind::from), days };
    let found = api.app.list_findings(&caller, tenant, wanted, &request).await?;
    page(&uri, found.map(|found| FindingBody::of(tenant, found)))
}

/// How to shrink.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Shrinking)]
pub(crate) struct ShrinkingBody {
    /// Days without use after which a right goes: 1 to 365, 90 if left out.
    #[serde(default)]
    days: Option<i64>,
    /// Whether to say only what would go: so unless it is `false`.
    #[serde(default)]
    dry_run: Option<bool>,
}

impl ShrinkingBody {
    fn parse(&self, if_match: Option<i64>) -> Result<Shrinking> {
        let days = parse_days("/days", self.days.unwrap_or(DAYS_DEFAULT))?;
        Ok(Shrinking { days, dry_run: self.dry_run.unwrap_or(true), if_match })
    }
}

/// The access level that a shrinking makes.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ShrunkLevel)]
pub(crate) struct ShrunkLevelBody {
    /// Id; `null` in a dry run.
    #[schema(required = true, value_type = Option<Uuid>)]
    id: Option<AccessLevelId>,
    /// Name; a number is added where it is taken.
    name: String,
}

/// What went, or would go.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Shrunk)]
pub(crate) struct ShrunkBody {
    /// Whether nothing was done.
    dry_run: bool,
    /// What goes: not used in so many days. Empty where there is nothing to do.
    dropped: GrantsBody,
    /// What stays.
    kept: GrantsBody,
    /// The narrower access level made for the application; `null` where it has grants of its own or nothing goes.
    #[schema(required = true)]
    access_level: Option<ShrunkLevelBody>,
    /// Version of the application.
    version: i64,
}

fn shrunk_body(dry_run: bool, shrunk: &Shrunk) -> ShrunkBody {
    let level = shrunk.level.as_ref();
    ShrunkBody {
        dry_run,
        dropped: GrantsBody::from(&shrunk.dropped),
        kept: GrantsBody::from(&shrunk.kept),
        access_level: level.map(|(name, id)| ShrunkLevelBody { id: *id, name: name.clone() }),
        version: shrunk.application.version,
    }
}

fn kept(shrunk: &Shrunk) -> Kept {
    keep(StatusCode::OK, &shrunk_body(false, shrunk))
}

/// Shrink an application to what it uses
///
/// It loses the rights that it has not used in so many days. Where it has them from an access level, a narrower one is made
/// for it; the level itself stays as it is. A dry run unless `"dry_run": false`. What goes is gone when this returns.
#[utoipa::path(post, path = "/v1/tenants/{tenant_id}/applications/{id}/shrink", tag = "applications",
    params(("tenant_id" = Uuid, Path), ("id" = Uuid, Path), Creating, Matching),
    request_body = Option<ShrinkingBody>,
    responses((status = 200, description = "Done", body = ShrunkBody), Writing))]
pub(crate) async fn shrink_application(
    State(api): State<Api>,
    Authenticated(caller): Authenticated,
    Path((tenant, id)): Path<(TenantId, ApplicationId)>,
    Precondition(if_match): Precondition,
    Post { body, once }: Post<ShrinkingBody>,
) -> Answer {
    let shrinking = body.parse(if_match)?;
    let once = once.map(|once| OnceFor { once, keep: kept });
    match api.app.shrink_application(&caller, tenant, id, shrinking, once).await? {
        Posted::Done(shrunk) => json(StatusCode::OK, &shrunk_body(shrinking.dry_run, &shrunk)),
        Posted::Replayed(kept) => replayed(kept),
    }
}
