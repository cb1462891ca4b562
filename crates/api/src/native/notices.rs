//! What the owners of a tenant's applications were told.

use crate::kit::{Api, Authenticated, Path, Post, Query};
use crate::native::answer::{Answer, json, page};
use crate::native::members::PageOf;
use crate::native::openapi::{Reading, Writing};
use crate::native::secrets::NothingBody;
use axum::extract::State;
use claviger_domain::id::{ApplicationId, NoticeId, SecretId, TenantId};
use claviger_domain::notice::{Notice, NoticeFilter, NoticeKind};
use claviger_domain::page::PageRequest;
use claviger_domain::time::Timestamp;
use claviger_domain::{Error, Result};
use http::{StatusCode, Uri};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// What narrows the list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct NoticesQuery {
    /// Only notices of this kind.
    #[param(example = "secret.expiring")]
    kind: Option<String>,
    /// Only notices about this application.
    #[param(value_type = Option<Uuid>)]
    application_id: Option<ApplicationId>,
    /// Also those that somebody put away.
    dismissed: Option<bool>,
    /// Items on a page.
    #[param(minimum = 1, maximum = 1000, default = 50)]
    limit: Option<i64>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// What the owner of an application was told.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Notice)]
pub(crate) struct NoticeBody {
    /// Id.
    #[schema(value_type = Uuid)]
    id: NoticeId,
    /// `application.expiring`, `secret.expiring`, `secret.rotation_due`, `secret.retired`, `secret.leaked` or
    /// `key_type.sunset`. More may come.
    #[schema(example = "secret.expiring")]
    kind: &'static str,
    /// The application.
    #[schema(value_type = Uuid)]
    application_id: ApplicationId,
    /// Its name at the time.
    application_name: String,
    /// Who answered for it at the time.
    #[schema(required = true)]
    owner: Option<String>,
    /// The secret; `null` if it is not about one.
    #[schema(required = true, value_type = Option<Uuid>)]
    secret_id: Option<SecretId>,
    /// What it is and what to do.
    detail: String,
    /// When what it is about happens; `null` if it has happened.
    #[schema(required = true, value_type = Option<String>, format = DateTime)]
    due_at: Option<Timestamp>,
    /// When it was told.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// When somebody put it away; `null` if nobody has.
    #[schema(required = true, value_type = Option<String>, format = DateTime)]
    dismissed_at: Option<Timestamp>,
    /// Client id of whoever did.
    #[schema(required = true)]
    dismissed_by: Option<String>,
}

impl From<Notice> for NoticeBody {
    fn from(Notice { id, telling, created_at, dismissed }: Notice) -> Self {
        Self {
            id,
            kind: telling.kind.as_str(),
            application_id: telling.application_id,
            application_name: telling.application_name,
            owner: telling.owner,
            secret_id: telling.secret_id,
            detail: telling.detail,
            due_at: telling.due_at,
            created_at,
            dismissed_at: dismissed.as_ref().map(|dismissal| dismissal.at),
            dismissed_by: dismissed.map(|dismissal| dismissal.by),
        }
    }
}

impl NoticesQuery {
    fn parse(self) -> Result<(NoticeFilter, PageRequest)> {
        let unknown = |word: &str| {
            let known: Vec<_> = NoticeKind::ALL.into_iter().map(NoticeKind::as_str).collect();
            Error::invalid("kind", format!("there is no kind {word:?}"), format!("known are {}", known.join(", ")))
        };
        let kind = self.kind.as_deref().map(|word| NoticeKind::parse(word).ok_or_else(|| unknown(word)));
        let filter = NoticeFilter {
            kind: kind.transpose()?,
            application_id: self.application_id,
            dismissed: self.dismissed.unwrap_or(false),
        };
        Ok((filter, PageRequest::parse(self.limit, self.cursor.as_deref())?))
    }
}

/// List the notices of a tenant
///
/// What the owners of its applications were told: that a credential ends or is to be rotated, has retired, or has leaked.
/// Newest first, without those that somebody put away.
#[utoipa::path(get, path = "/v1/tenants/{tenant_id}/notices", tag = "insight",
    params(("tenant_id" = Uuid, Path), NoticesQuery),
    responses((status = 200, description = "Done", body = PageOf<NoticeBody>), Reading))]
pub(crate) async fn list_notices(
    State(api): State<Api>,
    Authenticated(caller): Authenticated,
    Path(tenant): Path<TenantId>,
    Query(query): Query<NoticesQuery>,
    uri: Uri,
) -> Answer {
    let (filter, request) = query.parse()?;
    let notices = api.app.list_notices(&caller, tenant, &filter, &request).await?;
    page(&uri, notices.map(NoticeBody::from))
}

/// Put a notice away
///
/// It stays, and lists leave it out unless they are asked for it. Doing it again changes nothing.
#[utoipa::path(post, path = "/v1/tenants/{tenant_id}/notices/{notice_id}/dismiss", tag = "insight",
    params(("tenant_id" = Uuid, Path), ("notice_id" = Uuid, Path)),
    request_body = Option<NothingBody>,
    responses((status = 200, description = "Done", body = NoticeBody), Writing))]
pub(crate) async fn dismiss_notice(
    State(api): State<Api>,
    Authenticated(caller): Authenticated,
    Path((tenant, notice)): Path<(TenantId, NoticeId)>,
    Post { body: NothingBody {}, once: _ }: Post<NothingBody>,
) -> Answer {
    let notice = api.app.dismiss_notice(&caller, tenant, notice).await?;
    json(StatusCode::OK, &NoticeBody::from(notice))
}
