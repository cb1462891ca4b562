//! Single sign-on by the authorization code flow with PKCE (OpenID Connect Core 1.0, 3.1; RFC 7636): where a browser is sent, and
//! what a provider says of itself.

use crate::jws;
use crate::outgoing::Target;
use crate::{Error, Result};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use sha2::{Digest, Sha256};

/// For how long somebody may take to sign in at the provider, in seconds.
pub const PENDING_SECONDS: i64 = 600;
/// Most characters of a code that a provider sends back with a browser.
pub const CODE_MAX: usize = 4_096;
/// Most characters of a place to go on to.
pub const RETURN_MAX: usize = 512;

/// What a provider says of itself (OpenID Connect Discovery 1.0, 3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoints {
    /// Where browsers are sent.
    pub authorization: Target,
    /// Where codes are exchanged.
    pub token: Target,
    /// Where more is told about somebody, if anywhere.
    pub userinfo: Option<Target>,
    /// Whether this server proves itself there by HTTP Basic, as is usual, or in the form.
    pub by_basic: bool,
    /// Whether it names itself when it sends a browser back (RFC 9207).
    pub names_itself: bool,
}

impl Endpoints {
    /// Reads a discovery document, which must be that of the issuer.
    pub fn read(document: &[u8], issuer: &Target) -> Option<Self> {
        let document: Value = serde_json::from_slice(document).ok()?;
        if document.get("issuer")?.as_str()? != issuer.as_str() {
            return None;
        }
        let target = |name: &str| Target::parse("", document.get(name)?.as_str()?).ok();
        let methods = document.get("token_endpoint_auth_methods_supported").and_then(Value::as_array);
        let lists = |method: &str| methods.is_some_and(|list| list.iter().any(|one| one == method));
        Some(Self {
            authorization: target("authorization_endpoint")?,
            token: target("token_endpoint")?,
            userinfo: target("userinfo_endpoint"),
            by_basic: methods.is_none() || lists("client_secret_basic") || !lists("client_secret_post"),
            names_itself: document.get("authorization_response_iss_parameter_supported") == Some(&Value::Bool(true)),
        })
    }
}

/// What a browser takes along to the provider.
#[derive(Clone, Copy, Debug)]
pub struct Errand<'a> {
    /// What this server is called there.
    pub client_id: &'a str,
    /// Where the browser is to come back to.
    pub redirect_uri: &'a str,
    /// What is asked for.
    pub scopes: &'a [String],
    /// What it must bring back.
    pub state: &'a str,
    /// What the ID token must name.
    pub nonce: &'a str,
    /// What proves, by its hash, that whoever exchanges the code has sent the browser.
    pub verifier: &'a str,
    /// Who is about to sign in, as typed; empty where that is nothing to pass on.
    pub login_hint: &'a str,
    /// Whether the provider must ask who it is although it may know.
    pub fresh: bool,
}

impl Errand<'_> {
    /// Where to send the browser.
    pub fn url(&self, endpoint: &Target) -> String {
        let (scope, challenge) = (self.scopes.join(" "), challenge(self.verifier));
        let mut members = vec![
            ("response_type", "code"),
            ("client_id", self.client_id),
            ("redirect_uri", self.redirect_uri),
            ("scope", &scope),
            ("state", self.state),
            ("nonce", self.nonce),
            ("code_challenge", &challenge),
            ("code_challenge_method", "S256"),
        ];
        if !self.login_hint.is_empty() {
            members.push(("login_hint", self.login_hint));
        }
        if self.fresh {
            // The second has it say when that was.
            members.extend([("prompt", "login"), ("max_age", "0")]);
        }
        let query = form(&members);
        let joint = if endpoint.has_query() { '&' } else { '?' };
        format!("{}{joint}{query}", endpoint.as_str())
    }
}

/// The S256 challenge of a verifier (RFC 7636, 4.2).
pub fn challenge(verifier: &str) -> String {
    jws::encode(&Sha256::digest(verifier.as_bytes()))
}

/// A form of these members (`application/x-www-form-urlencoded`).
pub fn form(members: &[(&str, &str)]) -> String {
    let pairs: Vec<_> = members.iter().map(|(name, value)| format!("{}={}", encode(name), encode(value))).collect();
    pairs.join("&")
}

/// The `Authorization` of a client with a secret (RFC 6749, 2.3.1).
pub fn basic(client_id: &str, secret: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{}:{}", encode(client_id), encode(secret))))
}

fn encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

/// Accepts the place at `pointer` to go on to after a sign-in: a path of this server, and no other host in disguise.
pub fn parse_return_to(pointer: &str, text: &str) -> Result<String> {
    let plain = |byte: u8| byte.is_ascii_graphic() && !b"\\\"'<>`".contains(&byte);
    let inside = text.starts_with('/') && !text.starts_with("//");
    if inside && text.len() <= RETURN_MAX && text.bytes().all(plain) {
        return Ok(text.to_owned());
    }
    let fix = format!("give a path of this server, such as /console, of at most {RETURN_MAX} plain characters");
    Err(Error::invalid(pointer, "not a path of this server", fix))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn target(text: &str) -> Target {
        Target::parse("", text).unwrap()
    }

    fn document(change: Value) -> Option<Endpoints> {
        let mut document = json!({
            "issuer": "https://idp.example/acme",
            "authorization_endpoint": "https://idp.example/acme/authorize?tenant=7",
            "token_endpoint": "https://idp.example/acme/token",
        });
        for (name, value) in change.as_object().unwrap() {
            document[name] = value.clone();
        }
        Endpoints::read(document.to_string().as_bytes(), &target("https://idp.example/acme"))
    }

    #[test]
    fn a_provider_speaks_for_itself_alone() {
        let found = document(json!({})).unwrap();
        assert!(found.by_basic && !found.names_itself);
        assert_eq!((found.token, found.userinfo), (target("https://idp.example/acme/token"), None));
        let userinfo = document(json!({"userinfo_endpoint": "https://idp.example/me"})).unwrap().userinfo;
        assert_eq!(userinfo, Some(target("https://idp.example/me")));
        for change in [
            json!({"issuer": "https://idp.example/acme/"}),
            json!({"issuer": "https://other.example"}),
            json!({"issuer": null}),
            json!({"token_endpoint": null}),
            json!({"token_endpoint": "http://idp.example/token"}),
            json!({"authorization_endpoint": "javascript:alert(1)"}),
        ] {
            assert_eq!(document(change.clone()), None, "{change}");
        }
        assert_eq!(Endpoints::read(b"<html>", &target("https://idp.example")), None);
    }

    #[test]
    fn a_client_proves_itself_as_the_provider_wants_it() {
        let by_basic =
            |methods: Value| document(json!({"token_endpoint_auth_methods_supported": methods})).unwrap().by_basic;
        assert!(by_basic(json!(["client_secret_basic", "client_secret_post"])) && by_basic(json!(["private_key_jwt"])));
        assert!(!by_basic(json!(["client_secret_post", "none"])));
        // RFC 6749, 2.3.1: each half is encoded before they are joined.
        assert_eq!(basic("a:b", "c d"), format!("Basic {}", STANDARD.encode("a%3Ab:c%20d")));
    }

    #[test]
    fn a_browser_takes_along_what_it_must() {
        // The verifier and its challenge are those of RFC 7636, appendix B.
        let errand = Errand {
            client_id: "our id",
            redirect_uri: "https://claviger.example/v1/sign-in/sso/callback",
            scopes: &["openid".to_owned(), "email".to_owned()],
            state: "s",
            nonce: "n",
            verifier: "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk",
            login_hint: "ada+x@acme.example",
            fresh: false,
        };
        let fresh = Errand { fresh: true, ..errand };
        assert!(fresh.url(&target("https://idp.example")).ends_with("&prompt=login&max_age=0"));
        assert_eq!(
            errand.url(&target("https://idp.example/authorize?tenant=7")),
            "https://idp.example/authorize?tenant=7&response_type=code&client_id=our%20id\
             &redirect_uri=https%3A%2F%2Fclaviger.example%2Fv1%2Fsign-in%2Fsso%2Fcallback&scope=openid%20email&state=s&nonce=n\
             &code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&code_challenge_method=S256\
             &login_hint=ada%2Bx%40acme.example"
        );
        assert!(errand.url(&target("https://idp.example")).starts_with("https://idp.example?response_type=code"));
    }

    #[test]
    fn nobody_is_sent_elsewhere_afterwards() {
        for good in ["/", "/console", "/console/users?page=2#top"] {
            assert_eq!(parse_return_to("/return_to", good).unwrap(), good);
        }
        for bad in
            ["", "console", "//evil.example", "/\\evil.example", "https://evil.example", "/a b", "/\"><script>", "/ä"]
        {
            assert!(parse_return_to("/return_to", bad).is_err(), "{bad}");
        }
        assert!(parse_return_to("/return_to", &format!("/{}", "x".repeat(512))).is_err());
    }

    proptest! {
        #[test]
        fn what_is_encoded_has_no_mark_of_its_own(text in "\\PC{0,40}") {
            let encoded = encode(&text);
            prop_assert!(encoded.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~%".contains(&byte)));
        }
    }
}
