//! The people of a tenant: searched, filtered, page by page.

use super::Names;
use crate::api_call::ApiCall;
use crate::nav::Section;
use crate::page::{Answer, Page};
use crate::place::Place;
use crate::session::Person;
use crate::show;
use askama::Template;
use axum::extract::State;
use claviger_domain::grants::Verb;
use claviger_domain::id::TenantId;
use claviger_domain::page::PageRequest;
use claviger_domain::user::{Standing, Status, User, UserFilter, presented_key};
use claviger_kit::{Api, Path, Query};
use serde::Deserialize;

/// Which part of the list is shown.
#[derive(Deserialize)]
pub(crate) struct ListQuery {
    #[serde(default)]
    q: String,
    #[serde(default)]
    status: String,
    #[serde(default)]
    cursor: String,
    #[serde(default)]
    told: String,
}

/// A person as the list shows it.
struct Row {
    user: User,
    standing: Standing,
    roles: String,
}

impl Row {
    fn badge(&self) -> (&'static str, &'static str) {
        super::status_badge(&self.user.status)
    }

    fn factors(&self) -> String {
        let Standing { authenticators, passkeys, .. } = self.standing;
        let counted = |count: i64, one: &str, many: &str| (count > 0).then(|| show::counted(&count, one, many));
        let kinds =
            [counted(authenticators, "authenticator", "authenticators"), counted(passkeys, "passkey", "passkeys")];
        let kinds: Vec<_> = kinds.into_iter().flatten().collect();
        if kinds.is_empty() { "none".to_owned() } else { kinds.join(", ") }
    }
}

#[derive(Template)]
#[template(path = "people/list.html")]
struct List<'a> {
    place: &'a Place,
    rows: Vec<Row>,
    q: &'a str,
    status: Option<Status>,
    /// The list as it is narrowed, for the pager.
    narrowed: String,
    next: Option<String>,
    first: bool,
    told: &'static str,
    may_invite: bool,
}

impl List<'_> {
    fn is_narrowed(&self) -> bool {
        !self.q.is_empty() || self.status.is_some()
    }

    fn is_status(&self, word: &str) -> bool {
        self.status.is_some_and(|status| status.as_str() == word)
    }
}

/// Lists them.
pub(crate) async fn list(
    State(api): State<Api>,
    person: Person,
    Path(tenant): Path<TenantId>,
    Query(query): Query<ListQuery>,
) -> Answer {
    let place = person.at(&api, tenant).await?;
    let (q, status) = (query.q.trim(), Status::parse(&query.status));
    let prefix = Some(presented_key(q)).filter(|prefix| !prefix.is_empty());
    let cursor = Some(query.cursor.as_str()).filter(|cursor| !cursor.is_empty());
    let request = PageRequest::parse(None, cursor)?;
    let users = api.app.list_users(&person.caller, tenant, &UserFilter { prefix, status }, &request).await?;
    let ids: Vec<_> = users.items.iter().map(|user| user.id).collect();
    let mut standings = api.app.user_standings(&person.caller, tenant, &ids).await?;
    let names = Names::of(&api, &person, tenant, users.items.iter().flat_map(|user| user.roles.iter().copied()));
    let names = names.await?;
    let row = |user: User| Row {
        standing: standings.remove(&user.id).unwrap_or_default(),
        roles: names.all(&user.roles),
        user,
    };
    let rows: Vec<_> = users.items.into_iter().map(row).collect();
    let mut pairs = Vec::new();
    if !q.is_empty() {
        pairs.push(format!("q={}", show::encoded(q)));
    }
    if let Some(status) = status {
        pairs.push(format!("status={}", status.as_str()));
    }
    let narrowing = if pairs.is_empty() { String::new() } else { format!("?{}", pairs.join("&")) };
    let content = List {
        place: &place,
        rows,
        q,
        status,
        narrowed: format!("{}{narrowing}", place.path("/people")),
        next: users.next,
        first: cursor.is_none(),
        told: if query.told == "deleted" { "The person is deleted, with all of its sessions." } else { "" },
        may_invite: person.may("users", Verb::Create),
    };
    Page::new("People", Section::People)
        .at(&place)
        .call(ApiCall::new("List people", "GET", &format!("/v1/tenants/{tenant}/users{narrowing}")))
        .render(&person, &content)
}
