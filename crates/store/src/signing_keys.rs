//! The keys that sign session tokens. They are the server's own and no tenant's, so no function here takes one.

use crate::engine::Store;
use crate::sql::{Tx, args, hash_of, row};
use claviger_domain::Result;
use claviger_domain::signing::Times;
use claviger_domain::time::Timestamp;

/// A key as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredSigningKey {
    /// What tokens call it.
    pub kid: String,
    /// The public key.
    pub public: [u8; 32],
    /// The seed, sealed.
    pub sealed: Vec<u8>,
    /// When it does what.
    pub times: Times,
}

row! {
    struct KeyRow {
        kid: String,
        public: Vec<u8>,
        sealed: Vec<u8>,
        created_at: i64,
        signs_from: i64,
        signs_until: i64,
        retires_at: i64,
        revoked_at: Option<i64>,
    }
}

impl KeyRow {
    fn read(self) -> Result<StoredSigningKey> {
        let at = Timestamp::from_micros;
        let times = Times {
            created_at: at(self.created_at),
            signs_from: at(self.signs_from),
            signs_until: at(self.signs_until),
            retires_at: at(self.retires_at),
            revoked_at: self.revoked_at.map(at),
        };
        Ok(StoredSigningKey { kid: self.kid, public: hash_of(&self.public)?, sealed: self.sealed, times })
    }
}

const LIST: &str = "select kid, public, sealed, created_at, signs_from, signs_until, retires_at, revoked_at \
                    from signing_keys order by created_at, kid";

impl Store {
    /// All keys, oldest first.
    pub async fn list_signing_keys(&self) -> Result<Vec<StoredSigningKey>> {
        let found: Vec<KeyRow> = self.all(LIST, args![]).await?;
        found.into_iter().map(KeyRow::read).collect()
    }
}

impl Tx {
    /// All keys, oldest first.
    pub async fn list_signing_keys(&mut self) -> Result<Vec<StoredSigningKey>> {
        let found: Vec<KeyRow> = self.all(LIST, args![]).await?;
        found.into_iter().map(KeyRow::read).collect()
    }

    /// Adds a key.
    pub async fn insert_signing_key(&mut self, key: &StoredSigningKey) -> Result<()> {
        let Times { created_at, signs_from, signs_until, retires_at, revoked_at } = key.times;
        self.execute(
            "insert into signing_keys (kid, public, sealed, created_at, signs_from, signs_until, retires_at, revoked_at) \
             values ($1, $2, $3, $4, $5, $6, $7, $8)",
            args![
                &key.kid,
                &key.public,
                key.sealed.as_slice(),
                created_at,
                signs_from,
                signs_until,
                retires_at,
                revoked_at
            ],
        )
        .await?;
        Ok(())
    }

    /// Writes until when a key signs, when it retires and whether it is revoked; a revocation is never taken back.
    pub async fn update_signing_key(&mut self, kid: &str, times: &Times) -> Result<bool> {
        let updated = self
            .execute(
                "update signing_keys set signs_until = $2, retires_at = $3, revoked_at = coalesce(revoked_at, $4) \
                 where kid = $1",
                args![kid, times.signs_until, times.retires_at, times.revoked_at],
            )
            .await?;
        Ok(updated == 1)
    }

    /// Revokes every key; how many that were.
    pub async fn revoke_signing_keys(&mut self, now: Timestamp) -> Result<u64> {
        Ok(self.execute("update signing_keys set revoked_at = $1 where revoked_at is null", args![now]).await?)
    }
}
