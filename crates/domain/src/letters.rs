//! What the mails to people say. Nothing that somebody else chose stands in a subject.

use crate::Result;
use crate::mail::NewMail;
use crate::time::Timestamp;
use crate::user_link::LinkKind;

/// For how long a mail is of use that only tells something.
const NEWS_SECONDS: i64 = 86_400;

/// To whom a letter goes.
#[derive(Clone, Copy, Debug)]
pub struct Addressee<'a> {
    /// Mailbox.
    pub email: &'a str,
    /// What the person is called by.
    pub name: &'a str,
}

impl Addressee<'_> {
    fn letter(self, subject: &str, body: &str, until: Timestamp) -> Result<NewMail> {
        // A name is one line here, whatever it holds.
        let name: String = self.name.chars().filter(|c| !c.is_control()).take(80).collect();
        let text = format!("Hello {name},\n\n{body}\n\nThis mail was sent by a machine; nobody reads answers to it.\n");
        NewMail::new(self.email, subject, text, until)
    }
}

/// A link to be used once.
pub fn link(to: Addressee<'_>, kind: LinkKind, url: &str, now: Timestamp) -> Result<NewMail> {
    let until = now.plus_seconds(kind.seconds());
    match kind {
        LinkKind::Invitation => to.letter(
            "You are invited",
            &format!("an account was made for you. Set a password within seven days to use it:\n\n{url}\n\nIf you do not know what this is about, do nothing."),
            until,
        ),
        LinkKind::PasswordReset => to.letter(
            "Set a new password",
            &format!("somebody, probably you, asked for a new password. Set it within fifteen minutes:\n\n{url}\n\nIf it was not you, do nothing: your password stays as it is."),
            until,
        ),
        LinkKind::EmailChange => to.letter(
            "Confirm your new address",
            &format!("somebody, probably you, asked that this address be the one to sign in with. Confirm it within an hour:\n\n{url}\n\nIf it was not you, do nothing: it stays as it is."),
            until,
        ),
    }
}

/// An invitation of somebody who signs in at an identity provider, at `url`, and by no password.
pub fn invitation_to_provider(to: Addressee<'_>, url: &str, now: Timestamp) -> Result<NewMail> {
    let body = format!(
        "an account was made for you. Your organization signs its people in itself: choose single sign-on with this address, and you need no password here:\n\n{url}\n\nIf you do not know what this is about, do nothing."
    );
    to.letter("You are invited", &body, now.plus_seconds(LinkKind::Invitation.seconds()))
}

/// A code to be typed.
pub fn code(to: Addressee<'_>, code: &str, until: Timestamp) -> Result<NewMail> {
    let body = format!(
        "your code to sign in is\n\n{code}\n\nIt can be used for ten minutes, once. If you are not signing in, somebody knows your password: set another one."
    );
    to.letter("Your code to sign in", &body, until)
}

/// Something that has happened to somebody's account.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum News<'a> {
    /// The password was set or changed.
    PasswordChanged,
    /// Another address was asked for; this goes to the one before.
    EmailChangeAsked(&'a str),
    /// The address was changed; this goes to the one before.
    EmailChanged(&'a str),
    /// A second factor was added.
    FactorAdded(&'a str),
    /// A second factor was removed.
    FactorRemoved(&'a str),
    /// Recovery codes were made anew.
    RecoveryCodesMade,
    /// A recovery code was used.
    RecoveryCodeUsed,
    /// An administrator removed all second factors.
    FactorsReset,
    /// Too many wrong codes were given one after the other.
    FactorsSuspended,
}

/// A letter about that.
pub fn news(to: Addressee<'_>, news: News<'_>, now: Timestamp) -> Result<NewMail> {
    let (subject, what): (&str, String) = match news {
        News::PasswordChanged => ("Your password was changed", "your password was changed, and all other sessions were ended.".into()),
        News::EmailChangeAsked(email) => (
            "Another address was asked for",
            format!("somebody, probably you, asked that {email} be the address you sign in with. It counts once it is confirmed from there."),
        ),
        News::EmailChanged(email) => ("Your address was changed", format!("the address you sign in with is {email} from now on.")),
        News::FactorAdded(kind) => ("A second factor was added", format!("a second factor ({kind}) was added to your account.")),
        News::FactorRemoved(kind) => ("A second factor was removed", format!("a second factor ({kind}) was removed from your account.")),
        News::RecoveryCodesMade => ("New recovery codes", "new recovery codes were made for your account; those before count no more.".into()),
        News::RecoveryCodeUsed => ("A recovery code was used", "one of your recovery codes was used in place of your second factor.".into()),
        News::FactorsReset => (
            "Your second factors were removed",
            "an administrator removed all second factors of your account. You can set up new ones when you sign in.".into(),
        ),
        News::FactorsSuspended => (
            "Somebody is guessing your codes",
            "twenty wrong codes were given for your account, one after the other, by somebody who knows your password. No code is accepted any more. Set a new password to be able to sign in again.".into(),
        ),
    };
    let end = "If it was not you, set a new password at once and tell your administrator.";
    to.letter(subject, &format!("{what}\n\n{end}"), now.plus_seconds(NEWS_SECONDS))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_micros(1_800_000_000_000_000);

    #[test]
    fn letters_are_of_use_for_as_long_as_what_they_hold() {
        let to = Addressee { email: "ada@example.com", name: "Ada\r\nBcc: x@y" };
        let mail = link(to, LinkKind::PasswordReset, "https://x/#t", NOW).unwrap();
        assert_eq!(mail.until, NOW.plus_seconds(900));
        assert!(mail.text().starts_with("Hello AdaBcc: x@y,\n\n") && mail.text().contains("\n\nhttps://x/#t\n\n"));
        for news in
            [News::PasswordChanged, News::EmailChanged("a@b"), News::FactorsSuspended, News::FactorAdded("totp")]
        {
            assert!(super::news(to, news, NOW).is_ok());
        }
        assert!(code(to, "123456", NOW).unwrap().text().contains("\n123456\n"));
    }
}
