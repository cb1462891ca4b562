//! How users get in: when each last did, and by which second factors it can.

use crate::engine::Store;
use crate::sql::{Tx, args, id_of, row};
use claviger_domain::Result;
use claviger_domain::id::{TenantId, UserId};
use claviger_domain::time::Timestamp;
use claviger_domain::user::Standing;

/// Users that one statement asks for; the text has a place for each.
const AT_ONCE: usize = 25;
const OF_USERS: &str = "select u.id, u.signed_in_at, \
                        (select count(*) from user_factors f where f.tenant_id = u.tenant_id and f.user_id = u.id \
                         and f.kind = 'totp' and f.confirmed_at is not null) as authenticators, \
                        (select count(*) from user_factors f where f.tenant_id = u.tenant_id and f.user_id = u.id \
                         and f.kind = 'passkey' and f.confirmed_at is not null) as passkeys \
                        from users u where u.tenant_id = $1 and u.id in ($2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, \
                        $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25, $26)";

row! {
    struct StandingRow {
        id: String,
        signed_in_at: Option<i64>,
        authenticators: i64,
        passkeys: i64,
    }
}

impl Store {
    /// How each of these users of a tenant gets in; nothing is said of those that there are not.
    pub async fn list_user_standings(&self, tenant: TenantId, users: &[UserId]) -> Result<Vec<(UserId, Standing)>> {
        let mut standings = Vec::with_capacity(users.len());
        for some in users.chunks(AT_ONCE) {
            let mut values = args![tenant];
            values.extend(some.iter().flat_map(|user| args![*user]));
            // No id is empty.
            values.resize_with(AT_ONCE + 1, || "".into());
            let found: Vec<StandingRow> = self.all(OF_USERS, values).await?;
            for StandingRow { id, signed_in_at, authenticators, passkeys } in found {
                let signed_in_at = signed_in_at.map(Timestamp::from_micros);
                standings.push((id_of!(UserId, &id)?, Standing { signed_in_at, authenticators, passkeys }));
            }
        }
        Ok(standings)
    }
}

impl Tx {
    /// Notes that a user has got in.
    pub async fn note_sign_in(&mut self, tenant: TenantId, user: UserId, now: Timestamp) -> Result<()> {
        self.execute("update users set signed_in_at = $3 where tenant_id = $1 and id = $2", args![tenant, user, now])
            .await?;
        Ok(())
    }
}
