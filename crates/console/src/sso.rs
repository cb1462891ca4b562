//! Single sign-on of a tenant: where its people sign in once for everything.

mod fields;
mod form;

use crate::api_call::ApiCall;
use crate::form::{Errors, Form};
use crate::nav::Section;
use crate::page::{Answer, Page, see_other};
use crate::place::Place;
use crate::session::Person;
use askama::Template;
use axum::Router;
use axum::extract::State;
use axum::routing::get;
use claviger_domain::Error;
use claviger_domain::grants::Verb;
use claviger_domain::id::{ProviderId, TenantId};
use claviger_domain::identity_provider::IdentityProvider;
use claviger_domain::page::{LIMIT_MAX, PageRequest};
use claviger_kit::{Api, Failure, Path, status};
use http::StatusCode;

#[derive(Template)]
#[template(path = "sso/list.html")]
struct List<'a> {
    place: &'a Place,
    providers: Vec<IdentityProvider>,
    may_create: bool,
    may_update: bool,
    may_delete: bool,
}

#[derive(Template)]
#[template(path = "sso/delete.html")]
struct Delete<'a> {
    place: &'a Place,
    provider: &'a IdentityProvider,
    form: &'a Form,
    errors: &'a Errors,
}

/// Its routes.
pub(crate) fn routes() -> Router<Api> {
    Router::new()
        .route("/console/tenants/{tenant_id}/sso", get(list).post(form::create))
        .route("/console/tenants/{tenant_id}/sso/new", get(form::new))
        .route("/console/tenants/{tenant_id}/sso/{id}", get(form::edit).post(form::update))
        .route("/console/tenants/{tenant_id}/sso/{id}/delete", get(ask).post(delete))
}

/// The domains of a provider, in a line.
fn domains(provider: &IdentityProvider) -> String {
    let domains: Vec<_> = provider.domains.iter().map(|domain| domain.as_str()).collect();
    domains.join(", ")
}

async fn list(State(api): State<Api>, person: Person, Path(tenant): Path<TenantId>) -> Answer {
    let place = person.at(&api, tenant).await?;
    let all = PageRequest::parse(Some(LIMIT_MAX), None)?;
    let found = api.app.list_identity_providers(&person.caller, tenant, &all).await?;
    let content = List {
        place: &place,
        providers: found.items,
        may_create: person.may("sso", Verb::Create),
        may_update: person.may("sso", Verb::Update),
        may_delete: person.may("sso", Verb::Delete),
    };
    Page::new("Single sign-on", Section::SingleSignOn)
        .at(&place)
        .call(ApiCall::new("List the providers", "GET", &format!("/v1/tenants/{tenant}/identity-providers")))
        .render(&person, &content)
}

async fn ask(State(api): State<Api>, person: Person, Path(at): Path<(TenantId, ProviderId)>) -> Answer {
    if let Some(to) = person.to_step_up(&api) {
        return Ok(to);
    }
    page(&api, &person, at, (&Form::default(), &Errors::default()), StatusCode::OK).await
}

async fn page(
    api: &Api,
    person: &Person,
    (tenant, id): (TenantId, ProviderId),
    (form, errors): (&Form, &Errors),
    status: StatusCode,
) -> Answer {
    let place = person.at(api, tenant).await?;
    let provider = api.app.find_identity_provider(&person.caller, tenant, id).await?;
    let path = format!("/v1/tenants/{tenant}/identity-providers/{id}");
    Page::new("Delete an identity provider", Section::SingleSignOn)
        .at(&place)
        .status(status)
        .call(ApiCall::new("Delete it", "DELETE", &path))
        .render(person, &Delete { place: &place, provider: &provider, form, errors })
}

async fn delete(
    State(api): State<Api>,
    person: Person,
    Path((tenant, id)): Path<(TenantId, ProviderId)>,
    form: Form,
) -> Answer {
    let provider = api.app.find_identity_provider(&person.caller, tenant, id).await?;
    let deleted = if form.get("confirm") == provider.name.trim() {
        api.app.delete_identity_provider(&person.caller, tenant, id, form.version()?).await
    } else {
        let fix = format!("type {}", provider.name);
        Err(Error::invalid("/confirm", "this is not the name of the provider", fix))
    };
    match deleted {
        Ok(()) => Ok(see_other(&format!("/console/tenants/{tenant}/sso"))),
        Err(error) => {
            let status = status(&error);
            let errors = Errors::of(error).map_err(Failure)?;
            page(&api, &person, (tenant, id), (&form, &errors), status).await
        }
    }
}
