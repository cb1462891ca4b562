//! Many tenants, applications and users at once: stores as large as a measurement wants them, in seconds.

use crate::applications::columns;
use crate::secrets::StoredSecret;
use crate::sql::{Tx, args};
use crate::{tenants, users};
use claviger_domain::Result;
use claviger_domain::application::Application;
use claviger_domain::id::TenantId;
use claviger_domain::tenant::Tenant;
use claviger_domain::tenant::naming::words;
use claviger_domain::user::{User, presented_key};

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

/// Adds tenants that stand right beneath the last of `above`, which are those from the top down, as making them one by one would.
/// Names are their own keys, so they are to be lower-case ASCII.
pub async fn insert_tenants(tx: &mut Tx, above: &[TenantId], tenants: &[Tenant]) -> Result<()> {
    let rows = tenants.iter().map(|tenant| {
        let mut values = tenants::columns(tenant, &tenant.name);
        values.extend(args![tenant.parent_id, tenant.org_key.as_str(), tenant.kind.as_str(), tenant.created_at]);
        values
    });
    tx.execute_many(
        "insert into tenants (id, name, name_key, status, application_limit, external_id, agent_key, profile, trial, \
         trial_ends_at, user_limit, endpoint_limit, mfa_required, purge_at, provisioning, version, updated_at, parent_id, \
         org_key, kind, created_at) values {rows}",
        rows.collect(),
    )
    .await?;
    let over = |tenant: &Tenant| above.iter().copied().chain([tenant.id]).collect::<Vec<_>>();
    let paths = tenants.iter().flat_map(|tenant| {
        let row = |root: TenantId| args![root, tenant.id, tenant.kind.as_str(), &tenant.name];
        over(tenant).into_iter().map(row).collect::<Vec<_>>()
    });
    tx.execute_many("insert into tenant_paths (tenant_id, beneath_id, kind, name_key) values {rows}", paths.collect())
        .await?;
    let found_by = tenants.iter().flat_map(|tenant| {
        let known = words(&tenant.name);
        let row = |root: TenantId| known.iter().map(|word| args![root, word, tenant.id]).collect::<Vec<_>>();
        over(tenant).into_iter().flat_map(row).collect::<Vec<_>>()
    });
    tx.execute_many("insert into tenant_words (tenant_id, word, beneath_id) values {rows}", found_by.collect()).await?;
    Ok(())
}

/// Adds users with their roles, the words they are found by, and one password that all of them have, as creating them one by one
/// would; no audit entries and no journal.
pub async fn insert_users(tx: &mut Tx, people: &[User], password: Option<&str>) -> Result<()> {
    let rows = people.iter().map(|user| {
        args![
            user.tenant_id,
            user.id,
            user.number,
            &user.email,
            presented_key(&user.email),
            &user.first_name,
            &user.last_name,
            &user.phone,
            user.status.as_str(),
            password,
            user.password_set_at,
            user.activated_at,
            user.reach.as_str(),
            user.version,
            user.created_at,
            user.updated_at
        ]
    });
    tx.execute_many(
        "insert into users (tenant_id, id, number, email, email_key, first_name, last_name, phone, status, password_hash, \
         password_set_at, activated_at, reach, version, created_at, updated_at) values {rows}",
        rows.collect(),
    )
    .await?;
    let roles = people.iter().flat_map(|user| user.roles.iter().map(|role| args![user.tenant_id, user.id, *role]));
    tx.execute_many("insert into user_roles (tenant_id, user_id, access_level_id) values {rows}", roles.collect())
        .await?;
    let words = people.iter().flat_map(|user| {
        users::words(user).into_iter().map(|word| args![user.tenant_id, word, user.id]).collect::<Vec<_>>()
    });
    tx.execute_many("insert into user_words (tenant_id, word, user_id) values {rows}", words.collect()).await?;
    Ok(())
}
