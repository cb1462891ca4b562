//! What those are called who did something, where the person who reads of it may know them.

use crate::access_record;
use crate::session::Person;
use crate::tenants::if_allowed;
use claviger_domain::id::{ApplicationId, TenantId, UserId};
use claviger_domain::{Error, Result};
use claviger_kit::Api;
use std::collections::{BTreeMap, BTreeSet};

/// More of them are not looked up for one page.
const MOST: usize = 50;

/// One who did something: the kind, the tenant and the id that an entry says.
pub(crate) type Actor<'a> = (&'a str, &'a str, &'a str);

/// Their names by their ids. Who is gone, stands out of reach or may not be known has none.
pub(crate) async fn names<'a>(
    api: &Api,
    person: &Person,
    actors: impl Iterator<Item = Actor<'a>>,
) -> Result<BTreeMap<String, String>> {
    let mut names = BTreeMap::new();
    for (kind, tenant, id) in actors.collect::<BTreeSet<_>>().into_iter().take(MOST) {
        let Some(tenant) = TenantId::parse(tenant) else { continue };
        let name = match kind {
            "application" => application(api, person, tenant, id).await,
            "user" => user(api, person, tenant, id).await,
            _ => Ok(None),
        };
        match name {
            Ok(Some(name)) => drop(names.insert(id.to_owned(), name)),
            Ok(None) | Err(Error::NotFound(_)) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(names)
}

async fn application(api: &Api, person: &Person, tenant: TenantId, id: &str) -> Result<Option<String>> {
    let Some(id) = ApplicationId::parse(id) else { return Ok(None) };
    Ok(access_record::names(api, person, tenant, std::iter::once(id)).await?.remove(&id))
}

async fn user(api: &Api, person: &Person, tenant: TenantId, id: &str) -> Result<Option<String>> {
    let Some(id) = UserId::parse(id) else { return Ok(None) };
    let found = if_allowed(api.app.find_user(&person.caller, tenant, id).await)?;
    Ok(found.map(|user| user.display_name().to_string()))
}
