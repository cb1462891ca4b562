//! Two access levels side by side: what one grants and the other does not.

use crate::api_call::ApiCall;
use crate::nav::Section;
use crate::page::{Answer, Page};
use crate::place::Place;
use crate::session::Person;
use crate::show;
use askama::Template;
use axum::extract::State;
use claviger_domain::access_level::AccessLevel;
use claviger_domain::grants::{Grants, Verbs};
use claviger_domain::id::{AccessLevelId, TenantId};
use claviger_domain::page::{LIMIT_MAX, PageRequest};
use claviger_kit::{Api, Path, Query};
use serde::Deserialize;
use std::collections::BTreeSet;

/// Which two.
#[derive(Deserialize)]
pub(crate) struct CompareQuery {
    #[serde(default)]
    one: Option<String>,
    #[serde(default)]
    other: Option<String>,
}

#[derive(Template)]
#[template(path = "access_levels/compare.html")]
struct Compare<'a> {
    place: &'a Place,
    levels: Vec<AccessLevel>,
    one: String,
    other: String,
    compared: Option<Compared>,
}

/// Two levels that were compared.
struct Compared {
    one: AccessLevel,
    other: AccessLevel,
    differing: Vec<Difference>,
    /// Permissions that both grant alike.
    alike: i64,
}

/// A permission that they do not grant alike.
#[derive(Debug, PartialEq, Eq)]
struct Difference {
    name: String,
    one: Verbs,
    other: Verbs,
    both: Verbs,
}

/// Compares two, or asks for them.
pub(crate) async fn compare(
    State(api): State<Api>,
    person: Person,
    Path(tenant): Path<TenantId>,
    Query(query): Query<CompareQuery>,
) -> Answer {
    let place = person.at(&api, tenant).await?;
    let all = PageRequest::parse(Some(LIMIT_MAX), None)?;
    let levels = api.app.list_access_levels(&person.caller, tenant, &all).await?.items;
    let [one, other] = [query.one, query.other].map(|text| text.as_deref().and_then(AccessLevelId::parse));
    let compared = match (one, other) {
        (Some(one), Some(other)) => {
            let one = api.app.find_access_level(&person.caller, tenant, one).await?;
            let other = api.app.find_access_level(&person.caller, tenant, other).await?;
            let (differing, alike) = differences(&one.grants, &other.grants);
            Some(Compared { one, other, differing, alike })
        }
        _ => None,
    };
    let path = |id: AccessLevelId| format!("/v1/tenants/{tenant}/access-levels/{id}");
    let mut page = Page::new("Compare two access levels", Section::AccessLevels).at(&place);
    for (title, id) in [("Read the one", one), ("Read the other", other)] {
        page = match id {
            Some(id) => page.call(ApiCall::new(title, "GET", &path(id))),
            None => page,
        };
    }
    let [one, other] = [one, other].map(|id| id.map(|id| id.to_string()).unwrap_or_default());
    page.render(&person, &Compare { place: &place, levels, one, other, compared })
}

fn differences(one: &Grants, other: &Grants) -> (Vec<Difference>, i64) {
    let (mut differing, mut alike) = (Vec::new(), 0);
    let names: BTreeSet<&String> = one.keys().chain(other.keys()).collect();
    for name in names {
        let [one, other] = [one, other].map(|grants| grants.get(name).copied().unwrap_or_default());
        if one == other {
            alike += 1;
            continue;
        }
        let both = one.and(other);
        let difference = Difference { name: name.clone(), one: one.without(both), other: other.without(both), both };
        differing.push(difference);
    }
    (differing, alike)
}

#[cfg(test)]
mod tests {
    use super::*;
    use claviger_domain::grants::Verb;

    #[test]
    fn only_what_differs_is_told() {
        let verbs = |verbs: &[Verb]| verbs.iter().copied().collect::<Verbs>();
        let one = Grants::from([("a".into(), verbs(&[Verb::Read, Verb::Update])), ("b".into(), verbs(&[Verb::Read]))]);
        let other =
            Grants::from([("a".into(), verbs(&[Verb::Read, Verb::Delete])), ("b".into(), verbs(&[Verb::Read]))]);
        let (differing, alike) = differences(&one, &other);
        let expected = Difference {
            name: "a".into(),
            one: verbs(&[Verb::Update]),
            other: verbs(&[Verb::Delete]),
            both: verbs(&[Verb::Read]),
        };
        assert_eq!((differing, alike), (vec![expected], 1));
        assert_eq!(crate::matrix::verbs_words(&verbs(&[Verb::Read, Verb::Create])), "create, read");
    }
}
