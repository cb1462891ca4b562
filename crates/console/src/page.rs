//! Pages: a fragment put into the frame, or as it is where htmx asked for it. Nothing else makes that choice.

use crate::api_call::ApiCall;
use crate::assets::folder;
use crate::headers::HTML;
use crate::nav::{Entry, Section, entries};
use crate::place::Place;
use crate::session::Person;
use askama::Template;
use axum::body::Body;
use axum::response::Response;
use claviger_domain::tenant::Tenant;
use claviger_domain::{Error, Result};
use claviger_kit::Failure;
use http::header::{CONTENT_TYPE, LOCATION};
use http::{HeaderValue, StatusCode};

/// What a handler of a page answers.
pub(crate) type Answer = Result<Response, Failure>;

/// The document around everything.
#[derive(Template)]
#[template(path = "frame.html")]
struct Frame<'a> {
    title: &'a str,
    assets: &'static str,
    name: &'a str,
    own: &'a str,
    place: Option<&'a Place>,
    entries: Vec<Entry>,
    section: Section,
    calls: &'a [ApiCall],
    content: String,
}

/// What htmx gets.
#[derive(Template)]
#[template(path = "fragment.html")]
struct Fragment<'a> {
    title: &'a str,
    calls: &'a [ApiCall],
    content: String,
}

/// The document around pages for whoever has not signed in.
#[derive(Template)]
#[template(path = "bare.html")]
struct Bare<'a> {
    title: &'a str,
    assets: &'static str,
    class: &'static str,
    content: String,
}

/// A page for a person.
#[must_use]
pub(crate) struct Page<'a> {
    title: &'a str,
    section: Section,
    place: Option<&'a Place>,
    status: StatusCode,
    calls: Vec<ApiCall>,
}

impl<'a> Page<'a> {
    /// A page with that title, of that section.
    pub(crate) fn new(title: &'a str, section: Section) -> Self {
        Self { title, section, place: None, status: StatusCode::OK, calls: Vec::new() }
    }

    /// Of that tenant.
    pub(crate) fn at(self, place: &'a Place) -> Self {
        Self { place: Some(place), ..self }
    }

    /// With another status than 200.
    pub(crate) fn status(self, status: StatusCode) -> Self {
        Self { status, ..self }
    }

    /// With a call of the API that does the same.
    pub(crate) fn call(mut self, call: ApiCall) -> Self {
        self.calls.push(call);
        self
    }

    /// Renders it.
    pub(crate) fn render(self, person: &Person, content: &impl Template) -> Answer {
        let Self { title, section, place, status, calls } = self;
        let (content, calls) = (rendered(content)?, calls.as_slice());
        let html = if person.fragment {
            rendered(&Fragment { title, calls, content })?
        } else {
            let user = person.user();
            let entries = place.map(|place| entries(person, place)).unwrap_or_default();
            let own = user.tenant.id.to_string();
            let frame = Frame {
                title,
                assets: folder(),
                name: if user.name.is_empty() { &user.email } else { &user.name },
                own: &own,
                place,
                entries,
                section,
                calls,
                content,
            };
            rendered(&frame)?
        };
        Ok(html_response(status, html))
    }
}

impl Frame<'_> {
    /// The tenants above the one that is shown, one's own first.
    fn above(&self) -> &[Tenant] {
        self.place.map(|place| place.above.as_slice()).unwrap_or_default()
    }
}

/// A page for whoever has not signed in, or of a refusal.
pub(crate) fn bare(title: &str, status: StatusCode, content: &impl Template) -> Response {
    let html =
        rendered(content).and_then(|content| rendered(&Bare { title, assets: folder(), class: "narrow", content }));
    // Nothing that a template holds can fail to be written into a string.
    html_response(status, html.unwrap_or_default())
}

/// A page with nothing around it, for what is to be dealt with before anything else.
pub(crate) fn alone(title: &str, status: StatusCode, content: &impl Template) -> Answer {
    let content = rendered(content)?;
    Ok(html_response(status, rendered(&Bare { title, assets: folder(), class: "alone", content })?))
}

fn rendered(template: &impl Template) -> Result<String> {
    template.render().map_err(|error| Error::Internal(format!("a template: {error}")))
}

fn html_response(status: StatusCode, html: String) -> Response {
    let mut response = Response::new(Body::from(html));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(HTML));
    response
}

/// Where the result of a form is seen.
pub(crate) fn see_other(path: &str) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SEE_OTHER;
    if let Ok(location) = HeaderValue::try_from(path) {
        response.headers_mut().insert(LOCATION, location);
    }
    response
}
