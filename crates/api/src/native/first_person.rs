//! The first person of the operator comes in by the link that the server has printed.

use crate::kit::{Api, Body, Fields, RequestId, circumstances};
use crate::native::answer::{Answer, no_content};
use crate::native::openapi::Writing;
use crate::native::sign_in::Door;
use axum::extract::State;
use claviger_app::first_person::FirstPerson;
use claviger_domain::password::Password;
use claviger_domain::user::{Email, parse_person_name};
use serde::Deserialize;
use utoipa::ToSchema;

/// Who comes in first.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = FirstPerson)]
pub(crate) struct FirstPersonBody {
    /// What the server has printed.
    #[schema(example = "clv_f_…")]
    token: String,
    /// The e-mail address to sign in with.
    #[schema(max_length = 254, example = "ada@example.com")]
    email: String,
    /// First name.
    #[serde(default)]
    #[schema(max_length = 64)]
    first_name: String,
    /// Last name.
    #[serde(default)]
    #[schema(max_length = 64)]
    last_name: String,
    /// Password, of 15 characters or more.
    #[schema(min_length = 15, max_length = 256, format = Password)]
    password: String,
}

/// Come in as the first person
///
/// By the token that the server prints at its first start, and the demo at each, as long as the operator has no people. It makes a
/// user of the operator who holds Super Admin, and can sign in then. The token is used up.
#[utoipa::path(post, path = "/v1/first-person", tag = "me", security(()), request_body = FirstPersonBody,
    responses((status = 204, description = "Done"), Writing))]
pub(crate) async fn accept_first_person(
    State(api): State<Api>,
    Door(parts): Door,
    Body(body): Body<FirstPersonBody>,
) -> Answer {
    let mut fields = Fields::new();
    let email = fields.take(Email::parse("/email", &body.email));
    let first_name = fields.take(parse_person_name("/first_name", &body.first_name));
    let last_name = fields.take(parse_person_name("/last_name", &body.last_name));
    let password = fields.take(Password::presented("/password", body.password));
    let (origin, _) = circumstances(&api, (&parts).into());
    let id = parts.extensions.get::<RequestId>().copied().unwrap_or_default().to_string();
    let request = (id, format!("{} {}", parts.method, parts.uri.path()));
    let first =
        email.zip(password).zip(first_name).zip(last_name).map(|(((email, password), first_name), last_name)| {
            FirstPerson { email, first_name, last_name, password, origin, request }
        });
    api.app.accept_first_person(&body.token, fields.finish(first)?).await?;
    no_content()
}
