//! Trusted issuers: listed, made, changed, deleted. What their tokens stand for is in `bindings`.

use crate::api_call::ApiCall;
use crate::form::{Errors, Form};
use crate::nav::Section;
use crate::page::{Answer, Page, see_other};
use crate::place::Place;
use crate::security::issuer_form::{filled, parse_new, parse_patch};
use crate::security::overview::ToldQuery;
use crate::session::Person;
use crate::show;
use askama::Template;
use axum::extract::State;
use claviger_app::trusted_issuers::IssuerAndUses;
use claviger_app::unit::Posted;
use claviger_domain::application::LastUse;
use claviger_domain::claim::{Condition, Draft};
use claviger_domain::foreign_key::Algorithm;
use claviger_domain::grants::Verb;
use claviger_domain::id::{ApplicationId, BindingId, IssuerId, TenantId};
use claviger_domain::page::PageRequest;
use claviger_domain::trusted_issuer::{ISSUERS_MAX, KeySource, TrustedIssuer};
use claviger_domain::{Error, Result};
use claviger_kit::{Api, Failure, Path, Query, status};
use http::StatusCode;
use serde_json::json;
use std::collections::BTreeMap;

#[derive(Template)]
#[template(path = "security/issuers.html")]
struct List<'a> {
    place: &'a Place,
    items: Vec<IssuerAndUses>,
    deleted: bool,
    may_create: bool,
}

#[derive(Template)]
#[template(path = "security/issuer.html")]
struct One<'a> {
    place: &'a Place,
    found: &'a IssuerAndUses,
    /// Names of applications, where the person may know them.
    names: BTreeMap<ApplicationId, String>,
    form: &'a Form,
    errors: &'a Errors,
    told: &'static str,
    version: i64,
    may: May,
}

#[derive(Template)]
#[template(path = "security/issuer_new.html")]
struct New<'a> {
    place: &'a Place,
    form: &'a Form,
    errors: &'a Errors,
}

#[derive(Template)]
#[template(path = "security/issuer_delete.html")]
struct Delete<'a> {
    place: &'a Place,
    issuer: &'a TrustedIssuer,
    errors: &'a Errors,
}

/// What may be done with it.
struct May {
    update: bool,
    delete: bool,
}

impl One<'_> {
    fn path(&self, rest: &str) -> String {
        self.place.path(&format!("/security/issuers/{}{rest}", self.found.issuer.id))
    }

    fn keys(&self) -> &'static str {
        match self.found.issuer.trust.keys {
            KeySource::Discovery => "found by its discovery document",
            KeySource::Fetched(_) => "fetched from a URL",
            KeySource::Pinned(_) => "given here",
        }
    }

    fn last_use(&self, binding: &BindingId) -> Option<&LastUse> {
        self.found.uses.get(binding)
    }
}

/// All algorithms, for forms.
pub(crate) fn algorithms() -> [&'static str; 4] {
    Algorithm::ALL.map(Algorithm::as_str)
}

/// A condition in words.
pub(crate) fn said(condition: &Condition) -> String {
    let Draft { claim, equals, matches, one_of, contains } = condition.draft();
    let test = equals.map(|value| format!("is {value}"));
    let test = test.or_else(|| matches.map(|pattern| format!("fits {pattern}")));
    let test = test.or_else(|| one_of.map(|values| format!("is one of {}", values.join(", "))));
    let test = test.or_else(|| contains.map(|value| format!("contains {value}"))).unwrap_or_default();
    format!("{claim} {test}")
}

/// Lists them.
pub(crate) async fn list(
    State(api): State<Api>,
    person: Person,
    Path(tenant): Path<TenantId>,
    Query(query): Query<ToldQuery>,
) -> Answer {
    let place = person.at(&api, tenant).await?;
    let all = PageRequest::parse(Some(ISSUERS_MAX), None)?;
    let items = api.app.list_trusted_issuers(&person.caller, tenant, &all).await?.items;
    let content = List {
        place: &place,
        items,
        deleted: query.told.as_deref() == Some("deleted"),
        may_create: person.may("trusted-issuers", Verb::Create),
    };
    Page::new("Trusted issuers", Section::Security)
        .at(&place)
        .call(ApiCall::new("List trusted issuers", "GET", &format!("/v1/tenants/{tenant}/trusted-issuers")))
        .render(&person, &content)
}

/// Shows the form for a new one.
pub(crate) async fn new(State(api): State<Api>, person: Person, Path(tenant): Path<TenantId>) -> Answer {
    let place = person.at(&api, tenant).await?;
    let form = Form::of([
        ("algorithms", "RS256".to_owned()),
        ("algorithms", "ES256".to_owned()),
        ("keys", "discovery".to_owned()),
        ("max_token_age_seconds", "1".to_owned()),
        ("age_unit", "hours".to_owned()),
        ("single_use", "true".to_owned()),
        ("enabled", "true".to_owned()),
    ]);
    new_page(&person, &place, &form, &Errors::default(), StatusCode::OK)
}

fn new_page(person: &Person, place: &Place, form: &Form, errors: &Errors, status: StatusCode) -> Answer {
    let body = json!({ "name": form.get("name"), "issuer": form.get("issuer") });
    let path = format!("/v1/tenants/{}/trusted-issuers", place.tenant.id);
    Page::new("Trust an issuer", Section::Security)
        .at(place)
        .status(status)
        .call(ApiCall::with_body("Trust an issuer", "POST", &path, &body))
        .render(person, &New { place, form, errors })
}

/// Makes one.
pub(crate) async fn create(State(api): State<Api>, person: Person, Path(tenant): Path<TenantId>, form: Form) -> Answer {
    let place = person.at(&api, tenant).await?;
    match try_create(&api, &person, tenant, &form).await {
        Ok(issuer) => Ok(see_other(&place.path(&format!("/security/issuers/{}?told=made", issuer.id)))),
        Err(error) => {
            let status = status(&error);
            let errors = Errors::of(error).map_err(Failure)?;
            new_page(&person, &place, &form, &errors, status)
        }
    }
}

async fn try_create(api: &Api, person: &Person, tenant: TenantId, form: &Form) -> Result<TrustedIssuer> {
    match api.app.create_trusted_issuer(&person.caller, tenant, parse_new(form)?, None).await? {
        Posted::Done(issuer) => Ok(issuer),
        Posted::Replayed(_) => Err(Error::Internal("a call without an idempotency key was replayed".into())),
    }
}

/// Shows one.
pub(crate) async fn show(
    State(api): State<Api>,
    person: Person,
    Path((tenant, id)): Path<(TenantId, IssuerId)>,
    Query(query): Query<ToldQuery>,
) -> Answer {
    let told = match query.told.as_deref() {
        Some("made") => "The issuer is trusted. Now say by bindings which of its tokens stand for which application.",
        Some("saved") => "Saved. Tokens that were got by what is gone have ended.",
        _ => "",
    };
    page(&api, &person, (tenant, id), (None, &Errors::default(), StatusCode::OK), told).await
}

/// The page of one, after whatever was sent.
pub(super) async fn page(
    api: &Api,
    person: &Person,
    (tenant, id): (TenantId, IssuerId),
    (sent, errors, status): (Option<&Form>, &Errors, StatusCode),
    told: &'static str,
) -> Answer {
    let place = person.at(api, tenant).await?;
    let found = api.app.find_trusted_issuer(&person.caller, tenant, id).await?;
    let stored = filled(&found.issuer);
    let bound = found.issuer.bindings.iter().map(|binding| binding.application_id);
    let names = crate::access_record::names(api, person, tenant, bound).await?;
    let form = sent.unwrap_or(&stored);
    let content = One {
        place: &place,
        found: &found,
        names,
        form,
        errors,
        told,
        version: form.version()?.unwrap_or(found.issuer.version),
        may: May {
            update: person.may("trusted-issuers", Verb::Update),
            delete: person.may("trusted-issuers", Verb::Delete),
        },
    };
    let path = format!("/v1/tenants/{tenant}/trusted-issuers/{id}");
    let change = json!({ "enabled": !found.issuer.trust.enabled });
    Page::new(&found.issuer.name, Section::Security)
        .at(&place)
        .status(status)
        .call(ApiCall::new("Read the trusted issuer", "GET", &path))
        .call(ApiCall::with_body("Switch it on or off", "PATCH", &path, &change))
        .render(person, &content)
}

/// Changes one.
pub(crate) async fn update(
    State(api): State<Api>,
    person: Person,
    Path((tenant, id)): Path<(TenantId, IssuerId)>,
    form: Form,
) -> Answer {
    let outcome = match parse_patch(&form).and_then(|patch| Ok((patch, form.version()?))) {
        Ok((patch, version)) => api.app.update_trusted_issuer(&person.caller, tenant, id, patch, version).await,
        Err(error) => Err(error),
    };
    match outcome {
        Ok(_) => Ok(see_other(&format!("/console/tenants/{tenant}/security/issuers/{id}?told=saved"))),
        Err(error) => {
            let status = status(&error);
            let errors = Errors::of(error).map_err(Failure)?;
            page(&api, &person, (tenant, id), (Some(&form), &errors, status), "").await
        }
    }
}

/// Asks whether one is to be deleted.
pub(crate) async fn ask(
    State(api): State<Api>,
    person: Person,
    Path((tenant, id)): Path<(TenantId, IssuerId)>,
) -> Answer {
    ask_page(&api, &person, (tenant, id), &Errors::default(), StatusCode::OK).await
}

async fn ask_page(
    api: &Api,
    person: &Person,
    (tenant, id): (TenantId, IssuerId),
    errors: &Errors,
    status: StatusCode,
) -> Answer {
    let place = person.at(api, tenant).await?;
    let issuer = api.app.find_trusted_issuer(&person.caller, tenant, id).await?.issuer;
    let title = format!("Delete {}", issuer.name);
    let path = format!("/v1/tenants/{tenant}/trusted-issuers/{id}");
    Page::new(&title, Section::Security)
        .at(&place)
        .status(status)
        .call(ApiCall::new("Trust it no longer", "DELETE", &path))
        .render(person, &Delete { place: &place, issuer: &issuer, errors })
}

/// Deletes one.
pub(crate) async fn delete(
    State(api): State<Api>,
    person: Person,
    Path((tenant, id)): Path<(TenantId, IssuerId)>,
    form: Form,
) -> Answer {
    match api.app.delete_trusted_issuer(&person.caller, tenant, id, form.version()?).await {
        Ok(()) => Ok(see_other(&format!("/console/tenants/{tenant}/security/issuers?told=deleted"))),
        Err(error) => {
            let status = status(&error);
            let errors = Errors::of(error).map_err(Failure)?;
            ask_page(&api, &person, (tenant, id), &errors, status).await
        }
    }
}
