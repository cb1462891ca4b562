//! Suspending, taking back, converting and deleting a tenant: each on a page that says what comes of it.

use super::if_allowed;
use crate::api_call::ApiCall;
use crate::form::{Errors, Form};
use crate::nav::Section;
use crate::page::{Answer, Page, see_other};
use crate::place::Place;
use crate::session::Person;
use askama::Template;
use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::get;
use claviger_app::tenants::{Standing, TenantOrder, TenantQuery};
use claviger_domain::grants::Verb;
use claviger_domain::id::TenantId;
use claviger_domain::page::PageRequest;
use claviger_domain::tenant::Tenant;
use claviger_domain::{Error, Result};
use claviger_kit::{Api, Failure, Path, status};
use http::StatusCode;

/// Tenants beneath that are named; the rest is said to be there.
const NAMED: usize = 10;

/// What can be done, as a path has it.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Deed {
    standing: Standing,
    word: &'static str,
    title: &'static str,
    call: (&'static str, &'static str),
}

const SUSPEND: Deed =
    Deed { standing: Standing::Suspended, word: "suspend", title: "Suspend", call: ("POST", "/suspend") };
const REACTIVATE: Deed =
    Deed { standing: Standing::Reactivated, word: "reactivate", title: "Reactivate", call: ("POST", "/reactivate") };
const CONVERT: Deed =
    Deed { standing: Standing::Converted, word: "convert", title: "Convert to standard", call: ("POST", "/convert") };
const DELETE: Deed = Deed { standing: Standing::Deleted, word: "delete", title: "Delete", call: ("DELETE", "") };

impl Deed {
    /// The title, parted where a heading has the tenant's name: after the verb.
    fn heading(&self) -> (&'static str, &'static str) {
        self.title.split_at(self.title.find(' ').unwrap_or(self.title.len()))
    }
}

#[derive(Template)]
#[template(path = "tenants/standing.html")]
struct StandingPage<'a> {
    place: &'a Place,
    deed: Deed,
    form: &'a Form,
    errors: &'a Errors,
    beneath: Vec<Tenant>,
    more: bool,
}

impl StandingPage<'_> {
    fn is(&self, word: &str) -> bool {
        self.deed.word == word
    }

    /// Whether it has been done already, or cannot be: then there is nothing to send.
    fn is_active(&self) -> bool {
        self.place.tenant.status == claviger_domain::tenant::Status::Active
    }
}

/// Its routes.
pub(super) fn routes() -> Router<Api> {
    let mut router = Router::new();
    for deed in [SUSPEND, REACTIVATE, CONVERT, DELETE] {
        let path = format!("/console/tenants/{{tenant_id}}/details/{}", deed.word);
        let show = move |State(api): State<Api>, person: Person, Path(id): Path<TenantId>| show(api, person, id, deed);
        let send = move |State(api): State<Api>, person: Person, Path(id): Path<TenantId>, form: Form| {
            send(api, person, id, form, deed)
        };
        router = router.route(&path, get(show).post(send));
    }
    router
}

async fn show(api: Api, person: Person, id: TenantId, deed: Deed) -> Answer {
    let place = person.at(&api, id).await?;
    let verb = if deed == DELETE { Verb::Delete } else { Verb::Update };
    person.caller.allow("tenants", verb)?;
    if deed == DELETE
        && let Some(to) = person.to_step_up(&api)
    {
        return Ok(to);
    }
    page(&api, &person, &place, (deed, &Form::default()), &Errors::default(), StatusCode::OK).await
}

async fn page(
    api: &Api,
    person: &Person,
    place: &Place,
    (deed, form): (Deed, &Form),
    errors: &Errors,
    status: StatusCode,
) -> Answer {
    let id = place.tenant.id;
    let wanted = TenantQuery { beneath: Some(id), order: TenantOrder::Name, ..TenantQuery::default() };
    let request = PageRequest::parse(Some(12), None)?;
    let found = if_allowed(api.app.list_tenants(&person.caller, &wanted, &request).await)?;
    let mut beneath = found.map(|page| page.items).unwrap_or_default();
    beneath.retain(|tenant| tenant.id != id);
    let more = beneath.len() > NAMED;
    beneath.truncate(NAMED);
    let content = StandingPage { place, deed, form, errors, beneath, more };
    let (method, rest) = deed.call;
    Page::new(deed.title, Section::Details)
        .at(place)
        .status(status)
        .call(ApiCall::new(deed.title, method, &format!("/v1/tenants/{id}{rest}")))
        .render(person, &content)
}

async fn send(api: Api, person: Person, id: TenantId, form: Form, deed: Deed) -> Answer {
    let place = person.at(&api, id).await?;
    match try_send(&api, &person, &place, (deed, &form)).await {
        Ok(response) => Ok(response),
        Err(error) => {
            let status = status(&error);
            let errors = Errors::of(error).map_err(Failure)?;
            page(&api, &person, &place, (deed, &form), &errors, status).await
        }
    }
}

async fn try_send(api: &Api, person: &Person, place: &Place, (deed, form): (Deed, &Form)) -> Result<Response> {
    if deed == DELETE && form.get("confirm") != place.tenant.name.trim() {
        let fix = format!("type {}", place.tenant.name);
        return Err(Error::invalid("/confirm", "this is not the name of the tenant", fix));
    }
    let version = form.version()?;
    api.app.change_standing(&person.caller, place.tenant.id, deed.standing, version, None).await?;
    Ok(see_other(&place.path("/details")))
}
