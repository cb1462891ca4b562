//! The applications of a tenant, searched, filtered and in an order.

use crate::api_call::ApiCall;
use crate::nav::Section;
use crate::page::{Answer, Page};
use crate::place::Place;
use crate::session::Person;
use crate::show;
use crate::tenants::if_allowed;
use askama::Template;
use axum::extract::State;
use claviger_app::application_lists::{ApplicationFilter, ApplicationOrder, ApplicationState, ListedApplication};
use claviger_domain::access_level::AccessLevel;
use claviger_domain::application::{Application, Rights};
use claviger_domain::grants::Verb;
use claviger_domain::id::{AccessLevelId, TenantId};
use claviger_domain::page::{LIMIT_MAX, PageRequest};
use claviger_domain::time::Timestamp;
use claviger_kit::{Api, Path, Query};
use serde::Deserialize;

/// Which part of the list is shown.
#[derive(Clone, Default, Deserialize)]
pub(super) struct ListQuery {
    #[serde(default)]
    pub(super) q: Option<String>,
    #[serde(default)]
    pub(super) state: Option<String>,
    #[serde(default)]
    pub(super) level: Option<String>,
    #[serde(default)]
    pub(super) sort: Option<String>,
    #[serde(default)]
    pub(super) cursor: Option<String>,
}

const ORDERS: [(&str, &str, ApplicationOrder); 5] = [
    ("name", "Name", ApplicationOrder::Name),
    ("newest", "Newest first", ApplicationOrder::Newest),
    ("oldest", "Oldest first", ApplicationOrder::Oldest),
    ("ends", "Ends first", ApplicationOrder::Ends),
    ("used", "Used last", ApplicationOrder::LastUsed),
];
const STATES: [(&str, &str, ApplicationState); 3] = [
    ("enabled", "Enabled", ApplicationState::Active),
    ("disabled", "Disabled", ApplicationState::Disabled),
    ("ended", "Ended", ApplicationState::Ended),
];

impl ListQuery {
    fn is(&self, name: &str, value: &str) -> bool {
        let given = match name {
            "state" => self.state.as_deref(),
            "level" => self.level.as_deref(),
            _ => self.sort.as_deref(),
        };
        given == Some(value)
    }

    fn text(&self) -> &str {
        self.q.as_deref().unwrap_or_default().trim()
    }

    /// What is asked for; a word that is none counts as not given.
    pub(super) fn parse(&self) -> (ApplicationFilter, ApplicationOrder) {
        let state = STATES.iter().find(|(word, ..)| self.is("state", word)).map(|(.., state)| *state);
        let order = ORDERS.iter().find(|(word, ..)| self.is("sort", word)).map(|(.., order)| *order);
        let text = Some(self.text().to_owned()).filter(|text| !text.is_empty());
        let level = self.level.as_deref().and_then(AccessLevelId::parse);
        (ApplicationFilter { text, state, level }, order.unwrap_or_default())
    }

    /// The query of the same list from its beginning.
    fn query(&self) -> String {
        let given = [("q", &self.q), ("state", &self.state), ("level", &self.level), ("sort", &self.sort)];
        let pairs = given.iter().filter_map(|(name, value)| Some((name, value.as_deref()?)));
        let pairs = pairs.filter(|(_, value)| !value.is_empty());
        let pairs: Vec<_> = pairs.map(|(name, value)| format!("{name}={}", show::encoded(value))).collect();
        if pairs.is_empty() { String::new() } else { format!("?{}", pairs.join("&")) }
    }
}

#[derive(Template)]
#[template(path = "applications/list.html")]
struct List<'a> {
    place: &'a Place,
    query: &'a ListQuery,
    levels: Vec<AccessLevel>,
    items: Vec<ListedApplication>,
    next: Option<String>,
    now: Timestamp,
    may_create: bool,
}

impl List<'_> {
    fn orders(&self) -> &'static [(&'static str, &'static str, ApplicationOrder)] {
        &ORDERS
    }

    fn states(&self) -> &'static [(&'static str, &'static str, ApplicationState)] {
        &STATES
    }

    fn path(&self) -> String {
        format!("{}{}", self.place.path("/applications"), self.query.query())
    }

    fn first(&self) -> bool {
        self.query.cursor.is_none()
    }

    /// Whether there is nothing to be narrowed.
    fn is_empty(&self) -> bool {
        self.items.is_empty() && self.first() && self.query.parse().0 == ApplicationFilter::default()
    }
}

/// What its state is called, and how it looks.
pub(super) fn state_of(application: &Application, now: &Timestamp) -> (&'static str, &'static str) {
    if application.ends_at.is_some_and(|end| end <= *now) {
        ("bad", "ended")
    } else if application.enabled {
        ("good", "enabled")
    } else {
        ("off", "disabled")
    }
}

/// What its rights come from, in a few words.
pub(super) fn level_of(listed: &ListedApplication) -> String {
    match &listed.application.rights {
        Rights::Level(_) => listed.level.clone().unwrap_or_else(|| "–".to_owned()),
        Rights::Inline(grants) => {
            let count = grants.values().map(|verbs| verbs.iter().count()).sum::<usize>();
            format!("{count} own rights")
        }
        Rights::Legacy(kind) => format!("legacy type {}", kind.as_str()),
    }
}

/// Lists them.
pub(super) async fn list(
    State(api): State<Api>,
    person: Person,
    Path(tenant): Path<TenantId>,
    Query(query): Query<ListQuery>,
) -> Answer {
    let place = person.at(&api, tenant).await?;
    let request = PageRequest::parse(None, query.cursor.as_deref())?;
    let (filter, order) = query.parse();
    let page = api.app.search_applications(&person.caller, tenant, &filter, order, &request).await?;
    let levels = if person.may("access-levels", Verb::Read) {
        let all = PageRequest::parse(Some(LIMIT_MAX), None)?;
        if_allowed(api.app.list_access_levels(&person.caller, tenant, &all).await)?.map(|page| page.items)
    } else {
        None
    };
    let content = List {
        place: &place,
        query: &query,
        levels: levels.unwrap_or_default(),
        items: page.items,
        next: page.next,
        now: api.app.clock().now(),
        may_create: person.may("applications", Verb::Create),
    };
    Page::new("Applications", Section::Applications)
        .at(&place)
        .call(ApiCall::new("List applications", "GET", &format!("/v1/tenants/{tenant}/applications")))
        .render(&person, &content)
}
