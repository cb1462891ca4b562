//! Provisioning a tenant: one form for the tenant, its first application and its first person.

use super::if_allowed;
use super::list::may_create;
use super::members::{Members, Reader};
use crate::api_call::ApiCall;
use crate::form::{Errors, Form};
use crate::nav::Section;
use crate::page::{Answer, Page, see_other};
use crate::place::{Place, kind_word};
use crate::session::Person;
use askama::Template;
use axum::Router;
use axum::extract::State;
use axum::routing::get;
use claviger_app::unit::{Kept, OnceFor, Posted};
use claviger_domain::access_level::AccessLevel;
use claviger_domain::application::{Reach, Rights};
use claviger_domain::catalogue::BuiltInLevel;
use claviger_domain::grants::Verb;
use claviger_domain::id::{AccessLevelId, ProvisioningId, TenantId};
use claviger_domain::name::Name;
use claviger_domain::page::{LIMIT_MAX, PageRequest};
use claviger_domain::provisioning::{NewProvisioning, Provisioning, WantedAdministrator, WantedApplication};
use claviger_domain::tenant::{DetailsPatch, Kind, NewTenant};
use claviger_domain::user::{Email, parse_person_name, parse_roles};
use claviger_domain::{Error, Result};
use claviger_kit::{Api, Failure, Fields, Path, status};
use http::StatusCode;
use serde_json::{Map, Value, json};

#[derive(Template)]
#[template(path = "tenants/provision.html")]
struct Provision<'a> {
    place: &'a Place,
    form: &'a Form,
    errors: &'a Errors,
    is_new: bool,
    from_above: bool,
    on_trial: bool,
    levels: &'a [BuiltInLevel],
    /// Those of the tenant that is shown, whose rights an application can be given.
    own_levels: Vec<AccessLevel>,
    may_application: bool,
    may_person: bool,
    once: &'a str,
}

impl Provision<'_> {
    /// What can stand beneath the tenant that is shown: its word, and what it is called.
    fn kinds(&self) -> Vec<(&'static str, &'static str)> {
        let parent = self.place.tenant.kind;
        let fitting = Kind::ALL.into_iter().filter(|kind| kind.may_stand_under(parent));
        fitting.map(|kind| (kind.as_str(), kind_word(&kind))).collect()
    }
}

/// Its routes.
pub(super) fn routes() -> Router<Api> {
    Router::new().route("/console/tenants/{tenant_id}/tenants/new", get(new).post(create))
}

async fn new(State(api): State<Api>, person: Person, Path(tenant): Path<TenantId>) -> Answer {
    let place = person.at(&api, tenant).await?;
    let levels = api.app.catalogue().levels();
    let all = levels.last().map(|level| level.id.to_string()).unwrap_or_default();
    let form = Form::of([("administrator_access_level_ids", all), ("mfa_required", "none".to_owned())]);
    form_page(&api, &person, &place, &form, &Errors::default(), StatusCode::OK).await
}

async fn form_page(
    api: &Api,
    person: &Person,
    place: &Place,
    form: &Form,
    errors: &Errors,
    status: StatusCode,
) -> Answer {
    if !may_create(person, place) {
        person.caller.allow("tenants", Verb::Create)?;
        return Err(Failure(Error::NotFound("tenant")));
    }
    let all = PageRequest::parse(Some(LIMIT_MAX), None)?;
    let own = if_allowed(api.app.list_access_levels(&person.caller, place.tenant.id, &all).await)?;
    let own = own.map(|page| page.items).unwrap_or_default();
    let content = Provision {
        place,
        form,
        errors,
        is_new: true,
        from_above: true,
        on_trial: place.tenant.kind == Kind::Organization,
        levels: api.app.catalogue().levels(),
        own_levels: own.into_iter().filter(|level| level.tenant_id.is_some()).collect(),
        may_application: person.may("applications", Verb::Create),
        may_person: person.may("users", Verb::Create),
        once: person.once(),
    };
    let path = format!("/v1/tenants/{}/provisionings", place.tenant.id);
    Page::new("Provision a tenant", Section::Tenants)
        .at(place)
        .status(status)
        .call(ApiCall::with_body("Provision it", "POST", &path, &body(form)))
        .render(person, &content)
}

/// The body of the call that does the same as the form.
fn body(form: &Form) -> Value {
    let mut tenant = Map::from_iter([("name".to_owned(), json!(form.get("name")))]);
    for name in ["kind", "external_id", "short_name", "email", "country", "foreign_tenant_id", "mfa_required"] {
        if let Some(value) = form.given(name) {
            tenant.insert(name.to_owned(), json!(value));
        }
    }
    let mut body = Map::from_iter([("tenant".to_owned(), Value::Object(tenant))]);
    if let Some(name) = form.given("application_name") {
        let level = form.get("application_access_level_id");
        let reach = form.given("application_reach").unwrap_or("own");
        body.insert("application".into(), json!({ "name": name, "access_level_id": level, "reach": reach }));
    }
    if let Some(email) = form.given("administrator_email") {
        let levels: Vec<_> = form.all("administrator_access_level_ids").collect();
        body.insert("administrator".into(), json!({ "email": email, "access_level_ids": levels }));
    }
    Value::Object(body)
}

async fn create(State(api): State<Api>, person: Person, Path(tenant): Path<TenantId>, form: Form) -> Answer {
    let place = person.at(&api, tenant).await?;
    match try_create(&api, &person, tenant, &form).await {
        Ok(job) => Ok(see_other(&place.path(&format!("/provisionings/{job}")))),
        Err(error) => {
            let status = status(&error);
            let errors = Errors::of(at_fields(error)).map_err(Failure)?;
            form_page(&api, &person, &place, &form, &errors, status).await
        }
    }
}

async fn try_create(api: &Api, person: &Person, parent: TenantId, form: &Form) -> Result<ProvisioningId> {
    let new = order(api, person, parent, form).await?;
    let once = form.once(&person.here)?.map(|once| OnceFor { once, keep: kept });
    match api.app.provision_tenant(&person.caller, new, once).await? {
        Posted::Done(job) => Ok(job.id),
        Posted::Replayed(kept) => {
            let id = serde_json::from_str::<String>(&kept.body).ok().and_then(|id| ProvisioningId::parse(&id));
            id.ok_or_else(|| Error::Internal("what was kept of a provisioning is not its id".into()))
        }
    }
}

/// What a form orders.
pub(super) async fn order(api: &Api, person: &Person, parent: TenantId, form: &Form) -> Result<NewProvisioning> {
    let nothing = Form::default();
    let mut reader = Reader::of_new(form, &nothing, api.app.clock().now());
    let Members { name, application_limit, details } = reader.read();
    let mut fields = reader.fields;
    let kind = form.given("kind").and_then(Kind::parse);
    if kind.is_none() {
        fields.refuse("/kind", "no kind is chosen", "choose one");
    }
    let trial = form.is("trial", "true").then_some(true);
    let details = DetailsPatch { trial, ..details };
    let tenant =
        name.zip(kind).map(|(name, kind)| NewTenant { name, kind, parent_id: parent, application_limit, details });
    let application = application(form, &mut fields);
    let application = match application {
        Some(wanted) => Some(with_rights(api, person, parent, wanted).await?),
        None => None,
    };
    let administrator = administrator(form, &mut fields);
    fields.finish(tenant.map(|tenant| NewProvisioning { tenant, application, administrator }))
}

/// What is kept of an order, for a form that is sent twice: where it is seen.
fn kept(job: &Provisioning) -> Kept {
    Kept { status: StatusCode::SEE_OTHER.as_u16(), body: json!(job.id).to_string() }
}

/// The first application, if one is asked for.
fn application(form: &Form, fields: &mut Fields) -> Option<WantedApplication> {
    let level = form.given("application_access_level_id");
    if form.given("application_name").is_none() && level.is_none() {
        return None;
    }
    let name = fields.take(Name::parse("/application_name", form.get("application_name")));
    let level = level.and_then(AccessLevelId::parse);
    if level.is_none() {
        fields.refuse("/application_access_level_id", "no access level is chosen", "choose one");
    }
    let reach = form.given("application_reach").and_then(Reach::parse).unwrap_or(Reach::Own);
    name.zip(level).map(|(name, level)| WantedApplication { name, rights: Rights::Level(level), reach })
}

/// The application with the rights of an access level of the tenant above: the new tenant has none of its own that could give them.
async fn with_rights(
    api: &Api,
    person: &Person,
    parent: TenantId,
    wanted: WantedApplication,
) -> Result<WantedApplication> {
    let rights = match wanted.rights {
        Rights::Level(id) if api.app.catalogue().level(id).is_none() => {
            Rights::Inline(api.app.find_access_level(&person.caller, parent, id).await?.grants)
        }
        other => other,
    };
    Ok(WantedApplication { rights, ..wanted })
}

/// The first person, if one is asked for.
fn administrator(form: &Form, fields: &mut Fields) -> Option<WantedAdministrator> {
    const EMAIL: &str = "administrator_email";
    const ROLES: &str = "administrator_access_level_ids";
    let names = ["administrator_first_name", "administrator_last_name"];
    if form.given(EMAIL).is_none() && names.iter().all(|name| form.given(name).is_none()) {
        return None;
    }
    let email = fields.take(Email::parse("/administrator_email", form.get(EMAIL)));
    let [first_name, last_name] = names.map(|name| fields.take(parse_person_name(&format!("/{name}"), form.get(name))));
    let roles: Vec<_> = form.all(ROLES).filter_map(AccessLevelId::parse).collect();
    if roles.is_empty() {
        fields.refuse("/administrator_access_level_ids", "no access level is chosen", "choose at least one");
    }
    let roles = fields.take(parse_roles("/administrator_access_level_ids", roles));
    let named = first_name.zip(last_name);
    email.zip(named).zip(roles).map(|((email, (first_name, last_name)), roles)| WantedAdministrator {
        email,
        first_name,
        last_name,
        roles,
    })
}

/// What is wrong with members of members, at the fields that stand for them.
fn at_fields(error: Error) -> Error {
    const FIELDS: [(&str, &str); 3] =
        [("/tenant/", "/"), ("/application/", "/application_"), ("/administrator/", "/administrator_")];
    let Error::Invalid(mut fields) = error else { return error };
    for field in &mut fields {
        let known = FIELDS.iter().find_map(|(member, name)| Some((name, field.pointer.strip_prefix(member)?)));
        if let Some((name, rest)) = known {
            field.pointer = format!("{name}{rest}");
        }
    }
    Error::Invalid(fields)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_within_stands_at_its_field() {
        let errors = Errors::of(at_fields(Error::invalid("/application/access_level_id", "no level", "name one")));
        assert_eq!(errors.unwrap().field("application_access_level_id"), Some("No level. Name one."));
        let errors = Errors::of(at_fields(Error::invalid("/tenant/user_limit", "no room", ""))).unwrap();
        assert_eq!(errors.field("user_limit"), Some("No room."));
    }
}
