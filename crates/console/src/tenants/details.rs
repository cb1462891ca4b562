//! Everything that is known of one tenant, and what can be done with it.

use super::list::standing_of;
use super::settings;
use crate::api_call::ApiCall;
use crate::nav::Section;
use crate::page::{Answer, Page};
use crate::place::Place;
use crate::session::Person;
use crate::show;
use askama::Template;
use axum::Router;
use axum::extract::State;
use axum::routing::get;
use claviger_domain::country;
use claviger_domain::grants::Verb;
use claviger_domain::id::TenantId;
use claviger_domain::tenant::details::MfaRequirement;
use claviger_domain::tenant::{Details, Kind, Status, Tenant};
use claviger_kit::{Api, Path};

/// What somebody must be able to read who reads the whole configuration.
const CONFIGURATION: [&str; 7] =
    ["tenants", "access-levels", "applications", "credential-policy", "sessions", "trusted-issuers", "users"];

#[derive(Template)]
#[template(path = "tenants/details.html")]
struct DetailsPage<'a> {
    place: &'a Place,
    tenant: &'a Tenant,
    may_update: bool,
    may_delete: bool,
    may_export: bool,
    people: bool,
}

impl DetailsPage<'_> {
    fn details(&self) -> &Details {
        &self.tenant.details
    }

    fn standing(&self) -> (&'static str, &'static str) {
        standing_of(self.tenant)
    }

    fn is(&self, status: &str) -> bool {
        Status::parse(status) == Some(self.tenant.status)
    }

    fn address(&self) -> Vec<&str> {
        let address = &self.tenant.details.address;
        [&address.street, &address.postal, &address.city, &address.state]
            .into_iter()
            .filter_map(|line| line.as_deref())
            .collect()
    }

    fn country(&self) -> Option<&'static str> {
        self.tenant.details.country.as_deref().and_then(country::find).map(|country| country.name)
    }

    fn settings(&self) -> String {
        settings::written(&self.tenant.details.settings)
    }

    /// What people sign in with, by what the tenant says and by what those above it say.
    fn mfa(&self) -> &'static str {
        mfa_word(&strongest(self.place))
    }

    fn mfa_from_above(&self) -> bool {
        strongest(self.place) != self.tenant.details.mfa_required
    }
}

/// The strongest second factor that the tenant and those above it, as far as one sees, ask for.
pub(super) fn strongest(place: &Place) -> MfaRequirement {
    let all = place.above.iter().chain([&place.tenant]);
    all.map(|tenant| tenant.details.mfa_required).max().unwrap_or_default()
}

/// What a requirement means, in words.
pub(super) fn mfa_word(required: &MfaRequirement) -> &'static str {
    match required {
        MfaRequirement::None => "Nothing besides the password",
        MfaRequirement::Email => "A code by mail, or anything stronger",
        MfaRequirement::Totp => "An authenticator or a passkey",
    }
}

/// A text, or a dash where there is none.
fn or_dash(text: &Option<String>) -> &str {
    text.as_deref().unwrap_or("–")
}

/// A limit, or that there is none.
fn limit(limit: &Option<i64>) -> String {
    limit.map_or_else(|| "no limit".to_owned(), |limit| show::number(&limit))
}

/// Its routes.
pub(super) fn routes() -> Router<Api> {
    Router::new().route("/console/tenants/{tenant_id}/details", get(show_details))
}

async fn show_details(State(api): State<Api>, person: Person, Path(id): Path<TenantId>) -> Answer {
    let place = person.at(&api, id).await?;
    let tenant = api.app.find_tenant(&person.caller, id).await?;
    let beneath = !place.is_own();
    let content = DetailsPage {
        place: &place,
        tenant: &tenant,
        may_update: person.may("tenants", Verb::Update),
        may_delete: beneath && person.may("tenants", Verb::Delete),
        may_export: CONFIGURATION.iter().all(|name| person.may(name, Verb::Read)),
        people: place.tenant.kind != Kind::Instance,
    };
    Page::new("Details", Section::Details)
        .at(&place)
        .call(ApiCall::new("Read the tenant", "GET", &format!("/v1/tenants/{id}")))
        .call(ApiCall::new("Read its configuration", "GET", &format!("/v1/tenants/{id}/configuration")))
        .call(ApiCall::new("Export it for claviger apply", "GET", &format!("/v1/tenants/{id}/export")))
        .render(&person, &content)
}
