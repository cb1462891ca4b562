//! `/access`: what people may do. A grant is what a user holds: roles, or profiles, which are roles under conditions.

use super::auth::OrgCaller;
use super::bad_request::{BadRequest, echo};
use super::error::{Refused, answer};
use super::members::Members;
use super::times::read_time;
use super::urn::{self, Roles};
use crate::kit::{Api, Authenticated, Body, Path, Query};
use axum::extract::State;
use axum::response::Response;
use claviger_app::caller::Caller;
use claviger_app::user_grants::{GrantChange, UserGrant, WantedProfile};
use claviger_domain::access_level::AccessLevel;
use claviger_domain::access_profile::{AccessProfile, Conditions};
use claviger_domain::application::Reach;
use claviger_domain::grants::Verb;
use claviger_domain::id::{AccessLevelId, AccessProfileId, UserId};
use claviger_domain::network::parse_networks;
use claviger_domain::time::Timestamp;
use claviger_domain::{Error, Result};
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

/// Most principals of one question.
const FETCH_MAX: usize = 1_000;
const GRANT: [&str; 11] = [
    "principal",
    "expires",
    "roles",
    "profiles",
    "org_ref",
    "principal_name",
    "created_by",
    "updated_by",
    "create_time",
    "update_time",
    "can_manage",
];
pub(super) const PROFILE: [&str; 6] = ["profile_uuid", "orgs", "org_groups", "roles", "conditions", "can_manage"];

/// Of a grant that was sent the principal, if it is named, the roles and the profiles.
type Sent = (Option<String>, Vec<AccessLevelId>, Vec<WantedProfile>);

/// The organisation of a caller with the names of its roles.
struct Org<'a> {
    caller: &'a Caller,
    key: &'a str,
    roles: Roles<'a>,
}

impl<'a> Org<'a> {
    async fn of(api: &Api, caller: &'a Caller) -> Result<Self> {
        let key = caller.tenant().org_key.as_str();
        let levels = api.app.list_roles(caller, caller.tenant().id).await?;
        Ok(Self { caller, key, roles: Roles::new(key, &levels, api.app.catalogue()) })
    }

    /// The user whom a principal names; any other is not found.
    async fn user(&self, api: &Api, principal: &str, verb: Verb) -> Result<UserId> {
        let number = urn::user_number(self.key, principal).ok_or(Error::NotFound("grant"))?;
        let found = api.app.user_id_numbered(self.caller, self.caller.tenant().id, number, verb).await;
        found.map_err(no_grant)
    }

    async fn change(&self, api: &Api, principal: &str, change: GrantChange) -> Result<UserGrant> {
        let id = self.user(api, principal, Verb::Update).await?;
        api.app.change_user_grant(self.caller, self.caller.tenant().id, id, change).await
    }

    fn grant(&self, grant: &UserGrant) -> Value {
        let (user, stamp) = (&grant.user, grant.stamp.as_ref());
        let time = |time: Timestamp| time.to_millis_text();
        json!({
            "principal": super::users::principal(self.key, user),
            "expires": 0,
            "roles": self.roles.urns(&user.roles),
            "profiles": grant.profiles.iter().map(|one| self.profile(one, grant.manageable)).collect::<Vec<_>>(),
            "org_ref": urn::org(self.key),
            "principal_name": user.display_name(),
            "created_by": stamp.map(|stamp| stamp.created_by.as_str()),
            "updated_by": stamp.map(|stamp| stamp.updated_by.as_str()),
            "create_time": time(stamp.map_or(user.created_at, |stamp| stamp.created_at)),
            "update_time": time(stamp.map_or(user.updated_at, |stamp| stamp.updated_at)),
            "can_manage": grant.manageable,
        })
    }

    fn profile(&self, profile: &AccessProfile, manageable: bool) -> Value {
        let Conditions { networks, expires_at, disabled } = &profile.conditions;
        let expiration = expires_at.map_or(json!(0), |end| json!(end.to_millis_text()));
        json!({
            "profile_uuid": profile.id,
            "orgs": { "allow": urn::allowed(self.key, profile.reach), "deny": [] },
            "org_groups": [],
            "roles": self.roles.urns(&profile.roles),
            "conditions": {
                "cidr": networks.as_ref().map(|all| all.iter().map(ToString::to_string).collect::<Vec<_>>()),
                "expiration": expiration,
                "disabled": disabled,
            },
            "can_manage": manageable,
        })
    }

    /// The roles and profiles of a grant that was sent.
    fn wanted(&self, body: &Value) -> Result<Sent, Refused> {
        let members = Members::read(body, "", &GRANT)?;
        if let Some(org) = members.text("org_ref")?
            && org != urn::org(self.key)
        {
            let message = format!("a grant here is one of {}", urn::org(self.key));
            return Err(BadRequest::new("INVALID_URN", "org_ref", message).into());
        }
        if members.get("expires").is_some_and(|expires| expires.as_i64() != Some(0)) {
            let message = "a grant does not expire here; give its profiles an expiration";
            return Err(BadRequest::new("INVALID_VALUE", "expires", message).into());
        }
        let roles = named_roles(&members, &self.roles)?;
        let mut profiles = Vec::new();
        for (index, profile) in members.list("profiles")?.iter().enumerate() {
            let members = Members::read(profile, format!("profiles[{index}]"), &PROFILE)?;
            profiles.push(wanted_profile(&members, self.key, &self.roles)?);
        }
        Ok((members.text("principal")?.map(str::to_owned), roles, profiles))
    }
}

fn named_roles(members: &Members<'_>, roles: &Roles<'_>) -> Result<Vec<AccessLevelId>, BadRequest> {
    let mut found = Vec::new();
    for (index, urn) in members.texts("roles")?.iter().enumerate() {
        let id = roles.find(&format!("{}[{index}]", members.field("roles")), urn)?;
        if !found.contains(&id) {
            found.push(id);
        }
    }
    Ok(found)
}

/// A profile as it was sent.
pub(super) fn wanted_profile(
    members: &Members<'_>,
    org_key: &str,
    roles: &Roles<'_>,
) -> Result<WantedProfile, Refused> {
    let id = match members.text("profile_uuid")? {
        None => None,
        Some(text) => Some(AccessProfileId::parse(text).ok_or_else(|| {
            BadRequest::new("INVALID_VALUE", members.field("profile_uuid"), "leave it out for a new profile")
        })?),
    };
    let none = json!({});
    let orgs = Members::read(members.get("orgs").unwrap_or(&none), members.field("orgs"), &["allow", "deny"])?;
    if !orgs.list("deny")?.is_empty() {
        let message = "nothing can be denied here; allow less";
        return Err(BadRequest::new("INVALID_VALUE", orgs.field("deny"), message).into());
    }
    if !members.list("org_groups")?.is_empty() {
        let message = "there are no groups of organizations here; name organizations in orgs.allow";
        return Err(BadRequest::new("INVALID_VALUE", members.field("org_groups"), message).into());
    }
    let reach = urn::reach(org_key, &orgs.field("allow"), &orgs.texts("allow")?)?;
    let conditions = members.get("conditions").unwrap_or(&none);
    let conditions = Members::read(conditions, members.field("conditions"), &["cidr", "expiration", "disabled"])?;
    let networks = match conditions.get("cidr") {
        None => None,
        Some(_) => Some(parse_networks(&conditions.field("cidr"), &conditions.texts("cidr")?)?),
    };
    let conditions = Conditions {
        // An empty list is how clients of this family say that there is none.
        networks: networks.filter(|networks| !networks.is_empty()),
        expires_at: expiration(&conditions)?,
        disabled: conditions.flag("disabled")?,
    };
    Ok(WantedProfile { id, reach, roles: named_roles(members, roles)?, conditions })
}

fn expiration(conditions: &Members<'_>) -> Result<Option<Timestamp>, BadRequest> {
    let refuse = |text: &str| {
        let message = format!("{} is not a time such as 2026-01-31T09:08:07.123Z, or 0 for never", echo(text));
        BadRequest::new("INVALID_VALUE", conditions.field("expiration"), message)
    };
    match conditions.get("expiration") {
        None => Ok(None),
        Some(Value::Number(number)) if number.as_i64() == Some(0) => Ok(None),
        Some(Value::String(text)) if text.is_empty() || text == "0" => Ok(None),
        Some(Value::String(text)) => {
            read_time(text).or_else(|| read_compact(text)).map(Some).ok_or_else(|| refuse(text))
        }
        Some(other) => Err(refuse(&other.to_string())),
    }
}

/// A time whose day has no hyphens, as examples of this family have it.
fn read_compact(text: &str) -> Option<Timestamp> {
    let (day, time) = text.split_once('T')?;
    let (year, month, day) = (day.get(..4)?, day.get(4..6)?, day.get(6..).filter(|day| day.len() == 2)?);
    read_time(&format!("{year}-{month}-{day}T{time}"))
}

fn no_grant(error: Error) -> Error {
    match error {
        Error::NotFound(_) => Error::NotFound("grant"),
        other => other,
    }
}

fn profile_id(text: &str) -> Result<AccessProfileId> {
    AccessProfileId::parse(text).ok_or(Error::NotFound("profile"))
}

/// `POST /access/v2/grants/_fetch`
pub(super) async fn fetch(
    State(api): State<Api>,
    Authenticated(caller): Authenticated,
    Body(body): Body<Value>,
) -> Result<Response, Refused> {
    let Value::Array(asked) = &body else {
        return Err(BadRequest::body("write a list of objects with principal and org_ref").into());
    };
    if asked.len() > FETCH_MAX {
        return Err(BadRequest::body(format!("ask for at most {FETCH_MAX} principals at once")).into());
    }
    let org = Org::of(&api, &caller).await?;
    let mut results = Vec::new();
    for (index, asked) in asked.iter().enumerate() {
        let members = Members::read(asked, format!("[{index}]"), &["principal", "org_ref"])?;
        let own = members.text("org_ref")?.is_none_or(|org_ref| org_ref == urn::org(org.key));
        let Some(principal) = members.text("principal")?.filter(|_| own) else { continue };
        match find_grant(&api, &org, principal).await {
            Ok(grant) => results.push(org.grant(&grant)),
            Err(Error::NotFound(_)) => {}
            Err(other) => return Err(other.into()),
        }
    }
    Ok(answer(StatusCode::OK, &json!({ "results": results })))
}

async fn find_grant(api: &Api, org: &Org<'_>, principal: &str) -> Result<UserGrant> {
    let id = org.user(api, principal, Verb::Read).await?;
    let grant = api.app.find_user_grant(org.caller, org.caller.tenant().id, id).await?;
    if grant.exists() { Ok(grant) } else { Err(Error::NotFound("grant")) }
}

/// `POST /access/v2/orgs/{org}/grants`
pub(super) async fn create(
    State(api): State<Api>,
    OrgCaller(caller): OrgCaller,
    Body(body): Body<Value>,
) -> Result<Response, Refused> {
    let org = Org::of(&api, &caller).await?;
    let (principal, roles, profiles) = org.wanted(&body)?;
    let principal =
        principal.ok_or_else(|| BadRequest::new("INVALID_URN", "principal", "name the user: psc:user:KEY:LOGIN_ID"))?;
    // What stands in a template of an older grant is of no profile of this one.
    let profiles = profiles.into_iter().map(|profile| WantedProfile { id: None, ..profile }).collect();
    let grant = org.change(&api, &principal, GrantChange::Create(roles, profiles)).await?;
    Ok(answer(StatusCode::OK, &org.grant(&grant)))
}

/// `GET /access/v2/orgs/{org}/grants/{principal}`
pub(super) async fn read(
    State(api): State<Api>,
    OrgCaller(caller): OrgCaller,
    Path((_, principal)): Path<(String, String)>,
) -> Result<Response, Refused> {
    let org = Org::of(&api, &caller).await?;
    let grant = find_grant(&api, &org, &principal).await?;
    Ok(answer(StatusCode::OK, &org.grant(&grant)))
}

/// `PUT /access/v2/orgs/{org}/grants/{principal}`
pub(super) async fn update(
    State(api): State<Api>,
    OrgCaller(caller): OrgCaller,
    Path((_, principal)): Path<(String, String)>,
    Body(body): Body<Value>,
) -> Result<Response, Refused> {
    let org = Org::of(&api, &caller).await?;
    let (named, roles, profiles) = org.wanted(&body)?;
    if named.is_some_and(|named| named != principal) {
        let message = "the body is about another principal than the path";
        return Err(BadRequest::new("INVALID_URN", "principal", message).into());
    }
    let grant = org.change(&api, &principal, GrantChange::Replace(roles, profiles)).await?;
    Ok(answer(StatusCode::OK, &org.grant(&grant)))
}

/// `DELETE /access/v2/orgs/{org}/grants/{principal}`
pub(super) async fn delete(
    State(api): State<Api>,
    OrgCaller(caller): OrgCaller,
    Path((_, principal)): Path<(String, String)>,
) -> Result<Response, Refused> {
    let org = Org::of(&api, &caller).await?;
    let grant = org.change(&api, &principal, GrantChange::Remove).await?;
    Ok(answer(StatusCode::OK, &org.grant(&grant)))
}

/// `POST /access/v2/orgs/{org}/grants/{principal}/profiles`
pub(super) async fn create_profile(
    State(api): State<Api>,
    OrgCaller(caller): OrgCaller,
    Path((_, principal)): Path<(String, String)>,
    Body(body): Body<Value>,
) -> Result<Response, Refused> {
    let org = Org::of(&api, &caller).await?;
    let wanted = wanted_profile(&Members::read(&body, "", &PROFILE)?, org.key, &org.roles)?;
    let grant = org.change(&api, &principal, GrantChange::AddProfile(wanted)).await?;
    let made = grant.profiles.last().ok_or(Error::NotFound("profile"))?;
    Ok(answer(StatusCode::OK, &org.profile(made, true)))
}

/// `PUT /access/v2/orgs/{org}/grants/{principal}/profiles/{uuid}`
pub(super) async fn update_profile(
    State(api): State<Api>,
    OrgCaller(caller): OrgCaller,
    Path((_, principal, uuid)): Path<(String, String, String)>,
    Body(body): Body<Value>,
) -> Result<Response, Refused> {
    let org = Org::of(&api, &caller).await?;
    let wanted = wanted_profile(&Members::read(&body, "", &PROFILE)?, org.key, &org.roles)?;
    let id = profile_id(&uuid)?;
    if wanted.id.is_some_and(|named| named != id) {
        let message = "the body is about another profile than the path";
        return Err(BadRequest::new("INVALID_VALUE", "profile_uuid", message).into());
    }
    let grant = org.change(&api, &principal, GrantChange::ChangeProfile(id, wanted)).await?;
    let changed = grant.profiles.iter().find(|profile| profile.id == id).ok_or(Error::NotFound("profile"))?;
    Ok(answer(StatusCode::OK, &org.profile(changed, true)))
}

/// `DELETE /access/v2/orgs/{org}/grants/{principal}/profiles/{uuid}`
pub(super) async fn delete_profile(
    State(api): State<Api>,
    OrgCaller(caller): OrgCaller,
    Path((_, principal, uuid)): Path<(String, String, String)>,
) -> Result<Response, Refused> {
    let org = Org::of(&api, &caller).await?;
    let id = profile_id(&uuid)?;
    let before = find_grant(&api, &org, &principal).await?;
    let removed = before.profiles.iter().find(|profile| profile.id == id).ok_or(Error::NotFound("profile"))?;
    org.change(&api, &principal, GrantChange::RemoveProfile(id)).await?;
    Ok(answer(StatusCode::OK, &org.profile(removed, before.manageable)))
}

/// What is asked of permitted roles.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PermittedQuery {
    #[serde(rename = "type")]
    kind: Option<String>,
}

/// `GET /access/v3/orgs/{org}/principals/{api_id}/roles/permitted`
pub(super) async fn permitted(
    State(api): State<Api>,
    OrgCaller(caller): OrgCaller,
    Path((_, api_id)): Path<(String, String)>,
    Query(query): Query<PermittedQuery>,
) -> Result<Response, Refused> {
    if caller.name() != api_id {
        return Err(Error::NotFound("principal").into());
    }
    if let Some(word) = query.kind.filter(|word| word != "USER") {
        return Err(BadRequest::unknown_word("type", &word, &["USER"]).into());
    }
    let (tenant, key) = (caller.tenant().id, caller.tenant().org_key.as_str());
    let levels = api.app.list_roles(&caller, tenant).await?;
    let roles = Roles::new(key, &levels, api.app.catalogue());
    let mut results = serde_json::Map::new();
    for (name, reach) in [(key.to_owned(), Reach::Own), (format!("{key}:CHILDREN"), Reach::Beneath)] {
        let permitted = api.app.list_permitted_roles(&caller, tenant, reach).await?;
        let permitted: Vec<_> = permitted.iter().map(|level| role(&roles, level)).collect();
        results.insert(name, permitted.into());
    }
    Ok(answer(StatusCode::OK, &json!({ "results": results })))
}

fn role(roles: &Roles<'_>, level: &AccessLevel) -> Value {
    let capabilities = level
        .grants
        .iter()
        .map(|(name, verbs)| json!({ "name": name, "verbs": verbs.iter().map(Verb::as_str).collect::<Vec<_>>() }));
    json!({
        "urn": roles.urn(level.id),
        "scoped": level.tenant_id.is_some(),
        "name": level.name,
        "desc": level.description,
        "disabled": false,
        "capabilities": capabilities.collect::<Vec<_>>(),
        "child_urn": null,
        "created_by": null,
        "updated_by": null,
        "create_time": level.created_at.to_millis_text(),
        "update_time": level.updated_at.to_millis_text(),
    })
}
