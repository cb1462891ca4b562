//! `/appservices/v6/orgs/{org}/users`: the people of an organisation. Who was invited is not listed before it has signed in.

use super::auth::OrgCaller;
use super::bad_request::BadRequest;
use super::error::{Refused, answer};
use super::grants::{PROFILE, wanted_profile};
use super::members::Members;
use super::urn::{self, Roles};
use crate::kit::{Api, Body, Path};
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use claviger_app::caller::Caller;
use claviger_app::user_grants::WantedProfile;
use claviger_domain::application::Reach;
use claviger_domain::grants::Verb;
use claviger_domain::id::UserId;
use claviger_domain::user::{Email, NewUser, User, UserPatch, parse_person_name, parse_phone};
use claviger_domain::{Error, Result};
use http::StatusCode;
use serde_json::{Value, json};

/// All roles are in grants now; the vendor writes this in the place of the older one.
const ROLE: &str = "DEPRECATED";
const METHODS: [&str; 1] = ["PASSWORD"];
const NEW: [&str; 9] =
    ["org_id", "role", "auth_method", "email", "first_name", "last_name", "phone", "role_urn", "profiles"];
const KNOWN: [&str; 14] = [
    "org_key",
    "auth_method",
    "login_id",
    "org_id",
    "login_name",
    "email",
    "first_name",
    "last_name",
    "phone",
    "role",
    "admin_login_version",
    "org_admin_version",
    "contact_id",
    "contact_version",
];

/// `GET …/users`
pub(super) async fn list(State(api): State<Api>, OrgCaller(caller): OrgCaller) -> Result<Response, Refused> {
    let org_key = caller.tenant().org_key.as_str();
    let users = api.app.list_all_users(&caller, caller.tenant().id).await?;
    let users: Vec<_> =
        users.iter().filter(|user| user.activated_at.is_some()).map(|one| body(&caller, org_key, one)).collect();
    Ok(answer(StatusCode::OK, &json!({ "success": true, "message": "Success", "users": users })))
}

/// `POST …/users`
pub(super) async fn create(
    State(api): State<Api>,
    OrgCaller(caller): OrgCaller,
    Body(body): Body<Value>,
) -> Result<Response, Refused> {
    let members = Members::read(&body, "", &NEW)?;
    check_method(&members)?;
    let text = |name| members.text(name).map(Option::unwrap_or_default);
    let email = Email::parse("email", text("email")?)?;
    let first_name = parse_person_name("first_name", text("first_name")?)?;
    let last_name = parse_person_name("last_name", text("last_name")?)?;
    let phone = parse_phone("phone", text("phone")?)?;
    let tenant = caller.tenant();
    let (role, profiles) = (members.text("role_urn")?, members.list("profiles")?);
    let levels = match (role, profiles) {
        (None, []) => Vec::new(),
        _ => api.app.list_roles(&caller, tenant.id).await?,
    };
    let roles = Roles::new(tenant.org_key.as_str(), &levels, api.app.catalogue());
    let held = role.map(|urn| roles.find("role_urn", urn)).transpose()?;
    let profiles: Vec<WantedProfile> = profiles
        .iter()
        .enumerate()
        .map(|(index, profile)| {
            let at = format!("profiles[{index}]");
            let wanted = wanted_profile(&Members::read(profile, at, &PROFILE)?, tenant.org_key.as_str(), &roles)?;
            Ok(WantedProfile { id: None, ..wanted })
        })
        .collect::<Result<_, Refused>>()?;
    let reach = profiles.first().map_or(Reach::Own, |profile| profile.reach);
    let new = NewUser { email, first_name, last_name, phone, reach, roles: held.into_iter().collect() };
    let (status, message) = match api.app.create_user_with_profiles(&caller, tenant.id, new, profiles).await {
        Ok(_) => ("SUCCESS", "Success".to_owned()),
        // What cannot be registered as things are is told in the answer, as the vendor does.
        Err(Error::Conflict { detail, .. }) => ("ERROR", detail),
        Err(other) => return Err(other.into()),
    };
    let registered = json!({
        "password": null,
        "success": status == "SUCCESS",
        "login_id": null,
        "message": message,
        "registration_status": status,
    });
    Ok(answer(StatusCode::OK, &registered))
}

/// `PUT …/users/{login_id}`
pub(super) async fn update(
    State(api): State<Api>,
    OrgCaller(caller): OrgCaller,
    Path((_, login_id)): Path<(String, String)>,
    Body(body_of): Body<Value>,
) -> Result<Response, Refused> {
    let id = find(&api, &caller, &login_id, Verb::Update).await?;
    let members = Members::read(&body_of, "", &KNOWN)?;
    check_method(&members)?;
    let text = |name| members.text(name).map(Option::unwrap_or_default);
    let patch = UserPatch {
        first_name: Some(parse_person_name("first_name", text("first_name")?)?),
        last_name: Some(parse_person_name("last_name", text("last_name")?)?),
        phone: Some(parse_phone("phone", text("phone")?)?),
        reach: None,
    };
    let email = members.text("email")?.map(|text| Email::parse("email", text)).transpose()?;
    let tenant = caller.tenant();
    let org_key = members.text("org_key")?.unwrap_or(tenant.org_key.as_str());
    if org_key != tenant.org_key.as_str() || !is_number(&members, "login_id", &login_id)? {
        return Err(BadRequest::new("INVALID_VALUE", "login_id", "the body is about another user than the path").into());
    }
    let known = email.map(|email| email.key());
    let user = api.app.update_named_user(&caller, tenant.id, id, patch, known).await?;
    Ok(answer(StatusCode::OK, &body(&caller, tenant.org_key.as_str(), &user)))
}

/// `DELETE …/users/{login_id}`
pub(super) async fn delete(
    State(api): State<Api>,
    OrgCaller(caller): OrgCaller,
    Path((_, login_id)): Path<(String, String)>,
) -> Result<Response, Refused> {
    let id = find(&api, &caller, &login_id, Verb::Delete).await?;
    api.app.delete_user(&caller, caller.tenant().id, id, None, None).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// `DELETE …/users/{login_id}/google-auth`: the second factors of somebody who has lost them.
pub(super) async fn reset_factor(
    State(api): State<Api>,
    OrgCaller(caller): OrgCaller,
    Path((_, login_id)): Path<(String, String)>,
) -> Result<Response, Refused> {
    let id = find(&api, &caller, &login_id, Verb::Update).await?;
    api.app.reset_factors(&caller, caller.tenant().id, id).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

async fn find(api: &Api, caller: &Caller, login_id: &str, verb: Verb) -> Result<UserId> {
    let digits = !login_id.is_empty() && login_id.bytes().all(|byte| byte.is_ascii_digit());
    let number = login_id.parse().ok().filter(|_| digits).ok_or(Error::NotFound("user"))?;
    api.app.user_id_numbered(caller, caller.tenant().id, number, verb).await
}

fn check_method(members: &Members<'_>) -> Result<(), BadRequest> {
    match members.text("auth_method")? {
        Some(word) if !METHODS.contains(&word) => Err(BadRequest::unknown_word("auth_method", word, &METHODS)),
        _ => Ok(()),
    }
}

/// Whether a member, if it is there, is that number.
fn is_number(members: &Members<'_>, name: &str, expected: &str) -> Result<bool, BadRequest> {
    match members.get(name) {
        None => Ok(true),
        Some(Value::Number(number)) => Ok(number.to_string() == expected),
        Some(_) => Err(BadRequest::new("INVALID_VALUE", members.field(name), "write a number")),
    }
}

fn body(caller: &Caller, org_key: &str, user: &User) -> Value {
    json!({
        "org_key": org_key,
        "auth_method": METHODS[0],
        "login_id": user.number,
        // Clients want an integer here, which tenants do not have: the random end of their id stays the same.
        "org_id": caller.tenant().id.as_u128() & 0x7fff_ffff,
        "login_name": user.email,
        "email": user.email,
        "first_name": user.first_name,
        "last_name": user.last_name,
        "phone": user.phone,
        "role": ROLE,
        "admin_login_version": user.version,
        "org_admin_version": user.version,
        "contact_id": user.number,
        "contact_version": user.version,
    })
}

/// The name by which grants know a user.
pub(super) fn principal(org_key: &str, user: &User) -> String {
    urn::user(org_key, user.number)
}
