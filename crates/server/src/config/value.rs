//! How each type of setting is read from TOML or from text, and written back.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;
use toml::Value;

use super::mail::{MailSender, MailTls, MailTransport, Word};
use super::types::{DatabaseUrl, HostName, LogFormat, PublicUrl, RootKey, Size, TlsMode};

/// A type that a key of the configuration can have.
pub(crate) trait Setting: Sized {
    /// What is allowed, as a noun phrase for error messages.
    const ALLOWED: &'static str;

    /// Reads what an environment variable, a flag or a TOML string says.
    fn from_text(text: &str) -> Option<Self>;

    /// Reads a TOML value; most types are strings there.
    fn from_toml(value: &Value) -> Option<Self> {
        value.as_str().and_then(Self::from_text)
    }

    /// Writes a TOML value, secrets masked; none for an absent one.
    fn show(&self) -> Option<String>;
}

fn quoted(text: impl Into<String>) -> Option<String> {
    Some(Value::String(text.into()).to_string())
}

impl Setting for bool {
    const ALLOWED: &'static str = "true or false";
    fn from_text(text: &str) -> Option<Self> {
        text.parse().ok()
    }
    fn from_toml(value: &Value) -> Option<Self> {
        value.as_bool()
    }
    fn show(&self) -> Option<String> {
        Some(self.to_string())
    }
}

macro_rules! number {
    ($($type:ty),*) => {$(
        impl Setting for $type {
            const ALLOWED: &'static str = "a whole number of at least 1";
            fn from_text(text: &str) -> Option<Self> {
                text.parse().ok().filter(|number| *number > 0)
            }
            fn from_toml(value: &Value) -> Option<Self> {
                value.as_integer().and_then(|number| Self::try_from(number).ok()).filter(|number| *number > 0)
            }
            fn show(&self) -> Option<String> {
                Some(self.to_string())
            }
        }
    )*};
}
number!(u16, u32, u64, usize);

impl Setting for Size {
    const ALLOWED: &'static str = "a size of at least 1 byte: a number, or such as \"64KiB\" or \"1MiB\"";
    fn from_text(text: &str) -> Option<Self> {
        let (number, unit) = split_unit(text)?;
        let unit = match unit {
            "" | "B" => 1,
            "KiB" => 1 << 10,
            "MiB" => 1 << 20,
            "GiB" => 1 << 30,
            _ => return None,
        };
        usize::try_from(number.checked_mul(unit)?).ok().filter(|bytes| *bytes > 0).map(Size)
    }
    fn from_toml(value: &Value) -> Option<Self> {
        match value {
            Value::Integer(number) => Self::from_text(&number.to_string()),
            other => other.as_str().and_then(Self::from_text),
        }
    }
    fn show(&self) -> Option<String> {
        match self.0 {
            bytes if bytes % (1 << 20) == 0 => quoted(format!("{}MiB", bytes >> 20)),
            bytes if bytes % (1 << 10) == 0 => quoted(format!("{}KiB", bytes >> 10)),
            bytes => Some(bytes.to_string()),
        }
    }
}

impl Setting for Duration {
    const ALLOWED: &'static str = "a duration above zero, up to a day, such as \"250ms\", \"5s\", \"2m\" or \"1h\"";
    fn from_text(text: &str) -> Option<Self> {
        let (number, unit) = split_unit(text)?;
        let unit = match unit {
            "ms" => 1,
            "s" => 1_000,
            "m" => 60_000,
            "h" => 3_600_000,
            _ => return None,
        };
        let milliseconds = number.checked_mul(unit)?;
        (1..=86_400_000).contains(&milliseconds).then(|| Self::from_millis(milliseconds))
    }
    fn show(&self) -> Option<String> {
        let milliseconds = self.as_millis();
        if milliseconds.is_multiple_of(1000) {
            quoted(format!("{}s", milliseconds / 1000))
        } else {
            quoted(format!("{milliseconds}ms"))
        }
    }
}

fn split_unit(text: &str) -> Option<(u64, &str)> {
    let text = text.trim();
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at_checked(end)?;
    Some((number.parse().ok()?, unit.trim()))
}

impl Setting for SocketAddr {
    const ALLOWED: &'static str = "an address and a port, such as \"127.0.0.1:8443\" or \"[::]:8443\"";
    fn from_text(text: &str) -> Option<Self> {
        text.trim().parse().ok()
    }
    fn show(&self) -> Option<String> {
        quoted(self.to_string())
    }
}

impl Setting for PathBuf {
    const ALLOWED: &'static str = "a path";
    fn from_text(text: &str) -> Option<Self> {
        (!text.is_empty() && !text.contains('\0')).then(|| text.into())
    }
    fn show(&self) -> Option<String> {
        quoted(self.to_string_lossy())
    }
}

impl Setting for String {
    const ALLOWED: &'static str = "a log level (error, warn, info, debug, trace) or filter";
    fn from_text(text: &str) -> Option<Self> {
        crate::telemetry::is_filter(text).then(|| text.to_owned())
    }
    fn show(&self) -> Option<String> {
        quoted(self.as_str())
    }
}

impl Setting for IpNet {
    const ALLOWED: &'static str = "networks such as \"10.0.0.0/8\" or \"2001:db8::/32\", or single addresses";
    fn from_text(text: &str) -> Option<Self> {
        let network = text.trim().parse().or_else(|_| text.trim().parse::<std::net::IpAddr>().map(Self::from)).ok()?;
        (network == network.trunc()).then_some(network)
    }
    fn show(&self) -> Option<String> {
        quoted(self.to_string())
    }
}

macro_rules! via_text {
    ($($type:ty: $allowed:expr;)*) => {$(
        impl Setting for $type {
            const ALLOWED: &'static str = $allowed;
            fn from_text(text: &str) -> Option<Self> {
                Self::parse(text)
            }
            fn show(&self) -> Option<String> {
                quoted(self.to_string())
            }
        }
    )*};
}
via_text! {
    DatabaseUrl: "a PostgreSQL URL, postgres://user:password@host:port/database";
    PublicUrl: "an http or https URL without path, query or user, such as \"https://claviger.example\"";
    HostName: "host names or addresses";
    LogFormat: "\"text\" or \"json\"";
    TlsMode: "\"on\" or \"off\"";
    MailTransport: "\"maildir\" or \"smtp\"";
    MailTls: "\"implicit\", \"starttls\" or \"none\"";
    MailSender: "a mailbox such as \"Claviger <noreply@claviger.example>\"";
    Word: "a text without control characters";
    RootKey: "\"file\", \"file:PATH\", \"env:NAME\" or \"command:PROGRAM ARGUMENTS…\"";
}

impl<T: Setting> Setting for Option<T> {
    const ALLOWED: &'static str = T::ALLOWED;
    fn from_text(text: &str) -> Option<Self> {
        T::from_text(text).map(Some)
    }
    fn from_toml(value: &Value) -> Option<Self> {
        T::from_toml(value).map(Some)
    }
    fn show(&self) -> Option<String> {
        self.as_ref().and_then(Setting::show)
    }
}

impl<T: Setting> Setting for Vec<T> {
    const ALLOWED: &'static str = T::ALLOWED;
    fn from_text(text: &str) -> Option<Self> {
        text.split(',').map(str::trim).filter(|part| !part.is_empty()).map(T::from_text).collect()
    }
    fn from_toml(value: &Value) -> Option<Self> {
        value.as_array()?.iter().map(T::from_toml).collect()
    }
    fn show(&self) -> Option<String> {
        let parts: Vec<String> = self.iter().filter_map(Setting::show).collect();
        Some(format!("[{}]", parts.join(", ")))
    }
}
