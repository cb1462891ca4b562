//! Rotation: by routine with an overlap, or after a leak without; and taking back one secret.

use super::secret::{kept, shown_once};
use super::{Head, Ids, found, path_of};
use crate::api_call::ApiCall;
use crate::form::{Errors, Form};
use crate::nav::Section;
use crate::page::{Answer, Page, see_other};
use crate::session::Person;
use crate::show;
use askama::Template;
use axum::extract::State;
use claviger_app::rotation::{Renewal, RotatedSecret};
use claviger_app::unit::{OnceFor, Posted};
use claviger_domain::application::Secret;
use claviger_domain::id::{ApplicationId, SecretId, TenantId};
use claviger_domain::rotation::{IN_USE_SECONDS, OVERLAP_DEFAULT, Rotation};
use claviger_domain::time::Timestamp;
use claviger_domain::{Error, Result};
use claviger_kit::{Api, Failure, Path, status};
use http::StatusCode;
use serde_json::json;

/// Overlaps to choose from.
const OVERLAPS: [(i64, &str); 6] = [
    (3_600, "1 hour"),
    (OVERLAP_DEFAULT, "1 day"),
    (259_200, "3 days"),
    (604_800, "7 days"),
    (1_209_600, "14 days"),
    (2_592_000, "30 days"),
];

#[derive(Template)]
#[template(path = "applications/rotate.html")]
struct Rotate<'a> {
    head: Head,
    secrets: Vec<Secret>,
    form: &'a Form,
    errors: &'a Errors,
    now: Timestamp,
    force: Option<SecretId>,
    once: &'a str,
}

impl Rotate<'_> {
    fn overlaps(&self) -> &'static [(i64, &'static str)] {
        &OVERLAPS
    }

    fn chosen(&self, seconds: &i64) -> bool {
        match self.form.given("overlap_seconds") {
            Some(given) => given == seconds.to_string(),
            None => *seconds == OVERLAP_DEFAULT,
        }
    }

    fn in_use(&self, secret: &Secret) -> bool {
        secret.last_use.as_ref().is_some_and(|last| last.at.plus_seconds(IN_USE_SECONDS) > self.now)
    }

    fn full(&self) -> bool {
        self.secrets.len() >= claviger_domain::rotation::LIVE_MAX
    }

    fn forced(&self, secret: &Secret) -> bool {
        self.force == Some(secret.id)
    }
}

/// Asks how to rotate, and shows who calls with what.
pub(super) async fn ask(State(api): State<Api>, person: Person, Path(ids): Ids) -> Answer {
    page(&api, &person, ids, (&Form::default(), &Errors::default()), (StatusCode::OK, None)).await
}

async fn page(
    api: &Api,
    person: &Person,
    (tenant, id): (TenantId, ApplicationId),
    (form, errors): (&Form, &Errors),
    (status, force): (StatusCode, Option<SecretId>),
) -> Answer {
    let (place, application) = found(api, person, tenant, id).await?;
    let secrets = api.app.list_secrets(&person.caller, tenant, id).await?;
    let head = Head::of(person, &place, &application, "/rotate");
    let now = api.app.clock().now();
    let path = format!("/v1/tenants/{tenant}/applications/{id}/rotate");
    Page::new(&application.name, Section::Applications)
        .at(&place)
        .status(status)
        .call(ApiCall::with_body("Rotate by routine", "POST", &path, &json!({ "overlap_seconds": OVERLAP_DEFAULT })))
        .call(ApiCall::with_body("Rotate after a leak", "POST", &path, &json!({ "leak": true })))
        .render(person, &Rotate { head, secrets, form, errors, now, force, once: person.once() })
}

/// Rotates, and shows the new secret.
pub(super) async fn rotate(State(api): State<Api>, person: Person, Path((tenant, id)): Ids, form: Form) -> Answer {
    match try_rotate(&api, &person, (tenant, id), &form).await {
        // It was done before, and the secret was shown then.
        Ok(None) => Ok(see_other(&path_of(tenant, id))),
        Ok(Some(RotatedSecret { secret, previous })) => {
            let (place, application) = found(&api, &person, tenant, id).await?;
            shown_once(&api, &place, &application, Some(secret.text), previous.as_ref(), StatusCode::OK)
        }
        Err(error) => {
            let status = status(&error);
            let errors = Errors::of(error).map_err(Failure)?;
            page(&api, &person, (tenant, id), (&form, &errors), (status, None)).await
        }
    }
}

async fn try_rotate(
    api: &Api,
    person: &Person,
    (tenant, id): (TenantId, ApplicationId),
    form: &Form,
) -> Result<Option<RotatedSecret>> {
    let rotation = match form.get("reason") {
        "leak" => Rotation::parse(None, true, form.is("quarantine", "true"))?,
        "routine" => {
            let overlap = form.get("overlap_seconds").parse();
            let overlap = overlap.map_err(|_| Error::invalid("/overlap_seconds", "nothing is chosen", "choose one"))?;
            Rotation::parse(Some(overlap), false, false)?
        }
        _ => return Err(Error::invalid("/reason", "nothing is chosen", "say whether it is routine or a leak")),
    };
    let once = form.once(&person.here)?.map(|once| OnceFor { once, keep: |_: &RotatedSecret| kept(StatusCode::OK) });
    match api.app.rotate_secret(&person.caller, tenant, id, Renewal::from(rotation), once).await? {
        Posted::Done(rotated) => Ok(Some(rotated)),
        Posted::Replayed(_) => Ok(None),
    }
}

/// Takes one secret back.
pub(super) async fn revoke(
    State(api): State<Api>,
    person: Person,
    Path((tenant, id, secret)): Path<(TenantId, ApplicationId, SecretId)>,
    form: Form,
) -> Answer {
    let force = form.is("force", "true");
    match api.app.revoke_secret(&person.caller, tenant, id, secret, force).await {
        Ok(()) => Ok(see_other(&format!("{}/rotate", path_of(tenant, id)))),
        Err(error) => {
            let status = status(&error);
            let in_use = matches!(&error, Error::Conflict { code: "secret_in_use", .. });
            let errors = Errors::of(error).map_err(Failure)?;
            let shown = (status, in_use.then_some(secret));
            page(&api, &person, (tenant, id), (&Form::default(), &errors), shown).await
        }
    }
}
