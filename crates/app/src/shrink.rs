//! Shrinking: an application keeps the rights that it uses and loses the others.

use crate::App;
use crate::applications::target;
use crate::caller::Caller;
use crate::unit::{Effect, Needs, OnceFor, Posted, Unit};
use claviger_domain::access_level::{AccessLevel, NewAccessLevel};
use claviger_domain::application::{Application, Rights};
use claviger_domain::findings::{Look, days_ago, narrowed};
use claviger_domain::grants::{GrantSet, Grants, Verb, grants_to_json};
use claviger_domain::id::{AccessLevelId, ApplicationId, TenantId};
use claviger_domain::name::{NAME_MAX, Name};
use claviger_domain::time::Timestamp;
use claviger_domain::{Error, Result};
use serde_json::{Map, Value, json};
use std::sync::Arc;

const PERMISSION: &str = "applications";
const NEEDED: (&str, Verb) = (PERMISSION, Verb::Update);
/// Names that are tried for a new level.
const NAMES: usize = 1_000;

/// How to shrink.
#[derive(Clone, Copy, Debug)]
pub struct Shrinking {
    /// Days without use after which a right goes.
    pub days: i64,
    /// Whether to say only what would go.
    pub dry_run: bool,
    /// The version of the application that is meant.
    pub if_match: Option<i64>,
}

/// What a shrinking came to, or would come to.
#[derive(Clone, Debug)]
pub struct Shrunk {
    /// The application, with its rights as they are now.
    pub application: Application,
    /// What goes.
    pub dropped: Grants,
    /// What stays.
    pub kept: Grants,
    /// Name of the level made for it, and its id once it is made; none where the application has grants of its own.
    pub level: Option<(String, Option<AccessLevelId>)>,
}

impl App {
    /// Takes from an application the rights that it has not used in so many days. Where it has them from an access level,
    /// a narrower one is made for it and the level stays as it is, whoever else uses it. What goes is gone when this
    /// returns. Refused where the rights were given less than so many days ago. Needs `applications:UPDATE`,
    /// `findings:READ`, every right that the application has, and `access-levels:CREATE` where a level is made.
    pub async fn shrink_application(
        self: &Arc<Self>,
        caller: &Caller,
        tenant: TenantId,
        id: ApplicationId,
        shrinking: Shrinking,
        once: Option<OnceFor<Shrunk>>,
    ) -> Result<Posted<Shrunk>> {
        let tenant = caller.reach(tenant)?.id;
        caller.allow(PERMISSION, Verb::Update)?;
        caller.allow("findings", Verb::Read)?;
        // A right that was used for the first time a moment ago is in use.
        self.gather_usage(tenant).await?;
        self.settle_usage(tenant).await;
        let Shrinking { days, dry_run, if_match } = shrinking;
        if dry_run {
            let look = self.look_at(tenant, id).await?;
            crate::check_version(if_match, look.application.version)?;
            let held = GrantSet::compile(&look.grants, &self.state.catalogue);
            caller.covers(&held, look.application.reach)?;
            return Ok(Posted::Done(plan(look, days, self.state.clock.now())?));
        }
        self.unit_once(caller, Needs { tenant, right: NEEDED }, once, move |unit| {
            Box::pin(async move {
                unit.application_within_rights(tenant, id, if_match).await?;
                let holder = unit.tx.find_holder(tenant, id).await?.ok_or(Error::NotFound("application"))?;
                let rights = unit.tx.list_right_uses(tenant, id).await?;
                let look = Look { rights, ..unit.app.state.look(holder) };
                let before = look.application.clone();
                let mut shrunk = plan(look, days, unit.now)?;
                let mut after = before.clone();
                if !shrunk.dropped.is_empty() {
                    after.rights = match shrunk.level.take() {
                        None => Rights::Inline(shrunk.kept.clone()),
                        Some((name, _)) => {
                            let level = unit.insert_narrower(tenant, &before, &name, &shrunk.kept).await?;
                            shrunk.level = Some((level.name, Some(level.id)));
                            Rights::Level(level.id)
                        }
                    };
                    after = unit.change_application(after).await?;
                }
                unit.record("application.shrunk", target(&after), describe(&before, &after, &shrunk, days));
                unit.affects(Effect::Application(tenant, id));
                Ok(Shrunk { application: after, ..shrunk })
            })
        })
        .await
    }

    async fn look_at(&self, tenant: TenantId, id: ApplicationId) -> Result<Look> {
        let store = &self.state.store;
        let found = store.list_holders(tenant, &id.to_string(), 1).await?.pop();
        let holder = found.filter(|holder| holder.application.id == id).ok_or(Error::NotFound("application"))?;
        let rights = store.right_uses(tenant, id, id).await?.remove(&id).unwrap_or_default();
        Ok(Look { rights, ..self.state.look(holder) })
    }
}

/// What would go and what would stay.
fn plan(look: Look, days: i64, now: Timestamp) -> Result<Shrunk> {
    if let Some(kind) = look.application.rights.legacy() {
        let detail = format!("the rights of a {} key are fixed; migrate the application first", kind.as_str());
        return Err(Error::conflict("key_type_legacy", detail));
    }
    let dropped = look.unused_grants(days, now);
    if !dropped.is_empty() && look.rights_since > days_ago(now, days) {
        let detail = format!(
            "{} has held its rights since {}, which is less than {days} days: what it has not used yet it may still need; \
             give fewer days, or take rights away by hand",
            look.application.name, look.rights_since
        );
        return Err(Error::conflict("rights_too_young", detail));
    }
    let kept = narrowed(&look.grants, &dropped);
    let level = match look.application.rights {
        Rights::Level(_) if !dropped.is_empty() => Some((level_name(&look.application.name, 1), None)),
        _ => None,
    };
    Ok(Shrunk { application: look.application, dropped, kept, level })
}

/// The name of the level that is made for an application.
fn level_name(application: &str, number: usize) -> String {
    let end = if number == 1 { " (narrowed)".to_owned() } else { format!(" (narrowed {number})") };
    let stem: String = application.chars().take(NAME_MAX - end.chars().count()).collect();
    format!("{}{end}", stem.trim_end())
}

impl Unit {
    async fn insert_narrower(
        &mut self,
        tenant: TenantId,
        application: &Application,
        wanted: &str,
        grants: &Grants,
    ) -> Result<AccessLevel> {
        self.caller.must_hold("access-levels", Verb::Create)?;
        let name = self.free_level_name(tenant, &application.name, wanted).await?;
        let description = format!("What {} used when it was narrowed.", application.name);
        self.insert_level(tenant, NewAccessLevel { name, description, grants: grants.clone() }).await
    }

    async fn free_level_name(&mut self, tenant: TenantId, application: &str, wanted: &str) -> Result<Name> {
        for number in 1..=NAMES {
            let text = if number == 1 { wanted.to_owned() } else { level_name(application, number) };
            let name = Name::parse("/name", &text)?;
            let built_in = self.refuse_built_in_name(&name).is_err();
            if !built_in && !self.tx.is_level_name_taken(tenant, &name.key()).await? {
                return Ok(name);
            }
        }
        let detail = format!("{NAMES} access levels are called like {wanted:?}; delete those that nobody uses");
        Err(Error::conflict("access_level_name_taken", detail))
    }
}

fn describe(before: &Application, after: &Application, shrunk: &Shrunk, days: i64) -> Map<String, Value> {
    let mut details = Map::from_iter([
        ("days".to_owned(), days.into()),
        ("dropped".to_owned(), grants_to_json(&shrunk.dropped)),
        ("kept".to_owned(), grants_to_json(&shrunk.kept)),
    ]);
    if let (Rights::Level(from), Rights::Level(to)) = (&before.rights, &after.rights) {
        details.insert("access_level_id".into(), json!({ "from": from, "to": to }));
    }
    details
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_levels_are_derived_and_bounded() {
        assert_eq!(level_name("SIEM", 1), "SIEM (narrowed)");
        assert_eq!(level_name("SIEM", 12), "SIEM (narrowed 12)");
        for number in [1, 1_000] {
            let name = level_name(&"é".repeat(NAME_MAX), number);
            assert_eq!(name.chars().count(), NAME_MAX);
            assert!(Name::parse("/name", &name).is_ok());
        }
    }
}
