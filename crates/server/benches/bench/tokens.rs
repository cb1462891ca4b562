//! What session tokens cost: getting one over TLS, and seeing one for the first time in the process.

use crate::api::{self, Client, Made};
use crate::child::Server;
use crate::in_process::{FROM, wanted};
use crate::load::{Question, Tokens};
use crate::measure::{self, ROUNDS};
use crate::stores::{self, Credential};
use crate::table::{Table, median};
use crate::{Outcome, proc, say};
use aws_lc_rs::hmac;
use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair as _, ParsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use claviger_app::App;
use claviger_app::clock::Clock;
use claviger_app::live::tokens::TokenSettings;
use claviger_app::random::Random;
use claviger_app::sessions::Wish;
use claviger_app::verify::{Presented, Proof};
use claviger_domain::id::TokenId;
use claviger_domain::signing::Rhythm;
use claviger_domain::token::LIFETIME_DEFAULT;
use serde_json::json;
use std::hint::black_box;
use std::path::Path;
use tokio::runtime::Builder;

/// Applications that exchange their secrets.
const EXCHANGING: usize = 200;
/// Exchanges of one go.
const EXCHANGES: usize = 10_000;
/// Tokens that are seen for the first time in one go.
const SEEN: usize = 10_000;
/// As long as what is signed in a token.
const MESSAGE: [u8; 600] = [b'x'; 600];

/// Measures it: exchanges on a new store in `directory`, and first sights on one of `applications`.
pub(crate) fn measure(table: &mut Table, directory: &Path, applications: &Path) -> Outcome<()> {
    exchanges(table, directory)?;
    first_sights(table, applications)
}

fn exchanges(table: &mut Table, directory: &Path) -> Outcome<()> {
    say("exchanges");
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let operator = runtime.block_on(stores::make(directory, 0))?;
    let server = Server::start(directory)?;
    let made = runtime.block_on(async {
        let mut client = Client::connect(&server.door, &operator).await?;
        api::furnish(&mut client, EXCHANGING).await
    })?;
    let secrets = Tokens::basic(made.iter().map(|made| &made.credential));
    let (mut ratios, mut asserted, mut costs) = (Vec::new(), Vec::new(), <[Vec<f64>; 4]>::default());
    for round in 0..ROUNDS as u64 {
        let assertions = Tokens::assertions(assertions(&made, 2 * (EXCHANGES + 100))?);
        let cost = |question, tokens| measure::cost(&server, question, tokens, EXCHANGES, round);
        let mut sums = [0.0; 4];
        // There and back, so that a machine that gets slower meanwhile does so for all alike.
        for place in (0..sums.len()).chain((0..sums.len()).rev()) {
            let took = match place {
                0 => cost(Question::Exchange, &secrets)?,
                1 => cost(Question::Assertion, &assertions)?,
                2 => signature()?,
                _ => cost(Question::Health, &secrets)?,
            };
            sums.iter_mut().skip(place).take(1).for_each(|sum| *sum += took / 2.0);
        }
        let [exchange, assertion, signature, bare] = sums;
        ratios.push(exchange / (signature + bare));
        asserted.push(assertion / (signature + bare));
        let round = [exchange, assertion, signature, bare];
        costs.iter_mut().zip(round).for_each(|(costs, cost)| costs.push(cost / 1e3));
    }
    server.stop()?;
    table.at_most(
        "exchange of a secret for a session token, TLS, SQLite ÷ (one Ed25519 signature + one bare request)",
        median(ratios),
        1.6,
        "",
    );
    table.at_most("  the same for a Cylance assertion", median(asserted), 1.8, "");
    let [exchange, assertion, signature, bare] = costs.map(median);
    table.note(format!(
        "server CPU per exchange {exchange:.1} µs, of an assertion {assertion:.1} µs; one signature {signature:.1} µs, one bare request {bare:.1} µs"
    ));
    Ok(())
}

/// So many assertions (RFC 7523), each with an id of its own and signed with an application's secret.
fn assertions(made: &[Made], count: usize) -> Outcome<Vec<String>> {
    let header = URL_SAFE_NO_PAD.encode(r#"{"alg":"HS256","typ":"JWT"}"#);
    let now = Clock::system().now().seconds();
    let one = |Made { tenant_id, credential, .. }: &Made| {
        let jti = TokenId::new(Clock::system().now(), Random::System.bytes()?);
        let claims = json!({
            "iss": "http://cylance.com", "sub": credential.client_id, "tid": tenant_id, "jti": jti,
            "iat": now, "exp": now + 1_800,
        });
        let signed = format!("{header}.{}", URL_SAFE_NO_PAD.encode(claims.to_string()));
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, credential.secret.as_bytes()), signed.as_bytes());
        Ok(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(tag)))
    };
    made.iter().cycle().take(count).map(one).collect()
}

/// Nanoseconds of one Ed25519 signature.
fn signature() -> Outcome<f64> {
    let key = Ed25519KeyPair::generate()?;
    timed(EXCHANGES, || {
        black_box(key.sign(black_box(&MESSAGE)));
        Ok(())
    })
}

fn first_sights(table: &mut Table, directory: &Path) -> Outcome<()> {
    say("tokens seen for the first time");
    let runtime = Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let app = stores::open(directory).await?;
        app.load_tree().await?;
        app.load_keyring().await?;
        let settings = TokenSettings { issuer: "https://localhost".to_owned(), rhythm: Rhythm::default() };
        app.open_tokens(settings).await?;
        let key = Ed25519KeyPair::generate()?;
        let public = ParsedPublicKey::new(&ED25519, key.public_key().as_ref())?;
        let signature = key.sign(&MESSAGE);
        let stick = || timed(SEEN, || Ok(public.verify_sig(black_box(&MESSAGE), signature.as_ref())?));
        let (mut first, mut again) = (Vec::new(), Vec::new());
        for round in 0..ROUNDS {
            let applications = round * SEEN..(round + 1) * SEEN;
            let mut tokens = Vec::with_capacity(SEEN);
            for application in applications {
                tokens.push(issue(&app, &stores::credential(application)).await?);
            }
            let (before, seen, after) = (stick()?, admit(&app, &tokens)?, stick()?);
            first.push(seen / f64::midpoint(before, after));
            again.push(admit(&app, &tokens)?);
        }
        table.at_most("first sight of a token in process ÷ one Ed25519 verification", median(first), 1.3, "");
        table.note(format!("a token seen before, in process: {:.0} ns", median(again)));
        app.store().close().await;
        Ok(())
    })
}

async fn issue(app: &App, Credential { client_id, secret }: &Credential) -> Outcome<String> {
    let caller = app.authenticate(Presented { client_id, secret }, FROM, "claviger-bench/1").await?;
    let wish = Wish {
        door: "client_credentials",
        scope: None,
        lifetime: None,
        usual: LIFETIME_DEFAULT,
        user_agent: "claviger-bench/1",
        source: "",
    };
    Ok(app.issue_token(&caller, &wish)?.text)
}

/// Nanoseconds of one verification, over tokens in the order given.
fn admit(app: &App, tokens: &[String]) -> Outcome<f64> {
    let wanted = wanted(app)?;
    let mut tokens = tokens.iter();
    timed(tokens.len(), || {
        let token = tokens.next().ok_or("no token is left")?;
        let admitted = app.admit(Proof::Token(token), FROM, "claviger-bench/1", wanted);
        black_box(admitted.ok_or("not in memory")?.map_err(|refused| refused.error)?);
        Ok(())
    })
}

/// Nanoseconds of one go.
fn timed(times: usize, mut go: impl FnMut() -> Outcome<()>) -> Outcome<f64> {
    let before = proc::own_thread()?;
    (0..times).try_for_each(|_| go())?;
    Ok(proc::own_thread()?.saturating_sub(before).as_nanos() as f64 / times as f64)
}
