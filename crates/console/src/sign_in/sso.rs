//! Sign-in at one's organization's identity provider: by the address one learns where that is, and the browser goes there.

use super::{Head, NextQuery, next_of, refuse};
use crate::form::{Errors, Form};
use crate::page::{Answer, bare};
use askama::Template;
use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::get;
use claviger_app::sso::{Start, Way};
use claviger_domain::sso::parse_return_to;
use claviger_domain::{Error, Result};
use claviger_kit::{Api, Query, circumstances, cookies};
use http::request::Parts;
use http::{HeaderValue, StatusCode};

#[derive(Template)]
#[template(path = "sign_in/sso.html")]
struct SsoPage<'a> {
    form: &'a Form,
    errors: &'a Errors,
    by_password: bool,
}

#[derive(Template)]
#[template(path = "sign_in/provider.html")]
struct ProviderPage<'a> {
    url: &'a str,
}

/// Its routes.
pub(crate) fn routes() -> Router<Api> {
    Router::new().route("/console/sign-in/sso", get(show).post(begin))
}

fn page(form: &Form, errors: &Errors, by_password: bool, status: StatusCode) -> Response {
    bare("Single sign-on", status, &SsoPage { form, errors, by_password })
}

async fn show(Query(query): Query<NextQuery>) -> Response {
    let form = Form::of([("next", next_of(query.next.as_deref()).to_owned())]);
    page(&form, &Errors::default(), false, StatusCode::OK)
}

async fn begin(State(api): State<Api>, Head(parts): Head, form: Form) -> Answer {
    match try_begin(&api, &parts, &form).await {
        Ok(Way::Password) => Ok(page(&form, &Errors::default(), true, StatusCode::OK)),
        Ok(Way::Provider { url, browser }) => {
            // Browsers hold back a form that is sent on to another site; a page that goes on by itself they let pass.
            let mut response = bare("Single sign-on", StatusCode::OK, &ProviderPage { url: &url });
            if let Ok(onward) = HeaderValue::try_from(format!("0; url={url}")) {
                response.headers_mut().insert("refresh", onward);
            }
            cookies::set_sso(response.headers_mut(), browser);
            Ok(response)
        }
        Err(error) => refuse(error, |errors, status| page(&form, &errors, false, status)),
    }
}

async fn try_begin(api: &Api, parts: &Parts, form: &Form) -> Result<Way, Error> {
    let (origin, _) = circumstances(api, parts.into());
    let return_to = parse_return_to("/next", next_of(form.given("next")))?;
    let start = Start { email: form.get("email").to_owned(), return_to: Some(return_to), fresh: false, origin };
    api.app.begin_sso(start).await
}
