//! The matrix of permissions and verbs, to be ticked or looked at: category by category, as the catalogue has them.

use crate::form::Form;
use askama::Template;
use claviger_domain::Result;
use claviger_domain::catalogue::Catalogue;
use claviger_domain::grants::{Grants, Verb, parse_grants};
use std::collections::{BTreeMap, BTreeSet};

/// The field of ticked rights: each value is `permission:VERB`.
pub(crate) const FIELD: &str = "grant";

/// A matrix.
#[derive(Template)]
#[template(path = "rights_matrix.html")]
pub(crate) struct Matrix {
    categories: Vec<Category>,
    ticked: usize,
    editable: bool,
    knows_use: bool,
}

struct Category {
    name: String,
    ticked: usize,
    rows: Vec<Row>,
}

struct Row {
    name: String,
    title: String,
    ticked: bool,
    used: bool,
    cells: Vec<Option<Cell>>,
}

struct Cell {
    verb: &'static str,
    ticked: bool,
    used: bool,
    /// Whether whoever looks could tick it.
    held: bool,
}

/// What a matrix is made of besides the catalogue.
pub(crate) struct Ticks<'a> {
    /// What is ticked.
    pub(crate) grants: &'a Grants,
    /// Rights that were used lately, as `permission:VERB`, where that is known.
    pub(crate) used: Option<&'a BTreeSet<String>>,
    /// Whether it can be changed.
    pub(crate) editable: bool,
}

impl Matrix {
    /// The matrix of a catalogue; `held` says what whoever looks holds: nobody gives more.
    pub(crate) fn new(catalogue: &Catalogue, ticks: &Ticks<'_>, held: impl Fn(&str, Verb) -> bool) -> Self {
        let mut categories: Vec<Category> = Vec::new();
        for permission in catalogue.permissions() {
            let ticked = ticks.grants.get(&permission.name).copied().unwrap_or_default();
            let cells: Vec<_> = Verb::ALL
                .into_iter()
                .map(|verb| {
                    let right = format!("{}:{}", permission.name, verb.as_str());
                    permission.verbs.has(verb).then(|| Cell {
                        verb: verb.as_str(),
                        ticked: ticked.has(verb),
                        used: ticks.used.is_some_and(|used| used.contains(&right)),
                        held: held(&permission.name, verb),
                    })
                })
                .collect();
            let count = cells.iter().flatten().filter(|cell| cell.ticked).count();
            let row = Row {
                name: permission.name.clone(),
                title: permission.title.clone(),
                ticked: count > 0,
                used: cells.iter().flatten().any(|cell| cell.used),
                cells,
            };
            match categories.iter_mut().find(|category| category.name == permission.category) {
                Some(category) => {
                    category.ticked += count;
                    category.rows.push(row);
                }
                None => {
                    categories.push(Category { name: permission.category.clone(), ticked: count, rows: vec![row] });
                }
            }
        }
        let ticked = categories.iter().map(|category| category.ticked).sum();
        Self { categories, ticked, editable: ticks.editable, knows_use: ticks.used.is_some() }
    }
}

/// The rights that a form's matrix has ticked, at `/grants`.
pub(crate) fn ticked(form: &Form, catalogue: &Catalogue) -> Result<Grants> {
    let mut written: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (name, verb) in form.all(FIELD).filter_map(|right| right.rsplit_once(':')) {
        written.entry(name.to_owned()).or_default().push(verb.to_owned());
    }
    parse_grants("/grants", &written, catalogue)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_ticked_is_what_the_form_gives() {
        let catalogue = Catalogue::built_in();
        let form = Form::of([(FIELD, "org.audits:READ".to_owned()), (FIELD, "org.alerts:READ".to_owned())]);
        let grants = ticked(&form, &catalogue).unwrap();
        assert_eq!(grants.len(), 2);
        let ticks = Ticks { grants: &grants, used: None, editable: true };
        let html = Matrix::new(&catalogue, &ticks, |_, _| true).render().unwrap();
        assert_eq!(html.matches(" checked").count(), 2, "{html}");
        assert!(ticked(&Form::of([(FIELD, "no.such:READ".to_owned())]), &catalogue).is_err());
    }
}
