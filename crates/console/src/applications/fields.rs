//! The fields of an application in a form: filled in, read, and compared with what is there.

use crate::form::{Errors, Form};
use crate::matrix::{FIELD, Matrix, ticked, written};
use crate::session::Person;
use crate::show::field;
use crate::tenants::if_allowed;
use askama::Template;
use claviger_domain::access_level::AccessLevel;
use claviger_domain::application::{Application, ApplicationPatch, NewApplication, Reach, Rights, parse_expiry};
use claviger_domain::catalogue::Catalogue;
use claviger_domain::findings::{DAYS_DEFAULT, days_ago};
use claviger_domain::grants::Grants;
use claviger_domain::id::{AccessLevelId, TenantId};
use claviger_domain::name::{DESCRIPTION_MAX, Name, parse_owner, parse_text};
use claviger_domain::network::{Network, parse_networks};
use claviger_domain::page::{LIMIT_MAX, PageRequest};
use claviger_domain::rate::RateLimit;
use claviger_domain::time::Timestamp;
use claviger_domain::{Error, Result};
use claviger_kit::{Api, Fields};

/// The fields as they are shown.
#[derive(Template)]
#[template(path = "applications/fields.html")]
pub(super) struct FieldsView<'a> {
    form: &'a Form,
    errors: &'a Errors,
    levels: Vec<AccessLevel>,
    matrix: Matrix,
    address: String,
    beneath: bool,
    legacy: bool,
}

impl<'a> FieldsView<'a> {
    /// The fields of a form; `uses` says when rights were used last, where that is known.
    pub(super) async fn of(
        api: &Api,
        person: &Person,
        tenant: TenantId,
        (form, errors): (&'a Form, &'a Errors),
        uses: Option<&[(String, Timestamp)]>,
    ) -> Result<Self> {
        let all = PageRequest::parse(Some(LIMIT_MAX), None)?;
        let levels = if_allowed(api.app.list_access_levels(&person.caller, tenant, &all).await)?;
        let mut matrix = Matrix::to_tick(api.app.catalogue(), &person.caller.grants(), &ticked(form));
        if let Some(uses) = uses {
            matrix = matrix.with_uses(uses, days_ago(api.app.clock().now(), DAYS_DEFAULT), false);
        }
        Ok(Self {
            form,
            errors,
            levels: levels.map(|page| page.items).unwrap_or_default(),
            matrix,
            address: person.caller.origin().address().map(|address| address.to_string()).unwrap_or_default(),
            beneath: person.user().reach == Reach::Beneath,
            legacy: form.is("rights", "legacy"),
        })
    }
}

/// What a form says of an application.
pub(super) struct Draft {
    name: Name,
    description: String,
    owner: Option<String>,
    rights: Option<Rights>,
    reach: Reach,
    allowed_networks: Option<Vec<Network>>,
    expires_at: Option<Timestamp>,
    rate_limit: Option<RateLimit>,
    dpop_bound: bool,
}

impl Draft {
    /// Reads a form; `before` has what was there, whose end may lie behind us.
    pub(super) fn read(
        form: &Form,
        catalogue: &Catalogue,
        now: Timestamp,
        before: Option<&Application>,
    ) -> Result<Self> {
        let mut fields = Fields::new();
        let name = fields.take(Name::parse("/name", form.get("name")));
        let description = fields.take(parse_text("/description", form.get("description"), DESCRIPTION_MAX));
        let owner = form.given("owner").and_then(|owner| fields.take(parse_owner("/owner", owner)));
        let rights = rights(&mut fields, form, catalogue);
        let allowed_networks = if form.is("networks", "listed") {
            let texts: Vec<String> = form
                .raw("allowed_networks")
                .split([',', '\n', '\r', ' ', '\t'])
                .filter(|text| !text.is_empty())
                .map(str::to_owned)
                .collect();
            fields.take(parse_networks("/allowed_networks", &texts))
        } else {
            None
        };
        let expires_at =
            form.given("expires_at").and_then(|text| fields.take(moment("/expires_at", text, now, before)));
        let rate_limit = fields.take(rate_limit(form)).flatten();
        let draft = name.zip(description).map(|(name, description)| Self {
            name,
            description,
            owner,
            rights,
            reach: if form.is("reach", "beneath") { Reach::Beneath } else { Reach::Own },
            allowed_networks,
            expires_at,
            rate_limit,
            dpop_bound: form.is("dpop_bound", "true"),
        });
        fields.finish(draft)
    }

    /// What is to be made.
    pub(super) fn into_new(self) -> Result<NewApplication> {
        let Self { name, description, owner, rights, reach, allowed_networks, expires_at, rate_limit, dpop_bound } =
            self;
        let rights = rights.ok_or_else(|| Error::invalid("/rights", "nothing is chosen", "choose what it may do"))?;
        Ok(NewApplication {
            name,
            description,
            owner,
            owner_id: None,
            rights,
            reach,
            allowed_networks,
            expires_at,
            secret_expires_at: None,
            enabled: true,
            rate_limit,
            dpop_bound,
        })
    }

    /// What is to be changed about what is there; `confirm` where the person knows that networks shut out.
    pub(super) fn into_patch(self, before: &Application) -> ApplicationPatch {
        let same_end = field(self.expires_at) == field(before.expires_at);
        ApplicationPatch {
            name: Some(self.name).filter(|name| name.as_str() != before.name),
            description: Some(self.description).filter(|text| *text != before.description),
            owner: Some(self.owner).filter(|owner| *owner != before.owner),
            owner_id: None,
            rights: self.rights.filter(|rights| *rights != before.rights),
            reach: Some(self.reach).filter(|reach| *reach != before.reach),
            allowed_networks: Some(self.allowed_networks).filter(|networks| *networks != before.allowed_networks),
            expires_at: Some(self.expires_at).filter(|_| !same_end),
            enabled: None,
            rate_limit: Some(self.rate_limit).filter(|limit| *limit != before.rate_limit),
            dpop_bound: Some(self.dpop_bound).filter(|bound| *bound != before.dpop_bound),
            confirm: true,
        }
    }
}

fn rights(fields: &mut Fields, form: &Form, catalogue: &Catalogue) -> Option<Rights> {
    match form.get("rights") {
        "own" => fields.take(written(form, catalogue)).map(Rights::Inline),
        "legacy" => None,
        _ => match form.given("access_level_id").and_then(AccessLevelId::parse) {
            Some(level) => Some(Rights::Level(level)),
            None => {
                fields.refuse("/access_level_id", "no access level is chosen", "choose one, or tick rights of its own");
                None
            }
        },
    }
}

/// The end as a browser's field for times has it, which is UTC here.
fn moment(pointer: &str, text: &str, now: Timestamp, before: Option<&Application>) -> Result<Timestamp> {
    if let Some(end) = before.and_then(|before| before.expires_at).filter(|end| field(Some(*end)) == text) {
        return Ok(end);
    }
    let seconds = if text.len() == 16 { ":00Z" } else { "Z" };
    let at = Timestamp::parse(&format!("{text}{seconds}"))
        .ok_or_else(|| Error::invalid(pointer, "not a date with a time", "give one such as 2027-01-31T18:00"))?;
    parse_expiry(pointer, at, now)
}

fn rate_limit(form: &Form) -> Result<Option<RateLimit>> {
    let number = |name: &str, pointer: &str| {
        let parse = |text: &str| text.parse::<i64>().map_err(|_| Error::invalid(pointer, "not a whole number", ""));
        form.given(name).map(parse).transpose()
    };
    match (number("rate_requests", "/rate_requests")?, number("rate_window_seconds", "/rate_window_seconds")?) {
        (None, _) => Ok(None),
        (Some(requests), window) => RateLimit::parse("/rate_requests", requests, window.unwrap_or(1)).map(Some),
    }
}

/// The form that shows what is there.
pub(super) fn form_of(application: &Application) -> Form {
    let mut values = vec![
        ("version", application.version.to_string()),
        ("name", application.name.clone()),
        ("description", application.description.clone()),
        ("owner", application.owner.clone().unwrap_or_default()),
        ("reach", application.reach.as_str().to_owned()),
        ("expires_at", field(application.expires_at)),
        ("dpop_bound", application.dpop_bound.to_string()),
    ];
    match &application.rights {
        Rights::Level(id) => values.extend([("rights", "level".to_owned()), ("access_level_id", id.to_string())]),
        Rights::Inline(grants) => {
            values.push(("rights", "own".to_owned()));
            values.extend(rights_in(grants).map(|right| (FIELD, right)));
        }
        Rights::Legacy(_) => values.push(("rights", "legacy".to_owned())),
    }
    if let Some(networks) = &application.allowed_networks {
        let texts: Vec<_> = networks.iter().map(ToString::to_string).collect();
        values.extend([("networks", "listed".to_owned()), ("allowed_networks", texts.join("\n"))]);
    }
    if let Some(limit) = application.rate_limit {
        values.push(("rate_requests", limit.requests.to_string()));
        values.push(("rate_window_seconds", limit.window_seconds.to_string()));
    }
    Form::of(values)
}

/// Grants as `permission:VERB`.
pub(super) fn rights_in(grants: &Grants) -> impl Iterator<Item = String> {
    grants.iter().flat_map(|(name, verbs)| verbs.iter().map(move |verb| format!("{name}:{}", verb.as_str())))
}
