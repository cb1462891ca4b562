//! Access levels in memory. Applications share the level's cell, so that an edit of a level holds for all of them at once.

use claviger_domain::catalogue::Catalogue;
use claviger_domain::grants::{GrantSet, Grants, Verb, Verbs};
use claviger_domain::id::AccessLevelId;
use claviger_domain::scope;
use papaya::HashMap;
use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

/// Permissions whose verbs lie in the cell itself, so that a question follows one pointer less: more than the built-in
/// catalogue has.
const NEAR: usize = 128;

/// The grants of a level, exchanged when it is edited.
#[derive(Debug)]
pub struct LevelCell {
    /// The level.
    pub id: AccessLevelId,
    /// The grants once more, to be asked for one right without a lock.
    near: [AtomicU8; NEAR],
    far: Box<[AtomicU8]>,
    grants: Mutex<Spelt>,
}

/// Grants, and the scope that asks for all of them once somebody has asked for that.
#[derive(Debug, Default)]
struct Spelt {
    set: GrantSet,
    scope: Option<Arc<str>>,
}

impl LevelCell {
    fn new(id: AccessLevelId, grants: GrantSet) -> Self {
        let cell = Self {
            id,
            near: [const { AtomicU8::new(0) }; NEAR],
            far: grants.verbs().skip(NEAR).map(|_| AtomicU8::new(0)).collect(),
            grants: Mutex::default(),
        };
        cell.set(grants);
        cell
    }

    /// Whether the grants have `verb` on the permission at `index` of the catalogue.
    pub fn has(&self, index: usize, verb: Verb) -> bool {
        let verbs = self.near.get(index).or_else(|| self.far.get(index.checked_sub(NEAR)?));
        verbs.is_some_and(|verbs| Verbs::of_bits(verbs.load(Ordering::Acquire)).has(verb))
    }

    /// The grants as they are now.
    pub fn grants(&self) -> GrantSet {
        self.grants.lock().set.clone()
    }

    /// The same as a scope.
    pub fn scope(&self, catalogue: &Catalogue) -> Arc<str> {
        let mut held = self.grants.lock();
        let Spelt { set, scope } = &mut *held;
        Arc::clone(scope.get_or_insert_with(|| scope::spell(set, catalogue).into()))
    }

    fn set(&self, grants: GrantSet) {
        let mut held = self.grants.lock();
        for (verbs, new) in self.near.iter().chain(&self.far).zip(grants.verbs()) {
            verbs.store(new.bits(), Ordering::Release);
        }
        *held = Spelt { set: grants, scope: None };
    }
}

/// All levels that some loaded application uses, and the built-in ones.
#[derive(Debug)]
pub struct Levels {
    catalogue: Arc<Catalogue>,
    cells: HashMap<u128, Arc<LevelCell>>,
}

impl Levels {
    /// The built-in levels.
    pub fn new(catalogue: Arc<Catalogue>) -> Self {
        let levels = Self { catalogue, cells: HashMap::new() };
        for level in levels.catalogue.levels() {
            levels.put(level.id, &level.grants);
        }
        levels
    }

    /// The cell of a level, made with `grants` if there is none yet.
    pub fn cell(&self, id: AccessLevelId, grants: &Grants) -> Arc<LevelCell> {
        let compile = || Arc::new(LevelCell::new(id, GrantSet::compile(grants, &self.catalogue)));
        Arc::clone(self.cells.pin().get_or_insert_with(id.as_u128(), compile))
    }

    /// Sets the grants of a level. Holds for every application that uses it when this returns.
    pub fn put(&self, id: AccessLevelId, grants: &Grants) {
        self.cell(id, grants).set(GrantSet::compile(grants, &self.catalogue));
    }

    /// The grants of a level, if it is in memory.
    pub fn grants(&self, id: AccessLevelId) -> Option<GrantSet> {
        self.cells.pin().get(&id.as_u128()).map(|cell| cell.grants())
    }

    /// Forgets a level that is gone; no application has its grants from it any more.
    pub fn remove(&self, id: AccessLevelId) {
        self.cells.pin().remove(&id.as_u128());
    }

    /// Forgets all levels of tenants.
    pub fn forget_all(&self) {
        let cells = self.cells.pin();
        cells.retain(|_, cell| self.catalogue.level(cell.id).is_some());
    }

    /// How many levels there are in memory.
    pub fn len(&self) -> usize {
        self.cells.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.cells.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_says_what_its_grants_say_however_long_the_catalogue_is() {
        let permission = |number| {
            format!(
                "[[permission]]\nname = \"own.noun{number}\"\ncategory = \"c\"\ntitle = \"t\"\nverbs = [\"READ\", \"UPDATE\"]\n"
            )
        };
        let file: String = (0..2 * NEAR).map(permission).collect();
        let file = format!("family = \"own\"\ntitle = \"Own\"\n\n{file}");
        let catalogue = Catalogue::load(&[("own.toml".into(), file)]).unwrap();
        let only = |verb, odd| {
            let nouns = (0..2 * NEAR).filter(|number| number % 2 == odd);
            let grants = nouns.map(|number| (format!("own.noun{number}"), Verbs::NONE.with(verb))).collect();
            GrantSet::compile(&grants, &catalogue)
        };
        let (before, after) = (only(Verb::Read, 0), only(Verb::Update, 1));
        let cell = LevelCell::new(AccessLevelId::from_u128(1), before.clone());
        let same = |set: &GrantSet| {
            let all = (0..catalogue.len() + 1).flat_map(|index| [Verb::Read, Verb::Update].map(|verb| (index, verb)));
            all.filter(|(index, verb)| cell.has(*index, *verb) != set.has(*index, *verb)).count() == 0
        };
        assert!(same(&before) && cell.grants() == before);
        cell.set(after.clone());
        assert!(same(&after) && !same(&before) && cell.grants() == after);
    }
}
