//! Making and changing an identity provider, by one form.

use super::fields::{Row, empty, filled, parse, patch, rows};
use crate::api_call::ApiCall;
use crate::form::{Errors, Form};
use crate::nav::Section;
use crate::page::{Answer, Page, see_other};
use crate::place::Place;
use crate::session::Person;
use crate::tenants::if_allowed;
use askama::Template;
use axum::extract::State;
use claviger_domain::Result;
use claviger_domain::grants::Verb;
use claviger_domain::id::{ProviderId, TenantId};
use claviger_domain::identity_provider::IdentityProvider;
use claviger_domain::page::{LIMIT_MAX, PageRequest};
use claviger_kit::{Api, Failure, Path, status};
use http::StatusCode;
use serde_json::{Value, json};

#[derive(Template)]
#[template(path = "sso/form.html")]
struct FormPage<'a> {
    place: &'a Place,
    form: &'a Form,
    errors: &'a Errors,
    /// What it changes; none where it makes one.
    provider: Option<&'a IdentityProvider>,
    rows: Vec<Row>,
    /// Access levels: id and name.
    levels: Vec<(String, String)>,
}

impl FormPage<'_> {
    fn path(&self) -> String {
        match self.provider {
            Some(provider) => self.place.path(&format!("/sso/{}", provider.id)),
            None => self.place.path("/sso"),
        }
    }

    fn has_secret(&self) -> bool {
        self.provider.is_some_and(|provider| provider.has_secret)
    }
}

/// Shows the form for a new one.
pub(super) async fn new(State(api): State<Api>, person: Person, Path(tenant): Path<TenantId>) -> Answer {
    let place = person.at(&api, tenant).await?;
    person.caller.allow("sso", Verb::Create)?;
    if let Some(to) = person.to_step_up(&api) {
        return Ok(to);
    }
    page(&api, &person, &place, None, (&empty(), &Errors::default(), StatusCode::OK)).await
}

/// Shows the form of one that there is.
pub(super) async fn edit(
    State(api): State<Api>,
    person: Person,
    Path((tenant, id)): Path<(TenantId, ProviderId)>,
) -> Answer {
    let place = person.at(&api, tenant).await?;
    let provider = api.app.find_identity_provider(&person.caller, tenant, id).await?;
    person.caller.allow("sso", Verb::Update)?;
    if let Some(to) = person.to_step_up(&api) {
        return Ok(to);
    }
    page(&api, &person, &place, Some(&provider), (&filled(&provider), &Errors::default(), StatusCode::OK)).await
}

/// The access levels that can be given: those that the person may know, and those that the form names already.
async fn levels(api: &Api, person: &Person, tenant: TenantId, form: &Form) -> Result<Vec<(String, String)>> {
    let all = PageRequest::parse(Some(LIMIT_MAX), None)?;
    let found = if_allowed(api.app.list_access_levels(&person.caller, tenant, &all).await)?;
    let found = found.map(|page| page.items).unwrap_or_default();
    let mut levels: Vec<_> = found.into_iter().map(|level| (level.id.to_string(), level.name)).collect();
    for id in form.all("rule_level").chain(form.all("default_access_level_ids")).filter(|id| !id.is_empty()) {
        if !levels.iter().any(|(known, _)| known == id) {
            levels.push((id.to_owned(), id.to_owned()));
        }
    }
    Ok(levels)
}

/// The body of the call that does the same; the secret is left to whoever pastes it.
fn body(form: &Form) -> Value {
    let domains: Vec<_> = form.get("domains").split_whitespace().collect();
    json!({
        "name": form.get("name"),
        "issuer": form.get("issuer"),
        "client_id": form.get("client_id"),
        "domains": domains,
        "enabled": form.is("enabled", "true"),
        "required": form.is("required", "true"),
    })
}

async fn page(
    api: &Api,
    person: &Person,
    place: &Place,
    provider: Option<&IdentityProvider>,
    (form, errors, status): (&Form, &Errors, StatusCode),
) -> Answer {
    let tenant = place.tenant.id;
    let levels = levels(api, person, tenant, form).await?;
    let path = format!("/v1/tenants/{tenant}/identity-providers");
    let (title, call) = match provider {
        Some(provider) => {
            let path = format!("{path}/{}", provider.id);
            ("Edit an identity provider", ApiCall::with_body("Change it", "PATCH", &path, &body(form)))
        }
        None => ("Add an identity provider", ApiCall::with_body("Make it", "POST", &path, &body(form))),
    };
    let content = FormPage { place, form, errors, provider, rows: rows(form), levels };
    Page::new(title, Section::SingleSignOn).at(place).status(status).call(call).render(person, &content)
}

/// Makes one.
pub(super) async fn create(State(api): State<Api>, person: Person, Path(tenant): Path<TenantId>, form: Form) -> Answer {
    let place = person.at(&api, tenant).await?;
    let made = match parse(&form) {
        Ok(new) => api.app.create_identity_provider(&person.caller, tenant, new, None).await.map(drop),
        Err(error) => Err(error),
    };
    match made {
        Ok(()) => Ok(see_other(&place.path("/sso"))),
        Err(error) => {
            let status = status(&error);
            let errors = Errors::of(error).map_err(Failure)?;
            page(&api, &person, &place, None, (&form, &errors, status)).await
        }
    }
}

/// Changes one.
pub(super) async fn update(
    State(api): State<Api>,
    person: Person,
    Path((tenant, id)): Path<(TenantId, ProviderId)>,
    form: Form,
) -> Answer {
    let place = person.at(&api, tenant).await?;
    let changed = match patch(&form) {
        Ok(patch) => {
            let version = form.version()?;
            api.app.update_identity_provider(&person.caller, tenant, id, patch, version).await.map(drop)
        }
        Err(error) => Err(error),
    };
    match changed {
        Ok(()) => Ok(see_other(&place.path("/sso"))),
        Err(error) => {
            let status = status(&error);
            let errors = Errors::of(error).map_err(Failure)?;
            let provider = api.app.find_identity_provider(&person.caller, tenant, id).await?;
            page(&api, &person, &place, Some(&provider), (&form, &errors, status)).await
        }
    }
}
