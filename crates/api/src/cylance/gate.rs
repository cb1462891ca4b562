//! Which scope each call of the User API takes. A caller without a token is refused, one without the scope too; the data of
//! these families are not kept here, so that everybody else is told that the call is not served.

use super::error::{Answer, Refused};
use crate::kit::{Api, Authenticated};
use axum::extract::{Request, State};
use claviger_domain::Error;
use http::Method;

/// A family: the first part of its paths, and the word before the colon in its scopes.
pub(super) const FAMILIES: [(&str, &str); 15] = [
    ("users", "user"),
    ("devices", "device"),
    ("globallists", "globallist"),
    ("policies", "policy"),
    ("zones", "zone"),
    ("threats", "threat"),
    ("memoryprotection", "memoryprotection"),
    ("detections", "opticsdetect"),
    ("rules", "opticsrule"),
    ("rulesets", "opticsruleset"),
    ("exceptions", "opticsexception"),
    ("packages", "opticspkgconfig"),
    ("instaqueries", "opticssurvey"),
    ("foci", "opticsfocus"),
    ("devicecommands", "opticscommand"),
];
/// The one family with a capital in its path, which clients write as they like.
pub(super) const OPTICS_POLICIES: [&str; 2] = ["opticsPolicies", "opticspolicies"];

/// Answers a call of any family.
pub(super) async fn ask(State(api): State<Api>, Authenticated(caller): Authenticated, request: Request) -> Answer {
    let catalogue = api.app.catalogue();
    let known = scope(request.method(), request.uri().path()).and_then(|scope| catalogue.find_scope(&scope));
    let right = known.and_then(|(index, verb)| Some((catalogue.get(index)?, verb)));
    let (permission, verb) = right.ok_or(Error::NotFound("path"))?;
    caller.allow(&permission.name, verb)?;
    Err(Refused::NotServed)
}

/// The scope that a call takes. Reading one and listing many are the same right.
fn scope(method: &Method, path: &str) -> Option<String> {
    let mut parts = path.trim_matches('/').split('/');
    let (family, _version) = (parts.next()?, parts.next()?);
    let rest: Vec<_> = parts.collect();
    let last = rest.last().copied().unwrap_or_default();
    let word = match FAMILIES.iter().find(|(known, _)| *known == family) {
        Some(("packages", _)) if rest.first() == Some(&"executions") => "opticspkgdeploy",
        Some(("devices", _)) if last == "threats" && *method != Method::GET => "threat",
        Some(("devices", _)) if rest.first() == Some(&"inactive") => "devicemanagement",
        Some((_, word)) => word,
        None if OPTICS_POLICIES.contains(&family) => "opticspolicy",
        None => return None,
    };
    let action = match (method.as_str(), family, last) {
        ("GET" | "HEAD", ..) => "list",
        ("POST", "users", "invite" | "resetpassword") | ("POST", "foci", "search") => "read",
        ("POST", "rules", "validate") | ("POST", "devicecommands", "getfile:get") => "read",
        ("POST", "devices", "delete") => "delete",
        ("POST", "detections", _) | ("POST", "devices", "threats") => "update",
        ("POST", _, "deactivate" | "archive") => "update",
        ("PUT", "devicecommands", _) | ("POST", ..) => "create",
        ("PUT", ..) => "update",
        ("DELETE", ..) => "delete",
        _ => return None,
    };
    Some(format!("{word}:{action}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use claviger_domain::catalogue::Catalogue;

    fn asked(method: &Method, path: &str) -> String {
        scope(method, path).unwrap_or_default()
    }

    #[test]
    fn calls_take_the_scope_of_their_family() {
        for (method, path, expected) in [
            (Method::GET, "/devices/v2", "device:list"),
            (Method::GET, "/devices/v2/", "device:list"),
            (Method::DELETE, "/devices/v2/", "device:delete"),
            (Method::POST, "/devices/v2/1/threats", "threat:update"),
            (Method::POST, "/devices/v2/delete", "device:delete"),
            (Method::PUT, "/devices/v2/inactive/exemptedDevices", "devicemanagement:update"),
            (Method::POST, "/users/v2/a@b/invite", "user:read"),
            (Method::POST, "/detections/v2", "opticsdetect:update"),
            (Method::POST, "/detections/v2/update/", "opticsdetect:update"),
            (Method::POST, "/packages/v2/executions", "opticspkgdeploy:create"),
            (Method::PUT, "/devicecommands/v2/1/lockdown", "opticscommand:create"),
            (Method::POST, "/instaqueries/v2/1/archive", "opticssurvey:update"),
            (Method::GET, "/opticspolicies/v2/configurations", "opticspolicy:list"),
            (Method::PATCH, "/users/v2", ""),
            (Method::GET, "/other/v2", ""),
        ] {
            assert_eq!(asked(&method, path), expected, "{method} {path}");
        }
    }

    #[test]
    fn every_family_can_be_read() {
        let catalogue = Catalogue::built_in();
        for (family, _) in FAMILIES.iter().copied().chain(OPTICS_POLICIES.map(|family| (family, ""))) {
            let scope = asked(&Method::GET, &format!("/{family}/v2"));
            assert!(catalogue.find_scope(&scope).is_some(), "{family} {scope}");
        }
    }
}
