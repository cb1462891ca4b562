//! The access record: who got a session token. Written each second, beside the requests.

use crate::App;
use crate::caller::Caller;
use claviger_domain::Result;
use claviger_domain::access::{Access, Filter, position};
use claviger_domain::grants::Verb;
use claviger_domain::id::TenantId;
use claviger_domain::page::{Page, PageRequest};
use claviger_store::access_record::AccessBlock;

const PERMISSION: &str = "access-record";
/// Blocks that are written in one transaction.
const AT_ONCE: usize = 256;

impl App {
    /// Entries of a tenant's access record, newest first. Needs `access-record:READ`.
    pub async fn list_accesses(
        &self,
        caller: &Caller,
        tenant: TenantId,
        filter: &Filter,
        page: &PageRequest,
    ) -> Result<Page<Access>> {
        let tenant = caller.reach(tenant)?.id;
        caller.allow(PERMISSION, Verb::Read)?;
        // Whoever reads finds what was answered before; where that cannot be, what was written is still worth reading.
        if let Err(error) = self.flush_accesses().await {
            tracing::warn!(%error, "the newest accesses are not to be had yet");
        }
        let items = self.state.store.list_accesses(tenant, filter, page).await?;
        Ok(Page::cut(items, page, position))
    }

    /// Writes the entries that wait. What cannot be written waits on.
    pub async fn flush_accesses(&self) -> Result<()> {
        let _writing = self.writing.lock().await;
        let (mut blocks, lost) = self.state.tokens.accesses.take();
        if lost > 0 {
            tracing::error!(lost, "entries of the access record had no room while the store was away");
        }
        while !blocks.is_empty() {
            let rest = blocks.split_off(blocks.len().min(AT_ONCE));
            if let Err(error) = self.write_accesses(&blocks).await {
                blocks.extend(rest);
                self.state.tokens.accesses.put_back(blocks);
                return Err(error);
            }
            blocks = rest;
        }
        Ok(())
    }

    async fn write_accesses(&self, blocks: &[AccessBlock]) -> Result<()> {
        let mut tx = self.state.store.begin().await?;
        tx.insert_accesses(blocks).await?;
        tx.commit().await
    }
}
