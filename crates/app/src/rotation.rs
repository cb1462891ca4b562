//! Rotation of secrets, with an overlap or without.

use crate::App;
use crate::applications::target;
use crate::caller::Caller;
use crate::secrets::MintedSecret;
use crate::unit::{Effect, Needs, OnceFor, Posted, Unit};
use claviger_domain::Result;
use claviger_domain::application::Secret;
use claviger_domain::grants::Verb;
use claviger_domain::id::{ApplicationId, TenantId};
use claviger_domain::notice::{NoticeKind, Telling};
use claviger_domain::rotation::{Rotation, check_room, is_live};
use claviger_domain::time::Timestamp;
use serde_json::{Map, Value, json};
use std::sync::Arc;

const PERMISSION: &str = "applications";

/// What a rotation came to.
#[derive(Debug)]
pub struct RotatedSecret {
    /// The new secret.
    pub secret: MintedSecret,
    /// The one before it, with its last use and when it stops; none if there was none.
    pub previous: Option<Secret>,
}

/// A rotation, and when the new secret is to end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Renewal {
    /// How to rotate.
    pub rotation: Rotation,
    /// The new secret's end, none for no end of its own; if not given, it inherits that of the secret before.
    pub expires_at: Option<Option<Timestamp>>,
}

impl From<Rotation> for Renewal {
    fn from(rotation: Rotation) -> Self {
        Self { rotation, expires_at: None }
    }
}

impl App {
    /// Gives an application a new secret. By routine the one before goes on working for the overlap, and a third is refused
    /// while two are live; after a leak everything before is dead when this returns. End, networks and rate limit are the
    /// application's and hold for the new secret as they did for the old. Needs `applications:UPDATE` and every right that
    /// the application has.
    pub async fn rotate_secret(
        self: &Arc<Self>,
        caller: &Caller,
        tenant: TenantId,
        application: ApplicationId,
        renewal: impl Into<Renewal>,
        once: Option<OnceFor<RotatedSecret>>,
    ) -> Result<Posted<RotatedSecret>> {
        let tenant = caller.reach(tenant)?.id;
        caller.allow(PERMISSION, Verb::Update)?;
        let Renewal { rotation, expires_at } = renewal.into();
        // The answer tells when the secret before it was used last.
        self.settle_usage(tenant).await;
        self.unit_once(caller, Needs { tenant, right: (PERMISSION, Verb::Update) }, once, move |unit| {
            Box::pin(async move {
                let found = unit.application_within_rights(tenant, application, None).await?;
                let inherited = unit.tx.find_inherited_end(tenant, application, unit.now).await?;
                let live = unit.bury_dead_secrets(tenant, application).await?;
                let previous = match rotation {
                    Rotation::Routine { overlap_seconds } => {
                        check_room(&live)?;
                        unit.end_secret(tenant, live.into_iter().next_back(), overlap_seconds).await?
                    }
                    Rotation::Leak { quarantine } => {
                        unit.tx.delete_secrets(tenant, application).await?;
                        if quarantine {
                            unit.disable_application(&found).await?;
                        }
                        for leaked in &live {
                            let detail = format!("the secret {} was reported as leaked and is dead", leaked.hint);
                            unit.tell(Telling::of_secret(NoticeKind::SecretLeaked, &found, leaked.id, detail));
                        }
                        let ended = live.into_iter().next_back();
                        ended.map(|secret| Secret { expires_at: Some(unit.now), ends_at: Some(unit.now), ..secret })
                    }
                };
                let secret = match expires_at {
                    Some(end) => unit.mint_secret_until(tenant, application, "/expires_at", end).await?,
                    None => unit.mint_secret(tenant, application, inherited).await?,
                };
                let action = match rotation {
                    Rotation::Routine { .. } => "secret.rotated",
                    Rotation::Leak { .. } => "secret.leaked",
                };
                unit.record(action, target(&found), describe(rotation, &secret.secret, previous.as_ref()));
                unit.affects(Effect::Application(tenant, application));
                Ok(RotatedSecret { secret, previous })
            })
        })
        .await
    }
}

impl Unit {
    /// Removes the secrets whose time is over; the others, oldest first.
    pub(crate) async fn bury_dead_secrets(
        &mut self,
        tenant: TenantId,
        application: ApplicationId,
    ) -> Result<Vec<Secret>> {
        let now = self.now;
        let stored = self.tx.list_secrets(tenant, application).await?;
        let ended = self.app.state.ended_secrets(tenant, stored);
        let (live, dead): (Vec<_>, Vec<_>) = ended.into_iter().partition(|secret| is_live(secret, now));
        for secret in dead {
            self.tx.delete_secret(tenant, application, secret.id).await?;
        }
        Ok(live)
    }

    /// Lets a secret end after the overlap, or earlier if it ends by itself.
    async fn end_secret(&mut self, tenant: TenantId, secret: Option<Secret>, overlap: i64) -> Result<Option<Secret>> {
        let Some(secret) = secret else { return Ok(None) };
        let end = self.now.plus_seconds(overlap);
        let end = secret.ends_at.map_or(end, |own| own.min(end));
        self.tx.end_secret(tenant, secret.application_id, secret.id, end).await?;
        Ok(Some(Secret { expires_at: Some(end), ends_at: Some(end), ..secret }))
    }
}

fn describe(rotation: Rotation, secret: &Secret, previous: Option<&Secret>) -> Map<String, Value> {
    let mut details = Map::from_iter([
        ("secret_id".to_owned(), json!(secret.id)),
        ("previous_id".to_owned(), json!(previous.map(|secret| secret.id))),
    ]);
    match rotation {
        Rotation::Routine { overlap_seconds } => {
            details.insert("overlap_seconds".into(), overlap_seconds.into());
        }
        Rotation::Leak { quarantine } => {
            details.insert("alarm".into(), true.into());
            details.insert("quarantine".into(), quarantine.into());
        }
    }
    details
}
