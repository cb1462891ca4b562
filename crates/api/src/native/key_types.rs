//! Legacy key types: read and set what is allowed until when, and list who still uses them.

use crate::kit::{Api, Authenticated, Body, Path, Query};
use crate::native::answer::{Answer, json, page};
use crate::native::applications::KeyTypeWord;
use crate::native::members::{PageOf, PageQuery};
use crate::native::openapi::{Reading, Writing};
use crate::native::secrets::LastUseBody;
use axum::extract::State;
use claviger_app::key_types::{LegacyUse, NewRule, RulesAndEffect};
use claviger_domain::id::{ApplicationId, TenantId};
use claviger_domain::key_type::{LegacyRule, LegacyRules, LegacyType};
use claviger_domain::time::Timestamp;
use http::{StatusCode, Uri};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What is said of one type.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = LegacyKeyType)]
pub(crate) struct RuleBody {
    /// Whether new applications of the type may be made.
    allowed: bool,
    /// When those that there are stop; `null` where none works.
    #[schema(required = true, value_type = Option<String>, format = DateTime)]
    sunset: Option<Timestamp>,
    /// Since when the type is deprecated: when the operator first spoke of it.
    #[schema(required = true, value_type = Option<String>, format = DateTime)]
    deprecated_at: Option<Timestamp>,
}

impl From<Option<LegacyRule>> for RuleBody {
    fn from(rule: Option<LegacyRule>) -> Self {
        Self {
            allowed: rule.is_some_and(|rule| rule.allowed),
            sunset: rule.and_then(|rule| rule.sunset),
            deprecated_at: rule.map(|rule| rule.since),
        }
    }
}

/// What a tenant itself says of each type; `null` where the tenant above decides.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = OwnLegacyKeyTypes)]
pub(crate) struct OwnBody {
    /// Keys that read notifications.
    #[schema(required = true)]
    siem: Option<RuleBody>,
    /// Keys that do everything but that and Live Response.
    #[schema(required = true)]
    api: Option<RuleBody>,
    /// Keys that do Live Response besides.
    #[schema(required = true)]
    live_response: Option<RuleBody>,
}

/// What holds for each type.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = EffectiveLegacyKeyTypes)]
pub(crate) struct EffectiveBody {
    /// Keys that read notifications.
    siem: RuleBody,
    /// Keys that do everything but that and Live Response.
    api: RuleBody,
    /// Keys that do Live Response besides.
    live_response: RuleBody,
}

/// What is said of legacy key types at a tenant, and what holds there.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = LegacyKeyTypes)]
pub(crate) struct RulesBody {
    /// The tenant.
    #[schema(value_type = Uuid)]
    tenant_id: TenantId,
    /// What it says itself.
    own: OwnBody,
    /// What holds, by what it and the tenants above it say.
    effective: EffectiveBody,
}

impl From<RulesAndEffect> for RulesBody {
    fn from(RulesAndEffect { tenant_id, own, effective }: RulesAndEffect) -> Self {
        let said = |rules: &LegacyRules, kind| rules.get(kind).map(|rule| RuleBody::from(Some(rule)));
        let holds = |kind| RuleBody::from(effective.get(kind));
        Self {
            tenant_id,
            own: OwnBody {
                siem: said(&own, LegacyType::Siem),
                api: said(&own, LegacyType::Api),
                live_response: said(&own, LegacyType::LiveResponse),
            },
            effective: EffectiveBody {
                siem: holds(LegacyType::Siem),
                api: holds(LegacyType::Api),
                live_response: holds(LegacyType::LiveResponse),
            },
        }
    }
}

/// What is to be said of one type.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewLegacyKeyType)]
pub(crate) struct NewRuleBody {
    /// Whether new applications of the type may be made.
    allowed: bool,
    /// When applications of the type stop: a date (its first moment in UTC) or a time, at most ten years ahead. A type that
    /// is allowed needs one.
    #[serde(default)]
    #[schema(max_length = 64, example = "2027-01-01")]
    sunset: Option<String>,
}

/// What is to be said of each type; of one that is left out the tenant above decides.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewLegacyKeyTypes)]
pub(crate) struct NewRulesBody {
    /// Keys that read notifications.
    #[serde(default)]
    siem: Option<NewRuleBody>,
    /// Keys that do everything but that and Live Response.
    #[serde(default)]
    api: Option<NewRuleBody>,
    /// Keys that do Live Response besides.
    #[serde(default)]
    live_response: Option<NewRuleBody>,
}

/// An application of a legacy type.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = LegacyApplication)]
pub(crate) struct LegacyApplicationBody {
    /// The application.
    #[schema(value_type = Uuid)]
    application_id: ApplicationId,
    /// Its tenant.
    #[schema(value_type = Uuid)]
    tenant_id: TenantId,
    /// What it presents.
    client_id: String,
    /// Its name.
    name: String,
    /// Whoever answers for it.
    #[schema(required = true)]
    owner: Option<String>,
    /// Its type.
    key_type: KeyTypeWord,
    /// Whether it may call at all.
    enabled: bool,
    /// When it stops, or has stopped; `null` where its type is not allowed and no date was set.
    #[schema(required = true, value_type = Option<String>, format = DateTime)]
    sunset: Option<Timestamp>,
    /// Whether it has stopped.
    stopped: bool,
    /// Its last use; `null` if it has not been used.
    #[schema(required = true)]
    last_use: Option<LastUseBody>,
}

impl From<LegacyUse> for LegacyApplicationBody {
    fn from(LegacyUse { found, rule, stopped, .. }: LegacyUse) -> Self {
        let application = found.application;
        Self {
            application_id: application.id,
            tenant_id: application.tenant_id,
            client_id: application.client_id.to_string(),
            key_type: KeyTypeWord::from(&application.rights),
            name: application.name,
            owner: application.owner,
            enabled: application.enabled,
            sunset: rule.and_then(|rule| rule.sunset),
            stopped,
            last_use: found.last_use.as_ref().map(LastUseBody::from),
        }
    }
}

/// Read which legacy key types a tenant allows
#[utoipa::path(get, path = "/v1/tenants/{tenant_id}/legacy-key-types", tag = "applications",
    params(("tenant_id" = Uuid, Path)),
    responses((status = 200, description = "Done", body = RulesBody), Reading))]
pub(crate) async fn read_legacy_key_types(
    State(api): State<Api>,
    Authenticated(caller): Authenticated,
    Path(tenant): Path<TenantId>,
) -> Answer {
    json(StatusCode::OK, &RulesBody::from(api.app.find_legacy_rules(&caller, tenant).await?))
}

/// Say which legacy key types a tenant allows, and until when
///
/// For an application of the operator. Holds for the tenant and everything beneath it that says nothing itself, at once and
/// by the clock: on the sunset applications of the type stop.
#[utoipa::path(put, path = "/v1/tenants/{tenant_id}/legacy-key-types", tag = "applications",
    params(("tenant_id" = Uuid, Path)), request_body = NewRulesBody,
    responses((status = 200, description = "Done", body = RulesBody), Writing))]
pub(crate) async fn update_legacy_key_types(
    State(api): State<Api>,
    Authenticated(caller): Authenticated,
    Path(tenant): Path<TenantId>,
    Body(body): Body<NewRulesBody>,
) -> Answer {
    let NewRulesBody { siem, api: api_keys, live_response } = body;
    let said = [(LegacyType::Siem, siem), (LegacyType::Api, api_keys), (LegacyType::LiveResponse, live_response)];
    let new = said.into_iter().filter_map(|(kind, rule)| {
        let NewRuleBody { allowed, sunset } = rule?;
        Some((kind, NewRule { allowed, sunset }))
    });
    let found = api.app.put_legacy_rules(&caller, tenant, new.collect()).await?;
    json(StatusCode::OK, &RulesBody::from(found))
}

/// List who still uses legacy key types
///
/// The applications of the tenant and, for a caller that reaches beneath, of the tenants beneath it, with their last use.
#[utoipa::path(get, path = "/v1/tenants/{tenant_id}/legacy-key-types/report", tag = "applications",
    params(("tenant_id" = Uuid, Path), PageQuery),
    responses((status = 200, description = "Done", body = PageOf<LegacyApplicationBody>), Reading))]
pub(crate) async fn list_legacy_applications(
    State(api): State<Api>,
    Authenticated(caller): Authenticated,
    Path(tenant): Path<TenantId>,
    Query(query): Query<PageQuery>,
    uri: Uri,
) -> Answer {
    let found = api.app.list_legacy_applications(&caller, tenant, &query.parse()?).await?;
    page(&uri, found.map(LegacyApplicationBody::from))
}
