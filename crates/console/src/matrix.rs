//! The matrix of rights: category × permission × verb, to be ticked or to be looked at. Every page that gives or shows rights has it.
//!
//! To tick: `Matrix::to_tick(catalogue, &person.caller.grants(), &ticked)`, in a form by `{% import "matrix.html" as x %}` and
//! `{% call x::matrix(matrix) %}{% endcall %}`; what was ticked is read by [`written`], and what is wrong with it stands at `grants`.

use crate::form::Form;
use crate::show::counted;
use claviger_domain::catalogue::{Catalogue, Permission};
use claviger_domain::grants::{GrantSet, Grants, Right, Verb, Verbs, parse_grants};
use claviger_domain::time::Timestamp;
use claviger_domain::{Error, Result};
use std::collections::{BTreeMap, HashMap};

/// The name of its boxes: the value of each is a right.
pub(crate) const FIELD: &str = "grant";

/// The matrix.
#[derive(Debug)]
pub(crate) struct Matrix {
    /// Its parts, in the order of the catalogue.
    pub(crate) groups: Vec<Group>,
    /// Whether it is there to be ticked.
    pub(crate) edit: bool,
    /// Whether last uses are shown.
    pub(crate) uses: bool,
    /// Whether rows without a use are left out of sight; their ticks stay.
    pub(crate) only_used: bool,
    /// Whether a right in it lies above those of whoever looks.
    pub(crate) above: bool,
}

/// Permissions of a category.
#[derive(Debug)]
pub(crate) struct Group {
    /// What the category is called.
    pub(crate) category: String,
    /// What the family is called.
    pub(crate) family: String,
    /// Its permissions.
    pub(crate) rows: Vec<Row>,
}

/// A permission.
#[derive(Debug)]
pub(crate) struct Row {
    /// Its place in the catalogue.
    pub(crate) index: usize,
    /// Its dotted name.
    pub(crate) name: String,
    /// What people call it.
    pub(crate) title: String,
    /// A cell for each verb.
    pub(crate) cells: Vec<Cell>,
    /// Whether it is out of sight.
    pub(crate) hidden: bool,
}

/// A permission × verb.
#[derive(Debug)]
pub(crate) struct Cell {
    /// The verb, as grants have it.
    pub(crate) verb: &'static str,
    /// The verb, as people say it.
    pub(crate) word: &'static str,
    /// Whether the permission has that verb at all.
    pub(crate) offered: bool,
    /// Whether it is ticked.
    pub(crate) ticked: bool,
    /// Whether it lies above the rights of whoever looks.
    pub(crate) above: bool,
    /// Whether it was refused.
    pub(crate) wrong: bool,
    /// When it was used last.
    pub(crate) used: Option<Timestamp>,
}

impl Matrix {
    /// All permissions, to be ticked by somebody who holds `held` and can give no more.
    pub(crate) fn to_tick(catalogue: &Catalogue, held: &GrantSet, ticked: &Grants) -> Self {
        let groups = groups(catalogue.permissions().iter(), held, ticked);
        Self { groups, edit: true, uses: false, only_used: false, above: false }.with_above()
    }

    /// The permissions that are granted, to be looked at by somebody who holds `held`.
    pub(crate) fn to_see(catalogue: &Catalogue, held: &GrantSet, granted: &Grants) -> Self {
        let known = catalogue.permissions().iter();
        let known = known.filter(|one| granted.get(&one.name).is_some_and(|verbs| !verbs.is_empty()));
        let groups = groups(known, held, granted);
        Self { groups, edit: false, uses: false, only_used: false, above: false }.with_above()
    }

    fn with_above(mut self) -> Self {
        let edit = self.edit;
        let above = self.rows().any(|row| row.cells.iter().any(|cell| cell.above && (cell.ticked || edit)));
        self.above = above;
        self
    }

    /// With what was used after `since`, by name of the right; the rest is left out of sight if `only` is said.
    pub(crate) fn with_uses(mut self, uses: &[(String, Timestamp)], since: Timestamp, only: bool) -> Self {
        let fresh = uses.iter().filter(|(_, at)| *at > since);
        let uses: HashMap<&str, Timestamp> = fresh.map(|(right, at)| (right.as_str(), *at)).collect();
        for row in self.groups.iter_mut().flat_map(|group| group.rows.iter_mut()) {
            for cell in &mut row.cells {
                cell.used = uses.get(format!("{}:{}", row.name, cell.verb).as_str()).copied();
            }
            row.hidden = only && !row.is_used();
        }
        Self { uses: true, only_used: only, ..self }
    }

    /// Marks a right that was refused.
    pub(crate) fn mark(&mut self, wrong: &Right) {
        let rows = self.groups.iter_mut().flat_map(|group| group.rows.iter_mut());
        for row in rows.filter(|row| row.name == wrong.permission) {
            row.hidden = false;
            for cell in row.cells.iter_mut().filter(|cell| cell.verb == wrong.verb.as_str()) {
                cell.wrong = true;
            }
        }
    }

    fn rows(&self) -> impl Iterator<Item = &Row> {
        self.groups.iter().flat_map(|group| &group.rows)
    }

    /// How many permissions it has, in words.
    pub(crate) fn size(&self) -> String {
        let count = i64::try_from(self.rows().count()).unwrap_or(i64::MAX);
        counted(&count, "permission", "permissions")
    }
}

impl Row {
    /// Whether any of its rights was used.
    pub(crate) fn is_used(&self) -> bool {
        self.cells.iter().any(|cell| cell.used.is_some())
    }
}

impl Group {
    /// Whether none of its rows is to be seen.
    pub(crate) fn is_hidden(&self) -> bool {
        self.rows.iter().all(|row| row.hidden)
    }
}

fn groups<'a>(known: impl Iterator<Item = &'a Permission>, held: &GrantSet, ticked: &Grants) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for permission in known {
        let family = family_word(&permission.family);
        let row = row(permission, held, ticked.get(&permission.name).copied().unwrap_or_default());
        match groups.iter_mut().find(|group| group.category == permission.category && group.family == family) {
            Some(group) => group.rows.push(row),
            None => groups.push(Group { category: permission.category.clone(), family, rows: vec![row] }),
        }
    }
    groups
}

fn row(permission: &Permission, held: &GrantSet, ticked: Verbs) -> Row {
    let cell = |verb: Verb| {
        let offered = permission.verbs.has(verb);
        Cell {
            verb: verb.as_str(),
            word: verb_word(verb),
            offered,
            ticked: offered && ticked.has(verb),
            above: offered && !held.has(permission.index, verb),
            wrong: false,
            used: None,
        }
    };
    Row {
        index: permission.index,
        name: permission.name.clone(),
        title: permission.title.clone(),
        cells: Verb::ALL.into_iter().map(cell).collect(),
        hidden: false,
    }
}

/// What a family of products is called.
fn family_word(family: &str) -> String {
    match family {
        "claviger" => "Claviger".into(),
        "carbon_black" => "Carbon Black".into(),
        "cylance" => "Cylance".into(),
        "cyrisma" => "Cyrisma".into(),
        other => other.to_owned(),
    }
}

/// What a verb is called.
pub(crate) fn verb_word(verb: Verb) -> &'static str {
    match verb {
        Verb::Create => "create",
        Verb::Read => "read",
        Verb::Update => "update",
        Verb::Delete => "delete",
        Verb::Execute => "execute",
    }
}

/// Verbs in words.
pub(crate) fn verbs_words(verbs: &Verbs) -> String {
    verbs.iter().map(verb_word).collect::<Vec<_>>().join(", ")
}

/// What was ticked, as far as it means anything: what the matrix is shown with again.
pub(crate) fn ticked(form: &Form) -> Grants {
    let mut grants = Grants::new();
    for (name, word) in form.all(FIELD).filter_map(|value| value.rsplit_once(':')) {
        if let Some(verb) = Verb::parse(word) {
            let verbs: &mut Verbs = grants.entry(name.to_owned()).or_default();
            *verbs = verbs.with(verb);
        }
    }
    grants
}

/// What was ticked, as the grants that it must be.
pub(crate) fn written(form: &Form, catalogue: &Catalogue) -> Result<Grants> {
    let mut written: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for value in form.all(FIELD) {
        let Some((name, verb)) = value.rsplit_once(':') else {
            return Err(Error::invalid("/grants", format!("{value:?} is no right"), "reload the page and tick again"));
        };
        written.entry(name.to_owned()).or_default().push(verb.to_owned());
    }
    parse_grants("/grants", &written, catalogue)
}

/// How many rights there are in grants.
pub(crate) fn count_rights(grants: &Grants) -> i64 {
    grants.values().map(|verbs| i64::from(verbs.bits().count_ones())).sum()
}

/// The first right in grants that somebody who holds `held` does not.
pub(crate) fn first_above(grants: &Grants, held: &GrantSet, catalogue: &Catalogue) -> Option<Right> {
    held.first_missing(&GrantSet::compile(grants, catalogue), catalogue)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(values: &[&str]) -> Form {
        Form::of(values.iter().map(|value| (FIELD, (*value).to_owned())))
    }

    fn cell<'a>(matrix: &'a Matrix, name: &str, verb: Verb) -> &'a Cell {
        let row = matrix.rows().find(|row| row.name == name).unwrap();
        row.cells.iter().find(|cell| cell.verb == verb.as_str()).unwrap()
    }

    #[test]
    fn what_is_ticked_is_read_and_shown_again() {
        let catalogue = Catalogue::built_in();
        let form = form(&["applications:READ", "applications:CREATE", "org.audits:READ"]);
        let grants = written(&form, &catalogue).unwrap();
        assert_eq!((grants.len(), count_rights(&grants)), (2, 3));
        assert_eq!(ticked(&form), grants);
        let held = GrantSet::compile(&ticked(&form), &catalogue);
        let matrix = Matrix::to_tick(&catalogue, &held, &grants);
        assert_eq!(matrix.size(), format!("{} permissions", catalogue.len()));
        assert!(cell(&matrix, "applications", Verb::Read).ticked && !cell(&matrix, "applications", Verb::Read).above);
        assert!(cell(&matrix, "applications", Verb::Delete).above && matrix.above);
        assert!(!cell(&matrix, "org.audits", Verb::Delete).offered);
        assert_eq!(Matrix::to_see(&catalogue, &held, &grants).size(), "2 permissions");
        assert!(!Matrix::to_see(&catalogue, &held, &grants).above);
    }

    #[test]
    fn what_means_nothing_is_refused_at_the_matrix() {
        let catalogue = Catalogue::built_in();
        for bad in ["applications", "applications:PEEK", "nothing:READ", "org.audits:DELETE"] {
            let Err(Error::Invalid(fields)) = written(&form(&[bad]), &catalogue) else { panic!("{bad}") };
            assert!(fields.iter().all(|field| field.pointer.starts_with("/grants")), "{bad}");
        }
        assert!(written(&form(&[]), &catalogue).unwrap().is_empty());
    }

    #[test]
    fn what_was_not_used_goes_out_of_sight_with_its_ticks() {
        let catalogue = Catalogue::built_in();
        let grants = written(&form(&["applications:READ", "org.audits:READ"]), &catalogue).unwrap();
        let uses = [
            ("org.audits:READ".to_owned(), Timestamp::from_micros(9)),
            ("applications:READ".into(), Timestamp::from_micros(1)),
        ];
        let mut matrix = Matrix::to_tick(&catalogue, &catalogue.everything(), &grants).with_uses(
            &uses,
            Timestamp::from_micros(1),
            true,
        );
        let shown: Vec<_> = matrix.rows().filter(|row| !row.hidden).map(|row| row.name.as_str()).collect();
        assert_eq!(shown, ["org.audits"]);
        assert_eq!(matrix.rows().filter(|row| row.is_used()).count(), 1);
        assert!(cell(&matrix, "applications", Verb::Read).ticked);
        matrix.mark(&Right::new("applications", Verb::Update));
        assert!(cell(&matrix, "applications", Verb::Update).wrong);
        assert_eq!(matrix.rows().filter(|row| !row.hidden).count(), 2);
    }
}
