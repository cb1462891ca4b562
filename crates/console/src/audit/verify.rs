//! Verifying the chain: part after part, each shown with what it found.

use crate::api_call::ApiCall;
use crate::filters::given;
use crate::nav::Section;
use crate::page::{Answer, Page};
use crate::place::Place;
use crate::session::Person;
use crate::show;
use askama::Template;
use axum::extract::State;
use claviger_app::audit_chain::{ChainState, VerifiedPart};
use claviger_domain::Error;
use claviger_domain::id::TenantId;
use claviger_kit::{Api, Path, Query};
use serde::Deserialize;

/// Where to go on.
#[derive(Deserialize)]
pub(super) struct VerifyQuery {
    #[serde(default)]
    after: Option<String>,
}

#[derive(Template)]
#[template(path = "audit/verify.html")]
struct Verify<'a> {
    place: &'a Place,
    state: ChainState,
    part: Option<VerifiedPart>,
}

/// Shows what is known of the chain, and verifies a part of it where that is asked for.
pub(super) async fn verify(
    State(api): State<Api>,
    person: Person,
    Path(tenant): Path<TenantId>,
    Query(query): Query<VerifyQuery>,
) -> Answer {
    let place = person.at(&api, tenant).await?;
    let part = match given(query.after.as_deref()) {
        Some(after) => {
            let wrong = |_| Error::invalid("after", "not the number of an entry", "begin anew");
            let after: i64 = after.parse().map_err(wrong)?;
            Some(api.app.verify_audit(&person.caller, tenant, after).await?)
        }
        None => None,
    };
    let state = api.app.audit_chain(&person.caller, tenant).await?;
    let content = Verify { place: &place, state, part };
    Page::new("Verify the audit record", Section::Audit)
        .at(&place)
        .call(ApiCall::new(
            "Read the audit record to verify it elsewhere",
            "GET",
            &format!("/v1/tenants/{tenant}/audit"),
        ))
        .render(&person, &content)
}

impl Verify<'_> {
    fn start(&self) -> String {
        self.from(&0)
    }

    fn from(&self, after: &i64) -> String {
        self.place.path(&format!("/audit/verify?after={after}"))
    }
}
