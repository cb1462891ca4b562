//! A server without sockets on a fresh store, with a clock that stands still and randomness that repeats.

use claviger_app::applications::CreatedApplication;
use claviger_app::caller::Caller;
use claviger_app::clock::Clock;
use claviger_app::live::tokens::TokenSettings;
use claviger_app::nodes::Identity;
use claviger_app::random::Random;
use claviger_app::seal::RootKey;
use claviger_app::secrets::MintedSecret;
use claviger_app::text_keys::TextKeys;
use claviger_app::unit::Posted;
use claviger_app::verify::Presented;
use claviger_app::{App, Parts};
use claviger_domain::address::Origin;
use claviger_domain::application::{Application, NewApplication, Reach, Rights};
use claviger_domain::catalogue::Catalogue;
use claviger_domain::grants::{Grants, parse_grants};
use claviger_domain::id::TenantId;
use claviger_domain::name::Name;
use claviger_domain::signing::Rhythm;
use claviger_domain::tenant::{Kind, NewTenant, Tenant};
use claviger_domain::time::Timestamp;
use claviger_domain::{Error, Result};
use claviger_store::testing::{Guard, open_fresh};
use claviger_store::{Engine, Options, Store};
use std::collections::BTreeMap;
use std::sync::Arc;

pub(crate) const START: Timestamp = Timestamp::from_micros(1_800_000_000_000_000);
pub(crate) const HERE: Origin = Origin::Known(std::net::IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1)));

pub(crate) struct Fixture {
    pub(crate) app: Arc<App>,
    pub(crate) operator: Caller,
    pub(crate) operator_secret: String,
    pub(crate) guard: Guard,
}

/// Runs a test on both engines.
macro_rules! on_both {
    ($($name:ident),* $(,)?) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                if let Some(fixture) = crate::fixture::Fixture::new(claviger_store::Engine::Sqlite).await {
                    super::$name(fixture).await;
                }
            })*
        }
        mod postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                if let Some(fixture) = crate::fixture::Fixture::new(claviger_store::Engine::Postgres).await {
                    super::$name(fixture).await;
                }
            })*
        }
    };
}
pub(crate) use on_both;

pub(crate) fn token_settings() -> TokenSettings {
    TokenSettings { issuer: "https://claviger.example".into(), rhythm: Rhythm::default() }
}

pub(crate) async fn open(store: Store, key: u8) -> Result<Arc<App>> {
    open_as(store, key, u64::from(key), Identity::default()).await
}

pub(crate) async fn open_as(store: Store, key: u8, seed: u64, identity: Identity) -> Result<Arc<App>> {
    let root_key = RootKey::new([key; 32]);
    let (clock, random) = (Clock::fixed(START), Random::seeded(seed));
    let text_keys = TextKeys::open(None)?;
    App::open_as(Parts { store, catalogue: Catalogue::built_in(), root_key, text_keys, clock, random }, identity).await
}

impl Fixture {
    pub(crate) async fn new(engine: Engine) -> Option<Self> {
        let (store, guard) = open_fresh(engine).await?;
        let app = open(store, 7).await.unwrap();
        let first = app.set_up().await.unwrap().unwrap();
        app.load_tree().await.unwrap();
        app.open_tokens(token_settings()).await.unwrap();
        app.load_keyring().await.unwrap();
        let secret = first.secret.text.reveal();
        let operator = verify(&app, first.client_id.as_str(), &secret).await.unwrap();
        Some(Self { app, operator, operator_secret: secret, guard })
    }

    /// Opens the same store once more, after this one has been closed.
    pub(crate) async fn reopen(&self, key: u8) -> Result<Arc<App>> {
        let store = Store::open(Options { location: self.guard.location(), accept_data_loss: false }).await?;
        open(store, key).await
    }

    /// Opens another node of the same store.
    pub(crate) async fn node(&self, name: &str) -> Arc<App> {
        let store = Store::open(Options { location: self.guard.location(), accept_data_loss: false }).await.unwrap();
        let identity = Identity { name: name.into(), ..Identity::default() };
        let seed = name.bytes().fold(100, |seed, byte| seed * 256 + u64::from(byte));
        let app = open_as(store, 7, seed, identity).await.unwrap();
        app.open_tokens(token_settings()).await.unwrap();
        app.load_keyring().await.unwrap();
        app
    }

    pub(crate) async fn tenant(&self, name: &str, kind: Kind, parent_id: TenantId) -> Tenant {
        let new = NewTenant::new(Name::parse("/name", name).unwrap(), kind, parent_id);
        done(self.app.create_tenant(&self.operator, new, None).await.unwrap())
    }

    pub(crate) async fn organization(&self, name: &str) -> Tenant {
        self.tenant(name, Kind::Organization, self.operator.tenant().id).await
    }

    pub(crate) async fn application(&self, tenant: TenantId, name: &str, rights: &[(&str, &[&str])]) -> (Made, String) {
        let made = done(self.app.create_application(&self.operator, tenant, new(name, rights), None).await.unwrap());
        let made = Made::from(made);
        let client_id = made.application.client_id.to_string();
        (made, client_id)
    }
}

/// A new application with its secret.
#[derive(Debug)]
pub(crate) struct Made {
    pub(crate) application: Application,
    pub(crate) secret: MintedSecret,
}

impl From<CreatedApplication> for Made {
    fn from(created: CreatedApplication) -> Self {
        Self { application: created.application, secret: created.secret.unwrap() }
    }
}

pub(crate) fn new(name: &str, rights: &[(&str, &[&str])]) -> NewApplication {
    NewApplication {
        name: Name::parse("/name", name).unwrap(),
        description: String::new(),
        owner: None,
        owner_id: None,
        rights: Rights::Inline(grants(rights)),
        reach: Reach::Own,
        allowed_networks: None,
        expires_at: None,
        secret_expires_at: None,
        enabled: true,
        rate_limit: None,
        dpop_bound: false,
    }
}

pub(crate) fn grants(rights: &[(&str, &[&str])]) -> Grants {
    let words = |verbs: &[&str]| verbs.iter().map(|verb| (*verb).to_owned()).collect();
    let written: BTreeMap<_, _> = rights.iter().map(|(name, verbs)| ((*name).to_owned(), words(verbs))).collect();
    parse_grants("/grants", &written, &Catalogue::built_in()).unwrap()
}

pub(crate) fn done<T>(posted: Posted<T>) -> T {
    match posted {
        Posted::Done(done) => done,
        Posted::Replayed(kept) => panic!("replayed {kept:?}"),
    }
}

pub(crate) async fn verify(app: &App, client_id: &str, secret: &str) -> Result<Caller> {
    app.authenticate(Presented { client_id, secret }, HERE, "test").await
}

pub(crate) fn refusal(result: Result<Caller>) -> claviger_domain::Refusal {
    match result {
        Err(Error::Unauthenticated(refusal)) => refusal,
        other => panic!("not refused: {other:?}"),
    }
}
