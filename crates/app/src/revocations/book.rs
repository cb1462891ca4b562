//! The file itself: lines of JSON, of which the newest about each thing counts.

use super::provider::Provided;
use claviger_domain::id::{AccessLevelId, ApplicationId, BindingId, IssuerId, ProviderId, SecretId, TenantId, UserId};
use claviger_domain::{Error, Result};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

/// Lines beyond those that still say something, before the file is written anew.
const STALE_MAX: usize = 4_096;

/// The first line: which store the file is about, and which history of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Header {
    /// The store's id.
    pub(crate) store: String,
    /// Its history.
    pub(crate) history: i64,
}

/// How something stood after it was narrowed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Line {
    /// Shard and revision of the change.
    pub(crate) shard: i64,
    pub(crate) revision: i64,
    #[serde(flatten)]
    pub(crate) fact: Fact,
}

/// What was narrowed, and to what.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(crate) enum Fact {
    /// An application.
    Application {
        tenant: TenantId,
        id: ApplicationId,
        /// Whether it may call; a deleted one may not.
        enabled: bool,
        /// Its live secrets, and when each ends, in microseconds since 1970.
        secrets: Vec<(SecretId, i64)>,
        /// The revision at which its rights, networks, reach or end were last narrowed.
        narrowed: Option<i64>,
    },
    /// An access level: its grants by name.
    AccessLevel { tenant: TenantId, id: AccessLevelId, grants: serde_json::Value },
    /// A tenant, and what it says about its credentials; none in a line that was written before there was such a thing.
    Tenant {
        id: TenantId,
        suspended: bool,
        #[serde(default)]
        limits: Option<Limits>,
        #[serde(default)]
        legacy: Option<Vec<Rule>>,
        /// What its people must sign in with.
        #[serde(default)]
        mfa: Option<String>,
    },
    /// The session tokens of a tenant and its applications: some were revoked, invalidated or made to live shorter. Which ones
    /// need not be known, since all tokens end where a store is restored.
    Tokens {
        tenant: TenantId,
        /// How long they live, in seconds, where the tenant says so.
        lifetime: Option<i64>,
    },
    /// A signing key was revoked.
    SigningKeys,
    /// A trusted issuer: the bindings it has still. Whatever changes takes away a binding and makes another one.
    TrustedIssuer { tenant: TenantId, id: IssuerId, bindings: Vec<BindingId> },
    /// An identity provider; none if it was deleted.
    IdentityProvider { tenant: TenantId, id: ProviderId, said: Option<Box<Provided>> },
    /// A person.
    User {
        tenant: TenantId,
        id: UserId,
        /// Whether it may sign in; a deleted one may not.
        active: bool,
        /// The revision at which it last lost something that it may do, or by which it shows who it is.
        narrowed: Option<i64>,
        /// The revision at which its password was last changed.
        password: Option<i64>,
    },
}

/// What a policy ends: ceilings and rotation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Limits {
    /// Most seconds an application lasts, and a secret.
    pub(crate) application: Option<i64>,
    pub(crate) secret: Option<i64>,
    /// Days between rotations, the overlap in seconds, and since when that holds, in microseconds since 1970.
    pub(crate) rotate: Option<i64>,
    pub(crate) overlap: Option<i64>,
    pub(crate) since: Option<i64>,
    /// Whether secrets are forbidden.
    #[serde(default)]
    pub(crate) forbids_secrets: bool,
}

/// What is said of a legacy key type; times in microseconds since 1970.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Rule {
    pub(crate) key_type: String,
    pub(crate) allowed: bool,
    pub(crate) sunset: Option<i64>,
    pub(crate) since: i64,
}

impl Fact {
    pub(crate) fn subject(&self) -> (&'static str, u128) {
        match self {
            Self::Application { id, .. } => ("application", id.as_u128()),
            Self::AccessLevel { id, .. } => ("access_level", id.as_u128()),
            Self::Tenant { id, .. } => ("tenant", id.as_u128()),
            Self::Tokens { tenant, .. } => ("tokens", tenant.as_u128()),
            Self::SigningKeys => ("signing_keys", 0),
            Self::TrustedIssuer { id, .. } => ("trusted_issuer", id.as_u128()),
            Self::IdentityProvider { id, .. } => ("identity_provider", id.as_u128()),
            Self::User { id, .. } => ("user", id.as_u128()),
        }
    }

    /// Takes along what an earlier line about the same thing says that this one does not.
    fn remember(&mut self, earlier: &Self) {
        let Self::User { narrowed, password, .. } = self else { return };
        let Self::User { narrowed: narrowed_before, password: password_before, .. } = earlier else { return };
        *narrowed = (*narrowed).max(*narrowed_before);
        *password = (*password).max(*password_before);
    }
}

/// The file's newest word about everything in it.
#[derive(Debug)]
pub(crate) struct Book {
    pub(crate) header: Header,
    pub(crate) lines: BTreeMap<(&'static str, u128), Line>,
    path: PathBuf,
    file: File,
    written: usize,
    /// Whether a write has failed, so that nobody knows how far the file is whole.
    torn: bool,
}

impl Book {
    /// Reads a file; none if there is none. A last line that was cut off by a crash says nothing: it was not waited for.
    pub(crate) fn read(path: &Path) -> Result<Option<Self>> {
        let fail = |error: io::Error| Error::Unavailable(format!("{}: {error}", path.display()));
        let file = match OpenOptions::new().read(true).append(true).open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(fail(error)),
        };
        let damaged = |number: usize| {
            Error::Unavailable(format!(
                "{}: line {number} cannot be read; without this file a restored backup could revive what was revoked",
                path.display()
            ))
        };
        let reading = BufReader::new(file.try_clone().map_err(fail)?);
        let texts: Vec<String> = reading
            .split(b'\n')
            .map(|line| line.map(|l| String::from_utf8_lossy(&l).into_owned()))
            .collect::<Result<_, _>>()
            .map_err(fail)?;
        let mut texts = texts.into_iter().enumerate().peekable();
        let Some((_, header)) = texts.next() else { return Ok(None) };
        let header = serde_json::from_str(&header).map_err(|_| damaged(1))?;
        let mut book = Self { header, lines: BTreeMap::new(), path: path.to_owned(), file, written: 0, torn: false };
        let mut cut_off = false;
        while let Some((index, text)) = texts.next() {
            match serde_json::from_str::<Line>(&text) {
                Ok(line) => book.take(line),
                Err(_) if texts.peek().is_none() => cut_off = true,
                Err(_) => return Err(damaged(index + 1)),
            }
        }
        if cut_off {
            book.write_anew()?;
        }
        Ok(Some(book))
    }

    /// Begins a file.
    pub(crate) fn begin(path: &Path, header: Header) -> Result<Self> {
        let fail = |error: io::Error| Error::Unavailable(format!("{}: {error}", path.display()));
        let file = OpenOptions::new().create(true).append(true).mode(0o600).open(path).map_err(fail)?;
        let mut book = Self { header, lines: BTreeMap::new(), path: path.to_owned(), file, written: 0, torn: false };
        book.write_anew()?;
        Ok(book)
    }

    fn take(&mut self, mut line: Line) {
        self.written += 1;
        match self.lines.get_mut(&line.fact.subject()) {
            // Two that were noted at once may come in the wrong order.
            Some(known) if known.shard == line.shard && known.revision > line.revision => {
                known.fact.remember(&line.fact)
            }
            Some(known) => {
                line.fact.remember(&known.fact);
                *known = line;
            }
            None => drop(self.lines.insert(line.fact.subject(), line)),
        }
    }

    /// Puts lines on disk.
    pub(super) fn append(&mut self, lines: Vec<Line>) -> Result<()> {
        let fail = |path: &Path, error: io::Error| Error::Unavailable(format!("{}: {error}", path.display()));
        let mut text = Vec::new();
        for line in lines {
            let written = serde_json::to_vec(&line).map_err(|error| Error::Internal(error.to_string()))?;
            text.extend_from_slice(&written);
            text.push(b'\n');
            self.take(line);
        }
        if self.torn {
            return self.write_anew();
        }
        let written = self.file.write_all(&text).and_then(|()| self.file.sync_data());
        self.torn = written.is_err();
        written.map_err(|error| fail(&self.path, error))?;
        if self.written > 2 * self.lines.len() + STALE_MAX { self.write_anew() } else { Ok(()) }
    }

    /// Writes a new file of what still says something, and puts it in the old one's place.
    pub(crate) fn write_anew(&mut self) -> Result<()> {
        let path = self.path.clone();
        let fail = |error: io::Error| Error::Unavailable(format!("{}: {error}", path.display()));
        let json = |error: serde_json::Error| Error::Internal(error.to_string());
        let fresh = self.path.with_extension("new");
        let mut text = serde_json::to_vec(&self.header).map_err(json)?;
        text.push(b'\n');
        for line in self.lines.values() {
            text.extend_from_slice(&serde_json::to_vec(line).map_err(json)?);
            text.push(b'\n');
        }
        let _ = fs::remove_file(&fresh);
        let mut file = OpenOptions::new().create_new(true).append(true).mode(0o600).open(&fresh).map_err(fail)?;
        file.write_all(&text).and_then(|()| file.sync_all()).map_err(fail)?;
        fs::rename(&fresh, &self.path).map_err(fail)?;
        if let Some(directory) = self.path.parent() {
            File::open(directory).and_then(|directory| directory.sync_all()).map_err(fail)?;
        }
        self.file = file;
        self.torn = false;
        self.written = self.lines.len();
        Ok(())
    }

    /// Whether the store is an older one than the file has seen.
    pub(crate) fn is_ahead_of(&self, history: i64, revisions: &[(i64, i64)]) -> bool {
        let reached: BTreeMap<_, _> = revisions.iter().copied().collect();
        let ahead = |line: &Line| line.revision > reached.get(&line.shard).copied().unwrap_or(0);
        self.header.history != history || self.lines.values().any(ahead)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(id: u128, revision: i64, enabled: bool) -> Line {
        let (tenant, id) = (TenantId::from_u128(1), ApplicationId::from_u128(id));
        let secrets = vec![(SecretId::from_u128(9), i64::MAX)];
        Line { shard: 1, revision, fact: Fact::Application { tenant, id, enabled, secrets, narrowed: None } }
    }

    fn scratch(name: &str) -> PathBuf {
        let path = std::env::temp_dir().join(format!("claviger-revocations-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        path.join("revocations")
    }

    #[test]
    fn what_is_kept_is_read_again_and_a_cut_line_is_not_missed() {
        let path = scratch("read");
        let header = Header { store: "s".into(), history: 3 };
        let mut book = Book::begin(&path, header.clone()).unwrap();
        book.append(vec![line(1, 5, false), line(2, 6, true)]).unwrap();
        book.append(vec![line(1, 7, true)]).unwrap();
        let mut file = OpenOptions::new().append(true).open(&path).unwrap();
        file.write_all(br#"{"shard":1,"revi"#).unwrap();
        let read = Book::read(&path).unwrap().unwrap();
        assert_eq!((&read.header, read.lines.len()), (&header, 2));
        assert_eq!(read.lines[&("application", 1)], line(1, 7, true));
        assert!(!read.is_ahead_of(3, &[(1, 7)]));
        assert!(read.is_ahead_of(3, &[(1, 6)]), "the store lacks a change");
        assert!(read.is_ahead_of(4, &[(1, 7)]), "another history");
        assert_eq!(Book::read(&path).unwrap().unwrap().lines.len(), 2, "the cut line is gone");
        fs::remove_dir_all(path.parent().unwrap()).unwrap();
    }

    #[test]
    fn what_follows_a_write_that_failed_half_way_is_kept() {
        let path = scratch("torn");
        let mut book = Book::begin(&path, Header { store: "s".into(), history: 0 }).unwrap();
        book.append(vec![line(1, 5, false)]).unwrap();
        let whole = std::mem::replace(&mut book.file, File::open(&path).unwrap());
        assert!(book.append(vec![line(2, 6, false)]).is_err(), "a file that cannot be written");
        book.file = whole;
        book.file.write_all(br#"{"shard":1,"revi"#).unwrap();
        book.append(vec![line(3, 7, false)]).unwrap();
        book.append(vec![line(4, 8, false), line(3, 6, true)]).unwrap();
        let read = Book::read(&path).unwrap().unwrap();
        assert_eq!(read.lines.len(), 4);
        assert_eq!(read.lines[&("application", 3)], line(3, 7, false), "what is older says nothing");
        fs::remove_dir_all(path.parent().unwrap()).unwrap();
    }

    #[test]
    fn lines_of_a_person_add_up_in_any_order() {
        let line = |revision, active, narrowed, password| {
            let (tenant, id) = (TenantId::from_u128(1), UserId::from_u128(2));
            Line { shard: 1, revision, fact: Fact::User { tenant, id, active, narrowed, password } }
        };
        let lines = [line(5, true, Some(5), None), line(6, true, None, Some(6)), line(7, false, None, None)];
        for order in [[0, 1, 2], [2, 1, 0], [1, 2, 0], [2, 0, 1]] {
            let path = scratch(&format!("person-{order:?}"));
            let mut book = Book::begin(&path, Header { store: "s".into(), history: 0 }).unwrap();
            for index in order {
                book.append(vec![lines[index].clone()]).unwrap();
            }
            let kept = |book: &Book| book.lines[&("user", 2)].clone();
            assert_eq!(kept(&book), line(7, false, Some(5), Some(6)), "{order:?}");
            assert_eq!(kept(&Book::read(&path).unwrap().unwrap()), kept(&book));
            book.write_anew().unwrap();
            assert_eq!(kept(&Book::read(&path).unwrap().unwrap()), kept(&book));
            fs::remove_dir_all(path.parent().unwrap()).unwrap();
        }
    }

    #[test]
    fn lines_of_older_versions_are_read() {
        let path = scratch("older");
        let id = TenantId::from_u128(1);
        let old = format!(
            "{}\n{}\n{}\n",
            r#"{"store":"s","history":0}"#,
            json_of(&id, r#""suspended":true"#),
            json_of(&TenantId::from_u128(2), r#""suspended":false,"limits":null,"legacy":[]"#)
        );
        fs::write(&path, old).unwrap();
        let read = Book::read(&path).unwrap().unwrap();
        let expected = Fact::Tenant { id, suspended: true, limits: None, legacy: None, mfa: None };
        assert_eq!(read.lines[&("tenant", 1)].fact, expected);
        assert_eq!(read.lines.len(), 2);
        fs::remove_dir_all(path.parent().unwrap()).unwrap();
    }

    fn json_of(id: &TenantId, rest: &str) -> String {
        format!(r#"{{"shard":1,"revision":3,"kind":"tenant","id":"{id}",{rest}}}"#)
    }

    #[test]
    fn damage_in_the_middle_stops_the_start() {
        let path = scratch("damage");
        let mut book = Book::begin(&path, Header { store: "s".into(), history: 0 }).unwrap();
        book.append(vec![line(1, 5, false)]).unwrap();
        fs::write(&path, fs::read_to_string(&path).unwrap().replace("application", "applicati") + "x\n").unwrap();
        assert!(Book::read(&path).unwrap_err().to_string().contains("line 2"));
        fs::remove_dir_all(path.parent().unwrap()).unwrap();
    }

    #[test]
    fn the_file_does_not_grow_without_end() {
        let path = scratch("grow");
        let mut book = Book::begin(&path, Header { store: "s".into(), history: 0 }).unwrap();
        for round in 0..3 {
            book.append((0..4_000).map(|number| line(number % 7, round * 4_000 + 1, true)).collect()).unwrap();
        }
        let lines = fs::read_to_string(&path).unwrap().lines().count();
        assert!(lines < 5_000, "{lines}");
        assert_eq!(Book::read(&path).unwrap().unwrap().lines.len(), 7);
        fs::remove_dir_all(path.parent().unwrap()).unwrap();
    }
}
