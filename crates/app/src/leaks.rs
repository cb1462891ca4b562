//! Leak reports: secrets of ours that somebody found where they must not be are dead when the report has been answered.
//!
//! Whoever has the text of a secret and the right to report it may end it, whatever its application may do: ending gives
//! nobody a right. What lies out of the reporter's reach is answered as if it did not exist, and not touched.

use crate::App;
use crate::applications::target;
use crate::caller::Caller;
use crate::credential_policy::Stay;
use crate::unit::{Effect, Needs};
use claviger_domain::application::{Application, Secret};
use claviger_domain::credential_policy::OnLeak;
use claviger_domain::grants::Verb;
use claviger_domain::id::{ApplicationId, TenantId};
use claviger_domain::leak::{Outcome, Report, SECRETS_MAX};
use claviger_domain::notice::{NoticeKind, Telling};
use claviger_domain::secret::{SecretHash, Sighting};
use claviger_domain::{Error, Result};
use claviger_store::leaks::Place;
use serde_json::{Map, Value, json};
use std::collections::HashMap;
use std::sync::Arc;

const RIGHT: (&str, Verb) = ("leaks", Verb::Create);

/// What became of one secret of a report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Prefix and last four characters.
    pub hint: String,
    /// What became of it.
    pub outcome: Outcome,
    /// The tenant and application that it belongs to, where they are known and within the reporter's reach.
    pub application: Option<(TenantId, ApplicationId)>,
}

/// What became of a secret, and whose it is or was.
type Known = (Outcome, Option<(TenantId, ApplicationId)>);

/// A secret to be ended, and who reported it.
#[derive(Clone)]
struct Leak {
    hash: SecretHash,
    place: Place,
    source: String,
    url: Option<String>,
}

impl App {
    /// Ends every secret that stands in the reports and belongs to an application within reach, as the policy of its tenant
    /// says; each is dead when this returns. For each report, in order, what became of the secrets in it. A repetition
    /// changes nothing. Needs `leaks:CREATE`.
    pub async fn report_leaks(self: &Arc<Self>, caller: &Caller, reports: &[Report]) -> Result<Vec<Vec<Verdict>>> {
        let (permission, verb) = RIGHT;
        caller.allow(permission, verb)?;
        let mut verdicts: HashMap<[u8; 32], Known> = HashMap::new();
        let (mut leaks, mut count) = (Vec::new(), 0);
        for report in reports {
            for sighting in report.sightings.iter().chain(&report.whole) {
                let hash = sighting.hash;
                if verdicts.contains_key(hash.as_bytes()) {
                    continue;
                }
                count += report.sightings.len().min(1);
                if count > SECRETS_MAX {
                    let message = format!("the texts hold more than {SECRETS_MAX} different secrets");
                    return Err(Error::invalid("", message, "report them in several calls"));
                }
                let (known, live) = self.places(caller, &hash).await?;
                verdicts.insert(*hash.as_bytes(), known);
                let leak = |place| Leak { hash, place, source: report.source.clone(), url: report.url.clone() };
                leaks.extend(live.into_iter().map(leak));
            }
        }
        // The reporter's own secret last: without it nothing more can be done.
        leaks.sort_by_key(|leak| Some(leak.place.application) == caller.application());
        for leak in leaks {
            let (hash, place) = (leak.hash, leak.place);
            let known = Some((place.tenant, place.application));
            let verdict = match self.end_leaked(caller, leak).await {
                Err(Error::NotFound("secret")) => (Outcome::AlreadyRevoked, known),
                // Its tenant has left the caller's reach meanwhile.
                Err(Error::NotFound(_)) => (Outcome::Unknown, None),
                ended => (ended?, known),
            };
            verdicts.insert(*hash.as_bytes(), verdict);
        }
        let verdict = |sighting: &Sighting| {
            let known = verdicts.get(sighting.hash.as_bytes()).copied();
            let (outcome, application) = known.unwrap_or((Outcome::Unknown, None));
            Verdict { hint: sighting.hint.clone(), outcome, application }
        };
        // What has not the form of a secret is none, unless one is known that is the same.
        let imported =
            |report: &Report| report.whole.iter().map(verdict).find(|verdict| verdict.outcome != Outcome::Unknown);
        let of = |report: &Report| report.sightings.iter().map(verdict).chain(imported(report)).collect();
        Ok(reports.iter().map(of).collect())
    }

    /// What is known of a secret within reach, and where it is live.
    async fn places(&self, caller: &Caller, hash: &SecretHash) -> Result<(Known, Vec<Place>)> {
        let within = |places: Vec<Place>| places.into_iter().filter(|place| caller.reaches(place.tenant)).collect();
        let live: Vec<Place> = within(self.state.store.find_secrets_by_hash(hash).await?);
        let told: Vec<Place> = within(self.state.store.find_leaks_by_hash(hash).await?);
        let known = told.first().map(|place| (place.tenant, place.application));
        let outcome = if known.is_some() { Outcome::AlreadyRevoked } else { Outcome::Unknown };
        Ok(((outcome, known), live))
    }

    async fn end_leaked(self: &Arc<Self>, caller: &Caller, leak: Leak) -> Result<Outcome> {
        let tenant = leak.place.tenant;
        self.unit(caller, Needs { tenant, right: RIGHT }, move |unit| {
            Box::pin(async move {
                let Place { application, secret, .. } = leak.place;
                let found = unit.tx.find_application(tenant, application).await?.ok_or(Error::NotFound("secret"))?;
                let secrets = unit.tx.list_secrets(tenant, application).await?;
                let leaked = secrets.into_iter().find(|one| one.id == secret).ok_or(Error::NotFound("secret"))?;
                // Also one that has ended by itself: a later ceiling could bring it back.
                unit.tx.delete_secret(tenant, application, secret).await?;
                let mut outcome = match unit.app.effective_policy(tenant)?.on_leak {
                    OnLeak::Revoke => Outcome::Revoked,
                    OnLeak::Quarantine => Outcome::Quarantined,
                };
                if outcome == Outcome::Quarantined && found.enabled {
                    let disabled = unit.disable_application(&found).await?;
                    // The secret that leaked was forbidden anyway, and nobody could let the operator in again.
                    if unit.forbids_secrets(tenant) && unit.is_locked_out(tenant, Stay::Now).await? {
                        unit.change_application(Application { enabled: true, ..disabled }).await?;
                        outcome = Outcome::Revoked;
                    }
                }
                unit.tx.insert_leak(tenant, leak.place, &leak.hash, outcome, unit.now).await?;
                unit.tell(Telling::of_secret(
                    NoticeKind::SecretLeaked,
                    &found,
                    secret,
                    sentence(&leak, &leaked, outcome),
                ));
                unit.record("secret.leaked", target(&found), describe(&leak, &leaked, outcome));
                unit.affects(Effect::Application(tenant, application));
                Ok(outcome)
            })
        })
        .await
    }
}

fn sentence(leak: &Leak, secret: &Secret, outcome: Outcome) -> String {
    let place = leak.url.as_ref().map(|url| format!(" at {url}")).unwrap_or_default();
    let done = match outcome {
        Outcome::Quarantined => {
            "it is dead and the application is disabled; find out who had it, regenerate, enable it again"
        }
        _ => "it is dead; find out who had it, and regenerate",
    };
    format!("{} was reported as leaked by {}{place}: {done}", secret.hint, leak.source)
}

fn describe(leak: &Leak, secret: &Secret, outcome: Outcome) -> Map<String, Value> {
    Map::from_iter([
        ("alarm".to_owned(), true.into()),
        ("secret_id".to_owned(), json!(secret.id)),
        ("quarantine".to_owned(), (outcome == Outcome::Quarantined).into()),
        ("source".to_owned(), leak.source.clone().into()),
        ("url".to_owned(), json!(leak.url)),
    ])
}
