//! After a restored backup: what was revoked since it was taken is revoked again, before anybody is served.
//!
//! The store goes on under a new history. So every server that knew the old one finds out, and has to bring in what its own
//! file knows before it serves.

mod origin;
mod providers;

use self::origin::Origin;
use crate::clock::Clock;
use crate::random::Random;
use crate::revocations::{Book, Fact, Header, Limits, Line, Rule, legacy_rules};
use crate::setup::store_id;
use claviger_domain::audit::{Actor, NewEntry, Target};
use claviger_domain::grants::grants_from_json;
use claviger_domain::id::{AccessLevelId, ApplicationId, SecretId, TenantId, UserId};
use claviger_domain::name::Name;
use claviger_domain::tenant::details::MfaRequirement;
use claviger_domain::tenant::naming::name_key;
use claviger_domain::tenant::{Status, Tenant};
use claviger_domain::time::Timestamp;
use claviger_domain::user::{Status as UserStatus, User};
use claviger_domain::{Error, Result};
use claviger_store::{Store, Tx};
use serde_json::{Map, json};
use std::collections::BTreeMap;
use std::path::Path;

/// For how long after a renewal a server may be at work.
const LEASE_SECONDS: i64 = 6;

/// What was done to a restored store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reapplied {
    /// Secrets that were deleted, or given the end they had, and public keys that were deleted.
    pub secrets: u64,
    /// Applications that were disabled.
    pub applications: u64,
    /// Access levels that were given the grants they had.
    pub access_levels: u64,
    /// Tenants that were suspended, or given the limits for credentials that they had.
    pub tenants: u64,
    /// Bindings of trusted issuers that were taken away.
    pub bindings: u64,
    /// Identity providers that were put as they had been, or taken away.
    pub providers: u64,
    /// Signing keys that were revoked, so that every session token has ended.
    pub signing_keys: u64,
    /// People who were disabled.
    pub users: u64,
    /// People whose password was taken away.
    pub passwords: u64,
}

/// Revokes once more, in a restored store, what the file of revocations knows beyond it, and begins a new history. None if
/// the store is not behind the file. No server may run on the store.
///
/// Whatever else a restored store could revive joins in here: all of it is one transaction, with the entries in the audit
/// record.
pub async fn confirm(store: &Store, clock: &Clock, random: &Random, file: &Path) -> Result<Option<Reapplied>> {
    let id = store_id(store, random).await?;
    let (history, revisions) = store.look().await?;
    let Some(mut book) = Book::read(file)? else {
        return Err(Error::Unavailable(format!("{}: there is no such file; nothing is known", file.display())));
    };
    if book.header.store != id {
        return Err(Error::Unavailable(format!("{}: the file is about another store", file.display())));
    }
    if !book.is_ahead_of(history, &revisions) {
        return Ok(None);
    }
    refuse_while_served(store).await?;
    let mut tx = store.begin().await?;
    let now = clock.now();
    let own = book.header.history == history;
    let mut origin = match own {
        true => Origin::new(history, &revisions),
        false => Origin::find(&mut tx, book.header.history, history).await?,
    };
    let mut done = Reapplied::default();
    for line in book.lines.values() {
        let base = origin.base_of(line.shard);
        if line.revision > base && origin.is_news(line) {
            reapply(&mut tx, line, base, now, &mut done).await?;
        }
    }
    done.signing_keys = void_sessions(&mut tx, store, now).await?;
    let beyond = beyond(&revisions, &book);
    let history = if own { i64::from_be_bytes(random.bytes::<8>()?) & i64::MAX } else { history };
    origin.keep(&mut tx, history).await?;
    // A server that was started meanwhile finds a gap in the feed, and reads everything again.
    tx.begin_history(history, &beyond).await?;
    record(&mut tx, store, now, done).await?;
    tx.commit().await?;
    book.header = Header { store: id, history };
    // All of it is in the store as it is now.
    let reached: BTreeMap<_, _> = beyond.into_iter().collect();
    for line in book.lines.values_mut() {
        line.revision = reached.get(&line.shard).copied().unwrap_or(line.revision);
    }
    book.write_anew()?;
    Ok(Some(done))
}

/// Refuses where a server has renewed its lease just now.
async fn refuse_while_served(store: &Store) -> Result<()> {
    let now = store.database_time().await?;
    let nodes = store.list_nodes().await?;
    let recent = now.plus_seconds(-LEASE_SECONDS)..now.plus_seconds(LEASE_SECONDS);
    match nodes.iter().find(|node| node.beat > 0 && recent.contains(&node.renewed_at)) {
        None => Ok(()),
        Some(node) => Err(Error::Unavailable(format!(
            "{} serves this store, or did so a moment ago; stop every server and try again",
            node.name
        ))),
    }
}

/// Revisions beyond all that store and file have seen.
fn beyond(revisions: &[(i64, i64)], book: &Book) -> Vec<(i64, i64)> {
    let most = |shard: i64| book.lines.values().filter(|line| line.shard == shard).map(|line| line.revision).max();
    revisions.iter().map(|(shard, revision)| (*shard, most(*shard).unwrap_or(0).max(*revision) + 1)).collect()
}

async fn reapply(tx: &mut Tx, line: &Line, base: i64, now: Timestamp, done: &mut Reapplied) -> Result<()> {
    match &line.fact {
        Fact::Application { tenant, id, enabled, secrets, narrowed } => {
            let may_call = *enabled && narrowed.is_none_or(|at| at <= base);
            reapply_application(tx, (*tenant, *id), may_call, secrets, now, done).await
        }
        Fact::AccessLevel { tenant, id, grants } => reapply_level(tx, (*tenant, *id), grants, now, done).await,
        Fact::Tenant { id, suspended, limits, legacy, mfa } => {
            let Some(tenant) = tx.find_tenant(*id).await? else { return Ok(()) };
            let limited = reapply_limits(tx, *id, *limits, legacy.as_deref(), now).await?;
            // One that was taken back since the backup must not be gone because the backup is older.
            let keep = !*suspended && tenant.status == Status::Deleting;
            let suspend = keep || (*suspended && tenant.status == Status::Active);
            if suspend {
                suspend_again(tx, tenant, now).await?;
            }
            let asks = reapply_mfa(tx, *id, mfa.as_deref(), now).await?;
            done.tenants += u64::from(limited || suspend || asks);
            Ok(())
        }
        Fact::Tokens { tenant, lifetime } => {
            if tx.find_tenant(*tenant).await?.is_some() && tx.find_token_lifetime(*tenant).await? != *lifetime {
                tx.set_token_lifetime(*tenant, *lifetime, now).await?;
                done.tenants += 1;
            }
            Ok(())
        }
        // All of them are revoked.
        Fact::SigningKeys => Ok(()),
        Fact::TrustedIssuer { tenant, id, bindings } => {
            let Some(mut issuer) = tx.find_trusted_issuer(*tenant, *id).await? else { return Ok(()) };
            let before = issuer.bindings.len();
            issuer.bindings.retain(|binding| bindings.contains(&binding.id));
            if issuer.bindings.len() == before {
                return Ok(());
            }
            done.bindings += u64::try_from(before - issuer.bindings.len()).unwrap_or(u64::MAX);
            issuer.version += 1;
            issuer.updated_at = now;
            let key = Name::parse("/name", &issuer.name)?.key();
            tx.update_trusted_issuer(*tenant, &issuer, &key).await
        }
        Fact::IdentityProvider { tenant, id, said } => {
            done.providers += u64::from(providers::reapply(tx, (*tenant, *id), said.as_deref(), now).await?);
            Ok(())
        }
        Fact::User { tenant, id, active, narrowed, password } => {
            let since = |at: &Option<i64>| at.is_some_and(|at| at > base);
            let lost = (!*active || since(narrowed), since(password));
            reapply_user(tx, (*tenant, *id), lost, now, done).await
        }
    }
}

/// Ends every session token there is, whoever holds it; how many signing keys that took. Which tokens were revoked since the
/// backup was taken nobody needs to know then. The first server that starts makes a new key.
async fn void_sessions(tx: &mut Tx, store: &Store, now: Timestamp) -> Result<u64> {
    if let Some(operator) = store.find_operator().await? {
        // In case a key comes back that the backup has never seen.
        tx.cut_off_tokens(operator.id, None, now, now).await?;
    }
    // What was accepted since the backup was taken is not in it.
    tx.forget_replay().await?;
    // A refresh token that was used since the backup was taken would work again.
    tx.end_all_sign_ins(now).await?;
    tx.end_all_user_sessions(now).await?;
    // So would a link that was used since, or a code.
    tx.sweep_links(Timestamp::from_micros(i64::MAX)).await?;
    tx.sweep_sso_sign_ins(Timestamp::from_micros(i64::MAX)).await?;
    tx.revoke_signing_keys(now).await
}

async fn suspend_again(tx: &mut Tx, mut tenant: Tenant, now: Timestamp) -> Result<()> {
    tenant.status = Status::Suspended;
    tenant.purge_at = None;
    tenant.version += 1;
    tenant.updated_at = now;
    let key = name_key(&Name::parse("/name", &tenant.name)?);
    tx.update_tenant(&tenant, &key).await
}

/// Lets a tenant say once more what it said about its credentials; whether it had to.
async fn reapply_limits(
    tx: &mut Tx,
    id: TenantId,
    limits: Option<Limits>,
    legacy: Option<&[Rule]>,
    now: Timestamp,
) -> Result<bool> {
    let mut changed = false;
    let policy = tx.find_credential_policy(id).await?.unwrap_or_default();
    if let Some(limits) = limits.filter(|limits| *limits != Limits::of(&policy)) {
        tx.put_credential_policy(id, &limits.put_into(policy), now).await?;
        changed = true;
    }
    if let Some(legacy) = legacy.map(legacy_rules)
        && legacy != tx.find_legacy_rules(id).await?
    {
        tx.put_legacy_rules(id, &legacy).await?;
        changed = true;
    }
    Ok(changed)
}

async fn reapply_application(
    tx: &mut Tx,
    (tenant, id): (TenantId, ApplicationId),
    may_call: bool,
    known: &[(SecretId, i64)],
    now: Timestamp,
    done: &mut Reapplied,
) -> Result<()> {
    let Some(mut application) = tx.find_application(tenant, id).await? else { return Ok(()) };
    for secret in tx.list_secrets(tenant, id).await? {
        let known = known.iter().find(|(known, _)| *known == secret.id);
        let lasts = secret.expires_at.map_or(i64::MAX, Timestamp::micros);
        match known {
            None => {
                tx.delete_secret(tenant, id, secret.id).await?;
                done.secrets += 1;
            }
            Some((_, end)) if *end < lasts => {
                tx.end_secret(tenant, id, secret.id, Timestamp::from_micros(*end)).await?;
                done.secrets += 1;
            }
            Some(_) => {}
        }
    }
    for key in tx.list_public_keys(tenant, id).await? {
        if known.iter().all(|(known, _)| *known != key.id) {
            tx.delete_public_key(tenant, id, key.id).await?;
            done.secrets += 1;
        }
    }
    if may_call || !application.enabled {
        return Ok(());
    }
    application.enabled = false;
    application.version += 1;
    application.updated_at = now;
    done.applications += 1;
    let key = Name::parse("/name", &application.name)?.key();
    tx.update_application(tenant, &application, &key).await
}

/// Asks a tenant's people for no less than it asked them for.
async fn reapply_mfa(tx: &mut Tx, id: TenantId, mfa: Option<&str>, now: Timestamp) -> Result<bool> {
    let (Some(mfa), Some(mut tenant)) = (mfa.and_then(MfaRequirement::parse), tx.find_tenant(id).await?) else {
        return Ok(false);
    };
    if tenant.details.mfa_required >= mfa {
        return Ok(false);
    }
    tenant.details.mfa_required = mfa;
    tenant.version += 1;
    tenant.updated_at = now;
    let key = name_key(&Name::parse("/name", &tenant.name)?);
    tx.update_tenant(&tenant, &key).await?;
    Ok(true)
}

/// Keeps somebody out who was narrowed, until an administrator has looked; and has somebody set a new password whose password was
/// another one, which takes the mailbox and whatever factors there are.
async fn reapply_user(
    tx: &mut Tx,
    (tenant, id): (TenantId, UserId),
    (narrowed, password): (bool, bool),
    now: Timestamp,
    done: &mut Reapplied,
) -> Result<()> {
    let Some(user) = tx.find_user(tenant, id).await? else { return Ok(()) };
    if password && tx.find_user_password(tenant, id).await?.is_some() {
        tx.put_user_password(tenant, id, None, None).await?;
        tx.delete_user_devices(tenant, id).await?;
        done.passwords += 1;
    }
    if !narrowed || user.status == UserStatus::Disabled {
        return Ok(());
    }
    let status = UserStatus::Disabled;
    let user = User { status, version: user.version + 1, updated_at: now, ..user };
    done.users += 1;
    tx.update_user(tenant, &user).await
}

async fn reapply_level(
    tx: &mut Tx,
    (tenant, id): (TenantId, AccessLevelId),
    grants: &serde_json::Value,
    now: Timestamp,
    done: &mut Reapplied,
) -> Result<()> {
    let Some(mut level) = tx.find_access_level(tenant, id).await? else { return Ok(()) };
    let grants = grants_from_json(&grants.to_string());
    if level.grants == grants {
        return Ok(());
    }
    level.grants = grants;
    level.version += 1;
    level.updated_at = now;
    done.access_levels += 1;
    let key = Name::parse("/name", &level.name)?.key();
    tx.update_access_level(tenant, &level, &key).await
}

async fn record(tx: &mut Tx, store: &Store, now: Timestamp, done: Reapplied) -> Result<()> {
    let Some(operator) = store.find_operator().await? else { return Ok(()) };
    let details = json!({
        "alarm": true,
        "secrets": done.secrets,
        "applications": done.applications,
        "access_levels": done.access_levels,
        "tenants": done.tenants,
        "bindings": done.bindings,
        "providers": done.providers,
        "signing_keys": done.signing_keys,
        "users": done.users,
        "passwords": done.passwords,
    });
    let entry = NewEntry {
        at: now,
        actor: Actor { kind: "system", id: String::new(), tenant_id: None },
        action: "store.restored",
        target: Target { kind: "tenant", id: operator.id.to_string(), name: operator.name },
        address: None,
        request_id: String::new(),
        request: String::new(),
        details: details.as_object().cloned().unwrap_or_else(Map::new),
    };
    tx.append_audit(operator.id, &entry).await?;
    Ok(())
}
