//! The section `[mail]`: its types, and what must fit together.

use claviger_domain::mail::Sender;
use std::fmt;
use std::path::PathBuf;

/// The section `[mail]`.
#[allow(missing_docs, reason = "documented where the operator reads it")]
#[derive(Clone, Debug, Default)]
pub struct MailKeys {
    pub transport: MailTransport,
    pub from: Option<MailSender>,
    pub host: Option<Word>,
    pub port: Option<u16>,
    pub tls: MailTls,
    pub user: Option<Word>,
    pub password_file: Option<PathBuf>,
    pub ca_file: Option<PathBuf>,
}

/// How mails leave.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MailTransport {
    /// Into a folder.
    #[default]
    Maildir,
    /// To a mail server.
    Smtp,
}

/// How the connection to a mail server is secured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MailTls {
    /// TLS from the first byte.
    #[default]
    Implicit,
    /// TLS before anything is said.
    StartTls,
    /// None.
    None,
}

/// Who mails come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MailSender(pub Sender);

/// Any text without control characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Word(pub String);

impl MailTransport {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        match text {
            "maildir" => Some(Self::Maildir),
            "smtp" => Some(Self::Smtp),
            _ => None,
        }
    }
}

impl fmt::Display for MailTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if *self == Self::Smtp { "smtp" } else { "maildir" })
    }
}

impl MailTls {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        match text {
            "implicit" => Some(Self::Implicit),
            "starttls" => Some(Self::StartTls),
            "none" => Some(Self::None),
            _ => None,
        }
    }
}

impl fmt::Display for MailTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Implicit => "implicit",
            Self::StartTls => "starttls",
            Self::None => "none",
        })
    }
}

impl MailSender {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        Sender::parse(text).map(Self)
    }
}

impl fmt::Display for MailSender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Word {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        (!text.is_empty() && text.len() <= 255 && !text.chars().any(char::is_control)).then(|| Self(text.to_owned()))
    }
}

impl fmt::Display for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl MailKeys {
    /// Tells what does not fit together.
    pub(super) fn cross_check(&self, problems: &mut Vec<String>) {
        if self.transport == MailTransport::Smtp && self.host.is_none() {
            problems.push("mail.transport = \"smtp\" is not allowed without mail.host".to_owned());
        }
        if self.user.is_some() != self.password_file.is_some() {
            problems.push("mail.user and mail.password_file: expected both or neither".to_owned());
        }
        if self.tls == MailTls::None && self.user.is_some() {
            problems
                .push("mail.tls = \"none\" is not allowed with mail.user: the password would be sent in clear".into());
        }
        let local = |host: &Word| {
            host.0 == "localhost" || host.0.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
        };
        if self.tls == MailTls::None && !self.host.as_ref().is_none_or(local) {
            problems.push("mail.tls = \"none\" is not allowed: expected a mail.host on this machine".to_owned());
        }
    }
}
