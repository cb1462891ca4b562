//! Access levels in memory. Applications share the level's cell, so that an edit of a level is one store of a pointer and
//! holds for all of them at once.

use arc_swap::ArcSwap;
use claviger_domain::catalogue::Catalogue;
use claviger_domain::grants::{GrantSet, Grants};
use claviger_domain::id::AccessLevelId;
use papaya::HashMap;
use std::sync::Arc;

/// The grants of a level, exchanged when it is edited.
#[derive(Debug)]
pub struct LevelCell {
    /// The level.
    pub id: AccessLevelId,
    grants: ArcSwap<GrantSet>,
}

impl LevelCell {
    /// The grants as they are now.
    pub fn grants(&self) -> arc_swap::Guard<Arc<GrantSet>> {
        self.grants.load()
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
        let compile = || {
            let grants = ArcSwap::from_pointee(GrantSet::compile(grants, &self.catalogue));
            Arc::new(LevelCell { id, grants })
        };
        Arc::clone(self.cells.pin().get_or_insert_with(id.as_u128(), compile))
    }

    /// Sets the grants of a level. Holds for every application that uses it when this returns.
    pub fn put(&self, id: AccessLevelId, grants: &Grants) {
        let cell = self.cell(id, grants);
        cell.grants.store(Arc::new(GrantSet::compile(grants, &self.catalogue)));
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
