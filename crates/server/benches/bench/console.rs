//! What pages of the console cost in a large tree and among many applications, against a small one.

use crate::api::exchange;
use crate::child::Server;
use crate::measure::{ROUNDS, all_cores};
use crate::table::{Table, median};
use crate::{Outcome, say, stores, tenants};
use claviger_app::passwords::Passwords;
use claviger_app::random::Random;
use claviger_domain::application::Reach;
use claviger_domain::id::{AccessLevelId, TenantId, UserId};
use claviger_domain::password::Password;
use claviger_domain::user::{Status, User};
use claviger_store::Location;
use claviger_store::testing::bulk;
use serde_json::json;
use std::path::Path;
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

const MANY: Size = Size { tenants: 100_000, applications: 10_000 };
const FEW: Size = Size { tenants: 10, applications: 10 };
const AT_ONCE: usize = 1_000;
/// How often a page is read in a round.
const READINGS: usize = 20;
const EMAIL: &str = "ada@measured.example";
const PASSWORD: &str = "a long and quiet river";
/// Pages of the tenant with the applications, beneath its address.
const OF_TENANT: [&str; 29] = [
    "",
    "/applications",
    "/applications?sort=name",
    "/applications?order=last_used",
    "/applications/new",
    "/applications/APPLICATION",
    "/applications/APPLICATION/usage",
    "/applications/APPLICATION/audit",
    "/applications/APPLICATION/edit",
    "/applications/APPLICATION/rotate",
    "/applications/APPLICATION/simulate",
    "/applications/APPLICATION/shrink",
    "/applications/APPLICATION/delete",
    "/access-levels",
    "/access-levels/LEVEL",
    "/security",
    "/security/policy",
    "/security/key-types",
    "/security/tokens",
    "/security/issuers",
    "/people",
    "/people/new",
    "/audit",
    "/access-record",
    "/usage",
    "/details",
    "/details/edit",
    "/sso",
    "/tenants",
];
/// A search for any part of a text, which looks at each application.
const SEARCH: &str = "/applications?q=application+7";
/// Pages of the operator, beneath its address.
const OF_OPERATOR: [&str; 19] = [
    "",
    "/tenants",
    "/tenants?q=ba",
    "/tenants/tree",
    "/tenants/new",
    "/provisionings",
    "/purge-receipts",
    "/usage",
    "/utilization",
    "/people",
    "/access-levels",
    "/security",
    "/details",
    "/audit",
    "/operator",
    "/operator/nodes",
    "/operator/jobs",
    "/operator/signing-keys",
    "/operator/configuration",
];

struct Size {
    tenants: usize,
    applications: usize,
}

/// A server and who reads its pages.
struct Reader {
    server: Server,
    stream: TlsStream<TcpStream>,
    cookie: String,
    pages: Vec<String>,
}

/// Measures every page.
pub(crate) fn measure(table: &mut Table, directory: &Path) -> Outcome<()> {
    say("pages of the console");
    let runtime = all_cores()?;
    runtime.block_on(async {
        let mut many = open(&directory.join("many"), &MANY).await?;
        let mut few = open(&directory.join("few"), &FEW).await?;
        let mut ratios = vec![Vec::new(); many.pages.len()];
        for _ in 0..ROUNDS {
            for (place, ratios) in ratios.iter_mut().enumerate() {
                let (few, many) = (few.cost(place).await?, many.cost(place).await?);
                ratios.push(many / few);
            }
        }
        let pages = OF_TENANT.iter().chain(&OF_OPERATOR).chain([&SEARCH]);
        let mut ratios: Vec<_> = pages.zip(ratios).map(|(page, ratios)| (*page, median(ratios))).collect();
        let search = ratios.pop().map_or(f64::NAN, |(_, ratio)| ratio);
        ratios.sort_by(|(_, one), (_, other)| other.total_cmp(one));
        let (worst, ratio) = ratios.first().copied().unwrap_or(("", f64::NAN));
        table.at_most(
            &format!(
                "page of the console with 100,000 tenants, 10,000 applications in one ÷ with ten of each, the worst of {}",
                ratios.len()
            ),
            ratio,
            3.0,
            "",
        );
        table.shown("  a search for any part of a text among the applications", format!("{search:.2}"));
        let next: Vec<_> = ratios.iter().skip(1).take(3).map(|(page, ratio)| format!("{page} {ratio:.2}")).collect();
        table.note(format!("the worst page of the console is {worst}; then {}", next.join(", ")));
        many.server.stop()?;
        few.server.stop()
    })
}

/// Makes a store of that size, starts a server on it and signs its operator in.
async fn open(directory: &Path, size: &Size) -> Outcome<Reader> {
    std::fs::create_dir_all(directory)?;
    let location = Location::Sqlite { directory: directory.to_owned() };
    let partners = size.tenants.div_ceil(10_000);
    let made = tenants::make(location, directory, partners, size.tenants / partners, 0).await?;
    let full = stores::tenant_id(partners);
    let level = furnish(directory, made.root, full, size.applications).await?.to_string();
    let server = Server::start(directory)?;
    server.await_log("all applications are in memory")?;
    let mut reader = Reader { stream: server.door.connect().await?, server, cookie: String::new(), pages: Vec::new() };
    let body = json!({ "email": EMAIL, "password": PASSWORD }).to_string();
    let line = "POST /v1/sign-in HTTP/1.1\r\nContent-Type: application/json";
    let head = reader.ask(line, &body).await?;
    let cookie = head.lines().find_map(|line| line.strip_prefix("set-cookie: ")?.split_once(';'));
    reader.cookie = cookie.ok_or("no session")?.0.to_owned();
    let application = stores::application_id(size.applications / 2).to_string();
    let beneath = |tenant: TenantId, pages: &[&str]| {
        let path = |page: &&str| {
            format!("/console/tenants/{tenant}{}", page.replace("APPLICATION", &application).replace("LEVEL", &level))
        };
        pages.iter().map(path).collect::<Vec<_>>()
    };
    reader.pages = [beneath(full, &OF_TENANT), beneath(made.root, &OF_OPERATOR), beneath(full, &[SEARCH])].concat();
    Ok(reader)
}

/// Gives one tenant all the applications, and the operator somebody who may do everything; the level of the applications.
async fn furnish(directory: &Path, operator: TenantId, full: TenantId, applications: usize) -> Outcome<AccessLevelId> {
    let app = stores::open(directory).await?;
    let level = stores::level(0, app.catalogue());
    let networks = stores::networks(0)?;
    let mut tx = app.store().begin().await?;
    tx.insert_access_level(full, &level, &level.name).await?;
    for start in (0..applications).step_by(AT_ONCE) {
        let members = start..applications.min(start + AT_ONCE);
        let rows: Vec<_> = members.map(|index| stores::application(index, full, level.id, &networks)).collect();
        bulk::insert_applications(&mut tx, &rows).await?;
    }
    let password = Password::presented("", PASSWORD.to_owned())?;
    let hash = Passwords::new(Random::System).hash(&password).await?.to_string();
    let super_admin = app.catalogue().levels().last().ok_or("no built-in level")?.id;
    let made = stores::made(0);
    let ada = User {
        id: UserId::new(made, stores::bits(0, 6)),
        tenant_id: operator,
        number: 1,
        email: EMAIL.to_owned(),
        first_name: "Ada".into(),
        last_name: "Lovelace".into(),
        phone: String::new(),
        status: Status::Active,
        reach: Reach::Beneath,
        roles: vec![super_admin],
        password_set_at: Some(made),
        activated_at: Some(made),
        version: 1,
        created_at: made,
        updated_at: made,
    };
    bulk::insert_users(&mut tx, &[ada], Some(&hash)).await?;
    tx.commit().await?;
    app.store().close().await;
    Ok(level.id)
}

impl Reader {
    /// Nanoseconds of CPU that the server spends on a page.
    async fn cost(&mut self, place: usize) -> Outcome<f64> {
        let page = self.pages.get(place).ok_or("no such page")?;
        let line = format!("GET {page} HTTP/1.1\r\nCookie: {}", self.cookie);
        self.ask(&line, "").await?;
        let before = self.server.cpu()?;
        for _ in 0..READINGS {
            self.ask(&line, "").await?;
        }
        Ok(before.until(&self.server.cpu()?).as_nanos() as f64 / READINGS as f64)
    }

    /// Asks for one thing that must be there; the head of the answer.
    async fn ask(&mut self, line: &str, body: &str) -> Outcome<String> {
        let request = format!("{line}\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        let (head, _) = exchange(&mut self.stream, &request).await?;
        if head.starts_with("HTTP/1.1 20") { Ok(head) } else { Err(format!("{line} was answered with: {head}").into()) }
    }
}
