//! Sealing: AES-256-GCM under a key derived (HKDF-SHA-256, RFC 5869) from the root key for one tenant.
//!
//! A sealed text is `1 | key id (4 bytes) | nonce (12 bytes) | ciphertext and tag`; tenant and row are bound to it as
//! associated data, so that it cannot be moved to another row. The root key never reaches the store.

use crate::random::Random;
use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::{digest, hkdf};
use claviger_domain::id::TenantId;
use claviger_domain::{Error, Result};
use std::fmt;
use zeroize::Zeroize;

const VERSION: u8 = 1;
const HEADER: usize = 1 + 4;

/// The key under which everything sealed stands.
pub struct RootKey {
    key: [u8; 32],
    id: [u8; 4],
}

impl RootKey {
    /// The key of these 32 bytes.
    pub fn new(key: [u8; 32]) -> Self {
        let fingerprint = digest::digest(&digest::SHA256, &[b"claviger root key id", key.as_slice()].concat());
        let mut id = [0; 4];
        id.iter_mut().zip(fingerprint.as_ref()).for_each(|(to, from)| *to = *from);
        Self { key, id }
    }

    /// Eight hexadecimal digits that name the key and tell nothing else about it.
    pub fn id(&self) -> String {
        self.id.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// The key that this key and a second one make together: what it seals is lost with either.
    pub fn joined_with(&self, second: &[u8; 32]) -> Result<Self> {
        let fail = |_| Error::Internal("joining two keys failed".into());
        let prk = hkdf::Salt::new(hkdf::HKDF_SHA256, b"claviger joined key 1").extract(&self.key);
        let info = [second.as_slice()];
        let mut joined = [0; 32];
        prk.expand(&info, hkdf::HKDF_SHA256).and_then(|okm| okm.fill(&mut joined)).map_err(fail)?;
        Ok(Self::new(joined))
    }

    /// Seals `text` for `row` of `tenant`.
    pub fn seal(&self, random: &Random, tenant: TenantId, row: &str, text: &[u8]) -> Result<Vec<u8>> {
        let nonce = random.bytes::<NONCE_LEN>()?;
        let mut sealed = vec![VERSION];
        sealed.extend_from_slice(&self.id);
        sealed.extend_from_slice(&nonce);
        let mut body = text.to_vec();
        self.tenant_key(tenant)?
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), associated(tenant, row), &mut body)
            .map_err(|_| Error::Internal("sealing failed".into()))?;
        sealed.extend_from_slice(&body);
        Ok(sealed)
    }

    /// Whether a text was sealed under this key.
    pub fn has_sealed(&self, sealed: &[u8]) -> bool {
        sealed.get(1..HEADER) == Some(self.id.as_slice())
    }

    /// Opens what [`RootKey::seal`] made for the same row of the same tenant.
    pub fn open(&self, tenant: TenantId, row: &str, sealed: &[u8]) -> Result<Vec<u8>> {
        let damaged = || Error::Internal(format!("the sealed text of {row} is damaged"));
        let (header, rest) = sealed.split_at_checked(HEADER).ok_or_else(damaged)?;
        let (nonce, body) = rest.split_at_checked(NONCE_LEN).ok_or_else(damaged)?;
        let (version, key_id) = header.split_first().ok_or_else(damaged)?;
        if *version != VERSION {
            return Err(Error::Internal(format!("the sealed text of {row} has version {version}, known is {VERSION}")));
        }
        if key_id != self.id {
            return Err(Error::Internal(format!("the sealed text of {row} was sealed under another root key")));
        }
        let mut text = body.to_vec();
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| damaged())?;
        let length = self
            .tenant_key(tenant)?
            .open_in_place(nonce, associated(tenant, row), &mut text)
            .map_err(|_| damaged())?
            .len();
        text.truncate(length);
        Ok(text)
    }

    fn tenant_key(&self, tenant: TenantId) -> Result<LessSafeKey> {
        let fail = |_| Error::Internal("deriving a tenant's key failed".into());
        let salt = hkdf::Salt::new(hkdf::HKDF_SHA256, b"claviger seal 1");
        let prk = salt.extract(&self.key);
        let tenant = tenant.as_u128().to_be_bytes();
        let info = [tenant.as_slice()];
        let okm = prk.expand(&info, &AES_256_GCM).map_err(fail)?;
        Ok(LessSafeKey::new(UnboundKey::from(okm)))
    }
}

fn associated(tenant: TenantId, row: &str) -> Aad<Vec<u8>> {
    Aad::from([&tenant.as_u128().to_be_bytes(), row.as_bytes()].concat())
}

impl fmt::Debug for RootKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RootKey({})", self.id())
    }
}

impl Drop for RootKey {
    fn drop(&mut self) {
        self.key.zeroize();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_two_keys_seal_needs_both() {
        let (key, random) = (RootKey::new([7; 32]), Random::seeded(1));
        let tenant = TenantId::from_u128(1);
        let sealed = key.joined_with(&[1; 32]).unwrap().seal(&random, tenant, "row", b"text").unwrap();
        assert_eq!(key.joined_with(&[1; 32]).unwrap().open(tenant, "row", &sealed).unwrap(), b"text");
        assert!(key.open(tenant, "row", &sealed).is_err());
        assert!(key.joined_with(&[2; 32]).unwrap().open(tenant, "row", &sealed).is_err());
        assert!(RootKey::new([8; 32]).joined_with(&[1; 32]).unwrap().open(tenant, "row", &sealed).is_err());
    }

    #[test]
    fn sealed_texts_open_only_where_they_belong() {
        let (key, random) = (RootKey::new([7; 32]), Random::seeded(1));
        let (tenant, other) = (TenantId::from_u128(1), TenantId::from_u128(2));
        let sealed = key.seal(&random, tenant, "secrets/1", b"states").unwrap();
        assert_eq!(key.open(tenant, "secrets/1", &sealed).unwrap(), b"states");
        assert!(key.open(other, "secrets/1", &sealed).is_err());
        assert!(key.open(tenant, "secrets/2", &sealed).is_err());
        assert!(
            RootKey::new([8; 32])
                .open(tenant, "secrets/1", &sealed)
                .unwrap_err()
                .to_string()
                .contains("another root key")
        );
        for at in 0..sealed.len() {
            let mut damaged = sealed.clone();
            damaged[at] ^= 1;
            assert!(key.open(tenant, "secrets/1", &damaged).is_err(), "{at}");
            assert!(key.open(tenant, "secrets/1", &sealed[..at]).is_err(), "{at}");
        }
    }
}
