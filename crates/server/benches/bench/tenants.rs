//! What lists and searches of tenants cost in a large tree, and how long a partner takes to be suspended with all it has.

use crate::api::Client;
use crate::child::Server;
use crate::stores::{self, Credential};
use crate::table::{Table, median};
use crate::{Outcome, measure, say};
use claviger_domain::access_level::AccessLevel;
use claviger_domain::id::{OrgKey, TenantId};
use claviger_domain::tenant::{APPLICATION_LIMIT_MAX, Details, Kind, Status, Tenant};
use claviger_store::testing::bulk;
use claviger_store::{Engine, Location, testing};
use serde_json::{Value, json};
use std::path::Path;
use std::time::Instant;
use tokio::runtime::Builder;

/// Tenants in the large tree and in the small one.
const MANY: usize = 100_000;
const FEW: usize = 100;
/// Partners over which they are spread.
const PARTNERS: usize = 10;
/// Calls of a round: pages by age and by name, and searches, in turn.
const CALLS: usize = 300;
/// Tenants and applications beneath the partner that is suspended.
const BENEATH: usize = 1_000;
const APPLICATIONS: usize = 10_000;
/// Words that names are made of.
const WORDS: [&str; 16] = [
    "alpine",
    "bank",
    "clinic",
    "dental",
    "energy",
    "foods",
    "garage",
    "hotel",
    "insurance",
    "joinery",
    "kitchen",
    "logistics",
    "marine",
    "nursery",
    "optics",
    "printing",
];

/// Measures both.
pub(crate) fn lists(table: &mut Table, directory: &Path) -> Outcome<()> {
    say("lists of tenants");
    let runtime = Builder::new_multi_thread().enable_all().build()?;
    let mut servers = Vec::new();
    for (name, tenants) in [("many", MANY), ("few", FEW)] {
        let directory = directory.join(name);
        std::fs::create_dir_all(&directory)?;
        let location = Location::Sqlite { directory: directory.clone() };
        let made = runtime.block_on(make(location, &directory, PARTNERS, tenants / PARTNERS, 0))?;
        servers.push((Server::start(&directory)?, made.operator));
    }
    let rounds = runtime.block_on(async {
        let mut clients = Vec::new();
        for (server, operator) in &servers {
            clients.push(Client::connect(&server.door, operator).await?);
        }
        let mut rounds = vec![Vec::new(), Vec::new()];
        for _ in 0..measure::ROUNDS {
            for (client, round) in clients.iter_mut().zip(&mut rounds) {
                round.push(pages(client).await?);
            }
        }
        Outcome::Ok(rounds)
    })?;
    for (server, _) in servers {
        server.stop()?;
    }
    let mut medians = rounds.into_iter().map(median);
    let (many, few) = (medians.next().unwrap_or(f64::NAN), medians.next().unwrap_or(f64::NAN));
    table.at_most("tenant list page and search with 100,000 tenants ÷ with 100", many / few, 3.0, "");
    table.shown("  a call among 100,000", format!("{:.2} ms", many / CALLS as f64 * 1e3));
    Ok(())
}

/// Seconds of a round of calls.
async fn pages(client: &mut Client) -> Outcome<f64> {
    let start = Instant::now();
    for number in 0..CALLS {
        let (one, two) = (word(number), word(number / 3 + 5));
        let path = match number % 3 {
            0 => "/v1/tenants?limit=50".to_owned(),
            1 => "/v1/tenants?limit=50&sort=name".to_owned(),
            _ => format!("/v1/tenants?limit=50&q={}+{}", beginning(one), beginning(two)),
        };
        client.call("GET", &path, &Value::Null).await?;
    }
    Ok(start.elapsed().as_secs_f64())
}

fn word(number: usize) -> &'static str {
    WORDS.get(number % WORDS.len()).copied().unwrap_or_default()
}

fn beginning(word: &str) -> &str {
    word.get(..3).unwrap_or(word)
}

/// Suspends a partner with a thousand tenants and ten thousand applications beneath, and asks for each of them afterwards, of
/// every server.
pub(crate) fn suspension(table: &mut Table, directory: &Path) -> Outcome<()> {
    say("suspension of a partner");
    let runtime = Builder::new_multi_thread().enable_all().build()?;
    std::fs::create_dir_all(directory)?;
    let guard = runtime.block_on(testing::fresh(Engine::Postgres));
    let location = match &guard {
        Some(guard) => guard.location(),
        None => Location::Sqlite { directory: directory.to_owned() },
    };
    let made = runtime.block_on(make(location.clone(), directory, 1, BENEATH, APPLICATIONS))?;
    let mut servers = Vec::new();
    match &location {
        Location::Sqlite { .. } => servers.push(Server::start(directory)?),
        Location::Postgres { url } => {
            servers.push(Server::start_on(directory, url)?);
            for name in ["two", "three"] {
                let directory = directory.join(name);
                std::fs::create_dir_all(&directory)?;
                std::fs::copy(made.directory.join("root.key"), directory.join("root.key"))?;
                servers.push(Server::start_on(&directory, url)?);
            }
        }
    }
    let (took, before, after) = runtime.block_on(async {
        let first = servers.first().ok_or("no server")?;
        let mut client = Client::connect(&first.door, &made.operator).await?;
        let before = accepted(&servers, APPLICATIONS / 100).await?;
        let start = Instant::now();
        client.call("POST", &format!("/v1/tenants/{}/suspend", made.partner), &json!({})).await?;
        let took = start.elapsed().as_secs_f64();
        Outcome::Ok((took, before, accepted(&servers, APPLICATIONS).await?))
    })?;
    let count = servers.len();
    servers.into_iter().try_for_each(Server::stop)?;
    if before != count * (APPLICATIONS / 100) {
        return Err(format!("only {before} were accepted before").into());
    }
    table.at_most("suspend of a partner with 1,000 tenants, 10,000 applications beneath", took, 2.0, " s");
    table.at_most(&format!("  acceptances afterwards, on {count} servers"), after as f64, 0.0, "");
    Ok(())
}

/// How many of the first applications are accepted, on all servers.
async fn accepted(servers: &[Server], applications: usize) -> Outcome<usize> {
    let mut accepted = 0;
    for server in servers {
        let mut client = Client::connect(&server.door, &stores::credential(0)).await?;
        for index in 0..applications {
            client.speak_for(&stores::credential(index));
            let question = "/v1/verify?permission=org.audits:READ&tenant=any";
            accepted += usize::from(client.call("GET", question, &Value::Null).await.is_ok());
        }
    }
    Ok(accepted)
}

pub(crate) struct MadeTree {
    operator: Credential,
    /// The tenant of the operator.
    pub(crate) root: TenantId,
    partner: TenantId,
    directory: std::path::PathBuf,
}

/// Makes a store of partners, each with so many organisations, over which the applications are spread.
pub(crate) async fn make(
    location: Location,
    directory: &Path,
    partners: usize,
    each: usize,
    applications: usize,
) -> Outcome<MadeTree> {
    let app = stores::open_on(location, directory).await?;
    let first = app.set_up().await?.ok_or("the data directory is not new")?;
    let partner = |number: usize| tenant(number, Kind::Partner, first.tenant_id);
    let per_tenant = applications.div_ceil(each.max(1));
    for number in 0..partners {
        let above = partner(number);
        let mut tx = app.store().begin().await?;
        tx.insert_tenant(&above, &above.name).await?;
        let beneath: Vec<_> =
            (0..each).map(|index| tenant(partners + number * each + index, Kind::Organization, above.id)).collect();
        bulk::insert_tenants(&mut tx, &[first.tenant_id, above.id], &beneath).await?;
        tx.commit().await?;
        for (start, tenants) in (0_usize..).step_by(50).zip(beneath.chunks(50)).take_while(|_| per_tenant > 0) {
            let mut tx = app.store().begin().await?;
            let mut rows = Vec::new();
            for (index, tenant) in (start..).zip(tenants) {
                let level: AccessLevel = stores::level(index, app.catalogue());
                tx.insert_access_level(tenant.id, &level, &level.name).await?;
                let networks = stores::networks(index)?;
                let members = index * per_tenant..applications.min((index + 1) * per_tenant);
                rows.extend(members.map(|member| stores::application(member, tenant.id, level.id, &networks)));
            }
            bulk::insert_applications(&mut tx, &rows).await?;
            tx.commit().await?;
        }
    }
    app.leave().await;
    app.store().close().await;
    let operator = Credential { client_id: first.client_id.to_string(), secret: first.secret.text.reveal() };
    Ok(MadeTree { operator, root: first.tenant_id, partner: partner(0).id, directory: directory.to_owned() })
}

fn tenant(number: usize, kind: Kind, parent: TenantId) -> Tenant {
    Tenant {
        id: stores::tenant_id(number),
        org_key: OrgKey::stored(format!("B{number:07}")),
        name: format!("{} {} {number}", word(number), word(number / 16 + 5)),
        kind,
        parent_id: Some(parent),
        status: Status::Active,
        purge_at: None,
        provisioning: None,
        application_limit: APPLICATION_LIMIT_MAX,
        details: Details::default(),
        version: 1,
        created_at: stores::made(number),
        updated_at: stores::made(number),
    }
}
