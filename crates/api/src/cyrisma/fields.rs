//! Fields as this family spells them.

use claviger_domain::id::TenantId;
use claviger_domain::tenant::Kind;
use claviger_domain::tenant::details::{MfaRequirement, SHORT_NAME_MAX};
use claviger_domain::{Error, Result};

/// The refusal of an instance that is not there, or not within reach.
pub(super) const INSTANCE_NOT_FOUND: &str = "instance_not_found";

/// What keeps a verb from finding an instance, in this family's words.
pub(super) fn instance_not_found(error: Error) -> Error {
    match error {
        Error::NotFound("tenant" | "instance") => missing(),
        other => other,
    }
}

fn missing() -> Error {
    Error::Malformed { code: INSTANCE_NOT_FOUND, detail: "there is no such instance".into() }
}

/// Accepts the id of an organisation or instance.
pub(super) fn parse_instance(text: &str) -> Result<TenantId> {
    TenantId::parse(text).ok_or_else(missing)
}

/// Accepts the type of what is to be made.
pub(super) fn parse_kind(field: &str, text: &str) -> Result<Kind> {
    match text.trim().to_ascii_lowercase().as_str() {
        "organization" | "organisation" | "org" | "sub-organization" | "sub-organisation" => Ok(Kind::Organization),
        "standard" | "instance" => Ok(Kind::Instance),
        _ => Err(Error::invalid(field, "there is no such type", "send organization or standard")),
    }
}

/// Accepts a text that means yes or no.
pub(super) fn parse_consulting(field: &str, text: &str) -> Result<bool> {
    match text.trim().to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" => Ok(true),
        "false" | "0" | "no" => Ok(false),
        _ => Err(Error::invalid(field, "neither true nor false", "send true or false")),
    }
}

/// Accepts the digit of a second factor.
pub(super) fn parse_mfa(field: &str, digit: &str) -> Result<MfaRequirement> {
    let found = MfaRequirement::ALL.into_iter().find(|one| mfa_digit(*one) == digit.trim());
    found.ok_or_else(|| {
        Error::invalid(
            field,
            "there is no such second factor",
            "send 0 for none, 1 for email or 2 for an authenticator",
        )
    })
}

/// The digit of a second factor.
pub(super) const fn mfa_digit(requirement: MfaRequirement) -> &'static str {
    match requirement {
        MfaRequirement::None => "0",
        MfaRequirement::Email => "1",
        MfaRequirement::Totp => "2",
    }
}

/// The short name of a tenant that was given none.
pub(super) fn shortened(name: &str) -> String {
    name.chars().take(SHORT_NAME_MAX).collect()
}

/// Accepts a whole number of a list's window.
pub(super) fn parse_count(field: &str, text: Option<&str>, default: i64, most: i64) -> Result<i64> {
    let Some(text) = text else { return Ok(default) };
    let number = text.trim().parse().ok().filter(|number| (0..=most).contains(number));
    number.ok_or_else(|| Error::invalid(field, "no such number", format!("send 0 to {most}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_have_many_spellings() {
        for (text, kind) in
            [("Organization", Kind::Organization), ("ORG", Kind::Organization), ("standard", Kind::Instance)]
        {
            assert_eq!(parse_kind("", text).unwrap(), kind);
        }
        assert!(parse_kind("", "partner").is_err());
        assert!(parse_consulting("", "Yes").unwrap() && !parse_consulting("", "0").unwrap());
        assert!(parse_consulting("", "maybe").is_err());
        for one in MfaRequirement::ALL {
            assert_eq!(parse_mfa("", mfa_digit(one)).unwrap(), one);
        }
        assert!(parse_mfa("", "3").is_err() && parse_mfa("", "totp").is_err());
        assert_eq!(parse_count("", Some("7"), 1, 9).unwrap(), 7);
        assert_eq!(parse_count("", None, 1, 9).unwrap(), 1);
        assert!(parse_count("", Some("-1"), 1, 9).is_err() && parse_count("", Some("10"), 1, 9).is_err());
        assert!(parse_instance("x").is_err());
    }
}
