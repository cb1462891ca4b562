//! Access levels as files: export and import.

use super::create::made;
use crate::api_call::ApiCall;
use crate::form::{Errors, Form};
use crate::nav::Section;
use crate::page::{Answer, Page, see_other};
use crate::place::Place;
use crate::session::Person;
use askama::Template;
use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use claviger_domain::access_level::{AccessLevel, Export};
use claviger_domain::id::{AccessLevelId, TenantId};
use claviger_domain::{Error, Result};
use claviger_kit::{Api, Failure, Path, status};
use http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE};
use http::{HeaderValue, StatusCode};
use serde_json::json;

#[derive(Template)]
#[template(path = "access_levels/import.html")]
struct Import<'a> {
    place: &'a Place,
    form: &'a Form,
    errors: &'a Errors,
}

/// Gives it as a file.
pub(crate) async fn export(
    State(api): State<Api>,
    person: Person,
    Path((tenant, id)): Path<(TenantId, AccessLevelId)>,
) -> Answer {
    let file = api.app.export_access_level(&person.caller, tenant, id).await?;
    let text = serde_json::to_string_pretty(&file).map_err(|error| Error::Internal(format!("an export: {error}")))?;
    let mut response = Response::new(Body::from(text + "\n"));
    let name = format!("attachment; filename=\"access-level-{}.json\"", file_name(&file.name));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Ok(name) = HeaderValue::try_from(name) {
        headers.insert(CONTENT_DISPOSITION, name);
    }
    Ok(response)
}

/// A name as every system of files takes it.
fn file_name(name: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
    let text: String = name.chars().map(plain).take(60).collect();
    let text = text.split('-').filter(|part| !part.is_empty()).collect::<Vec<_>>().join("-");
    if text.is_empty() { "unnamed".into() } else { text }
}

/// Shows the form.
pub(crate) async fn show(State(api): State<Api>, person: Person, Path(tenant): Path<TenantId>) -> Answer {
    let place = person.at(&api, tenant).await?;
    page(&person, &place, &Form::default(), &Errors::default(), StatusCode::OK)
}

fn page(person: &Person, place: &Place, form: &Form, errors: &Errors, status: StatusCode) -> Answer {
    let body = json!({ "name": "Alert reader", "capabilities": [{ "name": "org.alerts", "verbs": ["READ"] }] });
    let path = format!("/v1/tenants/{}/access-levels/import", place.tenant.id);
    Page::new("Import an access level", Section::AccessLevels)
        .at(place)
        .status(status)
        .call(ApiCall::with_body("Import an access level", "POST", &path, &body))
        .render(person, &Import { place, form, errors })
}

/// Makes one of a file.
pub(crate) async fn import(State(api): State<Api>, person: Person, Path(tenant): Path<TenantId>, form: Form) -> Answer {
    let place = person.at(&api, tenant).await?;
    match try_import(&api, &person, tenant, &form).await {
        Ok(level) => Ok(see_other(&place.path(&format!("/access-levels/{}?told=made", level.id)))),
        Err(error) => {
            let status = status(&error);
            let errors = Errors::of(at_the_file(error)).map_err(Failure)?;
            page(&person, &place, &form, &errors, status)
        }
    }
}

async fn try_import(api: &Api, person: &Person, tenant: TenantId, form: &Form) -> Result<AccessLevel> {
    let file: Export = serde_json::from_str(form.get("file")).map_err(|error| {
        Error::invalid(
            "/file",
            format!("this is no exported access level: {error}"),
            "paste the file as it was exported",
        )
    })?;
    made(api.app.import_access_level(&person.caller, tenant, file, None).await?)
}

/// The form has one field, so that everything is told there.
fn at_the_file(error: Error) -> Error {
    match error {
        Error::Invalid(mut fields) => {
            for field in fields.iter_mut().filter(|field| field.pointer != "/file") {
                field.message = format!("{}: {}", field.pointer, field.message);
                field.pointer = "/file".into();
            }
            Error::Invalid(fields)
        }
        Error::Forbidden { missing: Some(right), .. } => {
            let detail = format!("{right} lies above your own rights: nobody can give what they do not hold");
            Error::Forbidden { missing: None, detail }
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_named_plainly() {
        assert_eq!(file_name("Alert reader (EU)"), "alert-reader-eu");
        assert_eq!(file_name("../\u{e9}\""), "unnamed");
        assert_eq!(file_name(&"a".repeat(200)).len(), 60);
    }
}
