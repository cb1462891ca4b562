//! Deleting an access level, with the list of who holds it up.

use crate::api_call::ApiCall;
use crate::form::{Errors, Form};
use crate::nav::Section;
use crate::page::{Answer, Page, see_other};
use crate::place::Place;
use crate::session::Person;
use askama::Template;
use axum::extract::State;
use claviger_domain::access_level::{AccessLevel, LevelUses};
use claviger_domain::error::Referrer;
use claviger_domain::id::{AccessLevelId, TenantId};
use claviger_kit::{Api, Failure, Path, status};
use http::StatusCode;

/// Who holds it up is named up to so many.
const NAMED: i64 = 100;

#[derive(Template)]
#[template(path = "access_levels/delete.html")]
struct Delete<'a> {
    place: &'a Place,
    level: &'a AccessLevel,
    errors: &'a Errors,
    uses: LevelUses,
    named: Vec<Referrer>,
}

impl Delete<'_> {
    fn holders(&self) -> String {
        super::holders(&self.uses, &self.named)
    }
}

/// Asks.
pub(crate) async fn show(
    State(api): State<Api>,
    person: Person,
    Path((tenant, id)): Path<(TenantId, AccessLevelId)>,
) -> Answer {
    page(&api, &person, (tenant, id), &Errors::default(), StatusCode::OK).await
}

async fn page(
    api: &Api,
    person: &Person,
    (tenant, id): (TenantId, AccessLevelId),
    errors: &Errors,
    status: StatusCode,
) -> Answer {
    let place = person.at(api, tenant).await?;
    let level = api.app.find_access_level(&person.caller, tenant, id).await?;
    let uses = api.app.count_level_uses(&person.caller, tenant, &[id]).await?.remove(&id).unwrap_or_default();
    let named = api.app.list_level_referrers(&person.caller, tenant, id, NAMED).await?;
    let path = format!("/v1/tenants/{tenant}/access-levels/{id}");
    let title = format!("Delete {}", level.name);
    let content = Delete { place: &place, level: &level, errors, uses, named };
    Page::new(&title, Section::AccessLevels)
        .at(&place)
        .status(status)
        .call(ApiCall::new("Delete the access level", "DELETE", &path))
        .render(person, &content)
}

/// Deletes it.
pub(crate) async fn delete(
    State(api): State<Api>,
    person: Person,
    Path((tenant, id)): Path<(TenantId, AccessLevelId)>,
    form: Form,
) -> Answer {
    match api.app.delete_access_level(&person.caller, tenant, id, form.version()?).await {
        Ok(()) => Ok(see_other(&format!("/console/tenants/{tenant}/access-levels?told=deleted"))),
        Err(error) => {
            let status = status(&error);
            let mut errors = Errors::of(error).map_err(Failure)?;
            // The page names them itself, and not all of ten thousand.
            errors.referrers.clear();
            page(&api, &person, (tenant, id), &errors, status).await
        }
    }
}
