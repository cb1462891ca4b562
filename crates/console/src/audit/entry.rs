//! One entry, in its place in the chain.

use super::told::Told;
use crate::api_call::ApiCall;
use crate::filters::with_query;
use crate::nav::Section;
use crate::page::{Answer, Page};
use crate::session::Person;
use crate::show;
use askama::Template;
use axum::extract::State;
use claviger_app::audit_chain::{PlacedEntry, SignedHead};
use claviger_domain::id::TenantId;
use claviger_kit::{Api, Path};
use std::borrow::Borrow;
use std::collections::BTreeMap;

#[derive(Template)]
#[template(path = "audit/entry.html")]
struct EntryPage {
    told: Told,
    /// The name of the actor, by its id.
    names: BTreeMap<String, String>,
    canonical: String,
    previous: [u8; 32],
    last: i64,
    signed: Option<SignedHead>,
    base: String,
}

/// Shows it.
pub(super) async fn show(
    State(api): State<Api>,
    person: Person,
    Path((tenant, number)): Path<(TenantId, i64)>,
) -> Answer {
    let place = person.at(&api, tenant).await?;
    let found = api.app.find_audit_entry(&person.caller, tenant, number).await?;
    let PlacedEntry { entry, previous, last, signed } = found;
    let base = place.path("/audit");
    let told = Told::of(&entry);
    let names = super::names(&api, &person, std::iter::once(told.actor())).await?;
    let canonical = entry.body.to_string();
    let (after, until) = (told.at.to_string(), told.at.plus_seconds(1).to_string());
    let values = [("action", Some(told.action.as_str())), ("since", Some(&after)), ("until", Some(&until))];
    let call = with_query(&format!("/v1/tenants/{tenant}/audit"), &values);
    let content = EntryPage { told, names, canonical, previous, last, signed, base };
    Page::new(&format!("Entry {number}"), Section::Audit)
        .at(&place)
        .call(ApiCall::new("Read the audit record of that moment", "GET", &call))
        .render(&person, &content)
}

impl EntryPage {
    /// The record narrowed by one thing.
    fn only(&self, name: &str, value: &str) -> String {
        with_query(&self.base, &[(name, Some(value))])
    }

    fn number(&self, number: impl Borrow<i64>) -> String {
        format!("{}/{}", self.base, number.borrow())
    }
}
