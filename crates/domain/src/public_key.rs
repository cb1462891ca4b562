//! Public keys of applications: a client that signs with the private half needs no secret (RFC 7523, RFC 7521).

use crate::id::{ApplicationId, SecretId};
use crate::jwk::{Algorithm, PublicJwk};
use crate::name::Name;
use crate::time::Timestamp;
use crate::{Error, Result};

/// Most live keys of an application: two for a rotation, and one for each of a few places that it runs at.
pub const KEYS_MAX: usize = 5;
/// Most characters of what a client calls its key.
pub const KID_MAX: usize = 128;

/// A key as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicKey {
    /// Id, of the same kind as those of secrets: a session token names by it what it was got with.
    pub id: SecretId,
    /// Its application.
    pub application_id: ApplicationId,
    /// What people call it.
    pub name: String,
    /// What assertions call it.
    pub kid: String,
    /// How it signs.
    pub algorithm: Algorithm,
    /// The key itself.
    pub public: Vec<u8>,
    /// When it was registered.
    pub created_at: Timestamp,
    /// When it stops.
    pub expires_at: Option<Timestamp>,
}

/// What is needed to register a key.
#[derive(Clone, Debug)]
pub struct NewPublicKey {
    /// What people call it.
    pub name: Name,
    /// What assertions call it.
    pub kid: String,
    /// The key itself.
    pub key: PublicJwk,
    /// When it stops.
    pub expires_at: Option<Timestamp>,
}

impl NewPublicKey {
    /// A key under its own name for itself, or under its thumbprint.
    pub fn new(name: Name, key: PublicJwk, expires_at: Option<Timestamp>) -> Result<Self> {
        let kid = match &key.kid {
            None => key.thumbprint(),
            Some(kid) => {
                let length = kid.len();
                if length == 0 || length > KID_MAX || !kid.bytes().all(|byte| byte.is_ascii_graphic()) {
                    let fix =
                        format!("give 1 to {KID_MAX} printable ASCII characters without a blank, or leave it out");
                    return Err(Error::invalid("/jwk/kid", "not a name for a key", fix));
                }
                kid.clone()
            }
        };
        Ok(Self { name, kid, key, expires_at })
    }
}

/// Whether a key works now.
pub fn is_live(key: &PublicKey, now: Timestamp) -> bool {
    key.expires_at.is_none_or(|end| end > now)
}

/// Refuses one more key where `live` are too many, or where one of them is the same.
pub fn check_room(live: &[PublicKey], new: &NewPublicKey) -> Result<()> {
    if live.iter().any(|key| key.kid == new.kid || key.public == new.key.public) {
        return Err(Error::conflict(
            "key_exists",
            "the application has this key, or another of this kid; delete it first",
        ));
    }
    if live.len() < KEYS_MAX {
        return Ok(());
    }
    let detail = format!("the application has {} keys and may have {KEYS_MAX}; delete one", live.len());
    Err(Error::conflict("key_limit_reached", detail))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_micros(1_800_000_000_000_000);

    fn new(kid: Option<&str>, byte: u8) -> Result<NewPublicKey> {
        let key = PublicJwk { algorithm: Algorithm::EdDsa, public: vec![byte; 32], kid: kid.map(str::to_owned) };
        NewPublicKey::new(Name::parse("/name", "CI").unwrap(), key, None)
    }

    fn key(new: &NewPublicKey, number: u128) -> PublicKey {
        PublicKey {
            id: SecretId::from_u128(number),
            application_id: ApplicationId::from_u128(1),
            name: new.name.as_str().to_owned(),
            kid: new.kid.clone(),
            algorithm: new.key.algorithm,
            public: new.key.public.clone(),
            created_at: NOW,
            expires_at: Some(NOW.plus_seconds(10)),
        }
    }

    #[test]
    fn keys_have_the_kid_that_they_give_themselves_or_their_thumbprint() {
        assert_eq!(new(Some("ci-1"), 7).unwrap().kid, "ci-1");
        let thumbprint = new(None, 7).unwrap();
        assert_eq!(thumbprint.kid, thumbprint.key.thumbprint());
        for bad in ["", "a b", "é", "a\n", &"k".repeat(KID_MAX + 1)] {
            assert!(new(Some(bad), 7).is_err(), "{bad}");
        }
    }

    #[test]
    fn there_is_room_for_a_few_different_keys() {
        let mut live: Vec<_> = (0..4).map(|byte| key(&new(None, byte).unwrap(), byte.into())).collect();
        assert!(check_room(&live, &new(None, 9).unwrap()).is_ok());
        let again =
            [new(None, 1).unwrap(), new(Some(&live[0].kid.clone()), 8).unwrap(), new(Some("other"), 1).unwrap()];
        for same in again {
            assert!(matches!(check_room(&live, &same), Err(Error::Conflict { code: "key_exists", .. })));
        }
        live.push(key(&new(None, 4).unwrap(), 4));
        let full = check_room(&live, &new(None, 9).unwrap());
        assert!(matches!(full, Err(Error::Conflict { code: "key_limit_reached", .. })));
    }

    #[test]
    fn keys_end() {
        let key = key(&new(None, 1).unwrap(), 1);
        assert!(is_live(&key, NOW.plus_seconds(9)) && !is_live(&key, NOW.plus_seconds(10)));
    }
}
