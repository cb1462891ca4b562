//! Many applications at once: stores as large as a measurement wants them, in seconds.

use crate::applications::columns;
use crate::secrets::StoredSecret;
use crate::sql::{Tx, args};
use claviger_domain::Result;
use claviger_domain::application::Application;

/// Adds applications with their client ids and one secret each, as creating them one by one would; no audit entries and no
/// journal. Names are their own keys, so they are to be lower-case ASCII.
pub async fn insert_applications(tx: &mut Tx, rows: &[(Application, StoredSecret)]) -> Result<()> {
    let applications = rows.iter().map(|(application, _)| {
        let mut values = columns(application.tenant_id, application, &application.name);
        values.extend(args![application.client_id.as_str(), application.created_at]);
        values
    });
    tx.execute_many(
        "insert into applications (tenant_id, id, name, name_key, description, owner, access_level_id, grants, reach, \
         allowed_networks, expires_at, enabled, rate_requests, rate_window_seconds, version, updated_at, key_type, dpop_bound, \
         owner_id, client_id, created_at) values {rows}",
        applications.collect(),
    )
    .await?;
    let client_ids = rows
        .iter()
        .map(|(application, _)| args![application.client_id.as_str(), application.tenant_id, application.id]);
    tx.execute_many(
        "insert into client_ids (client_id, tenant_id, application_id) values {rows}",
        client_ids.collect(),
    )
    .await?;
    let secrets = rows.iter().map(|(application, stored)| {
        let StoredSecret { secret, hash, sealed_mac } = stored;
        args![
            application.tenant_id,
            application.id,
            secret.id,
            &secret.hint,
            hash.as_bytes(),
            sealed_mac.as_slice(),
            secret.created_at,
            secret.expires_at
        ]
    });
    tx.execute_many(
        "insert into secrets (tenant_id, application_id, id, hint, hash, sealed_mac, created_at, expires_at) \
         values {rows}",
        secrets.collect(),
    )
    .await?;
    Ok(())
}
