//! Rights: permission × verb, as people write them and as the hot path asks for them.

use crate::catalogue::Catalogue;
use crate::{Error, FieldError, Result};
use std::collections::BTreeMap;
use std::fmt;

/// What may be done with the data behind a permission.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum Verb {
    /// Add something.
    Create,
    /// Look at something.
    Read,
    /// Change something.
    Update,
    /// Remove something.
    Delete,
    /// Make something happen.
    Execute,
}

impl Verb {
    /// All verbs, in the order in which they are written.
    pub const ALL: [Self; 5] = [Self::Create, Self::Read, Self::Update, Self::Delete, Self::Execute];

    /// The word on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Create => "CREATE",
            Self::Read => "READ",
            Self::Update => "UPDATE",
            Self::Delete => "DELETE",
            Self::Execute => "EXECUTE",
        }
    }

    /// The verb that a word names; only the upper-case spelling is one.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|verb| verb.as_str() == text)
    }

    const fn bit(self) -> u8 {
        1 << self as u8
    }
}

/// A set of verbs.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default, Debug)]
pub struct Verbs(u8);

impl Verbs {
    /// No verb.
    pub const NONE: Self = Self(0);

    /// The set with `verb` added.
    #[must_use]
    pub const fn with(self, verb: Verb) -> Self {
        Self(self.0 | verb.bit())
    }

    /// Whether the set has `verb`.
    pub const fn has(self, verb: Verb) -> bool {
        self.0 & verb.bit() != 0
    }

    /// What both sets have.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// What either set has.
    #[must_use]
    pub const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// What this set has and `other` has not.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Whether the set is empty.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// A bit for each verb.
    pub const fn bits(self) -> u8 {
        self.0
    }

    /// The set of these [`Verbs::bits`].
    pub const fn of_bits(bits: u8) -> Self {
        Self(bits)
    }

    /// The verbs, in the order in which they are written.
    pub fn iter(self) -> impl Iterator<Item = Verb> {
        Verb::ALL.into_iter().filter(move |verb| self.has(*verb))
    }
}

impl FromIterator<Verb> for Verbs {
    fn from_iter<I: IntoIterator<Item = Verb>>(verbs: I) -> Self {
        verbs.into_iter().fold(Self::NONE, Self::with)
    }
}

/// One right by name: what a refusal says is missing.
#[derive(Clone, PartialEq, Eq, Debug, Hash)]
pub struct Right {
    /// The permission's dotted name.
    pub permission: String,
    /// The verb.
    pub verb: Verb,
}

impl Right {
    /// The right of these words.
    pub fn new(permission: &str, verb: Verb) -> Self {
        Self { permission: permission.to_owned(), verb }
    }
}

impl fmt::Display for Right {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.permission, self.verb.as_str())
    }
}

/// Grants as they are written and stored: permission name → verbs, sorted by name.
pub type Grants = BTreeMap<String, Verbs>;

/// Reads grants as they came in a body. Every unknown permission, unknown verb and verb that the permission does not offer
/// is named; an empty list of verbs is refused, because it looks like a right and is none.
pub fn parse_grants(pointer: &str, written: &BTreeMap<String, Vec<String>>, catalogue: &Catalogue) -> Result<Grants> {
    let mut grants = Grants::new();
    let mut errors = Vec::new();
    for (name, words) in written {
        let at = format!("{pointer}/{}", name.replace('~', "~0").replace('/', "~1"));
        let Some(permission) = catalogue.find(name) else {
            errors.push(FieldError {
                pointer: at,
                message: format!("there is no permission {name:?}"),
                fix: "GET /v1/catalogue lists all permissions".into(),
            });
            continue;
        };
        let offered = permission.verbs.iter().map(Verb::as_str).collect::<Vec<_>>().join(", ");
        let mut verbs = Verbs::NONE;
        for (index, word) in words.iter().enumerate() {
            match Verb::parse(word).filter(|verb| permission.verbs.has(*verb)) {
                Some(verb) => verbs = verbs.with(verb),
                None => errors.push(FieldError {
                    pointer: format!("{at}/{index}"),
                    message: format!("{name} does not offer {word:?}"),
                    fix: format!("it offers {offered}"),
                }),
            }
        }
        if words.is_empty() {
            errors.push(FieldError {
                pointer: at,
                message: format!("{name} is listed without a verb"),
                fix: format!("name one or more of {offered}, or leave it out"),
            });
        }
        grants.insert(name.clone(), verbs);
    }
    if errors.is_empty() { Ok(grants) } else { Err(Error::Invalid(errors)) }
}

/// Grants compiled to a bit set: one byte per permission of the catalogue, one bit per verb.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct GrantSet(Box<[u8]>);

impl GrantSet {
    /// Compiles grants. A permission that has left the catalogue gives no right.
    pub fn compile(grants: &Grants, catalogue: &Catalogue) -> Self {
        let mut set = vec![0; catalogue.len()];
        for (name, verbs) in grants {
            if let Some(permission) = catalogue.find(name)
                && let Some(byte) = set.get_mut(permission.index)
            {
                *byte = verbs.and(permission.verbs).0;
            }
        }
        Self(set.into())
    }

    /// Whether the set holds `verb` on the permission at `index` of the catalogue.
    pub fn has(&self, index: usize, verb: Verb) -> bool {
        self.0.get(index).is_some_and(|byte| byte & verb.bit() != 0)
    }

    /// The set with `verb` on the permission at `index` added, if the catalogue it was compiled for has that.
    pub fn add(&mut self, index: usize, verb: Verb) {
        if let Some(byte) = self.0.get_mut(index) {
            *byte |= verb.bit();
        }
    }

    /// What both sets hold.
    #[must_use]
    pub fn and(&self, other: &Self) -> Self {
        Self(self.0.iter().zip(&other.0).map(|(one, two)| one & two).collect())
    }

    /// What either set holds.
    #[must_use]
    pub fn or(&self, other: &Self) -> Self {
        let length = self.0.len().max(other.0.len());
        let byte = |set: &Self, index: usize| set.0.get(index).copied().unwrap_or(0);
        Self((0..length).map(|index| byte(self, index) | byte(other, index)).collect())
    }

    /// The verbs of each permission, in the order of the catalogue.
    pub fn verbs(&self) -> impl Iterator<Item = Verbs> {
        self.0.iter().map(|byte| Verbs(*byte))
    }

    /// The first right that `wanted` holds and this set does not, if there is one.
    pub fn first_missing(&self, wanted: &Self, catalogue: &Catalogue) -> Option<Right> {
        wanted.0.iter().enumerate().find_map(|(index, byte)| {
            let held = Verbs(self.0.get(index).copied().unwrap_or(0));
            let verb = Verbs(*byte).without(held).iter().next()?;
            Some(Right::new(&catalogue.get(index)?.name, verb))
        })
    }

    /// The grants that the set means, by name.
    pub fn to_grants(&self, catalogue: &Catalogue) -> Grants {
        let held = self.0.iter().enumerate().filter(|(_, byte)| **byte != 0);
        held.filter_map(|(index, byte)| Some((catalogue.get(index)?.name.clone(), Verbs(*byte)))).collect()
    }
}

/// Grants as JSON: `{"org.audits":["READ"]}`.
pub fn grants_to_json(grants: &Grants) -> serde_json::Value {
    let members = grants
        .iter()
        .map(|(name, verbs)| (name.clone(), verbs.iter().map(|verb| serde_json::Value::from(verb.as_str())).collect()));
    serde_json::Value::Object(members.collect())
}

/// Grants as they were stored as JSON; words that mean nothing any more are dropped.
pub fn grants_from_json(json: &str) -> Grants {
    let written: BTreeMap<String, Vec<String>> = serde_json::from_str(json).unwrap_or_default();
    written.into_iter().map(|(name, words)| (name, words.iter().filter_map(|w| Verb::parse(w)).collect())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(pairs: &[(&str, &[&str])]) -> BTreeMap<String, Vec<String>> {
        pairs.iter().map(|(n, v)| ((*n).to_owned(), v.iter().map(|w| (*w).to_owned()).collect())).collect()
    }

    #[test]
    fn what_does_not_exist_is_refused_by_name() {
        let catalogue = Catalogue::built_in();
        let body = written(&[("org.nothing", &["READ"]), ("org.audits", &["READ", "DELETE"]), ("applications", &[])]);
        let Err(Error::Invalid(fields)) = parse_grants("/grants", &body, &catalogue) else { panic!("accepted") };
        let messages: Vec<_> = fields.iter().map(|f| f.message.as_str()).collect();
        assert_eq!(
            messages,
            [
                "applications is listed without a verb",
                "org.audits does not offer \"DELETE\"",
                "there is no permission \"org.nothing\""
            ]
        );
        assert_eq!(fields[1].pointer, "/grants/org.audits/1");
    }

    #[test]
    fn sets_answer_and_compare() {
        let catalogue = Catalogue::built_in();
        let parse = |pairs: &[(&str, &[&str])]| {
            GrantSet::compile(&parse_grants("/grants", &written(pairs), &catalogue).unwrap(), &catalogue)
        };
        let wide = parse(&[("applications", &["CREATE", "READ"]), ("org.audits", &["READ"])]);
        let narrow = parse(&[("applications", &["READ"])]);
        assert_eq!(wide.first_missing(&narrow, &catalogue), None);
        let missing = narrow.first_missing(&wide, &catalogue).unwrap();
        assert_eq!(missing.to_string(), "applications:CREATE");
        assert_eq!(narrow.or(&wide), wide);
        assert_eq!(GrantSet::default().or(&narrow), narrow);
        let json = grants_to_json(&wide.to_grants(&catalogue)).to_string();
        assert_eq!(json, r#"{"applications":["CREATE","READ"],"org.audits":["READ"]}"#);
        assert_eq!(GrantSet::compile(&grants_from_json(&json), &catalogue), wide);
    }
}
