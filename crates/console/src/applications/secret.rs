//! The one page that shows a secret: with the calls that try it, and gone when it is left.

use crate::authority;
use crate::page::{Answer, alone};
use crate::place::Place;
use crate::show;
use askama::Template;
use claviger_app::unit::Kept;
use claviger_domain::application::{Application, Secret};
use claviger_domain::secret::PlainSecret;
use claviger_kit::Api;
use http::StatusCode;

#[derive(Template)]
#[template(path = "applications/secret.html")]
struct ShownOnce<'a> {
    place: &'a Place,
    application: &'a Application,
    secret: String,
    previous: Option<&'a Secret>,
    base: String,
    /// Whether clients have to be told to trust the authority that has signed the server's certificate.
    needs_ca: bool,
}

impl ShownOnce<'_> {
    /// How a call begins.
    fn curl(&self) -> String {
        let trust = if self.needs_ca { format!(" --cacert {}", authority::FILE) } else { String::new() };
        format!("curl -sS{trust}")
    }

    /// What a Cylance client does: it signs an assertion, and exchanges it.
    fn cylance(&self) -> String {
        let (id, tenant, secret, base) = (&self.application.client_id, self.place.tenant.id, &self.secret, &self.base);
        let curl = self.curl();
        format!(
            "b64() {{ openssl base64 -A | tr '+/' '-_' | tr -d '='; }}\nnow=$(date +%s)\n\
             head=$(printf '{{\"typ\":\"JWT\",\"alg\":\"HS256\"}}' | b64)\n\
             body=$(printf '{{\"iss\":\"http://cylance.com\",\"sub\":\"{id}\",\"tid\":\"{tenant}\",\"jti\":\"%s\",\"iat\":%s,\"exp\":%s}}' \
             \"$(openssl rand -hex 16)\" \"$now\" \"$((now + 300))\" | b64)\n\
             sign=$(printf '%s' \"$head.$body\" | openssl dgst -sha256 -hmac '{secret}' -binary | b64)\n\
             {curl} -H 'Content-Type: application/json' -d \"{{\\\"auth_token\\\":\\\"$head.$body.$sign\\\"}}\" \\\n  '{base}/auth/v2/token'"
        )
    }
}

/// What is kept of an answer that has shown a secret: nothing but that it was given.
pub(super) fn kept(status: StatusCode) -> Kept {
    Kept { status: status.as_u16(), body: "{}".to_owned() }
}

/// Shows a secret, with the one before it where there was one.
pub(super) fn shown_once(
    api: &Api,
    place: &Place,
    application: &Application,
    secret: Option<PlainSecret>,
    previous: Option<&Secret>,
    status: StatusCode,
) -> Answer {
    let base = api.app.token_settings()?.issuer.clone();
    let secret = secret.map(PlainSecret::reveal).unwrap_or_default();
    let needs_ca = api.authority.is_some();
    alone("Store this secret now", status, &ShownOnce { place, application, secret, previous, base, needs_ca })
}
