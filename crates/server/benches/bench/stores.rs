//! Data directories full of applications. Everything in them follows from an application's number, so that its
//! credential need not be kept anywhere.

use crate::Outcome;
use claviger_app::clock::Clock;
use claviger_app::random::Random;
use claviger_app::text_keys::TextKeys;
use claviger_app::{App, Parts};
use claviger_domain::access_level::AccessLevel;
use claviger_domain::application::{Application, Reach, Rights, Secret};
use claviger_domain::catalogue::Catalogue;
use claviger_domain::grants::{Grants, Verb, Verbs};
use claviger_domain::id::{AccessLevelId, ApplicationId, ClientId, OrgKey, SecretId, TenantId};
use claviger_domain::network::Network;
use claviger_domain::rate::RateLimit;
use claviger_domain::secret::{PlainSecret, SecretHash};
use claviger_domain::tenant::{APPLICATION_LIMIT_MAX, Details, Kind, Status, Tenant};
use claviger_domain::time::Timestamp;
use claviger_server::config::{Config, Overrides};
use claviger_server::root_key;
use claviger_store::secrets::StoredSecret;
use claviger_store::testing::bulk::insert_applications;
use claviger_store::{Location, Options, Store};
use std::path::Path;
use std::sync::Arc;

/// Applications of one tenant, who share an access level and a list of networks.
pub(crate) const PER_TENANT: usize = 100;
const PERMISSIONS: usize = 20;
const TENANTS_AT_ONCE: usize = 50;
/// When everything in a store was made, in milliseconds since 1970.
const MADE: i64 = 1_790_000_000_000;

/// A credential in clear.
pub(crate) struct Credential {
    pub(crate) client_id: String,
    pub(crate) secret: String,
}

/// The credential of an application.
pub(crate) fn credential(index: usize) -> Credential {
    Credential { client_id: application_id(index).to_string(), secret: secret(index).reveal() }
}

/// Opens a data directory in this process.
pub(crate) async fn open(directory: &Path) -> Outcome<Arc<App>> {
    open_on(Location::Sqlite { directory: directory.to_owned() }, directory).await
}

pub(crate) async fn open_on(location: Location, directory: &Path) -> Outcome<Arc<App>> {
    let data_dir = Some(directory.display().to_string());
    let config = Config::load(None, std::iter::empty(), Overrides { data_dir, ..Overrides::default() })?;
    let random = Random::System;
    let store = Store::open(Options { location, accept_data_loss: false }).await?;
    store.migrate().await?;
    let root_key = root_key::find(&config, &random)?.key;
    let catalogue = Catalogue::load(&[])?;
    let text_keys = TextKeys::open(None)?;
    Ok(App::open(Parts { store, catalogue, root_key, text_keys, clock: Clock::system(), random }).await?)
}

/// Makes a data directory with so many applications; the operator's credential.
pub(crate) async fn make(directory: &Path, applications: usize) -> Outcome<Credential> {
    make_on(Location::Sqlite { directory: directory.to_owned() }, directory, applications).await
}

/// The same for a store that lies elsewhere.
pub(crate) async fn make_on(location: Location, directory: &Path, applications: usize) -> Outcome<Credential> {
    let app = open_on(location, directory).await?;
    let first = app.set_up().await?.ok_or("the data directory is not new")?;
    let tenants = applications.div_ceil(PER_TENANT);
    for start in (0..tenants).step_by(TENANTS_AT_ONCE) {
        let mut tx = app.store().begin().await?;
        let mut rows = Vec::with_capacity(TENANTS_AT_ONCE * PER_TENANT);
        for number in start..tenants.min(start + TENANTS_AT_ONCE) {
            let tenant = tenant(number, first.tenant_id);
            tx.insert_tenant(&tenant, &tenant.name).await?;
            let level = level(number, app.catalogue());
            tx.insert_access_level(tenant.id, &level, &level.name).await?;
            let networks = networks(number)?;
            let members = number * PER_TENANT..applications.min((number + 1) * PER_TENANT);
            rows.extend(members.map(|index| application(index, tenant.id, level.id, &networks)));
        }
        insert_applications(&mut tx, &rows).await?;
        tx.commit().await?;
    }
    app.leave().await;
    app.store().close().await;
    Ok(Credential { client_id: first.client_id.to_string(), secret: first.secret.text.reveal() })
}

pub(crate) fn application(
    index: usize,
    tenant_id: TenantId,
    level: AccessLevelId,
    networks: &[Network],
) -> (Application, StoredSecret) {
    let id = application_id(index);
    let application = Application {
        id,
        tenant_id,
        client_id: ClientId::of(id),
        name: format!("application {index}"),
        description: String::new(),
        owner: None,
        owner_id: None,
        rights: Rights::Level(level),
        reach: Reach::Own,
        allowed_networks: Some(networks.to_vec()),
        expires_at: None,
        ends_at: None,
        enabled: true,
        // More than any run can use up.
        rate_limit: Some(RateLimit { requests: 10_000_000, window_seconds: 60 }),
        dpop_bound: false,
        version: 1,
        created_at: made(index),
        updated_at: made(index),
    };
    let text = secret(index);
    let secret = Secret {
        id: SecretId::new(made(index), bits(index, 3)),
        application_id: id,
        hint: text.hint(),
        created_at: made(index),
        expires_at: None,
        ends_at: None,
        last_use: None,
        temporary: false,
    };
    // As long as sealed mid-states are; verifying a presented secret never opens them.
    (application, StoredSecret { secret, hash: text.hash(), sealed_mac: vec![0; 97] })
}

/// The id of a tenant, counted from 0; the first [`PER_TENANT`] applications are the first one's.
pub(crate) fn tenant_id(number: usize) -> TenantId {
    TenantId::new(made(number), bits(number, 4))
}

fn tenant(number: usize, operator: TenantId) -> Tenant {
    Tenant {
        id: tenant_id(number),
        org_key: OrgKey::stored(format!("B{number:07}")),
        name: format!("tenant {number}"),
        kind: Kind::Organization,
        parent_id: Some(operator),
        status: Status::Active,
        purge_at: None,
        provisioning: None,
        application_limit: APPLICATION_LIMIT_MAX,
        details: Details::default(),
        version: 1,
        created_at: made(number),
        updated_at: made(number),
    }
}

pub(crate) fn level(number: usize, catalogue: &Catalogue) -> AccessLevel {
    AccessLevel {
        id: AccessLevelId::new(made(number), bits(number, 5)),
        tenant_id: None,
        name: format!("level {number}"),
        description: String::new(),
        grants: grants(catalogue),
        version: 1,
        created_at: made(number),
        updated_at: made(number),
    }
}

/// Twenty permissions, the one that is asked for among them.
pub(crate) fn grants(catalogue: &Catalogue) -> Grants {
    let first = catalogue.permissions().iter().take(PERMISSIONS - 1);
    let mut grants: Grants = first.map(|permission| (permission.name.clone(), permission.verbs)).collect();
    grants.insert("org.audits".to_owned(), Verbs::NONE.with(Verb::Read));
    grants
}

/// Eight networks; the last is the one from which the calls come.
pub(crate) fn networks(number: usize) -> Outcome<Vec<Network>> {
    let (high, low) = (number / 250 % 250, number % 250);
    let mut texts: Vec<_> = (1..=7).map(|third| format!("10.{high}.{low}.{}/28", third * 16)).collect();
    texts.push("127.0.0.0/8".to_owned());
    texts.iter().map(|text| Ok(Network::parse("", text)?)).collect()
}

/// The id of an application.
pub(crate) fn application_id(index: usize) -> ApplicationId {
    ApplicationId::new(made(index), bits(index, 1))
}

fn secret(index: usize) -> PlainSecret {
    PlainSecret::mint(bits(index, 2))
}

pub(crate) fn made(index: usize) -> Timestamp {
    Timestamp::from_millis(MADE + i64::try_from(index).unwrap_or(0))
}

pub(crate) fn bits<const N: usize>(index: usize, purpose: u8) -> [u8; N] {
    let hash = SecretHash::of(&format!("{purpose}/{index}"));
    let mut bits = [0; N];
    bits.iter_mut().zip(hash.as_bytes()).for_each(|(to, from)| *to = *from);
    bits
}
