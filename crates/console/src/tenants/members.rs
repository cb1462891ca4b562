//! The members of a tenant as fields of a form: what a form is filled with, and what was changed in it.

use super::settings;
use crate::form::Form;
use claviger_domain::endpoints::Day;
use claviger_domain::name::Name;
use claviger_domain::tenant::details::{
    ENDPOINT_LIMIT_MAX, MfaRequirement, USER_LIMIT_MAX, parse_contact, parse_external_id, parse_limit, parse_line,
    parse_short_name, parse_trial_end,
};
use claviger_domain::tenant::naming::parse_name;
use claviger_domain::tenant::{DetailsPatch, Tenant, parse_application_limit};
use claviger_domain::time::Timestamp;
use claviger_domain::{Error, Result, country};
use claviger_kit::Fields;
use serde_json::{Map, Value};

/// What a form says of a tenant: what is as it was shown is left out.
pub(super) struct Members {
    /// Name, if it is another.
    pub(super) name: Option<Name>,
    /// Limit of applications, if it is another.
    pub(super) application_limit: Option<i64>,
    /// The rest.
    pub(super) details: DetailsPatch,
}

/// A form and what it was filled with.
pub(super) struct Reader<'a> {
    form: &'a Form,
    shown: &'a Form,
    before: Map<String, Value>,
    now: Timestamp,
    /// What is wrong with it.
    pub(super) fields: Fields,
}

/// A form that shows a tenant as it is.
pub(super) fn filled(tenant: &Tenant) -> Form {
    let details = &tenant.details;
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let number = |number: Option<i64>| number.map(|number| number.to_string()).unwrap_or_default();
    Form::of([
        ("version", tenant.version.to_string()),
        ("name", tenant.name.clone()),
        ("external_id", text(&details.external_id)),
        ("short_name", text(&details.short_name)),
        ("email", text(&details.email)),
        ("street", text(&details.address.street)),
        ("postal", text(&details.address.postal)),
        ("city", text(&details.address.city)),
        ("state", text(&details.address.state)),
        ("country", text(&details.country)),
        ("foreign_tenant_id", text(&details.foreign_tenant_id)),
        ("application_limit", tenant.application_limit.to_string()),
        ("user_limit", number(details.user_limit)),
        ("endpoint_limit", number(details.endpoint_limit)),
        ("trial_ends_at", details.trial_ends_at.map(|end| Day::of(end).to_string()).unwrap_or_default()),
        ("settings", settings::written(&details.settings)),
    ])
}

impl<'a> Reader<'a> {
    /// Of a form for a tenant that there is not yet.
    pub(super) fn of_new(form: &'a Form, nothing: &'a Form, now: Timestamp) -> Self {
        Self { form, shown: nothing, before: Map::new(), now, fields: Fields::new() }
    }

    /// Of a form that showed this tenant.
    pub(super) fn of_change(form: &'a Form, shown: &'a Form, tenant: &Tenant, now: Timestamp) -> Self {
        Self { form, shown, before: tenant.details.settings.clone(), now, fields: Fields::new() }
    }

    /// What it says.
    pub(super) fn read(&mut self) -> Members {
        let now = self.now;
        let trial_end = |pointer: &str, text: &str| parse_trial_end(pointer, Day::parse(pointer, text)?.start(), now);
        let users = |pointer: &str, text: &str| parse_limit(pointer, number(pointer, text)?, USER_LIMIT_MAX);
        let endpoints = |pointer: &str, text: &str| parse_limit(pointer, number(pointer, text)?, ENDPOINT_LIMIT_MAX);
        let details = DetailsPatch {
            external_id: self.member("external_id", parse_external_id),
            short_name: self.member("short_name", parse_short_name),
            email: self.member("email", parse_contact),
            street: self.member("street", parse_line),
            postal: self.member("postal", parse_line),
            city: self.member("city", parse_line),
            state: self.member("state", parse_line),
            country: self.member("country", country::parse),
            foreign_tenant_id: self.member("foreign_tenant_id", parse_line),
            trial: None,
            trial_ends_at: self.member("trial_ends_at", trial_end),
            user_limit: self.member("user_limit", users),
            endpoint_limit: self.member("endpoint_limit", endpoints),
            mfa_required: self.form.given("mfa_required").and_then(MfaRequirement::parse),
            settings: self.settings(),
        };
        Members { name: self.name(), application_limit: self.application_limit(), details }
    }

    /// A member that can be cleared.
    fn member<T>(&mut self, name: &str, parse: impl FnOnce(&str, &str) -> Result<T>) -> Option<Option<T>> {
        let text = self.changed(name)?;
        if text.is_empty() {
            return Some(None);
        }
        self.fields.take(parse(&format!("/{name}"), text)).map(Some)
    }

    /// What a field holds, if the form has it and it is not what it was.
    fn changed(&self, name: &str) -> Option<&'a str> {
        let there = self.form.all(name).next().is_some();
        Some(self.form.get(name)).filter(|text| there && *text != self.shown.get(name))
    }

    fn name(&mut self) -> Option<Name> {
        // One that is missing is told of as one that is empty.
        let text = self.form.get("name");
        let kept = !text.is_empty() && text == self.shown.get("name");
        if kept { None } else { self.fields.take(parse_name("/name", text)) }
    }

    fn application_limit(&mut self) -> Option<i64> {
        const POINTER: &str = "/application_limit";
        let text = self.changed("application_limit")?;
        self.fields.take(number(POINTER, text).and_then(|limit| parse_application_limit(POINTER, limit)))
    }

    fn settings(&mut self) -> Option<Option<Map<String, Value>>> {
        let text = self.changed("settings")?;
        let after = self.fields.take(settings::parse("/settings", text))?;
        settings::patch(&self.before, &after).map(Some)
    }
}

fn number(pointer: &str, text: &str) -> Result<i64> {
    text.parse().map_err(|_| Error::invalid(pointer, "not a number", "give digits alone"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(form: &[(&str, &str)], shown: &[(&str, &str)]) -> Result<Members> {
        let owned = |values: &[(&str, &str)]| Form::of(values.iter().map(|(name, value)| (*name, (*value).to_owned())));
        let (form, shown) = (owned(form), owned(shown));
        let mut reader = Reader::of_new(&form, &shown, Timestamp::from_micros(0));
        let members = reader.read();
        reader.fields.finish(Some(members))
    }

    #[test]
    fn what_is_as_it_was_is_left_out() {
        let shown = [("name", "Acme"), ("email", "a@b.example"), ("city", "Bern"), ("user_limit", "3")];
        let sent = [("name", "Acme"), ("email", ""), ("city", "Bern"), ("user_limit", "4"), ("country", "Switzerland")];
        let members = read(&sent, &shown).unwrap();
        assert!(members.name.is_none() && members.details.city.is_none());
        assert_eq!((members.details.email, members.details.user_limit), (Some(None), Some(Some(4))));
        assert_eq!(members.details.country, Some(Some("CH".into())));
        assert!(members.details.external_id.is_none(), "the form has no such field");
    }

    #[test]
    fn everything_that_is_wrong_is_told_at_once() {
        let sent = [
            ("name", ""),
            ("email", "nobody"),
            ("application_limit", "many"),
            ("settings", "["),
            ("trial_ends_at", "soon"),
        ];
        let Err(Error::Invalid(fields)) = read(&sent, &[]) else { panic!("accepted") };
        let mut told: Vec<_> = fields.iter().map(|field| field.pointer.as_str()).collect();
        told.sort_unstable();
        assert_eq!(told, ["/application_limit", "/email", "/name", "/settings", "/trial_ends_at"]);
    }
}
