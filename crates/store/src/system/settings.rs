//! Settings of the store itself, which are no tenant's.

use crate::engine::Store;
use crate::sql::{Tx, args};
use claviger_domain::Result;

impl Store {
    /// A setting of the store, read outside any unit.
    pub async fn read_setting(&self, name: &str) -> Result<Option<Vec<u8>>> {
        let found: Option<(Vec<u8>,)> =
            self.optional("select value from settings where name = $1", args![name]).await?;
        Ok(found.map(|(value,)| value))
    }
}

impl Tx {
    /// A setting of the store.
    pub async fn find_setting(&mut self, name: &str) -> Result<Option<Vec<u8>>> {
        let found: Option<(Vec<u8>,)> =
            self.optional("select value from settings where name = $1", args![name]).await?;
        Ok(found.map(|(value,)| value))
    }

    /// Stores a setting that is not there yet; whether it was stored.
    pub async fn insert_setting(&mut self, name: &str, value: &[u8]) -> Result<bool> {
        let inserted = self
            .execute(
                "insert into settings (name, value) values ($1, $2) on conflict (name) do nothing",
                args![name, value],
            )
            .await?;
        Ok(inserted == 1)
    }

    /// Stores a setting in place of what it was.
    pub async fn put_setting(&mut self, name: &str, value: &[u8]) -> Result<()> {
        let text = "insert into settings as s (name, value) values ($1, $2) on conflict (name) do update set value = excluded.value";
        self.execute(text, args![name, value]).await?;
        Ok(())
    }
}
