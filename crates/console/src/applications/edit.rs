//! Changing an application.

use super::fields::{Draft, FieldsView, form_of};
use super::{Head, Ids, found, path_of};
use crate::api_call::ApiCall;
use crate::form::{Errors, Form};
use crate::nav::Section;
use crate::page::{Answer, Page, see_other};
use crate::session::Person;
use askama::Template;
use axum::extract::State;
use claviger_domain::Result;
use claviger_domain::grants::Verb;
use claviger_domain::id::{ApplicationId, TenantId};
use claviger_kit::{Api, Failure, Path, status};
use http::StatusCode;
use serde_json::json;

#[derive(Template)]
#[template(path = "applications/edit.html")]
struct Edit<'a> {
    head: Head,
    form: &'a Form,
    errors: &'a Errors,
    fields: FieldsView<'a>,
}

/// Shows the form with what is there.
pub(super) async fn edit(State(api): State<Api>, person: Person, Path(ids): Ids) -> Answer {
    page(&api, &person, ids, None, &Errors::default(), StatusCode::OK).await
}

async fn page(
    api: &Api,
    person: &Person,
    (tenant, id): (TenantId, ApplicationId),
    form: Option<&Form>,
    errors: &Errors,
    status: StatusCode,
) -> Answer {
    let (place, application) = found(api, person, tenant, id).await?;
    let shown = form.cloned().unwrap_or_else(|| form_of(&application));
    let uses = if person.may("usage", Verb::Read) {
        crate::tenants::if_allowed(api.app.last_use_of_rights(&person.caller, tenant, id).await)?
    } else {
        None
    };
    let fields = FieldsView::of(api, person, tenant, (&shown, errors), uses.as_deref()).await?;
    let head = Head::of(person, &place, &application, "/edit");
    let path = format!("/v1/tenants/{tenant}/applications/{id}");
    Page::new(&application.name, Section::Applications)
        .at(&place)
        .status(status)
        .call(ApiCall::with_body("Change it", "PATCH", &path, &json!({ "name": shown.get("name") })))
        .render(person, &Edit { head, form: &shown, errors, fields })
}

/// Changes it.
pub(super) async fn update(State(api): State<Api>, person: Person, Path((tenant, id)): Ids, form: Form) -> Answer {
    match try_update(&api, &person, (tenant, id), &form).await {
        Ok(()) => Ok(see_other(&path_of(tenant, id))),
        Err(error) => {
            let status = status(&error);
            let errors = Errors::of(error).map_err(Failure)?;
            page(&api, &person, (tenant, id), Some(&form), &errors, status).await
        }
    }
}

async fn try_update(api: &Api, person: &Person, (tenant, id): (TenantId, ApplicationId), form: &Form) -> Result<()> {
    let before = api.app.find_application(&person.caller, tenant, id).await?;
    let draft = Draft::read(form, api.app.catalogue(), api.app.clock().now(), Some(&before))?;
    api.app.update_application(&person.caller, tenant, id, draft.into_patch(&before), form.version()?).await?;
    Ok(())
}
