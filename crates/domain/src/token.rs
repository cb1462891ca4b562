//! Session tokens: JSON Web Tokens for access (RFC 9068) signed by Ed25519 (RFC 8037). Only their own server reads them:
//! what it would not have written itself is none of its tokens.

use crate::id::{ApplicationId, SecretId, SignInId, TenantId, TokenId};
use crate::jws;
use crate::time::Timestamp;
use crate::{Error, Result};
use serde::{Deserialize, Deserializer};
use std::fmt::Write as _;

/// Shortest life that a tenant may set, in seconds.
pub const LIFETIME_MIN: i64 = 60;
/// Longest life of any token, in seconds.
pub const LIFETIME_MAX: i64 = 3_600;
/// Life of a token where no tenant has set another, in seconds.
pub const LIFETIME_DEFAULT: i64 = 900;
/// Seconds by which the clocks of two nodes may differ.
pub const LEEWAY: i64 = 30;

/// What a token says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claims {
    /// Who signed it, and who accepts it (`aud`): the server's public URL.
    pub iss: String,
    /// For whom it stands (`sub`): the client id.
    pub client_id: String,
    /// The tenant.
    pub tid: TenantId,
    /// The application. Its member is left out where the client id says it.
    pub app: ApplicationId,
    /// The secret that it was got with.
    pub sid: SecretId,
    /// Its own id.
    pub jti: TokenId,
    /// When it was signed, in seconds since 1970.
    pub iat: i64,
    /// Where it stands among cut-offs, in microseconds since 1970: that moment, or just after the last cut-off that concerns
    /// it, which may lie a little ahead.
    pub iat_us: i64,
    /// When it ends, in seconds since 1970.
    pub exp: i64,
    /// What it is narrowed to; none for everything that the application may do.
    pub scope: Option<String>,
    /// The key that it is bound to; none for whoever bears it.
    pub cnf: Option<Confirmation>,
    /// The sign-in that it belongs to, and which generation of its tokens; none for one that belongs to none.
    pub ses: Option<(SignInId, i64)>,
}

/// The members of a payload.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Payload {
    iss: String,
    sub: String,
    aud: String,
    client_id: String,
    tid: TenantId,
    #[serde(default, deserialize_with = "present")]
    app: Option<ApplicationId>,
    sid: SecretId,
    jti: TokenId,
    iat: i64,
    iat_us: i64,
    exp: i64,
    #[serde(default, deserialize_with = "present")]
    scope: Option<String>,
    #[serde(default, deserialize_with = "present")]
    cnf: Option<Confirmation>,
    #[serde(default, deserialize_with = "present")]
    ses: Option<(SignInId, i64)>,
}

/// The key that a token is bound to (RFC 9449, 6).
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Confirmation {
    /// Its thumbprint.
    pub jkt: String,
}

/// A member that is there has a value: null is none.
fn present<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    deserializer: D,
) -> std::result::Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

impl Claims {
    /// Appends the payload's segment.
    pub fn encode_into(&self, text: &mut String) {
        let mut json = String::with_capacity(512);
        json.push('{');
        for (name, value) in
            [("iss", &self.iss), ("sub", &self.client_id), ("aud", &self.iss), ("client_id", &self.client_id)]
        {
            quote(&mut json, name, value);
        }
        json.push_str("\"tid\":\"");
        self.tid.push_to(&mut json);
        if ApplicationId::parse(&self.client_id) != Some(self.app) {
            json.push_str("\",\"app\":\"");
            self.app.push_to(&mut json);
        }
        json.push_str("\",\"sid\":\"");
        self.sid.push_to(&mut json);
        json.push_str("\",\"jti\":\"");
        self.jti.push_to(&mut json);
        json.push_str("\",");
        if let Some(scope) = &self.scope {
            quote(&mut json, "scope", scope);
        }
        // Writing to a text cannot fail.
        if let Some(Confirmation { jkt }) = &self.cnf {
            let _ = write!(json, r#""cnf":{{"jkt":"{jkt}"}},"#);
        }
        if let Some((sign_in, generation)) = self.ses {
            let _ = write!(json, r#""ses":["{sign_in}",{generation}],"#);
        }
        let _ = write!(json, r#""iat":{},"iat_us":{},"exp":{}}}"#, self.iat, self.iat_us, self.exp);
        jws::encode_into(json.as_bytes(), text);
    }

    /// The claims of a payload's segment.
    pub fn decode(payload: &str) -> Option<Self> {
        let Payload { iss, sub, aud, client_id, tid, app, sid, jti, iat, iat_us, exp, scope, cnf, ses } =
            serde_json::from_slice(&jws::decode(payload)?).ok()?;
        // Each server of the store signs in its own name; that it is one of them, the key says.
        if aud != iss || sub != client_id {
            return None;
        }
        // One spelling for each: what the client id says is not said again.
        let app = match (app, ApplicationId::parse(&client_id)) {
            (Some(app), own) if own != Some(app) => app,
            (None, Some(own)) => own,
            _ => return None,
        };
        Some(Self { iss, client_id, tid, app, sid, jti, iat, iat_us, exp, scope, cnf, ses })
    }

    /// What cut-offs are compared with.
    pub fn issued_at(&self) -> Timestamp {
        Timestamp::from_micros(self.iat_us)
    }

    /// When it ends.
    pub fn expires_at(&self) -> Timestamp {
        Timestamp::from_micros(0).plus_seconds(self.exp)
    }

    /// Whether the times fit each other and `now`: a token from the future was signed by a clock that cannot be trusted, and
    /// none lives longer than any may.
    pub fn is_plausible(&self, now: Timestamp) -> bool {
        let years = 0..=253_402_300_799;
        let in_range = years.contains(&self.iat) && years.contains(&self.exp);
        in_range
            && (self.iat..=self.iat + 2 * LEEWAY).contains(&self.issued_at().seconds())
            && self.iat <= now.plus_seconds(LEEWAY).seconds()
            && self.exp > self.iat
            && self.exp - self.iat <= LIFETIME_MAX
    }
}

/// `"name":"value",` with what JSON wants escaped.
fn quote(json: &mut String, name: &str, value: &str) {
    json.push('"');
    json.push_str(name);
    json.push_str("\":\"");
    let plain = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\\');
    if value.bytes().all(plain) {
        json.push_str(value);
        json.push_str("\",");
        return;
    }
    for c in value.chars() {
        match c {
            '"' | '\\' => {
                json.push('\\');
                json.push(c);
            }
            c if c.is_control() => {
                let _ = write!(json, "\\u{:04x}", u32::from(c));
            }
            c => json.push(c),
        }
    }
    json.push_str("\",");
}

/// The header's segment of tokens signed with a key: the only header that names the key.
pub fn header(kid: &str) -> String {
    jws::encode(format!(r#"{{"alg":"EdDSA","typ":"at+jwt","kid":"{kid}"}}"#).as_bytes())
}

/// Accepts the lifetime that a tenant sets, at `pointer`.
pub fn parse_lifetime(pointer: &str, seconds: i64) -> Result<i64> {
    if (LIFETIME_MIN..=LIFETIME_MAX).contains(&seconds) {
        return Ok(seconds);
    }
    let fix = format!("give {LIFETIME_MIN} to {LIFETIME_MAX}");
    Err(Error::invalid(pointer, format!("{seconds} seconds"), fix))
}

/// How long a token lives: as long as the door usually gives or as the tenants of the chain have `set` (the shortest of
/// them), and never longer than is `asked` for.
pub fn lifetime(usual: i64, set: impl Iterator<Item = i64>, asked: Option<i64>) -> i64 {
    let most = set.min().unwrap_or(usual);
    asked.map_or(most, |asked| asked.min(most)).clamp(1, LIFETIME_MAX)
}

/// Refuses a time before which everything is to be invalid that lies ahead: nothing could be issued until then.
pub fn check_cut_off(before: Option<Timestamp>, now: Timestamp) -> Result<Timestamp> {
    match before {
        Some(ahead) if ahead > now => Err(Error::invalid(
            "/before",
            format!("{ahead} lies ahead"),
            format!("give a time up to {now}, or leave it out"),
        )),
        Some(before) => Ok(before),
        None => Ok(now),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NOW: Timestamp = Timestamp::from_micros(1_800_000_000_123_456);

    fn claims() -> Claims {
        Claims {
            iss: "https://claviger.example".into(),
            client_id: "client".into(),
            tid: TenantId::from_u128(1),
            app: ApplicationId::from_u128(2),
            sid: SecretId::from_u128(3),
            jti: TokenId::from_u128(4),
            iat: 1_800_000_000,
            iat_us: NOW.micros(),
            exp: 1_800_000_900,
            scope: None,
            cnf: None,
            ses: None,
        }
    }

    fn encode(claims: &Claims) -> String {
        let mut text = String::new();
        claims.encode_into(&mut text);
        text
    }

    #[test]
    fn what_is_written_is_read() {
        let narrowed = Claims { scope: Some("org.audits:READ".into()), ..claims() };
        let bound = Claims {
            cnf: Some(Confirmation { jkt: "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k".into() }),
            ..claims()
        };
        let of_a_sign_in = Claims { ses: Some((SignInId::from_u128(5), 2)), ..claims() };
        for claims in [claims(), narrowed, bound, of_a_sign_in] {
            assert_eq!(Claims::decode(&encode(&claims)), Some(claims));
        }
    }

    #[test]
    fn the_application_is_named_where_the_client_id_does_not() {
        let named = |claims: &Claims| jws::object(&encode(claims)).unwrap().contains_key("app");
        let own = Claims { client_id: ApplicationId::from_u128(2).to_string(), ..claims() };
        let others = Claims { client_id: ApplicationId::from_u128(7).to_string(), ..claims() };
        assert_eq!((named(&own), named(&others), named(&claims())), (false, true, true));
        for claims in [own, others, claims()] {
            assert_eq!(Claims::decode(&encode(&claims)), Some(claims));
        }
        let told_twice = Claims { client_id: ApplicationId::from_u128(2).to_string(), ..claims() };
        let told_twice = String::from_utf8(jws::decode(&encode(&told_twice)).unwrap()).unwrap();
        let told_twice = told_twice.replace("{", &format!("{{\"app\":\"{}\",", ApplicationId::from_u128(2)));
        assert_eq!(Claims::decode(&jws::encode(told_twice.as_bytes())), None);
        let nobodys = String::from_utf8(jws::decode(&encode(&claims())).unwrap()).unwrap();
        let app = format!("\"app\":\"{}\",", claims().app);
        assert!(nobodys.contains(&app));
        assert_eq!(Claims::decode(&jws::encode(nobodys.replace(&app, "").as_bytes())), None);
    }

    #[test]
    fn members_are_there_once_and_of_their_type() {
        let good = String::from_utf8(jws::decode(&encode(&claims())).unwrap()).unwrap();
        let read = |json: &str| Claims::decode(&jws::encode(json.as_bytes()));
        assert!(read(&good).is_some());
        for name in ["exp", "iat", "iat_us"] {
            let number =
                good.split(&format!("\"{name}\":")).nth(1).unwrap().split([',', '}']).next().unwrap().to_owned();
            let member = format!("\"{name}\":{number}");
            for bad in ["null", "[]", "{}", "\"1800000000\"", "1.8e9", "1800000000.0", "1e300", "99999999999999999999"]
            {
                assert_eq!(read(&good.replace(&member, &format!("\"{name}\":{bad}"))), None, "{name} {bad}");
            }
            assert_eq!(read(&good.replace(&member, "\"x\":1")), None, "{name} absent, another there");
            assert_eq!(read(&good.replace(&member, &format!("{member},{member}"))), None, "{name} twice");
        }
        for more in [
            "\"scope\":null",
            "\"nbf\":1",
            "\"scope\":[]",
            "\"cnf\":{}",
            "\"cnf\":null",
            "\"cnf\":{\"jkt\":\"x\",\"y\":1}",
            "\"aud\":\"x\"",
            "\"app\":null",
            "\"ses\":null",
            "\"ses\":[]",
        ] {
            assert_eq!(read(&good.replacen('{', &format!("{{{more},"), 1)), None, "{more}");
        }
        let aud = "\"aud\":\"https://claviger.example\"";
        for other in ["\"aud\":[\"x\"]", "\"aud\":\"https://other.example\""] {
            assert_eq!(read(&good.replace(aud, other)), None, "{other}");
        }
        assert_eq!(read(&good.replace("\"sub\":\"client\"", "\"sub\":\"other\"")), None);
    }

    #[test]
    fn times_fit_each_other() {
        assert!(claims().is_plausible(NOW));
        assert!(claims().is_plausible(NOW.plus_seconds(-29)) && !claims().is_plausible(NOW.plus_seconds(-31)));
        for bad in [
            Claims { exp: 1_800_000_000, ..claims() },
            Claims { exp: 1_800_003_601, ..claims() },
            Claims { exp: i64::MAX, ..claims() },
            Claims { iat: -1, ..claims() },
            Claims { iat: i64::MIN, ..claims() },
            Claims { iat: 1_800_000_001, ..claims() },
            Claims { iat: 1_799_999_939, ..claims() },
            Claims { iat_us: i64::MAX, ..claims() },
        ] {
            assert!(!bad.is_plausible(NOW), "{bad:?}");
        }
    }

    #[test]
    fn lives_only_get_shorter() {
        let none = || std::iter::empty();
        assert_eq!(lifetime(LIFETIME_DEFAULT, none(), None), 900);
        assert_eq!(lifetime(LIFETIME_DEFAULT, none(), Some(60)), 60);
        assert_eq!(lifetime(LIFETIME_DEFAULT, none(), Some(3_600)), 900);
        assert_eq!(lifetime(LIFETIME_DEFAULT, [3_600].into_iter(), None), 3_600);
        assert_eq!(lifetime(LIFETIME_DEFAULT, [3_600, 120, 600].into_iter(), Some(900)), 120);
        assert!(parse_lifetime("/x", 59).is_err() && parse_lifetime("/x", 3_601).is_err());
        assert_eq!(parse_lifetime("/x", 3_600).unwrap(), 3_600);
    }

    #[test]
    fn a_cut_off_does_not_lie_ahead() {
        assert_eq!(check_cut_off(None, NOW).unwrap(), NOW);
        assert_eq!(check_cut_off(Some(NOW.plus_seconds(-5)), NOW).unwrap(), NOW.plus_seconds(-5));
        assert!(check_cut_off(Some(NOW.plus_seconds(1)), NOW).is_err());
    }

    proptest! {
        #[test]
        fn any_client_id_comes_back(client_id in "\\PC{0,128}|[\\x00-\\x7f]{0,40}", scope in proptest::option::of("[ -~]{0,60}")) {
            let claims = Claims { client_id, scope, ..claims() };
            prop_assert_eq!(Claims::decode(&encode(&claims)), Some(claims));
        }

        #[test]
        fn any_payload_is_answered(text in "\\PC{0,200}") {
            let _ = (Claims::decode(&text), Claims::decode(&jws::encode(text.as_bytes())));
        }
    }
}
