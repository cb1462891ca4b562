//! The members of an identity provider as fields of a form: what a form is filled with, and what was written into it.

use crate::form::Form;
use claviger_domain::Result;
use claviger_domain::id::AccessLevelId;
use claviger_domain::identity_provider::{
    ClientSecret, IdentityProvider, IdentityProviderPatch, NewIdentityProvider, RoleRule, SCOPES_DEFAULT, check_rules,
    parse_client_id, parse_domains, parse_scopes,
};
use claviger_domain::name::Name;
use claviger_domain::trusted_issuer::parse_issuer;
use claviger_domain::user::parse_roles;
use claviger_kit::Fields;

/// Rows for further rules.
const SPARE: usize = 3;

/// A rule as a form has it: who is meant, and one access level.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Row {
    /// The claim.
    pub(super) claim: String,
    /// What it says.
    pub(super) value: String,
    /// The access level.
    pub(super) level: String,
}

/// The form for a provider that there is not yet.
pub(super) fn empty() -> Form {
    Form::of([("scopes", SCOPES_DEFAULT.join(" ")), ("enabled", "true".to_owned())])
}

/// A form that shows a provider as it is.
pub(super) fn filled(provider: &IdentityProvider) -> Form {
    let domains: Vec<_> = provider.domains.iter().map(|domain| domain.as_str()).collect();
    let said = |said: bool| if said { "true".to_owned() } else { String::new() };
    let mut values = vec![
        ("version", provider.version.to_string()),
        ("name", provider.name.clone()),
        ("issuer", provider.issuer.as_str().to_owned()),
        ("client_id", provider.client_id.clone()),
        ("scopes", provider.scopes.join(" ")),
        ("domains", domains.join("\n")),
        ("create_users", said(provider.creates_users)),
        ("enabled", said(provider.enabled)),
        ("required", said(provider.required)),
    ];
    values.extend(provider.default_roles.iter().map(|level| ("default_access_level_ids", level.to_string())));
    for rule in &provider.role_rules {
        for level in &rule.access_level_ids {
            values.push(("rule_claim", rule.claim.clone()));
            values.push(("rule_value", rule.value.clone()));
            values.push(("rule_level", level.to_string()));
        }
    }
    Form::of(values)
}

/// The rules of a form, as rows, and some that are empty.
pub(super) fn rows(form: &Form) -> Vec<Row> {
    let mut rows = written(form);
    rows.extend(std::iter::repeat_n(Row::default(), SPARE));
    rows
}

fn written(form: &Form) -> Vec<Row> {
    let texts = form.all("rule_claim").zip(form.all("rule_value")).zip(form.all("rule_level"));
    let rows = texts.map(|((claim, value), level)| Row {
        claim: claim.trim().to_owned(),
        value: value.trim().to_owned(),
        level: level.to_owned(),
    });
    rows.filter(|row| *row != Row::default()).collect()
}

/// The rules: rows that mean the same people are one.
fn rules(form: &Form) -> Result<Vec<RoleRule>> {
    let mut grouped: Vec<(String, String, Vec<AccessLevelId>)> = Vec::new();
    for row in written(form) {
        let level = AccessLevelId::parse(&row.level);
        match grouped.iter_mut().find(|(claim, value, _)| *claim == row.claim && *value == row.value) {
            Some((_, _, levels)) => levels.extend(level),
            None => grouped.push((row.claim, row.value, level.into_iter().collect())),
        }
    }
    check_rules("/role_mapping", grouped.len())?;
    let (mut fields, mut rules) = (Fields::new(), Vec::with_capacity(grouped.len()));
    for (index, (claim, value, levels)) in grouped.into_iter().enumerate() {
        rules.extend(fields.take(RoleRule::parse(&format!("/role_mapping/{index}"), claim, value, levels)));
    }
    fields.finish(Some(rules))
}

/// What the form says; a client secret that is not given is none.
pub(super) fn parse(form: &Form) -> Result<NewIdentityProvider> {
    let mut fields = Fields::new();
    let name = fields.take(Name::parse("/name", form.get("name")));
    let issuer = fields.take(parse_issuer("/issuer", form.get("issuer")));
    let client_id = fields.take(parse_client_id("/client_id", form.get("client_id")));
    let secret = form.given("client_secret").map(|text| ClientSecret::parse("/client_secret", text.to_owned()));
    let client_secret = fields.take(secret.transpose());
    let words = |name: &str| -> Vec<String> {
        form.get(name)
            .split(|c: char| c.is_whitespace() || c == ',')
            .filter(|word| !word.is_empty())
            .map(str::to_owned)
            .collect()
    };
    let scopes = fields.take(parse_scopes("/scopes", words("scopes")));
    let domains = fields.take(parse_domains("/domains", &words("domains")));
    let role_rules = fields.take(rules(form));
    let roles: Vec<_> = form.all("default_access_level_ids").filter_map(AccessLevelId::parse).collect();
    let default_roles = fields.take(parse_roles("/default_access_level_ids", roles));
    let built = || {
        Some(NewIdentityProvider {
            name: name?,
            issuer: issuer?,
            client_id: client_id?,
            client_secret: client_secret?,
            scopes: scopes?,
            domains: domains?,
            creates_users: form.is("create_users", "true"),
            role_rules: role_rules?,
            default_roles: default_roles?,
            enabled: form.is("enabled", "true"),
            required: form.is("required", "true"),
        })
    };
    fields.finish(built())
}

/// The change that makes a provider what the form says: its secret stays unless another is given, or it is taken away.
pub(super) fn patch(form: &Form) -> Result<IdentityProviderPatch> {
    let new = parse(form)?;
    let taken_away = form.is("remove_secret", "true").then_some(None);
    Ok(IdentityProviderPatch {
        name: Some(new.name),
        issuer: Some(new.issuer),
        client_id: Some(new.client_id),
        client_secret: new.client_secret.map(Some).or(taken_away),
        scopes: Some(new.scopes),
        domains: Some(new.domains),
        creates_users: Some(new.creates_users),
        role_rules: Some(new.role_rules),
        default_roles: Some(new.default_roles),
        enabled: Some(new.enabled),
        required: Some(new.required),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_that_mean_the_same_people_are_one_rule() {
        let levels = [1_u128, 2].map(|id| AccessLevelId::from_u128(id).to_string());
        let row = |claim: &str, value: &str, level: &str| {
            [("rule_claim", claim.to_owned()), ("rule_value", value.to_owned()), ("rule_level", level.to_owned())]
        };
        let rows = [
            row("groups", "admins", &levels[0]),
            row("", " ", ""),
            row("groups", "admins", &levels[1]),
            row("groups", "others", &levels[1]),
        ];
        let form = Form::of(rows.concat());
        let rules = rules(&form).unwrap();
        assert_eq!(rules.iter().map(|rule| rule.access_level_ids.len()).collect::<Vec<_>>(), [2, 1]);
        assert_eq!(self::rows(&form).len(), 3 + SPARE);
        assert!(self::rules(&Form::of(row("groups", "", ""))).is_err());
    }
}
