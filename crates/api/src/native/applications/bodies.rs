//! Bodies about applications, and what they mean.

use crate::kit::Fields;
use crate::native::grants::GrantsBody;
use crate::native::rate_limit::{RateLimitBody, RateLimitInput};
use crate::native::secrets::{MintedBody, SecretBody};
use claviger_domain::Result;
use claviger_domain::application::{Application, NewApplication, Reach, Rights, parse_expiry};
use claviger_domain::catalogue::Catalogue;
use claviger_domain::id::{AccessLevelId, ApplicationId, TenantId, UserId};
use claviger_domain::key_type::LegacyType;
use claviger_domain::name::{DESCRIPTION_MAX, Name, parse_owner, parse_text};
use claviger_domain::network::parse_networks;
use claviger_domain::time::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// How far an application's rights reach.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = Reach)]
pub(crate) enum ReachWord {
    /// Its own tenant only.
    Own,
    /// Its own tenant and everything beneath.
    Beneath,
}

/// The type of an application's key.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = KeyType)]
pub(crate) enum KeyTypeWord {
    /// Its rights are an access level's or its own.
    Custom,
    /// Legacy: reads notifications.
    Siem,
    /// Legacy: everything but Live Response and notifications.
    Api,
    /// Legacy: what `api` may, and Live Response.
    LiveResponse,
}

impl KeyTypeWord {
    fn legacy(self) -> Option<LegacyType> {
        match self {
            Self::Custom => None,
            Self::Siem => Some(LegacyType::Siem),
            Self::Api => Some(LegacyType::Api),
            Self::LiveResponse => Some(LegacyType::LiveResponse),
        }
    }
}

impl From<&Rights> for KeyTypeWord {
    fn from(rights: &Rights) -> Self {
        match rights.legacy() {
            None => Self::Custom,
            Some(LegacyType::Siem) => Self::Siem,
            Some(LegacyType::Api) => Self::Api,
            Some(LegacyType::LiveResponse) => Self::LiveResponse,
        }
    }
}

/// An application.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Application)]
pub(crate) struct ApplicationBody {
    /// Id.
    #[schema(value_type = Uuid)]
    id: ApplicationId,
    /// What it presents together with a secret.
    client_id: String,
    /// The tenant it belongs to.
    #[schema(value_type = Uuid)]
    tenant_id: TenantId,
    /// Name, unique in the tenant.
    name: String,
    /// Description.
    description: String,
    /// E-mail address of whoever answers for it.
    #[schema(required = true)]
    owner: Option<String>,
    /// The user who answers for it, where it is one.
    #[schema(required = true, value_type = Option<Uuid>)]
    owner_id: Option<UserId>,
    /// The type of its key. A legacy one decides its rights: then it has neither an access level nor grants.
    key_type: KeyTypeWord,
    /// The access level it has its rights from; `null` where they are its own.
    #[schema(required = true, value_type = Option<Uuid>)]
    access_level_id: Option<AccessLevelId>,
    /// Its own grants; `null` where they come from an access level.
    #[schema(required = true)]
    grants: Option<GrantsBody>,
    /// How far its rights reach.
    reach: ReachWord,
    /// Networks it may call from: `null` is any, an empty list is none.
    #[schema(required = true, example = json!(["192.0.2.0/24", "2001:db8::/32"]))]
    allowed_networks: Option<Vec<String>>,
    /// When it stops; `null` is never.
    #[schema(required = true, value_type = Option<String>, format = DateTime)]
    expires_at: Option<Timestamp>,
    /// When it really stops, the tenant's ceilings considered; `null` is never.
    #[schema(required = true, value_type = Option<String>, format = DateTime)]
    effective_expires_at: Option<Timestamp>,
    /// Whether it may call at all.
    enabled: bool,
    /// Rate limit; `null` is none.
    #[schema(required = true)]
    rate_limit: Option<RateLimitBody>,
    /// Whether its session tokens are bound to a key of its client (DPoP, RFC 9449).
    dpop_bound: bool,
    /// Counts the changes; the entity tag.
    version: i64,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// When it was changed last.
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
}

/// An application with its live secrets.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ApplicationWithSecrets)]
pub(crate) struct DetailedBody {
    #[serde(flatten)]
    pub(crate) application: ApplicationBody,
    /// Its live secrets, without their texts.
    pub(crate) secrets: Vec<SecretBody>,
}

/// A new application and its first secret.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = CreatedApplication)]
pub(crate) struct CreatedBody {
    /// The application.
    pub(crate) application: ApplicationBody,
    /// Its secret, whose text is not shown again; `null` where secrets are forbidden.
    #[schema(required = true)]
    pub(crate) secret: Option<MintedBody>,
}

/// An application to be made. Either `access_level_id` or `grants`, or a legacy `key_type`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewApplication)]
pub(crate) struct NewApplicationBody {
    /// Name, unique in the tenant.
    #[schema(min_length = 1, max_length = 128)]
    name: String,
    /// Description.
    #[serde(default)]
    #[schema(max_length = 1024)]
    description: String,
    /// E-mail address of whoever answers for it.
    #[serde(default)]
    #[schema(max_length = 254)]
    owner: Option<String>,
    /// The user who answers for it, of its tenant or of one above, in place of `owner`.
    #[serde(default)]
    #[schema(value_type = Option<Uuid>)]
    owner_id: Option<UserId>,
    /// The type of its key; `custom` if not given. A legacy type, where an operator allows it, takes the place of
    /// `access_level_id` and `grants`.
    #[serde(default)]
    key_type: Option<KeyTypeWord>,
    /// An access level of the tenant, or a built-in one.
    #[serde(default)]
    #[schema(value_type = Option<Uuid>)]
    access_level_id: Option<AccessLevelId>,
    /// Grants of its own: permission name → verbs.
    #[serde(default)]
    grants: Option<GrantsBody>,
    /// How far its rights reach; `own` if not given.
    #[serde(default)]
    reach: Option<ReachWord>,
    /// Networks it may call from, in CIDR notation: absent or `null` is any, an empty list is none.
    #[serde(default)]
    #[schema(max_items = 256)]
    allowed_networks: Option<Vec<String>>,
    /// When it stops; where the tenant has a ceiling, at the latest and if left out as far ahead as that.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Option<Timestamp>,
    /// When its first secret stops.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = DateTime)]
    secret_expires_at: Option<Timestamp>,
    /// Whether it may call from the start; it may if not given.
    #[serde(default)]
    enabled: Option<bool>,
    /// Rate limit; a bare number is so many requests per second.
    #[serde(default)]
    #[schema(value_type = Option<RateLimitInput>)]
    rate_limit: Option<RateLimitBody>,
    /// Whether its session tokens are bound to a key of its client (DPoP, RFC 9449); not if not given.
    #[serde(default)]
    dpop_bound: Option<bool>,
}

impl From<&Application> for ApplicationBody {
    fn from(application: &Application) -> Self {
        let (access_level_id, grants) = match &application.rights {
            Rights::Level(id) => (Some(*id), None),
            Rights::Inline(grants) => (None, Some(GrantsBody::from(grants))),
            Rights::Legacy(_) => (None, None),
        };
        let networks = application.allowed_networks.as_ref();
        Self {
            id: application.id,
            client_id: application.client_id.to_string(),
            tenant_id: application.tenant_id,
            name: application.name.clone(),
            description: application.description.clone(),
            owner: application.owner.clone(),
            owner_id: application.owner_id,
            key_type: KeyTypeWord::from(&application.rights),
            access_level_id,
            grants,
            reach: application.reach.into(),
            allowed_networks: networks.map(|list| list.iter().map(ToString::to_string).collect()),
            expires_at: application.expires_at,
            effective_expires_at: application.ends_at,
            enabled: application.enabled,
            rate_limit: application.rate_limit.map(Into::into),
            dpop_bound: application.dpop_bound,
            version: application.version,
            created_at: application.created_at,
            updated_at: application.updated_at,
        }
    }
}

impl From<Reach> for ReachWord {
    fn from(reach: Reach) -> Self {
        match reach {
            Reach::Own => Self::Own,
            Reach::Beneath => Self::Beneath,
        }
    }
}

impl From<ReachWord> for Reach {
    fn from(word: ReachWord) -> Self {
        match word {
            ReachWord::Own => Self::Own,
            ReachWord::Beneath => Self::Beneath,
        }
    }
}

impl NewApplicationBody {
    /// What is to be made, or all that is wrong with it.
    pub(crate) fn parse(self, catalogue: &Catalogue, now: Timestamp) -> Result<NewApplication> {
        let mut fields = Fields::new();
        let name = fields.take(Name::parse("/name", &self.name));
        let description = fields.take(parse_text("/description", &self.description, DESCRIPTION_MAX));
        let owner = self.owner.and_then(|owner| fields.take(parse_owner("/owner", &owner)));
        if owner.is_some() && self.owner_id.is_some() {
            refuse_two_owners(&mut fields);
        }
        let custom = rights(&mut fields, self.access_level_id, self.grants.as_ref(), catalogue);
        let given = self.access_level_id.is_some() || self.grants.is_some();
        let rights = match (self.key_type.and_then(KeyTypeWord::legacy), given) {
            (None, true) => custom,
            (Some(kind), false) => Some(Rights::Legacy(kind)),
            (None, false) => {
                fields.refuse("/grants", "neither access_level_id nor grants is given", "give one of the two");
                None
            }
            (Some(_), true) => {
                let fix = "leave access_level_id and grants out, or give \"key_type\": \"custom\"";
                fields.refuse("/key_type", "a legacy type decides the rights of its keys", fix);
                None
            }
        };
        let networks = self.allowed_networks;
        let allowed_networks =
            networks.and_then(|networks| fields.take(parse_networks("/allowed_networks", &networks)));
        let expires_at = self.expires_at.and_then(|at| fields.take(parse_expiry("/expires_at", at, now)));
        let secret_expires_at =
            self.secret_expires_at.and_then(|at| fields.take(parse_expiry("/secret_expires_at", at, now)));
        let rate_limit = self.rate_limit.and_then(|limit| fields.take(limit.parse("/rate_limit")));
        let built = name.zip(description).zip(rights).map(|((name, description), rights)| NewApplication {
            name,
            description,
            owner,
            owner_id: self.owner_id,
            rights,
            reach: self.reach.map_or(Reach::Own, Into::into),
            allowed_networks,
            expires_at,
            secret_expires_at,
            enabled: self.enabled.unwrap_or(true),
            rate_limit,
            dpop_bound: self.dpop_bound.unwrap_or(false),
        });
        fields.finish(built)
    }
}

/// The rights that a body names: from one source, not from both.
pub(super) fn rights(
    fields: &mut Fields,
    level: Option<AccessLevelId>,
    grants: Option<&GrantsBody>,
    catalogue: &Catalogue,
) -> Option<Rights> {
    match (level, grants) {
        (None, None) => None,
        (Some(level), None) => Some(Rights::Level(level)),
        (None, Some(grants)) => fields.take(grants.parse(catalogue)).map(Rights::Inline),
        (Some(_), Some(_)) => {
            fields.refuse("/grants", "both access_level_id and grants are given", "give one of the two");
            None
        }
    }
}

#[cfg(test)]
mod tests;

/// An application has one owner.
pub(super) fn refuse_two_owners(fields: &mut Fields) {
    fields.refuse(
        "/owner_id",
        "owner and owner_id are given",
        "give one of the two: a user's address is taken from the user",
    );
}
