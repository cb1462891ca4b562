//! `claviger demo`: the server with sample tenants, levels, applications and a little traffic.

use super::serve::{configure, open, shutdown, welcome};
use super::{Failure, print};
use crate::cli::ServeArgs;
use crate::config::Overrides;
use crate::credentials::{Credentials, Sample};
use crate::server::Server;
use claviger_app::App;
use claviger_app::applications::CreatedApplication;
use claviger_app::caller::Caller;
use claviger_app::first_person::DEMO_SECONDS;
use claviger_app::unit::Posted;
use claviger_app::verify::Presented;
use claviger_domain::access_level::NewAccessLevel;
use claviger_domain::address::Origin;
use claviger_domain::application::{NewApplication, Reach, Rights};
use claviger_domain::grants::{Grants, Verb, parse_grants};
use claviger_domain::id::TenantId;
use claviger_domain::name::Name;
use claviger_domain::rate::RateLimit;
use claviger_domain::tenant::{Kind, NewTenant, Tenant};
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

const ORIGIN: Origin = Origin::Known(IpAddr::V4(Ipv4Addr::LOCALHOST));

/// Serves the demo until SIGTERM or SIGINT.
///
/// # Errors
/// In words for the operator.
pub async fn run(args: &ServeArgs) -> Result<(), Failure> {
    // Only a default: what a file, the environment or a flag says wins.
    let overrides = Overrides { data_dir_if_unset: Some("claviger-demo".into()), ..args.overrides() };
    let mut config = configure(args, overrides)?;
    config.credentials_file.get_or_insert_with(|| config.data_dir.join("credentials.json"));
    let server = open(config, async |app, credentials| {
        credentials.samples = make_samples(app, credentials).await?;
        Ok(())
    })
    .await?;
    let welcome = welcome(&server, DEMO_SECONDS).await?;
    print(&calls(&server, &welcome))?;
    server.serve(shutdown()?).await
}

async fn make_samples(app: &Arc<App>, credentials: &Credentials) -> Result<Vec<Sample>, Failure> {
    let operator = credentials.operator.as_ref().ok_or_else(|| Failure("the store has no operator".into()))?;
    let presented = Presented { client_id: &operator.client_id, secret: &operator.secret };
    let caller = app.authenticate(presented, ORIGIN, "claviger demo").await.map_err(failed)?;
    let root = caller.tenant().id;
    let partner = tenant(app, &caller, "Sample Partner", Kind::Partner, root).await?;
    let acme = tenant(app, &caller, "Acme Corporation", Kind::Organization, partner.id).await?;
    tenant(app, &caller, "Acme Headquarters", Kind::Instance, acme.id).await?;
    tenant(app, &caller, "Globex", Kind::Organization, root).await?;
    let level = NewAccessLevel {
        name: name("SIEM reader")?,
        description: "Reads alerts, devices and the audit record".into(),
        grants: grants(
            app,
            &[("org.alerts", &["READ"]), ("device", &["READ"]), ("org.audits", &["READ"]), ("jobs.status", &["READ"])],
        )?,
    };
    let level = done(app.create_access_level(&caller, acme.id, level, None).await.map_err(failed)?)?;
    let siem = application(app, &caller, acme.id, "SIEM", Rights::Level(level.id), Reach::Own).await?;
    let inline = grants(app, &[("applications", &["READ"]), ("usage", &["READ"])])?;
    application(app, &caller, acme.id, "Inventory script", Rights::Inline(inline.clone()), Reach::Own).await?;
    let console = Rights::Inline(family(app, "cylance", inline.clone()));
    let console = application(app, &caller, acme.id, "Cylance console script", console, Reach::Own).await?;
    let warehouse = application(app, &caller, acme.id, "Data warehouse", Rights::Level(level.id), Reach::Own).await?;
    // Whoever gives people what reads everything must hold that.
    let reader = app.catalogue().levels().first().map(|level| level.grants.clone()).unwrap_or_default();
    let portal = Rights::Inline(family(app, "cyrisma", reader));
    let portal = application(app, &caller, partner.id, "Partner portal", portal, Reach::Beneath).await?;
    let carbon_black = sample("carbon_black", &acme, siem);
    traffic(app, &carbon_black).await;
    Ok(vec![
        carbon_black,
        sample("cylance", &acme, console),
        sample("cyrisma", &partner, portal),
        sample("oauth", &acme, warehouse),
    ])
}

fn sample(family: &str, tenant: &Tenant, made: CreatedApplication) -> Sample {
    Sample {
        family: family.into(),
        tenant_id: tenant.id.to_string(),
        org_key: tenant.org_key.to_string(),
        client_id: made.application.client_id.to_string(),
        secret: made.secret.map(|minted| minted.text.reveal()).unwrap_or_default(),
    }
}

/// Grants with everything that a family's permissions offer.
fn family(app: &Arc<App>, family: &str, mut grants: Grants) -> Grants {
    for permission in app.catalogue().permissions().iter().filter(|permission| permission.family == family) {
        grants.insert(permission.name.clone(), permission.verbs);
    }
    grants
}

/// A few calls, so that usage, last use and the audit record have something to show.
async fn traffic(app: &Arc<App>, sample: &Sample) {
    let right = Presented { client_id: &sample.client_id, secret: &sample.secret };
    let wrong = Presented { client_id: &sample.client_id, secret: "clv_a_wrong" };
    for (permission, verb) in
        [("org.audits", Verb::Read), ("org.alerts", Verb::Read), ("device.quarantine", Verb::Execute)]
    {
        for _ in 0..5 {
            if let Ok(caller) = app.authenticate(right, ORIGIN, "Sample SIEM/1.0").await {
                // Refusals are part of the sample.
                let _ = caller.allow(permission, verb);
            }
        }
    }
    let _ = app.authenticate(wrong, ORIGIN, "Sample SIEM/1.0").await;
}

async fn tenant(
    app: &Arc<App>,
    caller: &Caller,
    text: &str,
    kind: Kind,
    parent_id: TenantId,
) -> Result<Tenant, Failure> {
    let new = NewTenant::new(name(text)?, kind, parent_id);
    done(app.create_tenant(caller, new, None).await.map_err(failed)?)
}

async fn application(
    app: &Arc<App>,
    caller: &Caller,
    tenant: TenantId,
    text: &str,
    rights: Rights,
    reach: Reach,
) -> Result<CreatedApplication, Failure> {
    let new = NewApplication {
        name: name(text)?,
        description: "Made by claviger demo".into(),
        owner: Some("ops@acme.example".into()),
        owner_id: None,
        rights,
        reach,
        allowed_networks: None,
        expires_at: None,
        secret_expires_at: None,
        enabled: true,
        rate_limit: Some(RateLimit { requests: 1_000, window_seconds: 300 }),
        dpop_bound: false,
    };
    done(app.create_application(caller, tenant, new, None).await.map_err(failed)?)
}

fn grants(app: &Arc<App>, pairs: &[(&str, &[&str])]) -> Result<Grants, Failure> {
    let words = |verbs: &[&str]| verbs.iter().map(|verb| (*verb).to_owned()).collect();
    let written: BTreeMap<String, Vec<String>> =
        pairs.iter().map(|(name, verbs)| ((*name).to_owned(), words(verbs))).collect();
    parse_grants("/grants", &written, app.catalogue()).map_err(failed)
}

fn name(text: &str) -> Result<Name, Failure> {
    Name::parse("/name", text).map_err(failed)
}

fn done<T>(posted: Posted<T>) -> Result<T, Failure> {
    match posted {
        Posted::Done(done) => Ok(done),
        Posted::Replayed(_) => Err(Failure("a call without an idempotency key was replayed".into())),
    }
}

fn failed(error: claviger_domain::Error) -> Failure {
    Failure(error.to_string())
}

/// Calls to paste into another terminal.
fn calls(server: &Server, welcome: &str) -> String {
    let credentials = &server.credentials;
    let base = &credentials.base_url;
    let trust = credentials.ca_file.as_ref().map(|path| format!(" --cacert {}", path.display())).unwrap_or_default();
    let mut text = format!("Claviger's demo listens on {base}\n");
    if let Some(file) = &server.config().credentials_file {
        text.push_str(&format!("its credentials stand in {}\n", file.display()));
    }
    if let Some(operator) = &credentials.operator {
        let auth = format!("-H 'X-Auth-Token: {}/{}'", operator.secret, operator.client_id);
        text.push_str(&format!(
            "\n# Who am I? (the operator's Super Admin application)\ncurl -sS{trust} {auth} {base}/v1/whoami\n\
             \n# The tenants\ncurl -sS{trust} {auth} {base}/v1/tenants\n"
        ));
        if let Some(sample) = credentials.samples.first() {
            text.push_str(&format!(
                "\n# A new application of the sample organisation; its secret is in the answer, once\ncurl -sS{trust} {auth} \
                 -H 'Content-Type: application/json' -d '{{\"name\":\"My integration\",\"grants\":{{\"org.audits\":[\"READ\"]}}}}' \
                 {base}/v1/tenants/{}/applications\n",
                sample.tenant_id
            ));
        }
    }
    for sample in &credentials.samples {
        text.push_str(&calls_of(sample, base, &trust));
    }
    text.push_str(welcome);
    text.push_str("\nCtrl-C ends it.\n");
    text
}

/// Calls of a sample's family.
fn calls_of(sample: &Sample, base: &str, trust: &str) -> String {
    let Sample { client_id, secret, org_key, tenant_id, .. } = sample;
    let auth = format!("-H 'X-Auth-Token: {secret}/{client_id}'");
    match sample.family.as_str() {
        "carbon_black" => format!(
            "\n# May the sample integration read the audit record? (204: yes)\ncurl -sSi{trust} {auth} \
             '{base}/v1/verify?permission=org.audits:READ&tenant=any'\n\
             \n# The audit record as a Carbon Black client reads it\ncurl -sS{trust} {auth} \
             -H 'Content-Type: application/json' -d '{{\"rows\":5}}' {base}/audit_log/v1/orgs/{org_key}/logs/_search\n"
        ),
        "cyrisma" => format!(
            "\n# A token as a Cyrisma client gets it, and the structure of the sample partner {tenant_id}\n\
             TOKEN=$(curl -sS{trust} -d grant_type=password -d username={client_id} -d password={secret} \
             {base}/app/partner/login | sed 's/.*\"access_token\":\"\\([^\"]*\\).*/\\1/')\n\
             curl -sS{trust} -H \"Authorization: access_token $TOKEN\" {base}/app/partner/instances/info\n"
        ),
        "cylance" => format!(
            "\n# The sample custom application of a Cylance client: its application id, secret and tenant id are\n\
             # {client_id} {secret} {tenant_id}\n\
             # The client signs an assertion with the secret and sends it to {base}/auth/v2/token\n"
        ),
        _ => format!(
            "\n# A session token by OAuth 2.0\ncurl -sS{trust} -u {client_id}:{secret} \
             -d grant_type=client_credentials {base}/oauth2/token\n"
        ),
    }
}
