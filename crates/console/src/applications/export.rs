//! The list of applications as a file, with the filter and the order of the page.

use super::list::{ListQuery, level_of, state_of};
use crate::csv;
use crate::page::Answer;
use crate::session::Person;
use axum::body::Body;
use axum::extract::State;
use claviger_app::application_lists::ListedApplication;
use claviger_domain::id::TenantId;
use claviger_domain::page::{LIMIT_MAX, PageRequest};
use claviger_domain::time::Timestamp;
use claviger_kit::{Api, Path, Query};
use futures_util::stream;

const HEAD: [&str; 12] = [
    "name",
    "client_id",
    "owner",
    "access",
    "state",
    "secrets",
    "hint",
    "created_at",
    "ends_at",
    "last_used_at",
    "last_used_from",
    "notices",
];

/// Where the next piece of the file begins.
enum Place {
    Head,
    At(Option<String>),
    End,
}

/// Writes it page by page, so that its length is no size in memory.
pub(super) async fn export(
    State(api): State<Api>,
    person: Person,
    Path(tenant): Path<TenantId>,
    Query(query): Query<ListQuery>,
) -> Answer {
    let place = person.at(&api, tenant).await?;
    let (filter, order) = query.parse();
    // Asked before anything is written: what is refused is a page, not a file that breaks off.
    let one = PageRequest::parse(Some(1), None)?;
    api.app.search_applications(&person.caller, tenant, &filter, order, &one).await?;
    let pieces = stream::try_unfold(Place::Head, move |place| {
        let (api, caller, filter) = (api.clone(), person.caller.clone(), filter.clone());
        async move {
            let cursor = match place {
                Place::Head => return Ok(Some((csv::line(HEAD), Place::At(None)))),
                Place::End => return Ok(None),
                Place::At(cursor) => cursor,
            };
            let failed = |error: claviger_domain::Error| std::io::Error::other(error.to_string());
            let request = PageRequest::parse(Some(LIMIT_MAX), cursor.as_deref()).map_err(failed)?;
            let page = api.app.search_applications(&caller, tenant, &filter, order, &request).await.map_err(failed)?;
            let now = api.app.clock().now();
            let lines: String = page.items.iter().map(|listed| line(listed, now)).collect();
            let next = page.next.map_or(Place::End, |next| Place::At(Some(next)));
            Ok::<_, std::io::Error>(Some((lines, next)))
        }
    });
    csv::file(&format!("applications-{}.csv", place.tenant.org_key), Body::from_stream(pieces))
}

fn line(listed: &ListedApplication, now: Timestamp) -> String {
    let application = &listed.application;
    let time = |at: Option<Timestamp>| at.map(|at| at.to_string()).unwrap_or_default();
    csv::line([
        application.name.as_str(),
        application.client_id.as_str(),
        application.owner.as_deref().unwrap_or_default(),
        &level_of(listed),
        state_of(application, &now).1,
        &listed.secrets.to_string(),
        listed.hint.as_deref().unwrap_or_default(),
        &application.created_at.to_string(),
        &time(application.ends_at),
        &time(listed.used_at),
        listed.used_from.as_deref().unwrap_or_default(),
        &listed.notices.to_string(),
    ])
}
