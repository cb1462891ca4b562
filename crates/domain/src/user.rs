//! Users: the people of a tenant. They sign in once at their organisation or above it, and their rights are those of the
//! access levels that they hold as roles.

use crate::application::Reach;
use crate::id::{AccessLevelId, TenantId, UserId};
use crate::name::{key_of, parse_text, refuse_invisible};
use crate::tenant::Kind;
use crate::time::Timestamp;
use crate::{Error, Result};

/// Most characters of an e-mail address (RFC 5321, 4.5.3.1.3).
pub const EMAIL_MAX: usize = 254;
/// Most characters before its `@` (RFC 5321, 4.5.3.1.1).
const LOCAL_MAX: usize = 64;
/// Most characters of a first or last name.
pub const PERSON_NAME_MAX: usize = 64;
/// Most characters of a telephone number.
pub const PHONE_MAX: usize = 32;
/// Most roles that a user can hold.
pub const ROLES_MAX: usize = 50;
/// Most characters that are looked at of what somebody types for a name.
const PRESENTED_MAX: usize = 512;

/// An e-mail address: what a person signs in with, one in the whole store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Email(String);

impl Email {
    /// Accepts `text` as the address at `pointer`: one address of ASCII characters, no list, no comment, no name beside it.
    pub fn parse(pointer: &str, text: &str) -> Result<Self> {
        let refuse = |message: &str| Err(Error::invalid(pointer, message, "give one address such as ada@example.com"));
        let text = text.trim_matches(' ');
        if text.chars().count() > EMAIL_MAX {
            return refuse("the address has more than 254 characters");
        }
        let Some((local, host)) = text.split_once('@') else { return refuse("not an e-mail address") };
        let atext = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~.".contains(c);
        let dotted = |part: &str| !part.starts_with('.') && !part.ends_with('.') && !part.contains("..");
        if local.is_empty() || local.len() > LOCAL_MAX || !local.chars().all(atext) || !dotted(local) {
            return refuse("what stands before the @ is no mailbox");
        }
        let label = |label: &str| {
            !label.is_empty()
                && label.len() <= 63
                && !label.starts_with('-')
                && !label.ends_with('-')
                && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
        };
        if !host.split('.').all(label) {
            return refuse("what stands behind the @ is no host name; give a name with other letters in its xn-- form");
        }
        Ok(Self(text.to_owned()))
    }

    /// The address as it was given.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The key under which it is unique.
    pub fn key(&self) -> String {
        key_of(&self.0)
    }
}

/// The key of whatever somebody types for their name when they sign in.
pub fn presented_key(text: &str) -> String {
    let cut: String = text.chars().take(PRESENTED_MAX).collect();
    key_of(&cut)
}

/// Accepts `text` as a person's first or last name at `pointer`; it may be empty.
pub fn parse_person_name(pointer: &str, text: &str) -> Result<String> {
    let text = parse_text(pointer, text.trim(), PERSON_NAME_MAX)?;
    refuse_invisible(pointer, &text)?;
    Ok(text)
}

/// Accepts `text` as a telephone number at `pointer`; it may be empty.
pub fn parse_phone(pointer: &str, text: &str) -> Result<String> {
    let text = parse_text(pointer, text.trim(), PHONE_MAX)?;
    match text.chars().find(|c| !c.is_ascii_digit() && !"+-() ./x".contains(*c)) {
        Some(c) => Err(Error::invalid(
            pointer,
            format!("the number holds {c:?}"),
            "give digits, and + - ( ) . / or blanks between them",
        )),
        None => Ok(text),
    }
}

/// Accepts roles at `pointer`: each once, and not too many.
pub fn parse_roles(pointer: &str, mut roles: Vec<AccessLevelId>) -> Result<Vec<AccessLevelId>> {
    let given = roles.len();
    roles.sort();
    roles.dedup();
    if roles.len() != given {
        return Err(Error::invalid(pointer, "an access level is named twice", "name each once"));
    }
    if given > ROLES_MAX {
        return Err(Error::invalid(pointer, format!("{given} access levels"), format!("give at most {ROLES_MAX}")));
    }
    Ok(roles)
}

/// Refuses people where they cannot be: an instance has none.
pub fn check_tenant(kind: Kind) -> Result<()> {
    if kind != Kind::Instance {
        return Ok(());
    }
    let detail = "an instance has no users: they belong to its organization or above, and reach it from there";
    Err(Error::conflict("instance_without_users", detail))
}

/// Whether a user can sign in.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum Status {
    /// Not yet: nothing proves who it is.
    Invited,
    /// Yes.
    Active,
    /// No more, until somebody enables the user again.
    Disabled,
}

impl Status {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Invited, Self::Active, Self::Disabled];

    /// The word on the wire and in the store.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Invited => "invited",
            Self::Active => "active",
            Self::Disabled => "disabled",
        }
    }

    /// The status that a word names.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == text)
    }
}

/// A user as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// Id.
    pub id: UserId,
    /// The tenant it belongs to.
    pub tenant_id: TenantId,
    /// A number for clients that know users by one; unique in the whole store.
    pub number: i64,
    /// What it signs in with.
    pub email: String,
    /// First name.
    pub first_name: String,
    /// Last name.
    pub last_name: String,
    /// Telephone number.
    pub phone: String,
    /// Whether it can sign in.
    pub status: Status,
    /// How far its rights reach.
    pub reach: Reach,
    /// The access levels it holds, by id.
    pub roles: Vec<AccessLevelId>,
    /// When its password was set; none where it has none.
    pub password_set_at: Option<Timestamp>,
    /// When it was able to sign in for the first time.
    pub activated_at: Option<Timestamp>,
    /// Counts the changes, from 1; the entity tag.
    pub version: i64,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was changed last.
    pub updated_at: Timestamp,
}

impl User {
    /// What it is called by: its names, or its address where it has none.
    pub fn display_name(&self) -> String {
        display_name(&self.first_name, &self.last_name, &self.email)
    }

    /// Its status once it is enabled.
    pub fn enabled_status(&self) -> Status {
        if self.activated_at.is_some() { Status::Active } else { Status::Invited }
    }
}

/// What a person is called by.
pub fn display_name(first: &str, last: &str, email: &str) -> String {
    match format!("{first} {last}").trim() {
        "" => email.to_owned(),
        name => name.to_owned(),
    }
}

/// What is needed to make a user.
#[derive(Clone, Debug)]
pub struct NewUser {
    /// What it signs in with.
    pub email: Email,
    /// First name.
    pub first_name: String,
    /// Last name.
    pub last_name: String,
    /// Telephone number.
    pub phone: String,
    /// How far its rights reach.
    pub reach: Reach,
    /// The access levels it holds.
    pub roles: Vec<AccessLevelId>,
}

impl NewUser {
    /// The user that this makes.
    pub fn into_user(self, tenant_id: TenantId, id: UserId, number: i64, now: Timestamp) -> User {
        User {
            id,
            tenant_id,
            number,
            email: self.email.as_str().to_owned(),
            first_name: self.first_name,
            last_name: self.last_name,
            phone: self.phone,
            status: Status::Invited,
            reach: self.reach,
            roles: self.roles,
            password_set_at: None,
            activated_at: None,
            version: 1,
            created_at: now,
            updated_at: now,
        }
    }
}

/// A change of a user; what is absent stays.
#[derive(Clone, Debug, Default)]
pub struct UserPatch {
    /// New first name.
    pub first_name: Option<String>,
    /// New last name.
    pub last_name: Option<String>,
    /// New telephone number.
    pub phone: Option<String>,
    /// New reach.
    pub reach: Option<Reach>,
}

impl UserPatch {
    /// The user after the change.
    pub fn apply(self, before: &User) -> User {
        let before = before.clone();
        User {
            first_name: self.first_name.unwrap_or(before.first_name),
            last_name: self.last_name.unwrap_or(before.last_name),
            phone: self.phone.unwrap_or(before.phone),
            reach: self.reach.unwrap_or(before.reach),
            ..before
        }
    }
}

/// How a user gets in, as a list of users shows it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// When it last did; none if never.
    pub signed_in_at: Option<Timestamp>,
    /// Authenticators that count.
    pub authenticators: i64,
    /// Passkeys that count.
    pub passkeys: i64,
}

/// What narrows a list of users; what is absent narrows nothing.
#[derive(Clone, Debug, Default)]
pub struct UserFilter {
    /// The address, the first or the last name begins with the text of this key.
    pub prefix: Option<String>,
    /// Of this status.
    pub status: Option<Status>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn addresses_are_one_mailbox_each() {
        for good in ["ada@example.com", "a@b", "ADA.Lovelace+x@Example.CO.UK", " a@xn--bcher-kva.example "] {
            assert!(Email::parse("/email", good).is_ok(), "{good}");
        }
        let long = format!("{}@example.com", "a".repeat(65));
        for bad in [
            "",
            "ada",
            "@example.com",
            "ada@",
            "a@b@c",
            "a b@c",
            "a@x,b@y",
            "a@x\r\nBcc: b@y",
            "a@x%0ab",
            "a@x\0b@y",
            "a@b\u{fc}cher.example",
            "\u{430}da@example.com",
            "Ada <ada@example.com>",
            ".a@b",
            "a..b@c",
            "a@-b",
            "a@b..c",
            "a@b.",
            &long,
        ] {
            assert!(Email::parse("/email", bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn spellings_of_an_address_share_one_key() {
        let key = |text: &str| Email::parse("/email", text).unwrap().key();
        assert_eq!(key("Ada@Example.COM"), key("ada@example.com"));
        assert_eq!(presented_key(" \u{ff21}da@example.com "), key("ada@example.com"));
        assert_ne!(key("ada@example.com"), key("a.da@example.com"));
    }

    #[test]
    fn names_may_be_absent_and_are_visible() {
        assert_eq!(parse_person_name("/first_name", " Ada ").unwrap(), "Ada");
        assert_eq!(parse_person_name("/first_name", "").unwrap(), "");
        assert!(parse_person_name("/first_name", "A\u{200B}da").is_err());
        assert!(parse_person_name("/first_name", &"x".repeat(65)).is_err());
        assert_eq!(display_name("", "Lovelace", "a@b"), "Lovelace");
        assert_eq!(display_name("", "", "a@b"), "a@b");
        assert!(parse_phone("/phone", "+44 (0)20 7946-0000").is_ok());
        assert!(parse_phone("/phone", "call me").is_err());
    }

    #[test]
    fn roles_are_named_once() {
        let one = AccessLevelId::from_u128(1);
        assert!(parse_roles("/access_level_ids", vec![one, one]).is_err());
        assert!(parse_roles("/access_level_ids", Vec::new()).unwrap().is_empty());
        let many = (0..51).map(AccessLevelId::from_u128).collect();
        assert!(parse_roles("/access_level_ids", many).is_err());
    }

    proptest! {
        #[test]
        fn what_is_accepted_needs_no_quoting(text in "[ -~\u{e0}-\u{ff}\r\n]{0,40}@[ -~]{0,40}") {
            if let Ok(email) = Email::parse("/email", &text) {
                prop_assert!(email.as_str().is_ascii());
                prop_assert!(!email.as_str().contains(|c: char| c.is_whitespace() || c.is_control() || ",;:<>()[]\"\\".contains(c)));
                prop_assert_eq!(email.as_str().matches('@').count(), 1);
                prop_assert_eq!(email.key(), presented_key(email.as_str()));
            }
        }
    }
}
