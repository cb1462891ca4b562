//! One access level: what it grants, who has it, what is used of it; changed, and duplicated.

use super::create::{Wrong, made};
use crate::api_call::ApiCall;
use crate::form::{Errors, Form};
use crate::matrix::{Matrix, first_above, ticked, written};
use crate::nav::Section;
use crate::page::{Answer, Page, see_other};
use crate::place::Place;
use crate::session::Person;
use crate::show;
use askama::Template;
use axum::extract::State;
use claviger_domain::Result;
use claviger_domain::access_level::{AccessLevel, AccessLevelPatch, LevelUses};
use claviger_domain::error::Referrer;
use claviger_domain::findings::days_ago;
use claviger_domain::grants::{Grants, Right, Verb, Verbs, grants_to_json};
use claviger_domain::id::{AccessLevelId, TenantId};
use claviger_domain::name::{DESCRIPTION_MAX, Name, parse_text};
use claviger_domain::time::Timestamp;
use claviger_kit::{Api, Fields, Path, Query, status};
use http::StatusCode;
use serde::Deserialize;
use serde_json::json;

/// Days for which a use counts.
const DAYS: i64 = 90;
/// Who has a level is named up to so many.
const NAMED: i64 = 20;

/// How it is shown.
#[derive(Default, Deserialize)]
pub(crate) struct OneQuery {
    /// `1` for what was used alone.
    #[serde(default)]
    used: Option<String>,
    /// `used` to have that ticked, too.
    #[serde(default)]
    tick: Option<String>,
    #[serde(default)]
    told: Option<String>,
}

#[derive(Template)]
#[template(path = "access_levels/one.html")]
struct One<'a> {
    place: &'a Place,
    level: &'a AccessLevel,
    form: &'a Form,
    errors: &'a Errors,
    matrix: Matrix,
    uses: LevelUses,
    named: Vec<Referrer>,
    above: Option<Right>,
    told: &'static str,
    version: i64,
    only_ticked: bool,
    may: May,
}

/// What may be done with it.
struct May {
    update: bool,
    create: bool,
    delete: bool,
    usage: bool,
}

impl One<'_> {
    fn holders(&self) -> String {
        super::holders(&self.uses, &self.named)
    }

    fn path(&self, rest: &str) -> String {
        self.place.path(&format!("/access-levels/{}{rest}", self.level.id))
    }

    fn is_built_in(&self) -> bool {
        self.level.tenant_id.is_none()
    }
}

/// Shows it.
pub(crate) async fn show(
    State(api): State<Api>,
    person: Person,
    Path((tenant, id)): Path<(TenantId, AccessLevelId)>,
    Query(query): Query<OneQuery>,
) -> Answer {
    page(&api, &person, (tenant, id), &query, None, StatusCode::OK).await
}

async fn page(
    api: &Api,
    person: &Person,
    (tenant, id): (TenantId, AccessLevelId),
    query: &OneQuery,
    sent: Option<(Form, Wrong)>,
    status: StatusCode,
) -> Answer {
    let place = person.at(api, tenant).await?;
    let level = api.app.find_access_level(&person.caller, tenant, id).await?;
    let uses = api.app.count_level_uses(&person.caller, tenant, &[id]).await?.remove(&id).unwrap_or_default();
    let named = api.app.list_level_referrers(&person.caller, tenant, id, NAMED).await?;
    let (held, catalogue) = (person.caller.grants(), api.app.catalogue());
    let above = first_above(&level.grants, &held, catalogue);
    let may = May {
        update: level.tenant_id.is_some() && above.is_none() && person.may("access-levels", Verb::Update),
        create: person.may("access-levels", Verb::Create),
        delete: level.tenant_id.is_some() && person.may("access-levels", Verb::Delete),
        usage: uses.applications > 0 && person.may("usage", Verb::Read),
    };
    let since = days_ago(api.app.clock().now(), DAYS);
    let wants_uses = may.usage && query.used.as_deref() == Some("1");
    let used = if wants_uses { api.app.last_use_of_level(&person.caller, tenant, id).await? } else { Vec::new() };
    let only_ticked = wants_uses && may.update && query.tick.as_deref() == Some("used");
    let (form, wrong) = match sent {
        Some((form, wrong)) => (form, wrong),
        None => {
            let values = [("name", level.name.clone()), ("description", level.description.clone())];
            (Form::of(values), Wrong::default())
        }
    };
    let shown = if form.given("version").is_some() {
        ticked(&form)
    } else if only_ticked {
        used_of(&level.grants, &used, since)
    } else {
        level.grants.clone()
    };
    let mut matrix = if may.update {
        Matrix::to_tick(catalogue, &held, &shown)
    } else {
        Matrix::to_see(catalogue, &held, &level.grants)
    };
    if wants_uses {
        matrix = matrix.with_uses(&used, since, !only_ticked);
    }
    if let Some(right) = &wrong.above {
        matrix.mark(right);
    }
    let path = format!("/v1/tenants/{tenant}/access-levels/{id}");
    let change = json!({ "grants": grants_to_json(&shown) });
    let version = form.version()?.unwrap_or(level.version);
    let content = One {
        place: &place,
        level: &level,
        form: &form,
        errors: &wrong.errors,
        matrix,
        uses,
        named,
        above,
        told: told(query.told.as_deref()),
        version,
        only_ticked,
        may,
    };
    let mut page = Page::new(&level.name, Section::AccessLevels).at(&place).status(status);
    page = page.call(ApiCall::new("Read the access level", "GET", &path));
    if content.may.update {
        page = page.call(ApiCall::with_body("Change it", "PATCH", &path, &change));
    }
    page.call(ApiCall::new("Export it", "GET", &format!("{path}/export")))
        .call(ApiCall::with_body("Copy it", "POST", &format!("{path}/duplicate"), &json!({})))
        .render(person, &content)
}

fn told(word: Option<&str>) -> &'static str {
    match word {
        Some("made") => "The access level is made. Give it to applications and people.",
        Some("saved") => "Saved. It holds for all who have this level.",
        Some("copied") => "This is the copy. Rename and change it as you like.",
        _ => "",
    }
}

/// The part of grants that was used after `since`.
fn used_of(grants: &Grants, used: &[(String, Timestamp)], since: Timestamp) -> Grants {
    let is_used = |name: &str, verb: Verb| {
        let right = Right::new(name, verb).to_string();
        used.iter().any(|(one, at)| *one == right && *at > since)
    };
    let part = |(name, verbs): (&String, &Verbs)| {
        let verbs: Verbs = verbs.iter().filter(|verb| is_used(name, *verb)).collect();
        (!verbs.is_empty()).then(|| (name.clone(), verbs))
    };
    grants.iter().filter_map(part).collect()
}

/// Changes it.
pub(crate) async fn update(
    State(api): State<Api>,
    person: Person,
    Path((tenant, id)): Path<(TenantId, AccessLevelId)>,
    form: Form,
) -> Answer {
    match try_update(&api, &person, (tenant, id), &form).await {
        Ok(_) => Ok(see_other(&format!("/console/tenants/{tenant}/access-levels/{id}?told=saved"))),
        Err(error) => {
            let status = status(&error);
            let sent = Some((form, Wrong::of(error)?));
            page(&api, &person, (tenant, id), &OneQuery::default(), sent, status).await
        }
    }
}

async fn try_update(
    api: &Api,
    person: &Person,
    (tenant, id): (TenantId, AccessLevelId),
    form: &Form,
) -> Result<AccessLevel> {
    let mut fields = Fields::new();
    let name = fields.take(Name::parse("/name", form.get("name")));
    let description = fields.take(parse_text("/description", form.get("description"), DESCRIPTION_MAX));
    let grants = fields.take(written(form, api.app.catalogue()));
    let patch = fields.finish(Some(AccessLevelPatch { name, description, grants }))?;
    api.app.update_access_level(&person.caller, tenant, id, patch, form.version()?).await
}

/// Copies it.
pub(crate) async fn duplicate(
    State(api): State<Api>,
    person: Person,
    Path((tenant, id)): Path<(TenantId, AccessLevelId)>,
    form: Form,
) -> Answer {
    match try_duplicate(&api, &person, (tenant, id), &form).await {
        Ok(copy) => Ok(see_other(&format!("/console/tenants/{tenant}/access-levels/{}?told=copied", copy.id))),
        Err(error) => {
            let status = status(&error);
            let level = api.app.find_access_level(&person.caller, tenant, id).await?;
            let form = Form::of([("name", level.name), ("description", level.description)]);
            let sent = Some((form, Wrong::of(error)?));
            page(&api, &person, (tenant, id), &OneQuery::default(), sent, status).await
        }
    }
}

async fn try_duplicate(
    api: &Api,
    person: &Person,
    (tenant, id): (TenantId, AccessLevelId),
    form: &Form,
) -> Result<AccessLevel> {
    let name = form.given("copy_name").map(|name| Name::parse("/copy_name", name)).transpose()?;
    made(api.app.duplicate_access_level(&person.caller, tenant, id, name, None).await?)
}
