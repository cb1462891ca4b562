//! Cookies of people's browsers: the session and the device, read and set; and whether a request that brings a session comes
//! from our own pages.
//!
//! A session is nothing but a cookie, and a cookie nothing but a session: neither is looked for where the other stands.

use crate::{Api, Head};
use claviger_domain::sso::PENDING_SECONDS;
use claviger_domain::user_session::{ABSOLUTE_SECONDS, DEVICE_SECONDS, PlainCookie};
use claviger_domain::{Error, Result};
use http::header::{CONTENT_TYPE, COOKIE, HOST, HeaderName, ORIGIN, SET_COOKIE};
use http::{HeaderMap, HeaderValue, Method};

/// The cookie of a session.
const SESSION: &str = "__Host-claviger_session";
/// The cookie of a device that somebody has signed in on.
const DEVICE: &str = "__Host-claviger_device";
/// The cookie of a sign-in that is under way at an identity provider.
const SSO: &str = "__Host-claviger_sso";
static FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// What a router's requests carry where people may call with their sessions.
#[derive(Clone, Copy, Debug)]
pub struct PeopleToo;

/// The session that a request brings.
///
/// # Errors
/// `Malformed` for more than one.
pub fn session(headers: &HeaderMap) -> Result<Option<&str>> {
    let mut found = named(headers, SESSION);
    let first = found.next();
    if found.next().is_some() {
        return Err(Error::Malformed {
            code: "credential_ambiguous",
            detail: format!("the request brings the cookie {SESSION} more than once"),
        });
    }
    Ok(first)
}

/// The device that a request brings, if it is one.
pub fn device(headers: &HeaderMap) -> Option<&str> {
    named(headers, DEVICE).next()
}

/// The sign-in at an identity provider that was begun in the browser, if one was.
pub fn sso(headers: &HeaderMap) -> Option<&str> {
    named(headers, SSO).next()
}

fn named<'a>(headers: &'a HeaderMap, name: &'static str) -> impl Iterator<Item = &'a str> {
    let pairs = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok()).flat_map(|text| text.split(';'));
    pairs.filter_map(|pair| pair.trim().split_once('=')).filter(move |(key, _)| *key == name).map(|(_, value)| value)
}

/// Sets the session's cookie in place of the one before.
pub fn set_session(headers: &mut HeaderMap, token: PlainCookie) {
    set(headers, SESSION, &token.reveal(), (ABSOLUTE_SECONDS, "Strict"));
}

/// Takes the session's cookie away.
pub fn clear_session(headers: &mut HeaderMap) {
    set(headers, SESSION, "", (0, "Strict"));
}

/// Sets the device's cookie.
pub fn set_device(headers: &mut HeaderMap, token: PlainCookie) {
    set(headers, DEVICE, &token.reveal(), (DEVICE_SECONDS, "Strict"));
}

/// Sets the cookie of a sign-in at an identity provider. It comes along with a link of the provider's, and with nothing else that
/// other sites can send.
pub fn set_sso(headers: &mut HeaderMap, token: PlainCookie) {
    set(headers, SSO, &token.reveal(), (PENDING_SECONDS, "Lax"));
}

/// Takes that cookie away.
pub fn clear_sso(headers: &mut HeaderMap) {
    set(headers, SSO, "", (0, "Lax"));
}

fn set(headers: &mut HeaderMap, name: &str, value: &str, (seconds, same_site): (i64, &str)) {
    let text = format!("{name}={value}; Path=/; Max-Age={seconds}; Secure; HttpOnly; SameSite={same_site}");
    if let Ok(mut value) = HeaderValue::try_from(text) {
        value.set_sensitive(true);
        headers.append(SET_COOKIE, value);
    }
}

/// Refuses a request that a session's cookie came along with, unless one of our own pages has sent it: what changes something
/// names its origin, and is JSON, which no form of another site can send.
pub fn check_own_page(api: &Api, head: Head<'_>) -> Result<()> {
    if matches!(*head.method, Method::GET | Method::HEAD | Method::OPTIONS) {
        return Ok(());
    }
    let origin = head.headers.get(ORIGIN).is_some_and(|origin| is_own(api, head, origin));
    if !origin || !is_own_fetch(head.headers) {
        return Err(cross_site());
    }
    let bodiless = *head.method == Method::DELETE && !head.headers.contains_key(CONTENT_TYPE);
    if bodiless || is_json(head.headers) { Ok(()) } else { Err(cross_site()) }
}

/// Refuses a form that another site's page has sent: it names this server as its origin, and is a form of the plain kind.
///
/// # Errors
/// `Forbidden`.
pub fn check_own_form(api: &Api, head: Head<'_>) -> Result<()> {
    let origin = head.headers.get(ORIGIN).is_some_and(|origin| is_own(api, head, origin));
    if origin && is_own_fetch(head.headers) && has_type(head.headers, &["application/x-www-form-urlencoded"]) {
        return Ok(());
    }
    let detail = "this form was not sent by a page of this server; open the page here and send it again";
    Err(Error::Forbidden { missing: None, detail: detail.into() })
}

/// Refuses a request that a page of another site has sent, though it needs no cookie: it might set one.
pub fn check_no_foreign_page(api: &Api, head: Head<'_>) -> Result<()> {
    let foreign = head.headers.get(ORIGIN).is_some_and(|origin| !is_own(api, head, origin));
    if foreign || !is_own_fetch(head.headers) { Err(cross_site()) } else { Ok(()) }
}

fn is_own_fetch(headers: &HeaderMap) -> bool {
    headers.get(&FETCH_SITE).is_none_or(|site| site == "same-origin" || site == "none")
}

fn is_json(headers: &HeaderMap) -> bool {
    has_type(headers, &["application/json", "application/merge-patch+json"])
}

fn has_type(headers: &HeaderMap, known: &[&str]) -> bool {
    let mut values = headers.get_all(CONTENT_TYPE).iter();
    let essence = values.next().and_then(|value| value.to_str().ok()?.split(';').next());
    let fits = essence.is_some_and(|essence| known.iter().any(|one| one.eq_ignore_ascii_case(essence.trim())));
    fits && values.next().is_none()
}

/// Whether an origin is this server's: by its public URL, or by the host that was called. Another site's pages never bring our
/// cookies to a host of theirs.
fn is_own(api: &Api, head: Head<'_>, origin: &HeaderValue) -> bool {
    let Ok(origin) = origin.to_str() else { return false };
    if api.app.token_settings().is_ok_and(|settings| settings.issuer.eq_ignore_ascii_case(origin)) {
        return true;
    }
    let host = head.uri.authority().map(http::uri::Authority::as_str);
    let Some(host) = host.or_else(|| head.headers.get(HOST).and_then(|host| host.to_str().ok())) else { return false };
    match origin.split_once("://") {
        Some(("https", name)) => name.eq_ignore_ascii_case(host),
        // Pages of one's own machine are safe without TLS; those of other hosts anybody on the way can write.
        Some(("http", name)) => name.eq_ignore_ascii_case(host) && is_loopback(name),
        _ => false,
    }
}

fn is_loopback(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    matches!(name, "localhost" | "127.0.0.1" | "[::1]")
}

fn cross_site() -> Error {
    let detail = "a session counts only for requests of this server's own pages: send Origin with this server's URL, and the body as \
         application/json";
    Error::Forbidden { missing: None, detail: detail.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        headers
    }

    #[test]
    fn a_cookie_is_found_by_its_whole_name() {
        let read =
            |pairs: &[(&'static str, &'static str)]| session(&headers(pairs)).map(|found| found.map(str::to_owned));
        let found = Some("abc".to_owned());
        assert_eq!(read(&[("cookie", "a=b; __Host-claviger_session=abc; c=d")]).unwrap(), found);
        assert_eq!(read(&[("cookie", "a=b"), ("cookie", "__Host-claviger_session=abc")]).unwrap(), found);
        assert_eq!(read(&[("cookie", "claviger_session=abc; __Host-claviger_session2=x")]).unwrap(), None);
        assert_eq!(read(&[]).unwrap(), None);
        let twice = "__Host-claviger_session=abc; __Host-claviger_session=def";
        assert!(matches!(read(&[("cookie", twice)]), Err(Error::Malformed { .. })));
    }

    #[test]
    fn k2_cookies_stay_on_this_host_and_out_of_scripts() {
        let mut headers = HeaderMap::new();
        clear_session(&mut headers);
        let value = headers[SET_COOKIE].to_str().unwrap();
        assert_eq!(value, "__Host-claviger_session=; Path=/; Max-Age=0; Secure; HttpOnly; SameSite=Strict");
        assert!(headers[SET_COOKIE].is_sensitive());
    }

    #[test]
    fn only_json_is_json() {
        let json = |value: &'static str| is_json(&headers(&[("content-type", value)]));
        assert!(
            json("application/json; charset=utf-8") && json("Application/JSON") && json("application/merge-patch+json")
        );
        for other in ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "application/jsonx", ""]
        {
            assert!(!json(other), "{other}");
        }
        assert!(!is_json(&HeaderMap::new()));
        assert!(!is_json(&headers(&[("content-type", "application/json"), ("content-type", "text/plain")])));
    }

    #[test]
    fn only_ones_own_machine_is_loopback() {
        assert!(is_loopback("localhost:8080") && is_loopback("127.0.0.1") && is_loopback("[::1]:1"));
        assert!(!is_loopback("localhost.example") && !is_loopback("127.0.0.1.example:80") && !is_loopback("example"));
    }
}
