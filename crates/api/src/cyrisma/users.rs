//! `/app/partner/users` and `/app/partner/instances/users/create`: people of organisations, who see what is beneath these.

use super::auth::PartnerCaller;
use super::error::{Answer, answer};
use super::fields::{instance_not_found, parse_count, parse_instance};
use crate::kit::{Api, LooseForm, Path};
use axum::extract::{Request, State};
use claviger_domain::Error;
use claviger_domain::application::Reach;
use claviger_domain::user::{Email, NewUser, Status, User, parse_person_name};
use http::StatusCode;
use serde_json::{Value, json};

/// People in one answer, unless a client asks for fewer.
const LIMIT: i64 = 1_000;
/// How far one can go on.
const OFFSET_MAX: i64 = 10_000_000;

/// Answers `POST /app/partner/instances/users/create`.
pub(super) async fn create(State(api): State<Api>, PartnerCaller(caller): PartnerCaller, request: Request) -> Answer {
    let (parts, body) = request.into_parts();
    let form = LooseForm::read_all(&parts, body).await?;
    let tenant = parse_instance(form.require("instance_id")?)?;
    let new = NewUser {
        email: Email::parse("username", form.require("username")?)?,
        first_name: parse_person_name("first_name", form.require("first_name")?)?,
        last_name: parse_person_name("last_name", form.require("last_name")?)?,
        phone: String::new(),
        reach: Reach::Beneath,
        roles: Vec::new(),
    };
    let user = api.app.take_in_user(&caller, tenant, new).await.map_err(in_our_words)?;
    Ok(answer(StatusCode::OK, &row(&user)))
}

/// Answers `GET /app/partner/users/info`.
pub(super) async fn list(State(api): State<Api>, PartnerCaller(caller): PartnerCaller, request: Request) -> Answer {
    let (parts, body) = request.into_parts();
    let form = LooseForm::read_all(&parts, body).await?;
    let limit = parse_count("limit", form.get("limit"), LIMIT, LIMIT)?;
    let offset = parse_count("offset", form.get("offset"), 0, OFFSET_MAX)?;
    let users = api.app.list_users_beneath(&caller, offset, limit).await?;
    Ok(answer(StatusCode::OK, &users.iter().map(row).collect::<Vec<_>>()))
}

/// Answers `GET /app/partner/users/info/{user_ref}`, by id or username.
pub(super) async fn find(
    State(api): State<Api>,
    PartnerCaller(caller): PartnerCaller,
    Path(user_ref): Path<String>,
) -> Answer {
    let user = api.app.find_user_beneath(&caller, &user_ref).await.map_err(in_our_words)?;
    Ok(answer(StatusCode::OK, &[row(&user)]))
}

/// Answers `PATCH /app/partner/users/disable`.
pub(super) async fn disable(State(api): State<Api>, PartnerCaller(caller): PartnerCaller, request: Request) -> Answer {
    let (parts, body) = request.into_parts();
    let form = LooseForm::read_all(&parts, body).await?;
    let user = api.app.disable_user_beneath(&caller, form.require("user_id")?).await.map_err(in_our_words)?;
    Ok(answer(StatusCode::OK, &[row(&user)]))
}

fn in_our_words(error: Error) -> Error {
    match error {
        Error::NotFound("user") => Error::Malformed { code: "user_not_found", detail: "there is no such user".into() },
        Error::Conflict { code: "instance_without_users", detail, .. } => {
            Error::Malformed { code: "not_an_organization", detail }
        }
        other => instance_not_found(other),
    }
}

fn row(user: &User) -> Value {
    json!({
        "id": user.id,
        "username": user.email,
        "first_name": user.first_name,
        "last_name": user.last_name,
        "enabled": if user.status == Status::Disabled { "0" } else { "1" },
        "instance_id": user.tenant_id,
    })
}
