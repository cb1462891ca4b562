//! The credential policy of a tenant: ceilings, rotation, what counts as unused, what a leak does, whether secrets work at all.

use crate::api_call::ApiCall;
use crate::form::{Errors, Form};
use crate::nav::Section;
use crate::page::{Answer, Page, see_other};
use crate::place::Place;
use crate::session::Person;
use crate::show;
use askama::Template;
use axum::extract::State;
use claviger_app::credential_policy::PolicyAndEffect;
use claviger_domain::credential_policy::{
    CredentialPolicy, OnLeak, StaticSecrets, parse_days, parse_lifetime, parse_overlap,
};
use claviger_domain::grants::Verb;
use claviger_domain::id::TenantId;
use claviger_domain::{Error, Result};
use claviger_kit::{Api, Failure, Fields, Path, status};
use http::StatusCode;
use serde_json::json;

/// Units in which people give seconds, the longest first.
const UNITS: [(&str, i64); 4] = [("days", 86_400), ("hours", 3_600), ("minutes", 60), ("seconds", 1)];

#[derive(Template)]
#[template(path = "security/policy.html")]
struct Policy<'a> {
    place: &'a Place,
    form: &'a Form,
    errors: &'a Errors,
    found: &'a PolicyAndEffect,
    version: i64,
    may_update: bool,
}

impl Policy<'_> {
    fn forbidden_above(&self) -> bool {
        self.found.effective.static_secrets == StaticSecrets::Forbidden
            && self.found.stored.own.static_secrets != Some(StaticSecrets::Forbidden)
    }
}

/// Seconds as people say them: `90 days`, `1 hour`.
pub(crate) fn duration(seconds: &i64) -> String {
    let (number, unit) = in_unit(*seconds);
    let unit = if number == 1 { unit.trim_end_matches('s') } else { unit };
    format!("{} {unit}", show::number(&number))
}

/// The longest unit that seconds are a whole number of.
fn in_unit(seconds: i64) -> (i64, &'static str) {
    let fits = UNITS.into_iter().find(|(_, length)| seconds != 0 && seconds % length == 0);
    let (unit, length) = fits.unwrap_or(("seconds", 1));
    (seconds / length, unit)
}

/// The fields that show a length of time; empty for none.
pub(super) fn amount<'a>(name: &'a str, unit: &'a str, seconds: Option<i64>) -> [(&'a str, String); 2] {
    let (number, word) = seconds.map_or((String::new(), "days"), |seconds| {
        let (number, word) = in_unit(seconds);
        (number.to_string(), word)
    });
    [(name, number), (unit, word.to_owned())]
}

/// The length of time that fields give, in seconds.
pub(super) fn read_amount(form: &Form, name: &str, unit: &str) -> Result<Option<i64>> {
    let Some(number) = read_number(form, name)? else { return Ok(None) };
    let length = UNITS.into_iter().find(|(word, _)| *word == form.get(unit)).map_or(1, |(_, length)| length);
    let seconds = number.checked_mul(length);
    let pointer = format!("/{name}");
    seconds.map(Some).ok_or_else(|| Error::invalid(&pointer, "too long", "give a shorter time"))
}

fn read_number(form: &Form, name: &str) -> Result<Option<i64>> {
    let number = |text: &str| {
        let fix = "give one such as 90, or leave it empty";
        text.parse().map_err(|_| Error::invalid(&format!("/{name}"), "not a whole number", fix))
    };
    form.given(name).map(number).transpose()
}

/// Shows it.
pub(crate) async fn show(State(api): State<Api>, person: Person, Path(tenant): Path<TenantId>) -> Answer {
    let place = person.at(&api, tenant).await?;
    page(&api, &person, &place, None, &Errors::default(), StatusCode::OK).await
}

async fn page(
    api: &Api,
    person: &Person,
    place: &Place,
    sent: Option<&Form>,
    errors: &Errors,
    status: StatusCode,
) -> Answer {
    let tenant = place.tenant.id;
    let found = api.app.find_credential_policy(&person.caller, tenant).await?;
    let stored = filled(&found.stored.own);
    let form = sent.unwrap_or(&stored);
    let version = form.version()?.unwrap_or(found.stored.version);
    let may_update = person.may("credential-policy", Verb::Update);
    let path = format!("/v1/tenants/{tenant}/credential-policy");
    let mut page = Page::new("Credential policy", Section::Security).at(place).status(status);
    page = page.call(ApiCall::new("Read the policy", "GET", &path));
    if may_update {
        page = page.call(ApiCall::with_body("Set the policy, all of it", "PUT", &path, &body(&found.stored.own)));
    }
    page.render(person, &Policy { place, form, errors, found: &found, version, may_update })
}

fn body(own: &CredentialPolicy) -> serde_json::Value {
    json!({
        "max_application_lifetime_seconds": own.max_application_lifetime_seconds,
        "max_secret_lifetime_seconds": own.max_secret_lifetime_seconds,
        "rotate_every_days": own.rotate_every_days,
        "rotation_overlap_seconds": own.rotation_overlap_seconds,
        "unused_after_days": own.unused_after_days,
        "on_leak": own.on_leak.map(OnLeak::as_str),
        "static_secrets": own.static_secrets.map(StaticSecrets::as_str),
    })
}

fn filled(own: &CredentialPolicy) -> Form {
    let number = |number: Option<i64>| number.map(|number| number.to_string()).unwrap_or_default();
    let mut values = vec![
        ("rotate_every_days", number(own.rotate_every_days)),
        ("unused_after_days", number(own.unused_after_days)),
        ("on_leak", own.on_leak.map(OnLeak::as_str).unwrap_or_default().to_owned()),
        ("static_secrets", own.static_secrets.map(StaticSecrets::as_str).unwrap_or_default().to_owned()),
    ];
    values.extend(amount("max_application_lifetime_seconds", "application_unit", own.max_application_lifetime_seconds));
    values.extend(amount("max_secret_lifetime_seconds", "secret_unit", own.max_secret_lifetime_seconds));
    values.extend(amount("rotation_overlap_seconds", "overlap_unit", own.rotation_overlap_seconds));
    Form::of(values)
}

/// Sets it.
pub(crate) async fn update(State(api): State<Api>, person: Person, Path(tenant): Path<TenantId>, form: Form) -> Answer {
    let place = person.at(&api, tenant).await?;
    match try_update(&api, &person, tenant, &form).await {
        Ok(_) => Ok(see_other(&place.path("/security?told=saved"))),
        Err(error) => {
            let status = status(&error);
            let errors = Errors::of(error).map_err(Failure)?;
            page(&api, &person, &place, Some(&form), &errors, status).await
        }
    }
}

async fn try_update(api: &Api, person: &Person, tenant: TenantId, form: &Form) -> Result<PolicyAndEffect> {
    let policy = parse(form)?;
    api.app.put_credential_policy(&person.caller, tenant, policy, false, form.version()?).await
}

fn parse(form: &Form) -> Result<CredentialPolicy> {
    let mut fields = Fields::new();
    let mut take = |read: Result<Option<i64>>, pointer: &str, parse: fn(&str, i64) -> Result<i64>| {
        let given = fields.take(read).flatten();
        given.and_then(|given| fields.take(parse(pointer, given)))
    };
    let (application, secret) = ("max_application_lifetime_seconds", "max_secret_lifetime_seconds");
    let policy = CredentialPolicy {
        max_application_lifetime_seconds: take(
            read_amount(form, application, "application_unit"),
            "/max_application_lifetime_seconds",
            parse_lifetime,
        ),
        max_secret_lifetime_seconds: take(
            read_amount(form, secret, "secret_unit"),
            "/max_secret_lifetime_seconds",
            parse_lifetime,
        ),
        rotate_every_days: take(read_number(form, "rotate_every_days"), "/rotate_every_days", parse_days),
        rotation_overlap_seconds: take(
            read_amount(form, "rotation_overlap_seconds", "overlap_unit"),
            "/rotation_overlap_seconds",
            parse_overlap,
        ),
        unused_after_days: take(read_number(form, "unused_after_days"), "/unused_after_days", parse_days),
        on_leak: form.given("on_leak").and_then(OnLeak::parse),
        static_secrets: form.given("static_secrets").and_then(StaticSecrets::parse),
    };
    fields.finish(Some(policy))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_given_and_shown_in_fitting_units() {
        let said: Vec<_> = [86_400, 7_776_000, 3_600, 90, 61, 0].iter().map(duration).collect();
        assert_eq!(said, ["1 day", "90 days", "1 hour", "90 seconds", "61 seconds", "0 seconds"]);
        let own = CredentialPolicy {
            max_secret_lifetime_seconds: Some(7_200),
            rotate_every_days: Some(90),
            on_leak: Some(OnLeak::Quarantine),
            ..CredentialPolicy::default()
        };
        assert_eq!(parse(&filled(&own)).unwrap(), own);
        let form = Form::of([("rotate_every_days", "soon".into()), ("max_secret_lifetime_seconds", "1".into())]);
        let Err(Error::Invalid(fields)) = parse(&form) else { panic!("accepted") };
        assert_eq!(fields.len(), 2);
        let form = Form::of([("max_secret_lifetime_seconds", i64::MAX.to_string()), ("secret_unit", "days".into())]);
        assert!(parse(&form).is_err());
    }
}
