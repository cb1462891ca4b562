//! Legacy key types: what is allowed until when, and who still uses them.

use crate::api_call::ApiCall;
use crate::form::{Errors, Form};
use crate::nav::Section;
use crate::page::{Answer, Page, see_other};
use crate::place::Place;
use crate::security::overview::{ToldQuery, kind_word};
use crate::session::Person;
use crate::show;
use askama::Template;
use axum::extract::State;
use claviger_app::key_types::{LegacyUse, NewRule, RulesAndEffect};
use claviger_domain::grants::Verb;
use claviger_domain::id::TenantId;
use claviger_domain::key_type::{LegacyRule, LegacyType};
use claviger_domain::page::PageRequest;
use claviger_domain::tenant::Kind;
use claviger_domain::time::Timestamp;
use claviger_kit::{Api, Failure, Path, Query, status};
use http::StatusCode;
use serde_json::{Map, Value, json};

#[derive(Template)]
#[template(path = "security/key_types.html")]
struct KeyTypes<'a> {
    place: &'a Place,
    form: &'a Form,
    errors: &'a Errors,
    rules: Vec<Rule>,
    report: Option<Vec<LegacyUse>>,
    next: Option<String>,
    first: bool,
    saved: bool,
    may_update: bool,
    may_migrate: bool,
}

/// What is said of a type here, and what holds.
struct Rule {
    name: &'static str,
    allowed_name: String,
    word: &'static str,
    effective: Option<LegacyRule>,
}

impl KeyTypes<'_> {
    fn word(&self, kind: &LegacyType) -> &'static str {
        kind_word(*kind)
    }
}

/// Shows them.
pub(crate) async fn show(
    State(api): State<Api>,
    person: Person,
    Path(tenant): Path<TenantId>,
    Query(query): Query<ToldQuery>,
) -> Answer {
    page(&api, &person, tenant, (None, &Errors::default(), StatusCode::OK), &query).await
}

async fn page(
    api: &Api,
    person: &Person,
    tenant: TenantId,
    (sent, errors, status): (Option<&Form>, &Errors, StatusCode),
    query: &ToldQuery,
) -> Answer {
    let place = person.at(api, tenant).await?;
    let found = api.app.find_legacy_rules(&person.caller, tenant).await?;
    let cursor = query.cursor.as_deref().filter(|cursor| !cursor.is_empty());
    let report = if person.may("applications", Verb::Read) {
        let request = PageRequest::parse(None, cursor)?;
        Some(api.app.list_legacy_applications(&person.caller, tenant, &request).await?)
    } else {
        None
    };
    let (report, next) = report.map_or((None, None), |page| (Some(page.items), page.next));
    let stored = filled(&found);
    let rule = |kind: LegacyType| Rule {
        name: kind.as_str(),
        allowed_name: allowed_name(kind),
        word: kind_word(kind),
        effective: found.effective.get(kind),
    };
    let content = KeyTypes {
        place: &place,
        form: sent.unwrap_or(&stored),
        errors,
        rules: LegacyType::ALL.into_iter().map(rule).collect(),
        report,
        next,
        first: cursor.is_none(),
        saved: query.told.as_deref() == Some("saved"),
        may_update: person.may("tenants", Verb::Update) && person.caller.tenant().kind == Kind::Operator,
        may_migrate: person.may("applications", Verb::Update) && person.may("access-levels", Verb::Create),
    };
    let path = format!("/v1/tenants/{tenant}/legacy-key-types");
    let mut page = Page::new("Legacy key types", Section::Security).at(&place).status(status);
    page = page.call(ApiCall::new("Read what is allowed", "GET", &path));
    if content.may_update {
        page = page.call(ApiCall::with_body("Say what is allowed, of all types", "PUT", &path, &body(&found)));
    }
    page.call(ApiCall::new("Who still uses them", "GET", &format!("{path}/applications"))).render(person, &content)
}

fn body(found: &RulesAndEffect) -> Value {
    let rule = |kind: LegacyType| {
        let rule = found.own.get(kind)?;
        Some((kind.as_str().to_owned(), json!({ "allowed": rule.allowed, "sunset": rule.sunset })))
    };
    Value::Object(LegacyType::ALL.into_iter().filter_map(rule).collect::<Map<_, _>>())
}

fn allowed_name(kind: LegacyType) -> String {
    format!("{}_allowed", kind.as_str())
}

fn filled(found: &RulesAndEffect) -> Form {
    let sunset = |kind: LegacyType| show::field(found.own.get(kind).and_then(|rule| rule.sunset));
    let names: Vec<_> = LegacyType::ALL.into_iter().map(|kind| (kind, allowed_name(kind))).collect();
    let values = names.iter().flat_map(|(kind, allowed)| {
        let rule = found.own.get(*kind);
        let word = rule.map(|rule| if rule.allowed { "true" } else { "false" }).unwrap_or_default();
        [(allowed.as_str(), word.to_owned()), (kind.as_str(), sunset(*kind))]
    });
    Form::of(values)
}

/// A time of a field, which shows minutes: the whole one where it is as it was shown.
fn moment(text: &str, before: Option<Timestamp>) -> String {
    match before {
        Some(before) if show::field(Some(before)) == text => before.to_string(),
        _ if text.len() == 16 => format!("{text}:00Z"),
        _ => text.to_owned(),
    }
}

/// Says what is allowed.
pub(crate) async fn update(State(api): State<Api>, person: Person, Path(tenant): Path<TenantId>, form: Form) -> Answer {
    let before = api.app.find_legacy_rules(&person.caller, tenant).await?;
    let said = |kind: LegacyType| {
        let sunset = before.own.get(kind).and_then(|rule| rule.sunset);
        let allowed = match form.get(&allowed_name(kind)) {
            "true" => true,
            "false" => false,
            _ => return None,
        };
        Some((kind, NewRule { allowed, sunset: form.given(kind.as_str()).map(|text| moment(text, sunset)) }))
    };
    let new = LegacyType::ALL.into_iter().filter_map(said).collect();
    match api.app.put_legacy_rules(&person.caller, tenant, new).await {
        Ok(_) => Ok(see_other(&format!("/console/tenants/{tenant}/security/key-types?told=saved"))),
        Err(error) => {
            let status = status(&error);
            let errors = Errors::of(error).map_err(Failure)?;
            let query = ToldQuery { told: None, cursor: None };
            page(&api, &person, tenant, (Some(&form), &errors, status), &query).await
        }
    }
}
