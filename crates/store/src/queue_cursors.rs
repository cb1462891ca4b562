//! Cursors of applications on queues that hand everything out once.

use crate::sql::{Tx, args};
use claviger_domain::Result;
use claviger_domain::id::{ApplicationId, TenantId};

impl Tx {
    /// Where the application stands in a queue; none if it has never read from it. Whoever asks next for the same cursor
    /// waits until this unit ends, so that nothing is handed out twice.
    pub async fn find_cursor(
        &mut self,
        tenant: TenantId,
        application: ApplicationId,
        queue: &str,
    ) -> Result<Option<i64>> {
        // A write, because only a row that is there can be locked.
        let (position,): (Option<i64>,) = self
            .one(
                "insert into queue_cursors (tenant_id, application_id, queue) values ($1, $2, $3) \
                 on conflict (tenant_id, application_id, queue) do update set position = queue_cursors.position \
                 returning position",
                args![tenant, application, queue],
            )
            .await?;
        Ok(position)
    }

    /// Moves the cursor.
    pub async fn update_cursor(
        &mut self,
        tenant: TenantId,
        application: ApplicationId,
        queue: &str,
        position: i64,
    ) -> Result<()> {
        self.execute(
            "insert into queue_cursors (tenant_id, application_id, queue, position) values ($1, $2, $3, $4) \
             on conflict (tenant_id, application_id, queue) do update set position = excluded.position",
            args![tenant, application, queue, position],
        )
        .await?;
        Ok(())
    }
}
