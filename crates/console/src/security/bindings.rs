//! Bindings of a trusted issuer: which of its tokens stand for which application. Each change writes all of them, based on the version
//! that was looked at.

use crate::api_call::ApiCall;
use crate::form::{Errors, Form};
use crate::nav::Section;
use crate::page::{Answer, Page, see_other};
use crate::place::Place;
use crate::security::issuer_form::{binding_filled, parse_binding, rows};
use crate::session::Person;
use crate::tenants::if_allowed;
use askama::Template;
use axum::extract::State;
use claviger_domain::application::Application;
use claviger_domain::grants::Verb;
use claviger_domain::id::{BindingId, IssuerId, TenantId};
use claviger_domain::page::PageRequest;
use claviger_domain::trusted_issuer::{NewBinding, TrustedIssuer, TrustedIssuerPatch};
use claviger_domain::{Error, Result};
use claviger_kit::{Api, Failure, Path, status};
use http::StatusCode;
use serde_json::json;

/// Applications that are offered; of a tenant with more, one is named by its id.
const OFFERED: i64 = 100;

#[derive(Template)]
#[template(path = "security/binding.html")]
struct BindingPage<'a> {
    place: &'a Place,
    issuer: &'a TrustedIssuer,
    binding: Option<BindingId>,
    form: &'a Form,
    errors: &'a Errors,
    offered: Option<Vec<Application>>,
    rows: Vec<usize>,
    version: i64,
}

/// Ways to compare a claim, and what they are called.
const WAYS: [(&str, &str); 5] = [
    ("equals", "is"),
    ("matches", "fits the pattern"),
    ("one_of", "is one of"),
    ("contains", "is a list that has"),
    ("equals_json", "is the number, true or false"),
];

impl BindingPage<'_> {
    fn action(&self) -> String {
        let end = self.binding.map(|id| format!("/{id}")).unwrap_or_default();
        self.place.path(&format!("/security/issuers/{}/bindings{end}", self.issuer.id))
    }

    fn value(&self, name: &str, row: &usize) -> &str {
        self.form.raw(&format!("{name}{row}"))
    }

    /// How many lines a value has.
    fn lines(&self, row: &usize) -> usize {
        self.value("value", row).lines().count().max(1)
    }

    fn ways(&self) -> [(&'static str, &'static str); 5] {
        WAYS
    }

    fn is_chosen(&self, row: &usize, way: &str) -> bool {
        self.value("how", row) == way
    }

    fn is_application(&self, application: &Application) -> bool {
        self.form.get("application_id") == application.id.to_string()
    }
}

/// Shows the form of a new one.
pub(crate) async fn new(
    State(api): State<Api>,
    person: Person,
    Path((tenant, id)): Path<(TenantId, IssuerId)>,
) -> Answer {
    let form = Form::of([("claim0", "sub".to_owned())]);
    page(&api, &person, (tenant, id, None), &form, &Errors::default(), StatusCode::OK).await
}

/// Shows one.
pub(crate) async fn show(
    State(api): State<Api>,
    person: Person,
    Path((tenant, id, binding)): Path<(TenantId, IssuerId, BindingId)>,
) -> Answer {
    let issuer = api.app.find_trusted_issuer(&person.caller, tenant, id).await?.issuer;
    let found = issuer.bindings.iter().find(|one| one.id == binding).ok_or(Error::NotFound("binding"))?;
    let form = binding_filled(found);
    page(&api, &person, (tenant, id, Some(binding)), &form, &Errors::default(), StatusCode::OK).await
}

async fn page(
    api: &Api,
    person: &Person,
    (tenant, id, binding): (TenantId, IssuerId, Option<BindingId>),
    form: &Form,
    errors: &Errors,
    status: StatusCode,
) -> Answer {
    let place = person.at(api, tenant).await?;
    let issuer = api.app.find_trusted_issuer(&person.caller, tenant, id).await?.issuer;
    let offered = if person.may("applications", Verb::Read) {
        let request = PageRequest::parse(Some(OFFERED), None)?;
        if_allowed(api.app.list_applications(&person.caller, tenant, &request).await)?
    } else {
        None
    };
    let content = BindingPage {
        place: &place,
        issuer: &issuer,
        binding,
        form,
        errors,
        offered: offered.filter(|page| page.next.is_none()).map(|page| page.items),
        rows: rows(form).collect(),
        version: form.version()?.unwrap_or(issuer.version),
    };
    let body = json!({ "bindings": [{
        "application_id": form.get("application_id"),
        "conditions": [{ "claim": "sub", "matches": "repo:acme/app:*" }],
    }] });
    let title = if binding.is_some() { "Change a binding" } else { "Add a binding" };
    let path = format!("/v1/tenants/{tenant}/trusted-issuers/{id}");
    Page::new(title, Section::Security)
        .at(&place)
        .status(status)
        .call(ApiCall::with_body("Set all bindings of the issuer", "PATCH", &path, &body))
        .render(person, &content)
}

/// Adds one.
pub(crate) async fn add(
    State(api): State<Api>,
    person: Person,
    Path((tenant, id)): Path<(TenantId, IssuerId)>,
    form: Form,
) -> Answer {
    save(&api, &person, (tenant, id, None), form).await
}

/// Changes one.
pub(crate) async fn update(
    State(api): State<Api>,
    person: Person,
    Path((tenant, id, binding)): Path<(TenantId, IssuerId, BindingId)>,
    form: Form,
) -> Answer {
    save(&api, &person, (tenant, id, Some(binding)), form).await
}

/// Removes one.
pub(crate) async fn delete(
    State(api): State<Api>,
    person: Person,
    Path((tenant, id, binding)): Path<(TenantId, IssuerId, BindingId)>,
    form: Form,
) -> Answer {
    let at = (tenant, id, Some(binding));
    match write(&api, &person, at, None, form.version()?).await {
        Ok(()) => Ok(saved(tenant, id)),
        Err(error) => {
            let status = status(&error);
            let errors = Errors::of(error).map_err(Failure)?;
            super::issuers::page(&api, &person, (tenant, id), (None, &errors, status), "").await
        }
    }
}

async fn save(api: &Api, person: &Person, at: (TenantId, IssuerId, Option<BindingId>), form: Form) -> Answer {
    let outcome = match parse_binding(&form).and_then(|binding| Ok((binding, form.version()?))) {
        Ok((binding, version)) => write(api, person, at, Some(binding), version).await,
        Err(error) => Err(error),
    };
    match outcome {
        Ok(()) => Ok(saved(at.0, at.1)),
        Err(error) => {
            let status = status(&error);
            let errors = Errors::of(error).map_err(Failure)?;
            page(api, person, at, &form, &errors, status).await
        }
    }
}

fn saved(tenant: TenantId, id: IssuerId) -> axum::response::Response {
    see_other(&format!("/console/tenants/{tenant}/security/issuers/{id}?told=saved"))
}

/// Writes all bindings with one of them put in, put in another's place, or left out.
async fn write(
    api: &Api,
    person: &Person,
    (tenant, id, place): (TenantId, IssuerId, Option<BindingId>),
    new: Option<NewBinding>,
    version: Option<i64>,
) -> Result<()> {
    let issuer = api.app.find_trusted_issuer(&person.caller, tenant, id).await?.issuer;
    if place.is_some_and(|place| issuer.bindings.iter().all(|one| one.id != place)) {
        return Err(Error::PreconditionFailed { current: issuer.version });
    }
    // What was read here is what is written back, if not what was looked at was older already.
    let version = version.unwrap_or(issuer.version);
    let mut new = new;
    let mut bindings: Vec<NewBinding> = Vec::with_capacity(issuer.bindings.len() + 1);
    for binding in issuer.bindings {
        if Some(binding.id) == place {
            bindings.extend(new.take());
        } else {
            bindings.push(binding.into());
        }
    }
    bindings.extend(new);
    claviger_domain::trusted_issuer::check_bindings("/conditions", bindings.len())?;
    let patch = TrustedIssuerPatch { bindings: Some(bindings), ..TrustedIssuerPatch::default() };
    api.app.update_trusted_issuer(&person.caller, tenant, id, patch, Some(version)).await.map(|_| ())
}
