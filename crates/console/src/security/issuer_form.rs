//! The forms of trusted issuers and of their bindings, and how they are read.

use crate::form::Form;
use crate::security::policy::{amount, read_amount};
use claviger_domain::claim::{Condition, Draft};
use claviger_domain::id::ApplicationId;
use claviger_domain::name::{DESCRIPTION_MAX, Name, parse_text};
use claviger_domain::outgoing::Target;
use claviger_domain::trusted_issuer::{
    AGE_DEFAULT, Binding, CONDITIONS_MAX, KeySource, NewBinding, NewTrustedIssuer, Trust, TrustedIssuer,
    TrustedIssuerPatch, parse_age, parse_algorithms, parse_audience, parse_conditions, parse_issuer, parse_pinned,
};
use claviger_domain::{Error, Result};
use claviger_kit::Fields;
use serde_json::Value;

/// Rows for conditions that a form has at least.
const ROWS: usize = 6;
/// Rows that are left empty beneath those that are filled, as long as there may be more conditions.
const ROWS_LEFT: usize = 2;

/// The form of an issuer as it is.
pub(super) fn filled(issuer: &TrustedIssuer) -> Form {
    let trust = &issuer.trust;
    let (keys, url, set) = match &trust.keys {
        KeySource::Discovery => ("discovery", String::new(), String::new()),
        KeySource::Fetched(target) => ("fetched", target.as_str().to_owned(), String::new()),
        KeySource::Pinned(text) => ("pinned", String::new(), text.clone()),
    };
    let mut values = vec![
        ("name", issuer.name.clone()),
        ("issuer", trust.issuer.as_str().to_owned()),
        ("audience", trust.audience.clone().unwrap_or_default()),
        ("keys", keys.to_owned()),
        ("jwks_uri", url),
        ("jwks", set),
    ];
    values.extend(trust.algorithms.iter().map(|one| ("algorithms", one.as_str().to_owned())));
    values.extend(amount("max_token_age_seconds", "age_unit", Some(trust.max_age_seconds)));
    let word = |is: bool| if is { "true".to_owned() } else { String::new() };
    values.extend([("single_use", word(trust.single_use)), ("enabled", word(trust.enabled))]);
    Form::of(values)
}

/// Reads the form of an issuer to be trusted.
pub(super) fn parse_new(form: &Form) -> Result<NewTrustedIssuer> {
    let mut fields = Fields::new();
    let name = fields.take(Name::parse("/name", form.get("name")));
    let trust = fields.take(parse_trust(form));
    let new = name.zip(trust).map(|(name, trust)| NewTrustedIssuer { name, trust, bindings: Vec::new() });
    fields.finish(new)
}

/// Reads the form of one that there is; its bindings stay.
pub(super) fn parse_patch(form: &Form) -> Result<TrustedIssuerPatch> {
    let NewTrustedIssuer { name, trust, .. } = parse_new(form)?;
    Ok(TrustedIssuerPatch {
        name: Some(name),
        issuer: Some(trust.issuer),
        audience: Some(trust.audience),
        keys: Some(trust.keys),
        algorithms: Some(trust.algorithms),
        max_age_seconds: Some(trust.max_age_seconds),
        single_use: Some(trust.single_use),
        enabled: Some(trust.enabled),
        bindings: None,
    })
}

fn parse_trust(form: &Form) -> Result<Trust> {
    let mut fields = Fields::new();
    let issuer = fields.take(parse_issuer("/issuer", form.get("issuer")));
    let audience = form.given("audience").map(|text| parse_audience("/audience", text.to_owned())).transpose();
    let audience = fields.take(audience);
    let keys = fields.take(parse_keys(form));
    let words: Vec<String> = form.all("algorithms").map(str::to_owned).collect();
    let algorithms = fields.take(parse_algorithms("/algorithms", &words));
    let age = read_amount(form, "max_token_age_seconds", "age_unit");
    let age = age.and_then(|age| parse_age("/max_token_age_seconds", age.unwrap_or(AGE_DEFAULT)));
    let age = fields.take(age);
    let (single_use, enabled) = (form.is("single_use", "true"), form.is("enabled", "true"));
    let built = || {
        Some(Trust {
            issuer: issuer?,
            audience: audience?,
            keys: keys?,
            algorithms: algorithms?,
            max_age_seconds: age?,
            single_use,
            enabled,
        })
    };
    fields.finish(built())
}

fn parse_keys(form: &Form) -> Result<KeySource> {
    match form.get("keys") {
        "fetched" => Ok(KeySource::Fetched(Target::parse("/jwks_uri", form.get("jwks_uri"))?)),
        "pinned" => {
            let fix = "paste the public keys as their owner publishes them: {\"keys\": […]}";
            let set: Value =
                serde_json::from_str(form.get("jwks")).map_err(|_| Error::invalid("/jwks", "this is no JSON", fix))?;
            parse_pinned("/jwks", &set)
        }
        _ => Ok(KeySource::Discovery),
    }
}

/// The form of a binding as it is.
pub(super) fn binding_filled(binding: &Binding) -> Form {
    let mut values = vec![
        ("application_id".to_owned(), binding.application_id.to_string()),
        ("description".to_owned(), binding.description.clone()),
    ];
    for (index, condition) in binding.conditions.iter().enumerate() {
        let (claim, how, value) = written(condition);
        values.extend([
            (format!("claim{index}"), claim),
            (format!("how{index}"), how.to_owned()),
            (format!("value{index}"), value),
        ]);
    }
    Form::of(values.iter().map(|(name, value)| (name.as_str(), value.clone())))
}

/// A condition as a row of the form has it.
fn written(condition: &Condition) -> (String, &'static str, String) {
    let Draft { claim, equals, matches, one_of, contains } = condition.draft();
    match (equals, matches, one_of, contains) {
        (Some(Value::String(text)), ..) => (claim, "equals", text),
        (Some(value), ..) => (claim, "equals_json", value.to_string()),
        (_, Some(pattern), ..) => (claim, "matches", pattern),
        (_, _, Some(values), _) => (claim, "one_of", values.join("\n")),
        (_, _, _, contains) => (claim, "contains", contains.unwrap_or_default()),
    }
}

/// Reads the form of a binding.
pub(super) fn parse_binding(form: &Form) -> Result<NewBinding> {
    let mut fields = Fields::new();
    let application = ApplicationId::parse(form.get("application_id"));
    if application.is_none() {
        fields.refuse("/application_id", "no application is chosen", "choose one, or give its id");
    }
    let description = fields.take(parse_text("/description", form.get("description"), DESCRIPTION_MAX));
    let drafts: Vec<Draft> = (0..CONDITIONS_MAX).filter_map(|index| draft(form, index)).collect();
    let conditions = fields.take(parse_conditions("/conditions", drafts));
    let binding = application.zip(description).zip(conditions);
    let binding = binding.map(|((application_id, description), conditions)| NewBinding {
        description,
        application_id,
        conditions,
    });
    fields.finish(binding)
}

/// The rows of a form of a binding, by number.
pub(super) fn rows(form: &Form) -> std::ops::Range<usize> {
    let is_filled = |index: &usize| draft(form, *index).is_some();
    let filled = (0..CONDITIONS_MAX).rev().find(is_filled).map_or(0, |last| last + 1);
    0..(filled + ROWS_LEFT).clamp(ROWS, CONDITIONS_MAX)
}

fn draft(form: &Form, index: usize) -> Option<Draft> {
    let [claim, how, value] = ["claim", "how", "value"].map(|name| form.raw(&format!("{name}{index}")));
    // Blanks around a value are part of it; ends of lines are the browser's.
    let (claim, value) = (claim.trim(), value.trim_matches(['\r', '\n']));
    if claim.is_empty() && value.trim().is_empty() {
        return None;
    }
    let draft = Draft { claim: claim.to_owned(), ..Draft::default() };
    let text = value.to_owned();
    Some(match how {
        "matches" => Draft { matches: Some(text), ..draft },
        "one_of" => Draft { one_of: Some(lines(value)), ..draft },
        "contains" => Draft { contains: Some(text), ..draft },
        "equals_json" => Draft { equals: Some(serde_json::from_str(value).unwrap_or(Value::Null)), ..draft },
        _ => Draft { equals: Some(Value::String(text)), ..draft },
    })
}

/// The values of a list, one a line.
fn lines(text: &str) -> Vec<String> {
    text.lines().filter(|line| !line.trim().is_empty()).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use claviger_domain::id::BindingId;
    use serde_json::json;

    #[test]
    fn an_issuer_is_read_from_its_form() {
        let mut values = vec![
            ("name", "CI".to_owned()),
            ("issuer", "https://ci.example".to_owned()),
            ("keys", "fetched".to_owned()),
            ("jwks_uri", "https://ci.example/keys".to_owned()),
            ("algorithms", "ES256".to_owned()),
            ("max_token_age_seconds", "10".to_owned()),
            ("age_unit", "minutes".to_owned()),
            ("enabled", "true".to_owned()),
        ];
        let new = parse_new(&Form::of(values.clone())).unwrap();
        assert_eq!((new.trust.max_age_seconds, new.trust.single_use, new.trust.enabled), (600, false, true));
        assert!(matches!(&new.trust.keys, KeySource::Fetched(target) if target.as_str() == "https://ci.example/keys"));
        values.retain(|(name, _)| *name != "algorithms");
        let Err(Error::Invalid(fields)) = parse_new(&Form::of(values)) else { panic!("accepted") };
        assert_eq!(fields[0].pointer, "/algorithms");
    }

    #[test]
    fn a_binding_is_shown_and_read_alike() {
        let drafts = vec![
            Draft { claim: "sub".into(), matches: Some("repo:acme/*".into()), ..Draft::default() },
            Draft { claim: "ref".into(), one_of: Some(vec!["a b".into(), " c".into()]), ..Draft::default() },
            Draft { claim: "number".into(), equals: Some(json!(7)), ..Draft::default() },
            Draft { claim: "text".into(), equals: Some(json!("7")), ..Draft::default() },
            Draft { claim: "groups".into(), contains: Some("dev".into()), ..Draft::default() },
        ];
        let more = (drafts.len()..CONDITIONS_MAX).map(|index| Draft {
            claim: format!("claim {index}"),
            equals: Some(json!(" blank ")),
            ..Draft::default()
        });
        let drafts: Vec<_> = drafts.into_iter().chain(more).collect();
        let binding = Binding {
            id: BindingId::from_u128(1),
            description: "deploys".into(),
            application_id: ApplicationId::from_u128(2),
            conditions: parse_conditions("", drafts).unwrap(),
        };
        let read = parse_binding(&binding_filled(&binding)).unwrap();
        assert_eq!(rows(&binding_filled(&binding)), 0..CONDITIONS_MAX);
        assert_eq!(read, NewBinding::from(binding));
        assert_eq!(rows(&Form::default()), 0..ROWS);
        assert_eq!(rows(&Form::of([("claim5", "sub".to_owned())])), 0..8);
        let Err(Error::Invalid(fields)) = parse_binding(&Form::default()) else { panic!("accepted") };
        let pointers: Vec<_> = fields.iter().map(|field| field.pointer.as_str()).collect();
        assert_eq!(pointers, ["/application_id", "/conditions"]);
    }
}
