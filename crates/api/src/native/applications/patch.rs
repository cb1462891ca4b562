//! The merge patch of an application, and how it is read.

use super::bodies::{ReachWord, refuse_two_owners, rights};
use crate::kit::Fields;
use crate::native::grants::GrantsBody;
use crate::native::rate_limit::{RateLimitBody, RateLimitInput};
use claviger_domain::Result;
use claviger_domain::application::{ApplicationPatch, parse_expiry};
use claviger_domain::catalogue::Catalogue;
use claviger_domain::id::{AccessLevelId, UserId};
use claviger_domain::name::{DESCRIPTION_MAX, Name, parse_owner, parse_text};
use claviger_domain::network::parse_networks;
use claviger_domain::time::Timestamp;
use serde::Deserialize;
use utoipa::ToSchema;

/// A change of an application: a merge patch.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ApplicationPatch)]
pub(crate) struct ApplicationPatchBody {
    /// New name.
    #[serde(default, deserialize_with = "crate::kit::not_null")]
    #[schema(min_length = 1, max_length = 128, nullable = false)]
    name: Option<String>,
    /// New description; `null` empties it.
    #[serde(default, deserialize_with = "crate::kit::given")]
    #[schema(value_type = Option<String>, max_length = 1024)]
    description: Option<Option<String>>,
    /// New owner.
    #[serde(default, deserialize_with = "crate::kit::given")]
    #[schema(value_type = Option<String>, max_length = 254)]
    owner: Option<Option<String>>,
    /// New owner as a user, of its tenant or of one above, in place of `owner`.
    #[serde(default, deserialize_with = "crate::kit::given")]
    #[schema(value_type = Option<Uuid>)]
    owner_id: Option<Option<UserId>>,
    /// New access level, in place of grants of its own.
    #[serde(default, deserialize_with = "crate::kit::given")]
    #[schema(value_type = Option<Uuid>)]
    access_level_id: Option<Option<AccessLevelId>>,
    /// New grants of its own, in place of all old ones and of an access level.
    #[serde(default, deserialize_with = "crate::kit::given")]
    #[schema(value_type = Option<GrantsBody>)]
    grants: Option<Option<GrantsBody>>,
    /// New reach.
    #[serde(default, deserialize_with = "crate::kit::not_null")]
    #[schema(nullable = false)]
    reach: Option<ReachWord>,
    /// New networks; `null` is any.
    #[serde(default, deserialize_with = "crate::kit::given")]
    #[schema(value_type = Option<Vec<String>>, max_items = 256)]
    allowed_networks: Option<Option<Vec<String>>>,
    /// New end; `null` is none, or the tenant's ceiling.
    #[serde(default, deserialize_with = "crate::kit::given")]
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Option<Option<Timestamp>>,
    /// Enable or disable.
    #[serde(default, deserialize_with = "crate::kit::not_null")]
    #[schema(nullable = false)]
    enabled: Option<bool>,
    /// New rate limit; `null` is none.
    #[serde(default, deserialize_with = "crate::kit::given")]
    #[schema(value_type = Option<RateLimitInput>)]
    rate_limit: Option<Option<RateLimitBody>>,
    /// Bind its session tokens to a key of its client, or not. Those that are not bound stop at once.
    #[serde(default, deserialize_with = "crate::kit::not_null")]
    #[schema(nullable = false)]
    dpop_bound: Option<bool>,
    /// Says that the caller knows that it shuts out the address it calls from.
    #[serde(default)]
    confirm: bool,
}

impl ApplicationPatchBody {
    /// What is to be changed, or all that is wrong with it.
    pub(crate) fn parse(self, catalogue: &Catalogue, now: Timestamp) -> Result<ApplicationPatch> {
        let mut fields = Fields::new();
        let touches_rights = self.access_level_id.is_some() || self.grants.is_some();
        let (level, grants) = (self.access_level_id.flatten(), self.grants.flatten());
        let rights = rights(&mut fields, level, grants.as_ref(), catalogue);
        if touches_rights && level.is_none() && grants.is_none() {
            fields.refuse("/grants", "the application would have no rights", "give access_level_id or grants");
        }
        if self.owner.as_ref().is_some_and(Option::is_some) && self.owner_id.is_some_and(|id| id.is_some()) {
            refuse_two_owners(&mut fields);
        }
        let description = self.description.map(Option::unwrap_or_default);
        let patch = ApplicationPatch {
            name: self.name.and_then(|name| fields.take(Name::parse("/name", &name))),
            description: description.and_then(|text| fields.take(parse_text("/description", &text, DESCRIPTION_MAX))),
            owner_id: self.owner_id,
            owner: self.owner.map(|owner| owner.and_then(|owner| fields.take(parse_owner("/owner", &owner)))),
            rights,
            reach: self.reach.map(Into::into),
            allowed_networks: self.allowed_networks.map(|networks| {
                networks.and_then(|networks| fields.take(parse_networks("/allowed_networks", &networks)))
            }),
            expires_at: self.expires_at.map(|end| end.and_then(|at| fields.take(parse_expiry("/expires_at", at, now)))),
            enabled: self.enabled,
            rate_limit: self.rate_limit.map(|limit| limit.and_then(|limit| fields.take(limit.parse("/rate_limit")))),
            dpop_bound: self.dpop_bound,
            confirm: self.confirm,
        };
        fields.finish(Some(patch))
    }
}
