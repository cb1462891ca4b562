//! Applications: machine identities of a tenant, and their secrets.

use crate::grants::Grants;
use crate::id::{AccessLevelId, ApplicationId, ClientId, SecretId, TenantId, UserId};
use crate::key_type::{CUSTOM, LegacyType};
use crate::name::Name;
use crate::network::Network;
use crate::rate::RateLimit;
use crate::time::Timestamp;
use crate::{Error, Result};
use std::net::IpAddr;

/// Where an application's rights come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rights {
    /// From an access level of its tenant, or a built-in one.
    Level(AccessLevelId),
    /// Written on the application itself.
    Inline(Grants),
    /// From the legacy type of its key.
    Legacy(LegacyType),
}

impl Rights {
    /// The legacy type, if it is one.
    pub fn legacy(&self) -> Option<LegacyType> {
        match self {
            Self::Legacy(kind) => Some(*kind),
            Self::Level(_) | Self::Inline(_) => None,
        }
    }

    /// The type of key, as the wire and the store have it.
    pub fn key_type(&self) -> &'static str {
        self.legacy().map_or(CUSTOM, LegacyType::as_str)
    }
}

/// How far an application's rights reach.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum Reach {
    /// Its own tenant only.
    Own,
    /// Its own tenant and everything beneath.
    Beneath,
}

impl Reach {
    /// The word on the wire and in the store.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Own => "own",
            Self::Beneath => "beneath",
        }
    }

    /// The reach that a word names.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Own, Self::Beneath].into_iter().find(|reach| reach.as_str() == text)
    }
}

/// An application as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Application {
    /// Id.
    pub id: ApplicationId,
    /// The tenant it belongs to.
    pub tenant_id: TenantId,
    /// What it presents.
    pub client_id: ClientId,
    /// Name, unique in the tenant.
    pub name: String,
    /// Description.
    pub description: String,
    /// E-mail address of whoever answers for it.
    pub owner: Option<String>,
    /// The user who answers for it, of its tenant or of one above.
    pub owner_id: Option<UserId>,
    /// Rights.
    pub rights: Rights,
    /// Reach.
    pub reach: Reach,
    /// Networks it may call from: absent is any, empty is none.
    pub allowed_networks: Option<Vec<Network>>,
    /// When it stops.
    pub expires_at: Option<Timestamp>,
    /// When it really stops, ceilings considered. What the store has read knows its own end only.
    pub ends_at: Option<Timestamp>,
    /// Whether it may call at all.
    pub enabled: bool,
    /// Rate limit; absent is none.
    pub rate_limit: Option<RateLimit>,
    /// Whether its session tokens are bound to a key of its client (DPoP).
    pub dpop_bound: bool,
    /// Counts the changes, from 1; the entity tag.
    pub version: i64,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was changed last.
    pub updated_at: Timestamp,
}

/// What is needed to make an application.
#[derive(Clone, Debug)]
pub struct NewApplication {
    /// Name.
    pub name: Name,
    /// Description.
    pub description: String,
    /// Owner.
    pub owner: Option<String>,
    /// The user who answers for it, of its tenant or of one above.
    pub owner_id: Option<UserId>,
    /// Rights.
    pub rights: Rights,
    /// Reach.
    pub reach: Reach,
    /// Networks: absent is any, empty is none.
    pub allowed_networks: Option<Vec<Network>>,
    /// When it stops.
    pub expires_at: Option<Timestamp>,
    /// When its first secret stops.
    pub secret_expires_at: Option<Timestamp>,
    /// Whether it may call from the start.
    pub enabled: bool,
    /// Rate limit.
    pub rate_limit: Option<RateLimit>,
    /// Whether its session tokens are bound to a key of its client.
    pub dpop_bound: bool,
}

impl NewApplication {
    /// The application that this makes.
    pub fn into_application(
        self,
        tenant_id: TenantId,
        id: ApplicationId,
        client_id: ClientId,
        now: Timestamp,
    ) -> Application {
        Application {
            id,
            tenant_id,
            client_id,
            name: self.name.as_str().to_owned(),
            description: self.description,
            owner: self.owner,
            owner_id: self.owner_id,
            rights: self.rights,
            reach: self.reach,
            allowed_networks: self.allowed_networks,
            expires_at: self.expires_at,
            ends_at: self.expires_at,
            enabled: self.enabled,
            rate_limit: self.rate_limit,
            dpop_bound: self.dpop_bound,
            version: 1,
            created_at: now,
            updated_at: now,
        }
    }
}

/// A change of an application. The outer `Option` says whether the member was given, the inner one whether it was `null`.
#[derive(Clone, Debug, Default)]
pub struct ApplicationPatch {
    /// New name.
    pub name: Option<Name>,
    /// New description.
    pub description: Option<String>,
    /// New owner.
    pub owner: Option<Option<String>>,
    /// New owner, as a user.
    pub owner_id: Option<Option<UserId>>,
    /// New rights.
    pub rights: Option<Rights>,
    /// New reach.
    pub reach: Option<Reach>,
    /// New networks.
    pub allowed_networks: Option<Option<Vec<Network>>>,
    /// New end.
    pub expires_at: Option<Option<Timestamp>>,
    /// Enable or disable.
    pub enabled: Option<bool>,
    /// New rate limit.
    pub rate_limit: Option<Option<RateLimit>>,
    /// Bind session tokens to a key of the client, or not.
    pub dpop_bound: Option<bool>,
    /// Said by a caller that knows it is about to shut out the address it calls from.
    pub confirm: bool,
}

/// A secret as it is stored, without what recognises it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Secret {
    /// Id.
    pub id: SecretId,
    /// Its application.
    pub application_id: ApplicationId,
    /// Prefix and last four characters.
    pub hint: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it stops.
    pub expires_at: Option<Timestamp>,
    /// When it really stops, ceilings and rotation considered, its application left out of account. What the store has read
    /// knows its own end only.
    pub ends_at: Option<Timestamp>,
    /// When it was used last, and by whom.
    pub last_use: Option<LastUse>,
    /// Whether it can do nothing but be changed for another one.
    pub temporary: bool,
}

/// The last use of a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LastUse {
    /// When.
    pub at: Timestamp,
    /// From which address; none if a proxy hid it.
    pub address: Option<IpAddr>,
    /// What the client called itself, cut to [`USER_AGENT_MAX`] characters.
    pub user_agent: String,
}

/// Characters of a user agent that are kept.
pub const USER_AGENT_MAX: usize = 200;

/// Accepts an end at `pointer`: it must lie ahead.
pub fn parse_expiry(pointer: &str, at: Timestamp, now: Timestamp) -> Result<Timestamp> {
    if at > now {
        return Ok(at);
    }
    Err(Error::invalid(pointer, format!("{at} is not in the future"), "give a later time, or leave it out for no end"))
}
