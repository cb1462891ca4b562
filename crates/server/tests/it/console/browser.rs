//! A browser that follows no redirects of its own accord and runs no script.

use crate::fixture::{Answer, Fixture, send};
use crate::people::Person;
use parking_lot::Mutex;
use reqwest::{Method, RequestBuilder};
use std::collections::BTreeMap;

/// A browser, with the cookies that it was given.
pub(crate) struct Browser {
    http: reqwest::Client,
    pub(crate) base: String,
    cookies: Mutex<BTreeMap<String, String>>,
}

impl Browser {
    /// One that nobody has signed in on.
    pub(crate) fn new(f: &Fixture) -> Self {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let http = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        Self { http, base: f.operator.base.clone(), cookies: Mutex::default() }
    }

    /// One that this person has signed in on.
    pub(crate) fn of(f: &Fixture, person: &Person) -> Self {
        let browser = Self::new(f);
        browser.cookies.lock().insert("__Host-claviger_session".into(), person.cookie.clone());
        browser
    }

    pub(crate) fn cookie(&self, name: &str) -> Option<String> {
        self.cookies.lock().get(name).cloned()
    }

    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let cookies: Vec<_> = self.cookies.lock().iter().map(|(name, value)| format!("{name}={value}")).collect();
        let request = self.http.request(method, format!("{}{path}", self.base));
        if cookies.is_empty() { request } else { request.header("cookie", cookies.join("; ")) }
    }

    async fn take(&self, request: RequestBuilder) -> Answer {
        let answer = send(request).await;
        for cookie in answer.headers.get_all("set-cookie") {
            let (pair, attributes) = cookie.to_str().unwrap().split_once(';').unwrap();
            let (name, value) = pair.split_once('=').unwrap();
            if attributes.contains("Max-Age=0") {
                self.cookies.lock().remove(name);
            } else {
                self.cookies.lock().insert(name.to_owned(), value.to_owned());
            }
        }
        answer
    }

    /// Opens a page.
    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.take(self.request(Method::GET, path).header("sec-fetch-site", "same-origin")).await
    }

    /// Opens a page that must be there; its HTML.
    #[track_caller]
    pub(crate) fn page(&self, path: &str) -> impl Future<Output = String> {
        let path = path.to_owned();
        async move {
            let answer = self.get(&path).await;
            assert_eq!(answer.status.as_u16(), 200, "{path}: {}", answer.text);
            answer.text
        }
    }

    /// Sends a form of one of our pages.
    pub(crate) async fn post(&self, path: &str, values: &[(&str, &str)]) -> Answer {
        self.take(self.form(path, values).header("origin", &self.base).header("sec-fetch-site", "same-origin")).await
    }

    /// A form, without what says where it comes from.
    pub(crate) fn form(&self, path: &str, values: &[(&str, &str)]) -> RequestBuilder {
        let body: Vec<_> = values.iter().map(|(name, value)| format!("{}={}", encoded(name), encoded(value))).collect();
        let request = self.request(Method::POST, path).body(body.join("&"));
        request.header("content-type", "application/x-www-form-urlencoded")
    }
}

fn encoded(text: &str) -> String {
    text.bytes()
        .map(|byte| if byte.is_ascii_alphanumeric() { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

/// Where an answer leads.
#[track_caller]
pub(crate) fn leads_to(answer: &Answer) -> String {
    assert_eq!(answer.status.as_u16(), 303, "{}", answer.text);
    answer.header("location").unwrap().to_owned()
}

/// The value of a field of a page.
#[track_caller]
pub(crate) fn field(html: &str, name: &str) -> String {
    let mark = format!("name=\"{name}\"");
    let tag = html.split('<').find(|tag| tag.contains(&mark)).unwrap_or_else(|| panic!("no field {name} in {html}"));
    tag.split("value=\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap_or_default().to_owned()
}
