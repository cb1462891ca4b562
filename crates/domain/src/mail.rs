//! Mails that the server sends: one recipient, plain text, nothing that a header could be smuggled in by; and when sending is tried
//! again.

use crate::time::Timestamp;
use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use std::fmt::Write as _;

/// Most characters of a subject.
pub const SUBJECT_MAX: usize = 200;
/// Most bytes of a text.
pub const TEXT_MAX: usize = 16 << 10;
/// For how long sending is tried, in seconds.
pub const PATIENCE_SECONDS: i64 = 24 * 3_600;
/// For how long it is remembered that a mail could not be sent, in seconds.
pub const DEAD_KEPT_SECONDS: i64 = 30 * 86_400;
/// Seconds until the next try, after one, two, three … of them.
const PAUSES: [i64; 8] = [10, 30, 60, 120, 300, 600, 1_800, 3_600];
/// Longest line of an encoded text (RFC 2045, 6.7).
const LINE_MAX: usize = 76;

/// A mail that is to be sent.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewMail {
    to: String,
    subject: String,
    text: String,
    /// Until when it is of use; nobody gets it later.
    #[serde(skip, default = "of_no_use")]
    pub until: Timestamp,
}

const fn of_no_use() -> Timestamp {
    Timestamp::from_micros(0)
}

impl NewMail {
    /// A mail to one mailbox, of use until then.
    pub fn new(to: &str, subject: &str, text: String, until: Timestamp) -> Result<Self> {
        if !is_mailbox(to) {
            return Err(Error::Internal("a mail was to go to what is no mailbox".into()));
        }
        if subject.chars().count() > SUBJECT_MAX || subject.chars().any(char::is_control) || text.len() > TEXT_MAX {
            return Err(Error::Internal("a mail has a subject or a text that no mail can have".into()));
        }
        Ok(Self { to: to.to_owned(), subject: subject.to_owned(), text, until })
    }

    /// To whom.
    pub fn to(&self) -> &str {
        &self.to
    }

    /// What it is about.
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// What it says.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The message as it goes over the wire (RFC 5322), named by `id`.
    pub fn render(&self, from: &Sender, id: &str, date: Timestamp) -> String {
        let (encoding, body) = encode(&self.text);
        let mut message = String::with_capacity(body.len() + 600);
        let host = from.mailbox.rsplit_once('@').map_or("localhost", |(_, host)| host);
        let (name, mailbox, subject) = (phrase(&from.name), &from.mailbox, words(&self.subject));
        for (header, value) in [
            ("Date", date.to_mail_date()),
            ("From", if name.is_empty() { mailbox.clone() } else { format!("{name} <{mailbox}>") }),
            ("To", self.to.clone()),
            ("Subject", subject),
            ("Message-ID", format!("<{id}@{host}>")),
            ("Auto-Submitted", "auto-generated".into()),
            ("MIME-Version", "1.0".into()),
            ("Content-Type", "text/plain; charset=utf-8".into()),
            ("Content-Transfer-Encoding", encoding.into()),
        ] {
            let _ = write!(message, "{header}: {value}\r\n");
        }
        message.push_str("\r\n");
        message.push_str(&body);
        message
    }
}

impl std::fmt::Debug for NewMail {
    /// Without the text, which may hold a link or a code.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NewMail").field("subject", &self.subject).finish_non_exhaustive()
    }
}

/// Who sends mails.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sender {
    /// What it is called; may be empty.
    pub name: String,
    /// Its mailbox.
    pub mailbox: String,
}

impl Sender {
    /// Reads `mailbox` or `Name <mailbox>`.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let (name, mailbox) = match text.strip_suffix('>').and_then(|rest| rest.rsplit_once('<')) {
            Some((name, mailbox)) => (name.trim().trim_matches('"'), mailbox.trim()),
            None => ("", text),
        };
        let fit = is_mailbox(mailbox)
            && name.chars().count() <= 64
            && !name.chars().any(|c| c.is_control() || matches!(c, '"' | '\\' | '<' | '>'));
        fit.then(|| Self { name: name.to_owned(), mailbox: mailbox.to_owned() })
    }
}

impl std::fmt::Display for Sender {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.name.as_str() {
            "" => f.write_str(&self.mailbox),
            name => write!(f, "{name} <{}>", self.mailbox),
        }
    }
}

/// Whether a text is one mailbox that needs no quoting.
pub fn is_mailbox(text: &str) -> bool {
    let plain =
        |part: &str| !part.is_empty() && part.chars().all(|c| c.is_ascii_graphic() && !"()<>[]:;@\\,\"".contains(c));
    text.len() <= 254 && text.split_once('@').is_some_and(|(local, host)| plain(local) && plain(host))
}

/// Seconds until sending is tried again after so many tries.
pub fn pause_after(attempts: i64) -> i64 {
    let place = usize::try_from(attempts.saturating_sub(1)).unwrap_or(0).min(PAUSES.len() - 1);
    PAUSES.get(place).copied().unwrap_or(3_600)
}

/// A name in front of a mailbox.
fn phrase(name: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~ ".contains(c);
    if name.chars().all(plain) {
        return name.to_owned();
    }
    if name.is_ascii() { format!("\"{name}\"") } else { words(name) }
}

/// A header's text: as it is, or in encoded words (RFC 2047) where it is not ASCII.
fn words(text: &str) -> String {
    use base64::Engine as _;
    if text.is_ascii() {
        return text.to_owned();
    }
    let mut encoded = Vec::new();
    let mut word = String::new();
    for c in text.chars() {
        if word.len() + c.len_utf8() > 42 {
            encoded.push(std::mem::take(&mut word));
        }
        word.push(c);
    }
    encoded.push(word);
    let standard = &base64::engine::general_purpose::STANDARD;
    encoded.iter().map(|word| format!("=?utf-8?B?{}?=", standard.encode(word))).collect::<Vec<_>>().join("\r\n ")
}

/// A text with the line ends of mails, and how it is encoded: not at all where that is possible, so that it can be read as it lies.
fn encode(text: &str) -> (&'static str, String) {
    let lines = || text.split('\n').map(|line| line.trim_end_matches('\r'));
    let fits =
        |line: &str| line.len() <= 990 && line.bytes().all(|byte| byte == b'\t' || (b' '..=b'~').contains(&byte));
    if lines().all(fits) {
        return ("7bit", lines().map(|line| format!("{line}\r\n")).collect());
    }
    ("quoted-printable", lines().map(quoted_printable).collect())
}

fn quoted_printable(line: &str) -> String {
    let mut encoded = String::new();
    let mut length = 0;
    let bytes = line.as_bytes();
    for (place, byte) in bytes.iter().enumerate() {
        let last = place + 1 == bytes.len();
        let plain = (b'!'..=b'~').contains(byte) && *byte != b'=' || (*byte == b' ' && !last);
        let token = if plain { char::from(*byte).to_string() } else { format!("={byte:02X}") };
        if length + token.len() >= LINE_MAX {
            encoded.push_str("=\r\n");
            length = 0;
        }
        length += token.len();
        encoded.push_str(&token);
    }
    encoded.push_str("\r\n");
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NOW: Timestamp = Timestamp::from_micros(1_800_000_000_000_000);

    fn sender() -> Sender {
        Sender::parse("Claviger <noreply@claviger.example>").unwrap()
    }

    #[test]
    fn a_mail_can_be_read_as_it_lies() {
        let mail =
            NewMail::new("ada@example.com", "Set a new password", "Hello,\n\nhttps://x/#t\n".into(), NOW).unwrap();
        let text = mail.render(&sender(), "7", NOW);
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(
            head.starts_with("Date: Fri, 15 Jan 2027 08:00:00 +0000\r\nFrom: Claviger <noreply@claviger.example>\r\n"),
            "{head}"
        );
        assert!(head.contains(
            "\r\nTo: ada@example.com\r\nSubject: Set a new password\r\nMessage-ID: <7@claviger.example>\r\n"
        ));
        assert!(head.ends_with("Content-Transfer-Encoding: 7bit"));
        assert_eq!(body, "Hello,\r\n\r\nhttps://x/#t\r\n\r\n");
        assert_eq!(format!("{mail:?}"), "NewMail { subject: \"Set a new password\", .. }");
    }

    #[test]
    fn other_letters_are_encoded() {
        let mail = NewMail::new("a@b", "Grüße", format!("Müller = {}", "x".repeat(100)), NOW).unwrap();
        let text = mail.render(&Sender { name: "Jörg".into(), mailbox: "a@b".into() }, "7", NOW);
        assert!(
            text.contains("Subject: =?utf-8?B?R3LDvMOfZQ==?=\r\n") && text.contains("From: =?utf-8?B?SsO2cmc=?= <a@b>"),
            "{text}"
        );
        assert!(text.contains("M=C3=BCller =3D xxxx") && text.contains("quoted-printable"), "{text}");
        assert!(text.lines().all(|line| line.len() <= 78), "{text}");
    }

    #[test]
    fn senders_and_mailboxes() {
        for text in ["a@b", "Claviger <a@b>", "Jörg <a@b>"] {
            assert_eq!(Sender::parse(text).unwrap().to_string(), text);
        }
        assert_eq!(phrase("Acme, Inc."), "\"Acme, Inc.\"");
        for bad in ["", "a", "a@", "@b", "a@b@c", "a b@c", "a@b\r\nBcc: c@d", "a@b,c@d", "<a@b> x", "x\ny <a@b>", "ä@b"]
        {
            assert!(Sender::parse(bad).is_none(), "{bad:?}");
        }
        assert!(NewMail::new("a@b", "x\r\nBcc: c@d", String::new(), NOW).is_err());
        assert!(NewMail::new("a@b\r\n", "x", String::new(), NOW).is_err());
    }

    #[test]
    fn pauses_grow_and_end() {
        let pauses: Vec<_> = (0..20).map(pause_after).collect();
        assert!(pauses.is_sorted() && pauses[0] == 10 && pauses[19] == 3_600);
    }

    proptest! {
        #[test]
        fn no_text_becomes_a_header(subject in "\\PC{0,60}", text in "(?s).{0,200}", name in "\\PC{0,20}") {
            let Ok(mail) = NewMail::new("ada@example.com", &subject, text, NOW) else { return Ok(()) };
            let sender = Sender::parse(&format!("{name} <a@b>")).unwrap_or_else(sender);
            let message = mail.render(&sender, "7", NOW);
            let (head, body) = message.split_once("\r\n\r\n").unwrap();
            let headers = head.split("\r\n").filter(|line| !line.starts_with(' ')).count();
            prop_assert_eq!(headers, 9);
            prop_assert!(message.is_ascii() && !message.replace("\r\n", "").contains(['\r', '\n']));
            prop_assert!(body.ends_with("\r\n"));
        }
    }
}
