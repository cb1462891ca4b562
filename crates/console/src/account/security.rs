//! How one gets in: password, second factors, recovery codes.

use super::{SECURITY, ToldQuery};
use crate::api_call::ApiCall;
use crate::nav::Section;
use crate::page::{Answer, Page};
use crate::session::Person;
use crate::show;
use askama::Template;
use axum::extract::State;
use claviger_app::factors::Factors;
use claviger_domain::tenant::details::MfaRequirement;
use claviger_domain::time::Timestamp;
use claviger_kit::{Api, Query};

#[derive(Template)]
#[template(path = "account/security.html")]
struct Security<'a> {
    email: &'a str,
    password_set_at: Option<Timestamp>,
    factors: Factors,
    told: &'static str,
}

impl Security<'_> {
    /// Whether a factor counts already.
    fn has_one(&self) -> bool {
        self.factors.factors.iter().any(|factor| factor.confirmed_at.is_some())
    }

    fn policy(&self) -> &'static str {
        match self.factors.required {
            MfaRequirement::None => {
                "Your organization does not ask for a second factor, but one protects your account when your password is found out."
            }
            MfaRequirement::Email => {
                "Your organization asks for a second factor. Whoever has none of these gets a code by mail at each sign-in."
            }
            MfaRequirement::Totp => "Your organization asks for an authenticator or a passkey.",
        }
    }
}

/// Shows it.
pub(crate) async fn show(State(api): State<Api>, person: Person, Query(query): Query<ToldQuery>) -> Answer {
    let told = match query.told.as_str() {
        "password" => "Your password is changed. All your other sessions have ended.",
        "added" => "The factor counts from now on. All your other sessions have ended.",
        "renamed" => "Saved.",
        "removed" => "The factor is removed. All your other sessions have ended.",
        _ => "",
    };
    let me = api.app.find_me(&person.caller).await?;
    let place = person.at(&api, me.caller.tenant.id).await?;
    let factors = api.app.list_factors(person.user()).await?;
    let content = Security { email: &me.user.email, password_set_at: me.user.password_set_at, factors, told };
    Page::new("Security", Section::Account)
        .at(&place)
        .call(ApiCall::as_person("List your second factors", "GET", "/v1/me/factors"))
        .render(&person, &content)
}

/// Where one gets to from here.
pub(super) fn told(word: &str) -> String {
    format!("{SECURITY}?told={word}")
}
