//! The catalogue: every permission there is, read from data files, and the built-in access levels.

use crate::grants::{GrantSet, Grants, Verb, Verbs};
use crate::id::AccessLevelId;
use crate::key_type::LegacyType;
use serde::Deserialize;
use std::collections::{BTreeMap, HashMap};

const FILES: [(&str, &str); 4] = [
    ("claviger.toml", include_str!("../catalogue/claviger.toml")),
    ("carbon_black.toml", include_str!("../catalogue/carbon_black.toml")),
    ("cylance.toml", include_str!("../catalogue/cylance.toml")),
    ("cyrisma.toml", include_str!("../catalogue/cyrisma.toml")),
];
const LEVELS: &str = include_str!("../catalogue/levels.toml");
const KEY_TYPES: &str = include_str!("../catalogue/key_types.toml");

/// One permission.
#[derive(Clone, Debug)]
pub struct Permission {
    /// Dotted name, unique in the catalogue.
    pub name: String,
    /// The product family whose data it guards.
    pub family: String,
    /// Heading under which people look for it.
    pub category: String,
    /// What people call it.
    pub title: String,
    /// The verbs it offers.
    pub verbs: Verbs,
    /// OAuth-like scope texts that stand for one of its verbs, lower-case.
    pub scopes: BTreeMap<String, Verb>,
    /// Its place in a [`GrantSet`]; holds for one loaded catalogue, never stored.
    pub index: usize,
}

/// An access level that comes with the server and cannot be edited.
#[derive(Clone, Debug)]
pub struct BuiltInLevel {
    /// Fixed id, the same in every installation.
    pub id: AccessLevelId,
    /// Name as Carbon Black has it.
    pub name: String,
    /// URN under which the Carbon Black grants service knows it.
    pub urn: String,
    /// What it is for.
    pub description: String,
    /// What it grants.
    pub grants: Grants,
}

/// What applications of a legacy key type may do.
#[derive(Clone, Debug)]
pub struct LegacyGrants {
    /// The type.
    pub kind: LegacyType,
    /// What an access level with its grants is called.
    pub level: String,
    /// What it grants.
    pub grants: Grants,
}

/// All permissions, in a fixed order for as long as the process lives.
#[derive(Debug)]
pub struct Catalogue {
    permissions: Vec<Permission>,
    by_name: HashMap<String, usize>,
    /// The right that a scope of a vendor stands for, by its text in lower case.
    by_scope: HashMap<String, (usize, Verb)>,
    levels: Vec<BuiltInLevel>,
    key_types: Vec<LegacyGrants>,
}

/// Why a catalogue file was refused.
#[derive(Debug, thiserror::Error)]
#[error("{file}: {reason}")]
pub struct CatalogueError {
    /// The file's name.
    pub file: String,
    /// What is wrong with it.
    pub reason: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    family: String,
    #[serde(rename = "title")]
    _title: String,
    #[serde(default)]
    permission: Vec<Row>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    name: String,
    category: String,
    title: String,
    verbs: Vec<String>,
    #[serde(default)]
    scopes: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyTypesFile {
    key_type: Vec<KeyTypeRow>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyTypeRow {
    name: String,
    level: String,
    includes: Option<String>,
    grants: BTreeMap<String, Vec<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LevelsFile {
    level: Vec<LevelRow>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LevelRow {
    id: String,
    name: String,
    urn: String,
    description: String,
    #[serde(default)]
    all: Vec<String>,
    #[serde(default)]
    grants: BTreeMap<String, Vec<String>>,
}

impl Catalogue {
    /// Reads the built-in files and then `added`, an operator's own files as (name, text).
    pub fn load(added: &[(String, String)]) -> Result<Self, CatalogueError> {
        let mut catalogue = Self {
            permissions: Vec::new(),
            by_name: HashMap::new(),
            by_scope: HashMap::new(),
            levels: Vec::new(),
            key_types: Vec::new(),
        };
        for (file, text) in FILES {
            catalogue.add(file, text)?;
        }
        for (file, text) in added {
            catalogue.add(file, text)?;
        }
        catalogue.add_levels()?;
        catalogue.add_key_types()?;
        Ok(catalogue)
    }

    /// The catalogue of the built-in files alone, for tests.
    #[cfg(any(test, feature = "test"))]
    #[expect(clippy::panic, reason = "the files are compiled in and a test reads them")]
    pub fn built_in() -> Self {
        Self::load(&[]).unwrap_or_else(|error| panic!("{error}"))
    }

    fn add(&mut self, file: &str, text: &str) -> Result<(), CatalogueError> {
        let fail = |reason: String| CatalogueError { file: file.to_owned(), reason };
        let parsed: File = toml::from_str(text).map_err(|error| fail(error.to_string()))?;
        if self.permissions.iter().any(|p| p.family == parsed.family) {
            return Err(fail(format!("the family {:?} is defined already", parsed.family)));
        }
        for row in parsed.permission {
            let index = self.permissions.len();
            let verbs =
                parse_verbs(&row.verbs).map_err(|word| fail(format!("{}: {word:?} is not a verb", row.name)))?;
            let well_formed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
            if row.name.is_empty() || row.name.len() > 128 || !row.name.chars().all(well_formed) {
                return Err(fail(format!("{:?}: a name has 1 to 128 of letters, digits, '.', '-', '_'", row.name)));
            }
            if verbs.is_empty() {
                return Err(fail(format!("{}: offers no verb", row.name)));
            }
            let mut scopes = BTreeMap::new();
            for (scope, word) in row.scopes {
                let verb = Verb::parse(&word).filter(|verb| verbs.has(*verb));
                let verb = verb.ok_or_else(|| {
                    fail(format!("{}: scope {scope:?} maps to {word:?}, which it does not offer", row.name))
                })?;
                // RFC 6749, 3.3.
                if scope.is_empty() || !scope.chars().all(|c| c.is_ascii_graphic() && !matches!(c, '"' | '\\')) {
                    return Err(fail(format!(
                        "the scope {scope:?} has blanks, quotes, backslashes or other than ASCII"
                    )));
                }
                if self.permissions.iter().any(|p| p.scopes.contains_key(&scope)) {
                    return Err(fail(format!("the scope {scope:?} is defined twice")));
                }
                self.by_scope.insert(scope.to_ascii_lowercase(), (index, verb));
                scopes.insert(scope, verb);
            }
            if self.by_name.insert(row.name.clone(), index).is_some() {
                return Err(fail(format!("the permission {:?} is defined twice", row.name)));
            }
            let (family, category, title) = (parsed.family.clone(), row.category, row.title);
            self.permissions.push(Permission { name: row.name, family, category, title, verbs, scopes, index });
        }
        Ok(())
    }

    fn add_levels(&mut self) -> Result<(), CatalogueError> {
        let fail = |reason: String| CatalogueError { file: "levels.toml".into(), reason };
        let parsed: LevelsFile = toml::from_str(LEVELS).map_err(|error| fail(error.to_string()))?;
        for row in parsed.level {
            let id = AccessLevelId::parse(&row.id).ok_or_else(|| fail(format!("{:?} is not an id", row.id)))?;
            let everywhere = parse_verbs(&row.all).map_err(|word| fail(format!("{word:?} is not a verb")))?;
            let mut grants: Grants = self
                .permissions
                .iter()
                .map(|p| (p.name.clone(), p.verbs.and(everywhere)))
                .filter(|(_, verbs)| !verbs.is_empty())
                .collect();
            let explicit =
                crate::grants::parse_grants(&row.name, &row.grants, self).map_err(|error| fail(error.to_string()))?;
            for (name, verbs) in explicit {
                let held = grants.entry(name).or_default();
                *held = held.or(verbs);
            }
            let (name, urn, description) = (row.name, row.urn, row.description);
            self.levels.push(BuiltInLevel { id, name, urn, description, grants });
        }
        Ok(())
    }

    fn add_key_types(&mut self) -> Result<(), CatalogueError> {
        let fail = |reason: String| CatalogueError { file: "key_types.toml".into(), reason };
        let parsed: KeyTypesFile = toml::from_str(KEY_TYPES).map_err(|error| fail(error.to_string()))?;
        for row in parsed.key_type {
            let kind = LegacyType::parse(&row.name).ok_or_else(|| fail(format!("{:?} is no key type", row.name)))?;
            let mut grants =
                crate::grants::parse_grants(&row.name, &row.grants, self).map_err(|error| fail(error.to_string()))?;
            let included = row.includes.as_deref().and_then(LegacyType::parse);
            for (name, verbs) in included.and_then(|kind| self.key_type(kind)).into_iter().flat_map(|one| &one.grants) {
                let held = grants.entry(name.clone()).or_default();
                *held = held.or(*verbs);
            }
            self.key_types.push(LegacyGrants { kind, level: row.level, grants });
        }
        Ok(())
    }

    /// What applications of a legacy key type may do.
    pub fn key_type(&self, kind: LegacyType) -> Option<&LegacyGrants> {
        self.key_types.iter().find(|one| one.kind == kind)
    }

    /// The same as a set; nothing for a type that the files do not have.
    pub fn legacy_grants(&self, kind: LegacyType) -> GrantSet {
        self.key_type(kind).map_or_else(GrantSet::default, |one| GrantSet::compile(&one.grants, self))
    }

    /// The permission of that name.
    pub fn find(&self, name: &str) -> Option<&Permission> {
        self.by_name.get(name).and_then(|index| self.permissions.get(*index))
    }

    /// The right that a scope of a vendor stands for, as a place of a [`GrantSet`] and a verb; upper and lower case are one.
    pub fn find_scope(&self, scope: &str) -> Option<(usize, Verb)> {
        self.by_scope.get(&scope.to_ascii_lowercase()).copied()
    }

    /// The permission at a place of a [`GrantSet`].
    pub fn get(&self, index: usize) -> Option<&Permission> {
        self.permissions.get(index)
    }

    /// All permissions, in their order.
    pub fn permissions(&self) -> &[Permission] {
        &self.permissions
    }

    /// How many permissions there are.
    pub fn len(&self) -> usize {
        self.permissions.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.permissions.is_empty()
    }

    /// The built-in access levels, weakest first.
    pub fn levels(&self) -> &[BuiltInLevel] {
        &self.levels
    }

    /// The built-in access level of that id.
    pub fn level(&self, id: AccessLevelId) -> Option<&BuiltInLevel> {
        self.levels.iter().find(|level| level.id == id)
    }

    /// Every right of every permission: what the first application of the operator holds.
    pub fn everything(&self) -> GrantSet {
        let grants = self.permissions.iter().map(|p| (p.name.clone(), p.verbs)).collect();
        GrantSet::compile(&grants, self)
    }
}

fn parse_verbs(words: &[String]) -> Result<Verbs, String> {
    words.iter().map(|word| Verb::parse(word).ok_or_else(|| word.clone())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn built_in_files_load_and_levels_grow() {
        let catalogue = Catalogue::built_in();
        assert!(catalogue.len() > 60);
        let names: Vec<_> = catalogue.levels().iter().map(|level| level.name.as_str()).collect();
        assert_eq!(
            names,
            ["View All", "Level 1 Analyst", "Level 2 Analyst", "Level 3 Analyst", "System Admin", "Super Admin"]
        );
        let everything = catalogue.everything();
        for level in catalogue.levels() {
            let set = GrantSet::compile(&level.grants, &catalogue);
            assert_eq!(everything.first_missing(&set, &catalogue), None, "{}", level.name);
        }
        let highest = catalogue.levels().last().map(|level| GrantSet::compile(&level.grants, &catalogue)).unwrap();
        assert_eq!(highest.first_missing(&everything, &catalogue), None);
    }

    #[test]
    fn legacy_key_types_hold_what_they_were_for() {
        let catalogue = Catalogue::built_in();
        let holds =
            |kind, name: &str, verb| catalogue.legacy_grants(kind).has(catalogue.find(name).unwrap().index, verb);
        for kind in LegacyType::ALL {
            assert!(catalogue.key_type(kind).is_some_and(|one| !one.grants.is_empty() && !one.level.is_empty()));
            for name in ["applications", "access-levels", "tenants", "secret-texts"] {
                assert!(!holds(kind, name, Verb::Read), "{kind:?} administers nothing");
            }
        }
        assert!(
            holds(LegacyType::Siem, "notifications", Verb::Read) && !holds(LegacyType::Siem, "org.audits", Verb::Read)
        );
        assert!(
            holds(LegacyType::Api, "org.audits", Verb::Read) && !holds(LegacyType::Api, "notifications", Verb::Read)
        );
        assert!(!holds(LegacyType::Api, "org.liveresponse.session", Verb::Create));
        assert!(holds(LegacyType::LiveResponse, "org.liveresponse.session", Verb::Create));
        let (api, live) = (catalogue.legacy_grants(LegacyType::Api), catalogue.legacy_grants(LegacyType::LiveResponse));
        assert_eq!(live.first_missing(&api, &catalogue), None);
    }

    #[test]
    fn our_own_nouns_offer_four_verbs() {
        let catalogue = Catalogue::built_in();
        let four: Verbs = [Verb::Create, Verb::Read, Verb::Update, Verb::Delete].into_iter().collect();
        for name in ["applications", "access-levels", "tenants", "users", "audit", "usage", "webhooks", "forwarders"] {
            assert_eq!(catalogue.find(name).map(|p| p.verbs), Some(four), "{name}");
        }
    }

    #[test]
    fn an_operators_file_is_added_and_its_mistakes_are_named() {
        let file = |text: &str| vec![("own.toml".to_owned(), text.to_owned())];
        let good = "family = \"shop\"\ntitle = \"Shop\"\n[[permission]]\nname = \"shop.orders\"\ncategory = \"Shop\"\ntitle = \"Orders\"\nverbs = [\"READ\"]\n";
        assert!(Catalogue::load(&file(good)).unwrap().find("shop.orders").is_some());
        for (bad, reason) in [
            (good.replace("shop.orders", "org.alerts"), "own.toml: the permission \"org.alerts\" is defined twice"),
            (good.replace("READ", "PEEK"), "own.toml: shop.orders: \"PEEK\" is not a verb"),
            (good.replace("\"shop\"", "\"cylance\""), "own.toml: the family \"cylance\" is defined already"),
        ] {
            assert_eq!(Catalogue::load(&file(&bad)).unwrap_err().to_string(), reason);
        }
        assert!(Catalogue::load(&file(&good.replace("category", "categori"))).is_err());
    }
}
