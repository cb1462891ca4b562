//! Domains of addresses: what leads people to the provider at which they sign in.

use crate::{Error, Result};

/// Most characters of a domain (RFC 1035).
pub const DOMAIN_MAX: usize = 253;

/// Hosts of mail at which anybody can have an address: no tenant's people are known by them.
const PUBLIC_HOSTS: &str = "aol.com fastmail.com gmail.com gmx.at gmx.ch gmx.de gmx.net googlemail.com hotmail.com icloud.com live.com mail.ru \
                            me.com msn.com outlook.com pm.me proton.me protonmail.com qq.com web.de yahoo.com yandex.com yandex.ru zoho.com";

/// What stands behind the `@` of addresses, in lower case.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Domain(String);

impl Domain {
    /// Accepts `text` as the domain at `pointer`: a host name of at least two labels that is nobody's in particular.
    pub fn parse(pointer: &str, text: &str) -> Result<Self> {
        let fix = "give what stands behind the @ of your people's addresses, such as example.com";
        let refuse = |message: String| Err(Error::invalid(pointer, message, fix));
        let domain = text.trim_matches(' ').to_ascii_lowercase();
        let label = |label: &str| {
            (1..=63).contains(&label.len())
                && !label.starts_with('-')
                && !label.ends_with('-')
                && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        };
        if domain.len() > DOMAIN_MAX {
            return refuse(format!("the domain has more than {DOMAIN_MAX} characters"));
        }
        if !domain.contains('.') || !domain.split('.').all(label) {
            return refuse("not a domain of addresses; one with other letters is written in its xn-- form".into());
        }
        if PUBLIC_HOSTS.split(' ').any(|host| host == domain) {
            return refuse(format!("anybody can have an address at {domain}"));
        }
        Ok(Self(domain))
    }

    /// A domain as it is stored.
    pub fn stored(text: String) -> Self {
        Self(text)
    }

    /// As it is written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The domain in the key of an address, whoever typed that.
pub fn domain_of(email_key: &str) -> Option<&str> {
    email_key
        .rsplit_once('@')
        .map(|(_, domain)| domain)
        .filter(|domain| !domain.is_empty() && domain.len() <= DOMAIN_MAX)
}
