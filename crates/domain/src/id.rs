//! Identifiers: UUIDv7 made from a given time and given entropy, one type per noun so that they cannot be mixed up.

use crate::time::Timestamp;
use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::fmt;
use uuid::Uuid;

/// Builds a UUIDv7 (RFC 9562, 5.7) from a time and ten bytes of entropy.
fn v7(now: Timestamp, entropy: [u8; 10]) -> Uuid {
    let millis = u64::try_from(now.micros() / 1_000).unwrap_or(0);
    uuid::Builder::from_unix_timestamp_millis(millis, &entropy).into_uuid()
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Uuid);

        impl $name {
            /// A fresh id: UUIDv7 of `now` with ten bytes of entropy.
            pub fn new(now: Timestamp, entropy: [u8; 10]) -> Self {
                Self(v7(now, entropy))
            }

            /// The id that `text` spells (hyphenated or simple, any case), if it does.
            pub fn parse(text: &str) -> Option<Self> {
                Uuid::try_parse(text).ok().map(Self)
            }

            /// Appends its text, as [`Display`](fmt::Display) gives it.
            pub fn push_to(self, text: &mut String) {
                text.push_str(self.0.hyphenated().encode_lower(&mut Uuid::encode_buffer()));
            }

            /// The 128 bits, as the keyring indexes them.
            pub const fn as_u128(self) -> u128 {
                self.0.as_u128()
            }

            /// When it was made, in milliseconds: a UUIDv7 begins with its time.
            pub fn made_at(self) -> Timestamp {
                Timestamp::from_millis(i64::try_from(self.as_u128() >> 80).unwrap_or(i64::MAX))
            }

            /// The id of these 128 bits.
            pub const fn from_u128(bits: u128) -> Self {
                Self(Uuid::from_u128(bits))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.hyphenated().fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.hyphenated().fmt(f)
            }
        }
    };
}

id!(
    /// A tenant: a node of the tree.
    TenantId
);
id!(
    /// An application: a machine identity of one tenant.
    ApplicationId
);
id!(
    /// One secret of an application.
    SecretId
);
id!(
    /// An access level: a named, reusable set of grants.
    AccessLevelId
);
id!(
    /// A session token: what it calls itself in `jti`.
    TokenId
);
id!(
    /// A sign-in: what a login begins and refreshes carry on.
    SignInId
);
id!(
    /// A background job whose result can be fetched.
    JobId
);
id!(
    /// Something that the owner of an application is told.
    NoticeId
);

id!(
    /// A person of one tenant.
    UserId
);
id!(
    /// A person's session in one browser.
    UserSessionId
);
id!(
    /// Whoever calls: the id of an application or of a user.
    PrincipalId
);

impl From<ApplicationId> for PrincipalId {
    fn from(id: ApplicationId) -> Self {
        Self::from_u128(id.as_u128())
    }
}

impl From<UserId> for PrincipalId {
    fn from(id: UserId) -> Self {
        Self::from_u128(id.as_u128())
    }
}

id!(
    /// A second factor of a person.
    FactorId
);
id!(
    /// A mail that waits to be sent.
    MailId
);

id!(
    /// A tenant that is made step by step.
    ProvisioningId
);
id!(
    /// What is left of a tenant that is gone.
    ReceiptId
);

id!(
    /// A profile by which a user holds access levels under conditions.
    AccessProfileId
);

/// Most characters of a client id.
pub const CLIENT_ID_MAX: usize = 128;

id!(
    /// Somebody else who signs tokens that a tenant trusts.
    IssuerId
);
id!(
    /// Where people of a tenant sign in once for everything.
    ProviderId
);
id!(
    /// A sign-in that is under way at an identity provider.
    SsoSignInId
);
id!(
    /// What ties tokens of a trusted issuer to an application. It is another one whenever that changes.
    BindingId
);

/// An application's public id, at most 128 characters: its UUID, unless it was imported with another text.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ClientId(String);

impl ClientId {
    /// The client id that an application has by itself.
    pub fn of(id: ApplicationId) -> Self {
        Self(id.to_string())
    }

    /// A client id as it was stored.
    pub fn stored(text: String) -> Self {
        Self(text)
    }

    /// Accepts `text` as the client id of an imported application at `pointer`: visible ASCII without a colon, since clients
    /// send it in headers, and Basic credentials part at the first colon. A UUID is taken in its one spelling.
    pub fn parse(pointer: &str, text: &str) -> Result<Self> {
        let fix =
            format!("give the 1 to {CLIENT_ID_MAX} visible ASCII characters that clients present, without a colon");
        if text.is_empty() || text.len() > CLIENT_ID_MAX {
            return Err(Error::invalid(pointer, format!("the client id has {} characters", text.chars().count()), fix));
        }
        match text.chars().find(|c| !c.is_ascii_graphic() || *c == ':') {
            Some(c) => Err(Error::invalid(pointer, format!("the client id holds {c:?}"), fix)),
            None => Ok(Self(Self::canonical(text).into_owned())),
        }
    }

    /// The one spelling under which a presented client id is stored: that of a UUID is lower case.
    pub fn canonical(presented: &str) -> Cow<'_, str> {
        match Uuid::try_parse(presented) {
            Ok(uuid) if presented.len() == 36 => Cow::Owned(uuid.hyphenated().to_string()),
            _ => Cow::Borrowed(presented),
        }
    }

    /// The text a client presents.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The 128-bit key under which the keyring finds a presented client id: the UUID itself, or the first half of the
    /// SHA-256 of any other text.
    pub fn key(presented: &str) -> u128 {
        match Uuid::try_parse(presented) {
            Ok(uuid) if presented.len() == 36 => uuid.as_u128(),
            _ => {
                let digest: [u8; 32] = <sha2::Sha256 as sha2::Digest>::digest(presented.as_bytes()).into();
                digest.iter().take(16).fold(0, |key, byte| (key << 8) | u128::from(*byte))
            }
        }
    }
}

impl fmt::Display for ClientId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for ClientId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// An organisation's short key, as Carbon Black clients put it in paths: eight of `[A-Z0-9]`.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct OrgKey(String);

impl OrgKey {
    /// Length of a generated key.
    pub const LENGTH: usize = 8;

    /// A key drawn from eight bytes of entropy.
    pub fn new(entropy: [u8; Self::LENGTH]) -> Self {
        const ALPHABET: &[u8; 36] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
        let text = entropy.iter().filter_map(|byte| ALPHABET.get(usize::from(*byte) % 36)).map(|c| char::from(*c));
        Self(text.collect())
    }

    /// A key as it was stored or as it stands in a path.
    pub fn stored(text: String) -> Self {
        Self(text)
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for OrgKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_sort_by_time_and_round_trip() {
        let early = TenantId::new(Timestamp::from_micros(1_000_000), [255; 10]);
        let late = TenantId::new(Timestamp::from_micros(2_000_000), [0; 10]);
        assert!(early < late);
        assert_eq!(late.made_at(), Timestamp::from_micros(2_000_000));
        assert_eq!(TenantId::parse(&early.to_string()), Some(early));
        assert_eq!(TenantId::parse("not an id"), None);
    }

    #[test]
    fn client_id_keys_do_not_confuse_spellings() {
        let id = ApplicationId::new(Timestamp::from_micros(1), [7; 10]);
        assert_eq!(ClientId::key(&id.to_string()), id.as_u128());
        assert_ne!(ClientId::key(&id.to_string().replace('-', "")), id.as_u128());
        assert_ne!(ClientId::key("ABCDEFGHIJ"), ClientId::key("abcdefghij"));
    }

    #[test]
    fn imported_client_ids_fit_into_headers() {
        let parsed = |text: &str| ClientId::parse("/client_id", text).map(|id| id.to_string());
        assert_eq!(parsed("ABCDE/12-x@y").unwrap(), "ABCDE/12-x@y");
        let upper = "01890000-ABCD-7000-8000-000000000000";
        assert_eq!(parsed(upper).unwrap(), upper.to_lowercase(), "two spellings of a UUID are one client id");
        assert_eq!(ClientId::key(upper), ClientId::key(&upper.to_lowercase()));
        for bad in ["", "a:b", "a b", "é", "a\u{7f}", &"x".repeat(CLIENT_ID_MAX + 1)] {
            assert!(parsed(bad).is_err(), "{bad:?}");
        }
    }
}
