//! What holds for the credentials of a tenant, at a glance.

use crate::api_call::ApiCall;
use crate::nav::Section;
use crate::page::{Answer, Page};
use crate::place::Place;
use crate::session::Person;
use crate::show;
use crate::tenants::if_allowed;
use askama::Template;
use axum::extract::State;
use claviger_app::credential_policy::PolicyAndEffect;
use claviger_app::key_types::RulesAndEffect;
use claviger_app::tokens::TokenLifetime;
use claviger_app::trusted_issuers::IssuerAndUses;
use claviger_app::visibility::TenantVisibility;
use claviger_domain::credential_policy::{OnLeak, StaticSecrets};
use claviger_domain::grants::Verb;
use claviger_domain::id::TenantId;
use claviger_domain::key_type::{LegacyRule, LegacyType};
use claviger_domain::page::PageRequest;
use claviger_domain::tenant::Kind;
use claviger_domain::trusted_issuer::ISSUERS_MAX;
use claviger_domain::visibility::Stage;
use claviger_kit::{Api, Path, Query};
use serde::Deserialize;

/// What happened just before.
#[derive(Deserialize)]
pub(crate) struct ToldQuery {
    #[serde(default)]
    pub(super) told: Option<String>,
    #[serde(default)]
    pub(super) cursor: Option<String>,
}

#[derive(Template)]
#[template(path = "security/overview.html")]
struct Overview<'a> {
    place: &'a Place,
    told: &'static str,
    visibility: Option<TenantVisibility>,
    policy: Option<PolicyAndEffect>,
    issuers: Option<Vec<IssuerAndUses>>,
    rules: Option<RulesAndEffect>,
    tokens: Option<TokenLifetime>,
    may: May,
}

/// What may be done here.
struct May {
    visibility: bool,
    retain: bool,
}

impl Overview<'_> {
    fn stage(&self) -> Option<Stage> {
        self.visibility.and_then(|found| found.state).map(|state| state.stage)
    }

    fn is_retaining(&self) -> bool {
        self.stage() == Some(Stage::Retaining)
    }

    fn is_final(&self) -> bool {
        matches!(self.stage(), Some(Stage::Removing | Stage::Removed))
    }

    fn is_removing(&self) -> bool {
        self.stage() == Some(Stage::Removing)
    }

    fn forbids(&self, policy: &PolicyAndEffect) -> bool {
        policy.effective.static_secrets == StaticSecrets::Forbidden
    }

    fn quarantines(&self, policy: &PolicyAndEffect) -> bool {
        policy.effective.on_leak == OnLeak::Quarantine
    }

    fn ruled(&self, rules: &RulesAndEffect) -> Vec<(&'static str, LegacyRule)> {
        let rule = |kind: LegacyType| Some((kind_word(kind), rules.effective.get(kind)?));
        LegacyType::ALL.into_iter().filter_map(rule).collect()
    }
}

/// What a legacy type of key is called.
pub(super) fn kind_word(kind: LegacyType) -> &'static str {
    match kind {
        LegacyType::Siem => "SIEM",
        LegacyType::Api => "API",
        LegacyType::LiveResponse => "Live Response",
    }
}

/// Shows it.
pub(crate) async fn show(
    State(api): State<Api>,
    person: Person,
    Path(tenant): Path<TenantId>,
    Query(query): Query<ToldQuery>,
) -> Answer {
    let place = person.at(&api, tenant).await?;
    let caller = &person.caller;
    let all = PageRequest::parse(Some(ISSUERS_MAX), None)?;
    // Only what may be seen is asked for: a refusal would stand in the record as an attempt.
    let visibility = if person.may("secret-visibility", Verb::Read) {
        if_allowed(api.app.find_visibility(caller, tenant).await)?
    } else {
        None
    };
    let policy = if person.may("credential-policy", Verb::Read) {
        if_allowed(api.app.find_credential_policy(caller, tenant).await)?
    } else {
        None
    };
    let issuers = if person.may("trusted-issuers", Verb::Read) {
        if_allowed(api.app.list_trusted_issuers(caller, tenant, &all).await)?
    } else {
        None
    };
    let rules = if person.may("tenants", Verb::Read) {
        if_allowed(api.app.find_legacy_rules(caller, tenant).await)?
    } else {
        None
    };
    let tokens = if person.may("sessions", Verb::Read) {
        if_allowed(api.app.token_lifetime(caller, tenant).await)?
    } else {
        None
    };
    let content = Overview {
        place: &place,
        told: told(query.told.as_deref()),
        visibility,
        policy,
        issuers: issuers.map(|page| page.items),
        rules,
        tokens,
        may: May {
            visibility: person.may("secret-visibility", Verb::Update),
            retain: person.may("secret-visibility", Verb::Update) && caller.tenant().kind == Kind::Operator,
        },
    };
    let path = format!("/v1/tenants/{tenant}");
    let calls = [
        (content.visibility.is_some(), "Secret visibility", "secret-visibility"),
        (content.policy.is_some(), "Credential policy", "credential-policy"),
        (content.issuers.is_some(), "Trusted issuers", "trusted-issuers"),
        (content.rules.is_some(), "Legacy key types", "legacy-key-types"),
        (content.tokens.is_some(), "Session tokens", "token-settings"),
    ];
    let mut page = Page::new("Security", Section::Security).at(&place);
    for (_, title, end) in calls.into_iter().filter(|(is_seen, ..)| *is_seen) {
        page = page.call(ApiCall::new(title, "GET", &format!("{path}/{end}")));
    }
    page.render(&person, &content)
}

fn told(word: Option<&str>) -> &'static str {
    match word {
        Some("removed") => {
            "The texts of all secrets are destroyed. The secrets go on working; from now on each is shown once, when it is made."
        }
        Some("retaining") => "Secrets that are made from now on can be read again.",
        Some("saved") => "Saved. It holds already.",
        _ => "",
    }
}
