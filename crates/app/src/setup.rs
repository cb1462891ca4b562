//! Setting a store up, and recognising one that is: the operator, the first application, the root key's proof.

use crate::App;
use crate::random::Random;
use crate::seal::RootKey;
use crate::secrets::MintedSecret;
use crate::state::State;
use claviger_domain::application::{Application, Reach, Rights};
use claviger_domain::audit::{NewEntry, Target};
use claviger_domain::id::{ApplicationId, ClientId, OrgKey, TenantId};
use claviger_domain::name::Name;
use claviger_domain::tenant::{APPLICATION_LIMIT, Details, Kind, Status, Tenant};
use claviger_domain::{Error, Result};
use claviger_store::Store;
use serde_json::Map;

const ROOT_KEY_PROOF: &str = "root_key_proof";
const STORE_ID: &str = "store_id";
const PROOF: &[u8] = b"claviger";

/// What the first start on an empty store made.
#[derive(Debug)]
pub struct FirstStart {
    /// The operator.
    pub tenant_id: TenantId,
    /// The first application: Super Admin, reaching everything.
    pub client_id: ClientId,
    /// Its secret.
    pub secret: MintedSecret,
}

/// Refuses a root key that does not fit the store; on a new store, leaves the proof by which it will be known.
pub(crate) async fn prove_root_key(state: &State) -> Result<()> {
    let root = TenantId::from_u128(0);
    let mut tx = state.store.begin().await?;
    let mut found = tx.find_setting(ROOT_KEY_PROOF).await?;
    if found.is_none() {
        let sealed = state.root_key.seal(&state.random, root, ROOT_KEY_PROOF, PROOF)?;
        if tx.insert_setting(ROOT_KEY_PROOF, &sealed).await? {
            return tx.commit().await;
        }
        // Another server starts at the same time, and was quicker.
        found = tx.find_setting(ROOT_KEY_PROOF).await?;
    }
    match state.root_key.open(root, ROOT_KEY_PROOF, &found.unwrap_or_default()) {
        Ok(proof) if proof == PROOF => Ok(()),
        _ => Err(Error::conflict("root_key_mismatch", mismatch(&state.root_key))),
    }
}

/// The store's id, by which it is known among others; made with the store.
pub(crate) async fn store_id(store: &Store, random: &Random) -> Result<String> {
    let mut tx = store.begin().await?;
    tx.insert_setting(STORE_ID, random.hex()?.as_bytes()).await?;
    let found = tx.find_setting(STORE_ID).await?.unwrap_or_default();
    tx.commit().await?;
    Ok(String::from_utf8_lossy(&found).into_owned())
}

fn mismatch(key: &RootKey) -> String {
    format!(
        "the root key {} is not the one this store was set up with; give the server the root key that belongs to the store \
         (its file lies in the data directory of the first start and is left out of backups)",
        key.id()
    )
}

impl App {
    /// Makes the operator and its first application, if the store has no operator yet.
    pub async fn set_up(&self) -> Result<Option<FirstStart>> {
        if self.state.store.find_operator().await?.is_some() {
            return self.was_set_up().await;
        }
        let (random, now) = (&self.state.random, self.state.clock.now());
        let level = self.state.catalogue.levels().last().ok_or_else(|| Error::Internal("no built-in level".into()))?;
        let name = |text| Name::parse("/name", text);
        let tenant = Tenant {
            id: TenantId::new(now, random.bytes()?),
            org_key: OrgKey::new(random.bytes()?),
            name: "Operator".into(),
            kind: Kind::Operator,
            parent_id: None,
            status: Status::Active,
            purge_at: None,
            provisioning: None,
            application_limit: APPLICATION_LIMIT,
            details: Details { agent_key: Some(random.hex()?), ..Details::default() },
            version: 1,
            created_at: now,
            updated_at: now,
        };
        let id = ApplicationId::new(now, random.bytes()?);
        let application = Application {
            id,
            tenant_id: tenant.id,
            client_id: ClientId::of(id),
            name: "First application".into(),
            description: "Made when the store was set up".into(),
            owner: None,
            owner_id: None,
            rights: Rights::Level(level.id),
            reach: Reach::Beneath,
            allowed_networks: None,
            expires_at: None,
            ends_at: None,
            enabled: true,
            rate_limit: None,
            dpop_bound: false,
            version: 1,
            created_at: now,
            updated_at: now,
        };
        let (secret, stored) = self.state.mint(tenant.id, id, now)?;
        let mut tx = self.state.store.begin().await?;
        if let Err(error) = tx.insert_tenant(&tenant, &name(&tenant.name)?.key()).await {
            drop(tx);
            // Another server may have been quicker.
            return match self.state.store.find_operator().await? {
                Some(_) => self.was_set_up().await,
                None => Err(error),
            };
        }
        tx.insert_application(tenant.id, &application, &name(&application.name)?.key()).await?;
        tx.insert_secret(tenant.id, &stored).await?;
        let target = Target { kind: "tenant", id: tenant.id.to_string(), name: tenant.name.clone() };
        let details = Map::from_iter([("application_id".to_owned(), id.to_string().into())]);
        let entry = NewEntry::by_system(now, "store.set_up", target, details);
        tx.append_audit(tenant.id, &entry).await?;
        tx.commit().await?;
        Ok(Some(FirstStart { tenant_id: tenant.id, client_id: application.client_id, secret }))
    }

    /// Learns what another server has set up since the tree was read.
    async fn was_set_up(&self) -> Result<Option<FirstStart>> {
        if self.state.operator.get().is_none() {
            self.load_tree().await?;
        }
        Ok(None)
    }
}
