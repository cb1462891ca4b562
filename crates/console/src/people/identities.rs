//! The accounts at identity providers that a person is, and forgetting them.

use super::{call_path, one, path_of};
use crate::api_call::ApiCall;
use crate::form::Form;
use crate::nav::Section;
use crate::page::{Answer, Page, see_other};
use crate::session::Person;
use crate::tenants::if_allowed;
use askama::Template;
use axum::extract::State;
use claviger_domain::Result;
use claviger_domain::id::{TenantId, UserId};
use claviger_domain::identity_provider::UserIdentity;
use claviger_domain::page::{LIMIT_MAX, PageRequest};
use claviger_domain::user::User;
use claviger_kit::{Api, Path};

/// An account, and what its provider is called, where whoever looks may know that.
pub(super) struct Identity {
    pub(super) identity: UserIdentity,
    pub(super) provider: Option<String>,
}

#[derive(Template)]
#[template(path = "people/forget.html")]
struct Forget<'a> {
    user: &'a User,
    path: String,
    identities: Vec<Identity>,
}

/// The accounts of a person.
pub(super) async fn of(api: &Api, person: &Person, tenant: TenantId, id: UserId) -> Result<Vec<Identity>> {
    let found = api.app.list_user_identities(&person.caller, tenant, id).await?;
    if found.is_empty() {
        return Ok(Vec::new());
    }
    let all = PageRequest::parse(Some(LIMIT_MAX), None)?;
    let providers = if_allowed(api.app.list_identity_providers(&person.caller, tenant, &all).await)?;
    let providers = providers.map(|page| page.items).unwrap_or_default();
    let named = found.into_iter().map(|identity| {
        let provider = providers.iter().find(|provider| provider.id == identity.provider_id);
        Identity { provider: provider.map(|provider| provider.name.clone()), identity }
    });
    Ok(named.collect())
}

/// Asks whether that is meant.
pub(crate) async fn show(
    State(api): State<Api>,
    person: Person,
    Path((tenant, id)): Path<(TenantId, UserId)>,
) -> Answer {
    if let Some(to) = person.to_step_up(&api) {
        return Ok(to);
    }
    let place = person.at(&api, tenant).await?;
    let user = api.app.find_user(&person.caller, tenant, id).await?;
    let identities = of(&api, &person, tenant, id).await?;
    Page::new("Forget accounts", Section::People)
        .at(&place)
        .call(ApiCall::new("Forget them", "DELETE", &format!("{}/identities", call_path(tenant, id))))
        .render(&person, &Forget { user: &user, path: path_of(tenant, id), identities })
}

/// Forgets them.
pub(crate) async fn forget(
    State(api): State<Api>,
    person: Person,
    Path((tenant, id)): Path<(TenantId, UserId)>,
    _: Form,
) -> Answer {
    match api.app.forget_user_identities(&person.caller, tenant, id).await {
        Ok(()) => Ok(see_other(&format!("{}?told=forgotten", path_of(tenant, id)))),
        Err(error) => one::refused(&api, &person, (tenant, id), error).await,
    }
}
