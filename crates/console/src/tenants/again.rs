//! An order that has failed, as the form of its provisioning is filled in with it: sent again unchanged, it goes on where it failed.

use super::if_allowed;
use super::members::filled;
use super::provision::order;
use crate::form::Form;
use crate::session::Person;
use claviger_domain::Result;
use claviger_domain::application::Rights;
use claviger_domain::id::AccessLevelId;
use claviger_domain::page::{LIMIT_MAX, PageRequest};
use claviger_domain::provisioning::{Progress, Provisioning, Wanted};
use claviger_domain::tenant::{APPLICATION_LIMIT, Tenant};
use claviger_kit::Api;

/// The form that is the same order once more; none where no form is, or where the tenant was changed since.
pub(super) async fn form(api: &Api, person: &Person, job: &Provisioning, made: &Tenant) -> Result<Option<Form>> {
    if job.progress != Progress::Failed || made.details.external_id.is_none() {
        return Ok(None);
    }
    let Some(wanted) = wanted(api, person, job).await? else { return Ok(None) };
    // The limit that comes by itself may have been typed as well.
    let limits = [made.application_limit.to_string(), String::new()];
    let limits = limits.iter().filter(|limit| !limit.is_empty() || made.application_limit == APPLICATION_LIMIT);
    for limit in limits {
        let tenant = filled(made).without(&["version", "application_limit"]);
        let rest = [
            ("application_limit", limit.clone()),
            ("kind", made.kind.as_str().to_owned()),
            ("mfa_required", made.details.mfa_required.as_str().to_owned()),
            ("trial", if made.details.trial { "true".to_owned() } else { String::new() }),
        ];
        let form = tenant.with(Form::of(rest)).with(wanted.clone());
        if order(api, person, job.parent_id, &form).await.is_ok_and(|order| order.fingerprint() == job.fingerprint) {
            return Ok(Some(form));
        }
    }
    Ok(None)
}

/// What is wanted besides the tenant, as the form has it; none where it cannot.
async fn wanted(api: &Api, person: &Person, job: &Provisioning) -> Result<Option<Form>> {
    let Wanted { application, administrator } = &job.wanted;
    let mut values = Vec::new();
    if let Some(wanted) = application {
        let Some(level) = level(api, person, job, &wanted.rights).await? else { return Ok(None) };
        values.extend([
            ("application_name", wanted.name.as_str().to_owned()),
            ("application_access_level_id", level.to_string()),
            ("application_reach", wanted.reach.as_str().to_owned()),
        ]);
    }
    if let Some(wanted) = administrator {
        values.extend([
            ("administrator_email", wanted.email.as_str().to_owned()),
            ("administrator_first_name", wanted.first_name.clone()),
            ("administrator_last_name", wanted.last_name.clone()),
        ]);
        values.extend(wanted.roles.iter().map(|role| ("administrator_access_level_ids", role.to_string())));
    }
    Ok(Some(Form::of(values)))
}

/// The access level that gives these rights: one of the tenant above that has them still, where they are its own.
async fn level(api: &Api, person: &Person, job: &Provisioning, rights: &Rights) -> Result<Option<AccessLevelId>> {
    match rights {
        Rights::Level(level) => Ok(Some(*level)),
        Rights::Inline(grants) => {
            let all = PageRequest::parse(Some(LIMIT_MAX), None)?;
            let levels = if_allowed(api.app.list_access_levels(&person.caller, job.parent_id, &all).await)?;
            let mut own = levels.map(|page| page.items).unwrap_or_default().into_iter();
            Ok(own.find(|level| level.tenant_id.is_some() && level.grants == *grants).map(|level| level.id))
        }
        Rights::Legacy(_) => Ok(None),
    }
}
