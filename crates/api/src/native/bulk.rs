//! Many applications at once: revoke by filter, hand over from one owner to another.

use crate::kit::{Api, Authenticated, Fields, Path, Post};
use crate::native::answer::{Answer, json, keep, replayed};
use crate::native::openapi::{Creating, Writing};
use axum::extract::State;
use claviger_app::bulk::Changed;
use claviger_app::unit::{Kept, OnceFor, Posted};
use claviger_domain::bulk::{Filter, Resolve, Revocation};
use claviger_domain::id::{AccessLevelId, ApplicationId, TenantId};
use claviger_domain::name::parse_owner;
use claviger_domain::time::Timestamp;
use claviger_domain::{Result, bulk};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Which applications are meant: those that fit every member that is given, and one must be.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ApplicationFilter)]
pub(crate) struct FilterBody {
    /// This owner, letter by letter; `null` is none.
    #[serde(default, deserialize_with = "crate::kit::given")]
    #[schema(value_type = Option<String>, max_length = 254)]
    owner: Option<Option<String>>,
    /// Rights from this access level.
    #[serde(default)]
    #[schema(value_type = Option<Uuid>)]
    access_level_id: Option<AccessLevelId>,
    /// Not called for so many days, and as old as that.
    #[serde(default)]
    #[schema(minimum = 1, maximum = 3650)]
    unused_days: Option<i64>,
    /// A name that begins so, letter by letter.
    #[serde(default)]
    #[schema(min_length = 1, max_length = 128)]
    name_prefix: Option<String>,
    /// Made before.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = DateTime)]
    created_before: Option<Timestamp>,
    /// One of these.
    #[serde(default)]
    #[schema(value_type = Option<Vec<Uuid>>, min_items = 1, max_items = 1000)]
    ids: Option<Vec<ApplicationId>>,
}

impl FilterBody {
    fn parse(self) -> Result<Filter> {
        let Self { owner, access_level_id, unused_days, name_prefix, created_before, ids } = self;
        Filter { owner, access_level_id, unused_days, name_prefix, created_before, ids }.check("/filter")
    }
}

/// How applications are revoked.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = Revocation)]
pub(crate) enum ModeWord {
    /// They are disabled, and can be enabled again.
    Disable,
    /// Their secrets are deleted: clients need new ones.
    DeleteSecrets,
}

impl From<ModeWord> for Revocation {
    fn from(word: ModeWord) -> Self {
        match word {
            ModeWord::Disable => Self::Disable,
            ModeWord::DeleteSecrets => Self::DeleteSecrets,
        }
    }
}

/// What to revoke.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = BulkRevocation)]
pub(crate) struct RevokeBody {
    /// Which applications.
    filter: FilterBody,
    /// How.
    mode: ModeWord,
    /// Only say what would come of it; so it is if not given.
    #[serde(default)]
    #[schema(default = true)]
    dry_run: Option<bool>,
    /// The `count` of the dry run; must be given, and still be right, for it to be done.
    #[serde(default)]
    #[schema(minimum = 0, maximum = 5000)]
    expected_count: Option<i64>,
}

/// Whose applications become whose.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = OwnershipTransfer)]
pub(crate) struct TransferBody {
    /// The owner before, letter by letter; `null` is none.
    #[serde(default, deserialize_with = "crate::kit::given")]
    #[schema(value_type = Option<String>, required = true, max_length = 254)]
    from_owner: Option<Option<String>>,
    /// The owner after.
    #[schema(max_length = 254)]
    to_owner: String,
    /// Only say what would come of it; so it is if not given.
    #[serde(default)]
    #[schema(default = true)]
    dry_run: Option<bool>,
    /// The `count` of the dry run; must be given, and still be right, for it to be done.
    #[serde(default)]
    #[schema(minimum = 0, maximum = 5000)]
    expected_count: Option<i64>,
}

/// What a change of many applications came to.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = BulkChange)]
pub(crate) struct ChangedBody {
    /// Whether nothing was changed, since it was only asked.
    dry_run: bool,
    /// How many applications there are.
    count: usize,
    /// The applications, by id.
    items: Vec<ChangedItem>,
}

/// One of the applications, as it was before.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = BulkItem)]
pub(crate) struct ChangedItem {
    /// Id.
    #[schema(value_type = Uuid)]
    id: ApplicationId,
    /// What it presents.
    client_id: String,
    /// Name.
    name: String,
    /// Owner.
    #[schema(required = true)]
    owner: Option<String>,
    /// When one of its live secrets was used last; `null` is never.
    #[schema(required = true, value_type = Option<String>, format = DateTime)]
    last_used_at: Option<Timestamp>,
}

impl From<&Changed> for ChangedBody {
    fn from(changed: &Changed) -> Self {
        let items: Vec<_> = changed
            .applications
            .iter()
            .map(|one| ChangedItem {
                id: one.application.id,
                client_id: one.application.client_id.to_string(),
                name: one.application.name.clone(),
                owner: one.application.owner.clone(),
                last_used_at: one.last_used_at,
            })
            .collect();
        Self { dry_run: changed.dry_run, count: items.len(), items }
    }
}

fn kept(changed: &Changed) -> Kept {
    keep(StatusCode::OK, &ChangedBody::from(changed))
}

fn answer(posted: Posted<Changed>) -> Answer {
    match posted {
        Posted::Done(changed) => json(StatusCode::OK, &ChangedBody::from(&changed)),
        Posted::Replayed(kept) => replayed(kept),
    }
}

/// Revoke many applications
///
/// All that fit the filter, at most 5,000, all of them or none; they are refused when this returns. A dry run unless
/// `dry_run` is `false`; then `expected_count` must be what a dry run said, else it is refused with 409. An application on
/// which it would change nothing does not fit, nor does the caller's own.
#[utoipa::path(post, path = "/v1/tenants/{tenant_id}/applications/revoke", tag = "applications",
    params(("tenant_id" = Uuid, Path), Creating), request_body = RevokeBody,
    responses((status = 200, description = "Done, or what would be", body = ChangedBody), Writing))]
pub(crate) async fn revoke_applications(
    State(api): State<Api>,
    Authenticated(caller): Authenticated,
    Path(tenant): Path<TenantId>,
    Post { body, once }: Post<RevokeBody>,
) -> Answer {
    let mut fields = Fields::new();
    let filter = fields.take(body.filter.parse());
    let resolve = fields.take(Resolve::parse(body.dry_run, body.expected_count));
    let (filter, resolve) = fields.finish(filter.zip(resolve))?;
    let once = once.map(|once| OnceFor { once, keep: kept });
    answer(api.app.revoke_applications(&caller, tenant, filter, body.mode.into(), resolve, once).await?)
}

/// Hand applications over to another owner
///
/// All applications of one owner, at most 5,000, all of them or none. A dry run unless `dry_run` is `false`; then
/// `expected_count` must be what a dry run said, else it is refused with 409. One alone is handed over by changing its
/// `owner`.
#[utoipa::path(post, path = "/v1/tenants/{tenant_id}/applications/transfer", tag = "applications",
    params(("tenant_id" = Uuid, Path), Creating), request_body = TransferBody,
    responses((status = 200, description = "Done, or what would be", body = ChangedBody), Writing))]
pub(crate) async fn transfer_applications(
    State(api): State<Api>,
    Authenticated(caller): Authenticated,
    Path(tenant): Path<TenantId>,
    Post { body, once }: Post<TransferBody>,
) -> Answer {
    let mut fields = Fields::new();
    let from = fields.take(bulk::parse_from_owner("/from_owner", body.from_owner));
    let to = fields.take(parse_owner("/to_owner", &body.to_owner));
    let resolve = fields.take(Resolve::parse(body.dry_run, body.expected_count));
    let ((from, to), resolve) = fields.finish(from.zip(to).zip(resolve))?;
    let once = once.map(|once| OnceFor { once, keep: kept });
    answer(api.app.transfer_applications(&caller, tenant, from, to, resolve, once).await?)
}
