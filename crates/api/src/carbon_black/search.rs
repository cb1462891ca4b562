//! Keeps what a search or an export answers with while the record goes by: never more records than are wanted, however
//! many are found.

use super::criteria::{Format, Search};
use super::csv;
use super::model::Record;
use claviger_app::audit::{AuditExport, StoredEntry};
use claviger_app::jobs::JobResult;
use claviger_domain::{Error, Result};

/// Most records of one export.
pub(super) const EXPORT_MAX: usize = 100_000;
/// Records kept beyond those wanted before the surplus is thrown away at once.
const SLACK: usize = 256;

/// The records found so far, as many of them as can still be among those wanted.
#[derive(Debug)]
pub(super) struct Found {
    search: Search,
    keep: usize,
    kept: Vec<Record>,
    count: usize,
}

impl Found {
    /// Nothing found yet; `wanted` records from the search's start on are to be kept.
    pub fn new(search: Search, wanted: usize) -> Self {
        Self { keep: search.start.saturating_add(wanted), search, kept: Vec::new(), count: 0 }
    }

    /// Looks at an entry.
    pub fn look(&mut self, entry: &StoredEntry) {
        let record = Record::read(entry.number, entry.at, &entry.canonical, &entry.hash);
        if !self.search.filter.matches(&record) {
            return;
        }
        self.count += 1;
        self.kept.push(record);
        if self.kept.len() >= self.keep.saturating_mul(2).saturating_add(SLACK) {
            self.drop_surplus();
        }
    }

    fn drop_surplus(&mut self) {
        if self.keep < self.kept.len() {
            let sort = &self.search.sort;
            self.kept.select_nth_unstable_by(self.keep, |one, other| sort.compare(one, other));
            self.kept.truncate(self.keep);
        }
    }

    /// How many were found.
    pub fn count(&self) -> usize {
        self.count
    }

    /// The records wanted, in the order wanted.
    pub fn into_records(mut self) -> Vec<Record> {
        self.drop_surplus();
        self.kept.sort_unstable_by(|one, other| self.search.sort.compare(one, other));
        self.kept.drain(..self.search.start.min(self.kept.len()));
        self.kept
    }
}

/// A file in the making.
#[derive(Debug)]
pub(super) struct Export {
    found: Found,
    most: usize,
    format: Format,
    org_key: String,
}

impl Export {
    /// An export of the rows that the search asks for, or of all that is found if that is not more than `most`.
    pub fn new(search: Search, format: Format, org_key: String, most: usize) -> Self {
        let most = if search.rows.is_some() { usize::MAX } else { most };
        let wanted = search.rows.unwrap_or(most);
        Self { found: Found::new(search, wanted), most, format, org_key }
    }
}

impl AuditExport for Export {
    fn look(&mut self, entry: &StoredEntry) -> Result<()> {
        self.found.look(entry);
        if self.found.count() > self.most {
            let detail = format!("more than {} records match; narrow the export by create_time", self.most);
            return Err(Error::conflict("export_too_large", detail));
        }
        Ok(())
    }

    fn finish(self) -> Result<(JobResult, i64)> {
        let records = self.found.into_records();
        let count = i64::try_from(records.len()).unwrap_or(i64::MAX);
        let (content_type, bytes) = match self.format {
            Format::Csv => ("text/csv; charset=utf-8", csv::write(records.iter(), &self.org_key)),
            Format::Json => {
                let bodies: Vec<_> = records.iter().map(|record| record.to_body(&self.org_key)).collect();
                let bytes = serde_json::to_vec(&bodies)
                    .map_err(|error| Error::Internal(format!("an export is no JSON: {error}")))?;
                ("application/json", bytes)
            }
        };
        Ok((JobResult { content_type: content_type.into(), bytes }, count))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use claviger_domain::time::Timestamp;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    fn entry(number: i64) -> StoredEntry {
        let canonical = json!({
            "action": "application.created", "actor": { "id": (number % 7).to_string() },
            "target": { "id": "1", "name": format!("n{number}") },
        });
        StoredEntry { number, at: Timestamp::from_millis(number / 3), canonical: canonical.to_string(), hash: [7; 32] }
    }

    fn search(body: Value) -> Search {
        Search::read(&body, Timestamp::from_micros(0)).unwrap()
    }

    fn numbers(body: Value, entries: i64) -> (Vec<i64>, usize) {
        let search = search(body);
        let wanted = search.wanted();
        let mut found = Found::new(search, wanted);
        (1..=entries).for_each(|number| found.look(&entry(number)));
        let count = found.count();
        (found.into_records().iter().map(|record| record.number).collect(), count)
    }

    #[test]
    fn pages_are_cut_from_the_whole() {
        assert_eq!(numbers(json!({ "rows": 3 }), 10), (vec![10, 9, 8], 10));
        assert_eq!(numbers(json!({ "rows": 3, "start": 8 }), 10), (vec![2, 1], 10));
        assert_eq!(numbers(json!({ "rows": 3, "start": 80 }), 10), (vec![], 10));
        assert_eq!(numbers(json!({ "rows": 0 }), 1_000), (vec![], 1_000));
        assert_eq!(numbers(json!({}), 1_000).0.len(), 20);
        assert_eq!(numbers(json!({ "criteria": { "actor": ["3"] }, "rows": 2 }), 20), (vec![17, 10], 3));
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let mut found = Found::new(search(json!({ "rows": 10 })), 10);
        for number in 1..=5_000 {
            found.look(&entry(number));
            assert!(found.kept.len() <= 20 + SLACK);
        }
        assert_eq!(found.count(), 5_000);
    }

    fn export(body: Value, entries: i64) -> Result<(JobResult, i64)> {
        let (search, format) = Search::read_export(&body, Timestamp::from_micros(0)).unwrap();
        let mut export = Export::new(search, format, "ABCD1234".into(), 50);
        (1..=entries).try_for_each(|number| export.look(&entry(number)))?;
        export.finish()
    }

    #[test]
    fn exports_are_files_of_both_forms() {
        let (csv, count) = export(json!({ "format": "csv" }), 30).unwrap();
        assert_eq!((count, csv.content_type.as_str()), (30, "text/csv; charset=utf-8"));
        assert_eq!(csv.bytes.iter().filter(|byte| **byte == b'\n').count(), 31);
        let (json, count) = export(json!({ "format": "json", "rows": 5, "start": 2 }), 30).unwrap();
        let records: Vec<Value> = serde_json::from_slice(&json.bytes).unwrap();
        assert_eq!((count, records.len(), json.content_type.as_str()), (5, 5, "application/json"));
        assert_eq!(records[0]["description"], "Created connector n28 with api key 1");
    }

    #[test]
    fn an_export_that_grows_too_large_says_so() {
        assert_eq!(export(json!({}), 50).unwrap().1, 50);
        let error = export(json!({}), 51).unwrap_err();
        assert!(error.to_string().contains("create_time"), "{error}");
        assert_eq!(export(json!({ "rows": 5 }), 51).unwrap().1, 5);
    }

    proptest! {
        #[test]
        fn pages_together_are_the_whole(entries in 0_i64..60, rows in 1_usize..20, field in 0_usize..7) {
            let field = super::super::text::Field::NAMES[field];
            let sort = json!([{ "field": field, "order": "ASC" }]);
            let whole = numbers(json!({ "rows": 1_000, "sort": sort }), entries).0;
            let mut paged = Vec::new();
            while paged.len() < whole.len() {
                let page = numbers(json!({ "rows": rows, "start": paged.len(), "sort": sort }), entries).0;
                prop_assert!(!page.is_empty());
                paged.extend(page);
            }
            prop_assert_eq!(paged, whole);
        }
    }
}
