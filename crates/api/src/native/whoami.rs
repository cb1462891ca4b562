//! Who a credential belongs to, and what it may do.

use crate::kit::{Api, Authenticated};
use crate::native::answer::{Answer, json};
use crate::native::grants::GrantsBody;
use crate::native::openapi::Reading;
use crate::native::rate_limit::RateLimitBody;
use crate::native::tenants::KindWord;
use axum::extract::State;
use claviger_domain::id::{ApplicationId, TenantId, UserId};
use claviger_domain::time::Timestamp;
use http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

/// The caller, as it stands at this moment.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = WhoAmI)]
pub(crate) struct WhoAmIBody {
    /// The tenant it belongs to.
    #[schema(value_type = Uuid)]
    tenant_id: TenantId,
    /// That tenant's key in the paths of Carbon Black clients.
    org_key: String,
    /// That tenant's kind.
    tenant_kind: KindWord,
    /// The application; `null` where a person calls.
    #[schema(required = true, value_type = Option<Uuid>)]
    application_id: Option<ApplicationId>,
    /// What it presented; `null` where a person calls.
    #[schema(required = true)]
    client_id: Option<String>,
    /// The person; `null` where an application calls.
    #[schema(required = true, value_type = Option<Uuid>)]
    user_id: Option<UserId>,
    /// `own` or `beneath`.
    #[schema(example = "own")]
    reach: &'static str,
    /// Everything it may do, its access level looked through: permission name → verbs.
    grants: GrantsBody,
    /// When it stops; `null` is never.
    #[schema(required = true, value_type = Option<String>, format = DateTime)]
    expires_at: Option<Timestamp>,
    /// When the secret that it presented really stops, everything considered; `null` is never.
    #[schema(required = true, value_type = Option<String>, format = DateTime)]
    credential_expires_at: Option<Timestamp>,
    /// Its rate limit; `null` is none.
    #[schema(required = true)]
    rate_limit: Option<RateLimitBody>,
    /// The address this request comes from, as the server sees it; `null` if a proxy did not say.
    #[schema(required = true)]
    address: Option<String>,
}

/// Ask who one is
///
/// Any valid credential may.
#[utoipa::path(get, path = "/v1/whoami", tag = "verification",
    responses((status = 200, description = "Done", body = WhoAmIBody), Reading))]
pub(crate) async fn whoami(State(api): State<Api>, Authenticated(caller): Authenticated) -> Answer {
    caller.count();
    let (record, tenant) = (caller.record().ok(), caller.tenant());
    let body = WhoAmIBody {
        tenant_id: tenant.id,
        org_key: tenant.org_key.to_string(),
        tenant_kind: tenant.kind.into(),
        application_id: caller.application(),
        client_id: record.map(|_| caller.name()),
        user_id: caller.user().map(|user| user.id),
        reach: caller.reach_kind().as_str(),
        grants: GrantsBody::from(&caller.grants().to_grants(api.app.catalogue())),
        expires_at: record.and_then(|record| record.expires_at()),
        credential_expires_at: caller.credential_end(),
        rate_limit: record.and_then(|record| record.policy.rate_limit).map(Into::into),
        address: caller.origin().address().map(|address| address.to_string()),
    };
    json(StatusCode::OK, &body)
}
