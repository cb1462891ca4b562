//! Settings › API access › Access levels.

mod compare;
mod create;
mod delete;
mod import;
mod list;
mod one;

use crate::show;
use axum::Router;
use axum::routing::{get, post};
use claviger_domain::access_level::LevelUses;
use claviger_domain::error::Referrer;
use claviger_kit::Api;

/// Its routes.
pub(crate) fn routes() -> Router<Api> {
    Router::new()
        .route("/console/tenants/{tenant_id}/access-levels", get(list::list).post(create::create))
        .route("/console/tenants/{tenant_id}/access-levels/new", get(create::new))
        .route("/console/tenants/{tenant_id}/access-levels/import", get(import::show).post(import::import))
        .route("/console/tenants/{tenant_id}/access-levels/compare", get(compare::compare))
        .route("/console/tenants/{tenant_id}/access-levels/{id}", get(one::show).post(one::update))
        .route("/console/tenants/{tenant_id}/access-levels/{id}/duplicate", post(one::duplicate))
        .route("/console/tenants/{tenant_id}/access-levels/{id}/export", get(import::export))
        .route("/console/tenants/{tenant_id}/access-levels/{id}/delete", get(delete::show).post(delete::delete))
}

/// Who has a level, counted.
fn holders(uses: &LevelUses, named: &[Referrer]) -> String {
    let counts = [
        (uses.applications, "application", "applications"),
        (uses.users, "person", "people"),
        (givers(named), "identity provider", "identity providers"),
    ];
    let said: Vec<_> = counts
        .iter()
        .filter(|(count, ..)| *count > 0)
        .map(|(count, one, many)| show::counted(count, one, many))
        .collect();
    match said.split_last() {
        None => "nobody yet".into(),
        Some((only, [])) => only.clone(),
        Some((last, rest)) => format!("{} and {last}", rest.join(", ")),
    }
}

/// How many of those who are named are identity providers; these are all named.
fn givers(named: &[Referrer]) -> i64 {
    let count = named.iter().filter(|one| one.kind == "identity_provider").count();
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// How many have a level beyond those who are named, in words; empty for none.
fn more(uses: &LevelUses, named: &[Referrer]) -> String {
    let named = i64::try_from(named.len()).unwrap_or(i64::MAX) - givers(named);
    let more = uses.applications + uses.users - named;
    if more > 0 { format!("and {} more", show::number(&more)) } else { String::new() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_has_a_level_is_counted() {
        let named = |kinds: &[&'static str]| -> Vec<_> {
            kinds.iter().map(|kind| Referrer { kind, id: String::new(), name: String::new() }).collect()
        };
        let uses = |applications, users| LevelUses { applications, users };
        assert_eq!(holders(&uses(0, 0), &[]), "nobody yet");
        assert_eq!(holders(&uses(0, 2), &named(&["user", "user"])), "2 people");
        let all = named(&["application", "user", "identity_provider"]);
        assert_eq!(holders(&uses(12, 1), &all), "12 applications, 1 person and 1 identity provider");
        assert_eq!((more(&uses(12, 1), &all), more(&uses(1, 1), &all)), ("and 11 more".into(), String::new()));
    }
}
