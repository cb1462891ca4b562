//! Import: applications that have a client id and secrets already, of which only hashes are known here.

use crate::application::NewApplication;
use crate::id::ClientId;
use crate::rotation::LIVE_MAX;
use crate::secret::SecretHash;
use crate::time::Timestamp;
use crate::{Error, FieldError, Result};
use std::collections::HashSet;

/// Most applications of one import.
pub const IMPORT_MAX: usize = 1_000;
/// Most characters of a hint: fewer than any secret worth importing.
pub const HINT_MAX: usize = 16;
/// The hint of a secret that came without one.
pub const HINT_DEFAULT: &str = "imported";

/// A secret that clients hold already.
#[derive(Clone, Debug)]
pub struct ImportedSecret {
    /// SHA-256 of its text.
    pub hash: SecretHash,
    /// By what people recognise it.
    pub hint: String,
    /// When it stops.
    pub expires_at: Option<Timestamp>,
}

/// An application that clients know already.
#[derive(Clone, Debug)]
pub struct ImportedApplication {
    /// What its clients present.
    pub client_id: ClientId,
    /// Everything else about it.
    pub new: NewApplication,
    /// Its secrets, one or two.
    pub secrets: Vec<ImportedSecret>,
}

/// A whole import.
#[derive(Clone, Debug)]
pub struct Import {
    /// The applications.
    pub applications: Vec<ImportedApplication>,
    /// Whether they came as a list: errors then name the place in it.
    pub listed: bool,
    /// Whether it is only asked what would come of it.
    pub dry_run: bool,
}

impl Import {
    /// The pointer to a member of one of the applications.
    pub fn pointer(&self, index: usize, member: &str) -> String {
        if self.listed { format!("/{index}{member}") } else { member.to_owned() }
    }

    /// Refuses too many or none, and two that would be called alike, all of them at once.
    pub fn check(&self) -> Result<()> {
        check_count(self.applications.len())?;
        let (mut names, mut client_ids, mut refused) = (HashSet::new(), HashSet::new(), Vec::new());
        for (index, application) in self.applications.iter().enumerate() {
            if !names.insert(application.new.name.key()) {
                refused.push(self.twice(index, "/name"));
            }
            if !client_ids.insert(application.client_id.as_str()) {
                refused.push(self.twice(index, "/client_id"));
            }
        }
        if refused.is_empty() { Ok(()) } else { Err(Error::Invalid(refused)) }
    }

    fn twice(&self, index: usize, member: &str) -> FieldError {
        FieldError {
            pointer: self.pointer(index, member),
            message: "another application of this import has it, too".into(),
            fix: "give each its own".into(),
        }
    }
}

/// Refuses too many applications, or none, before each of them is looked at.
pub fn check_count(count: usize) -> Result<()> {
    if (1..=IMPORT_MAX).contains(&count) {
        return Ok(());
    }
    Err(Error::invalid("", format!("{count} applications"), format!("give 1 to {IMPORT_MAX} at a time")))
}

/// Accepts `text` as the SHA-256 of a secret of the client id, at `pointer`.
pub fn parse_sha256(pointer: &str, text: &str, client_id: &str) -> Result<SecretHash> {
    let Some(hash) = SecretHash::from_hex(text) else {
        let fix = "give the 64 hexadecimal digits of the SHA-256 of the secret's text, without a line break in it";
        return Err(Error::invalid(pointer, "not a SHA-256", fix));
    };
    // What anybody could present is no secret. Of other weak ones the hash tells nothing.
    if hash.matches(&SecretHash::IMPOSSIBLE)
        || ["", "\n", client_id].iter().any(|text| SecretHash::of(text).matches(&hash))
    {
        let fix = "give the hash of the secret itself, or leave the application out and make a new secret";
        return Err(Error::invalid(pointer, "the hash of nothing, or of the client id", fix));
    }
    Ok(hash)
}

/// Accepts `text` as the hint of the secret of that hash, at `pointer`.
pub fn parse_hint(pointer: &str, text: &str, hash: &SecretHash) -> Result<String> {
    let length = text.chars().count();
    let fix = format!("give 1 to {HINT_MAX} characters that tell the secret from others, such as its last four");
    if length == 0 || length > HINT_MAX {
        return Err(Error::invalid(pointer, format!("the hint has {length} characters"), fix));
    }
    if text.chars().any(|c| c.is_control() || c.is_whitespace()) {
        return Err(Error::invalid(pointer, "the hint holds a blank or a control character", fix));
    }
    if SecretHash::of(text).matches(hash) {
        return Err(Error::invalid(pointer, "the hint is the whole secret, which is shown to whoever reads it", fix));
    }
    Ok(text.to_owned())
}

/// Refuses none, more than may be live, or one given twice, at `pointer`.
pub fn check_secrets(pointer: &str, secrets: &[ImportedSecret]) -> Result<()> {
    let fix = format!("give 1 to {LIVE_MAX} different secrets");
    match secrets {
        [_] => Ok(()),
        [first, second] if !first.hash.matches(&second.hash) => Ok(()),
        [_, _] => Err(Error::invalid(pointer, "the same secret twice", fix)),
        other => Err(Error::invalid(pointer, format!("{} secrets", other.len()), fix)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::application::{Reach, Rights};
    use crate::grants::Grants;
    use crate::name::Name;
    use proptest::prelude::*;
    use sha2::{Digest, Sha256};

    fn hex(text: &str) -> String {
        Sha256::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
    }

    fn application(name: &str, client_id: &str) -> ImportedApplication {
        let new = NewApplication {
            name: Name::parse("/name", name).unwrap(),
            description: String::new(),
            owner: None,
            owner_id: None,
            rights: Rights::Inline(Grants::new()),
            reach: Reach::Own,
            allowed_networks: None,
            expires_at: None,
            secret_expires_at: None,
            enabled: true,
            rate_limit: None,
            dpop_bound: false,
        };
        ImportedApplication { client_id: ClientId::parse("", client_id).unwrap(), new, secrets: Vec::new() }
    }

    #[test]
    fn a_hash_of_what_everybody_knows_is_no_secret() {
        let parsed = |text: &str| parse_sha256("/sha256", text, "ABC");
        assert!(parsed(&hex("TDF4J2X/secret")).unwrap().matches(&SecretHash::of("TDF4J2X/secret")));
        assert!(parsed(&hex("x").to_uppercase()).is_ok());
        for bad in [hex(""), hex("ABC"), "0".repeat(64), "0".repeat(63), "g".repeat(64), "é".repeat(32), String::new()]
        {
            assert!(parsed(&bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn hints_do_not_give_the_secret_away() {
        let hash = SecretHash::of("s3cr3t");
        assert_eq!(parse_hint("/hint", "…cr3t", &hash).unwrap(), "…cr3t");
        for bad in ["", "s3cr3t", "a b", &"x".repeat(HINT_MAX + 1)] {
            assert!(parse_hint("/hint", bad, &hash).is_err(), "{bad}");
        }
    }

    #[test]
    fn an_application_comes_with_one_or_two_secrets() {
        let secret = |text: &str| ImportedSecret { hash: SecretHash::of(text), hint: "h".into(), expires_at: None };
        assert!(check_secrets("", &[secret("a")]).is_ok() && check_secrets("", &[secret("a"), secret("b")]).is_ok());
        for bad in [vec![], vec![secret("a"), secret("a")], vec![secret("a"), secret("b"), secret("c")]] {
            assert!(check_secrets("", &bad).is_err());
        }
    }

    #[test]
    fn what_clashes_within_an_import_is_named() {
        let applications = vec![application("A", "1"), application("a", "2"), application("B", "1")];
        let import = Import { applications, listed: true, dry_run: false };
        let Err(Error::Invalid(fields)) = import.check() else { panic!("accepted") };
        assert_eq!(fields.iter().map(|f| f.pointer.as_str()).collect::<Vec<_>>(), ["/1/name", "/2/client_id"]);
        assert!(Import { applications: Vec::new(), ..import }.check().is_err());
    }

    proptest! {
        #[test]
        fn every_hash_is_read_as_it_is_written(text in ".{1,80}") {
            let read = SecretHash::from_hex(&hex(&text)).unwrap();
            prop_assert!(read.matches(&SecretHash::of(&text)));
        }

        #[test]
        fn any_text_is_answered(text in ".{0,70}") {
            let _ = parse_sha256("", &text, "c");
            let _ = parse_hint("", &text, &SecretHash::of("x"));
            let _ = ClientId::parse("", &text);
        }
    }
}
