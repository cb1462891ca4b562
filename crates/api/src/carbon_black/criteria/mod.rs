//! The body of a search: `criteria`, `exclusions`, `query`, `rows`, `start`, `sort`. It is read member by member, so that
//! whatever is wrong is named in the family's own words.

use super::bad_request::BadRequest;
use super::model::Record;
use super::query::Query;
use super::text::{Field, Subject, Wanted};
use super::times::Span;
use claviger_domain::time::Timestamp;
use serde_json::{Map, Value};
use std::cmp::Ordering;

/// How far a search can be paged.
pub const WINDOW: usize = 10_000;
const ROWS_DEFAULT: usize = 20;
/// Most values that one criterion lists.
const VALUES_MAX: usize = 1_000;
const SEARCH_MEMBERS: [&str; 6] = ["criteria", "exclusions", "query", "rows", "start", "sort"];
const EXPORT_MEMBERS: [&str; 7] = ["criteria", "exclusions", "query", "rows", "start", "sort", "format"];
const ORDERS: [&str; 2] = ["ASC", "DESC"];
const FORMATS: [&str; 2] = ["csv", "json"];

/// What is looked for, and how much of it is wanted in which order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Search {
    /// What a record must be like.
    pub filter: Filter,
    /// How many records are left out before the first.
    pub start: usize,
    /// How many are wanted, if that was said.
    pub rows: Option<usize>,
    /// In which order.
    pub sort: Sort,
}

/// The form of an export.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Comma-separated values.
    Csv,
    /// A JSON array.
    Json,
}

/// What a record must be like.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    criteria: Criteria,
    exclusions: Criteria,
    query: Option<Query>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Criteria {
    texts: Vec<(Field, Vec<Wanted>)>,
    created: Option<Span>,
}

/// Members to sort by, the first first; each descending or not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sort(Vec<(Field, Direction)>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Direction {
    Ascending,
    Descending,
}

impl Search {
    /// Reads the body of `_search`.
    pub fn read(body: &Value, now: Timestamp) -> Result<Self, BadRequest> {
        let search = Self::read_members(object(body, &SEARCH_MEMBERS)?, now)?;
        let rows = search.rows.unwrap_or(0);
        if search.start >= WINDOW || search.start + rows > WINDOW {
            let message = format!(
                "start and rows reach beyond the first {WINDOW} records; narrow the search by create_time, or export it"
            );
            return Err(BadRequest::new("INVALID_ROWS", "start", message));
        }
        Ok(search)
    }

    /// Reads the body of `_export`.
    pub fn read_export(body: &Value, now: Timestamp) -> Result<(Self, Format), BadRequest> {
        let members = object(body, &EXPORT_MEMBERS)?;
        let format = match members.get("format") {
            None | Some(Value::Null) => Format::Csv,
            Some(Value::String(word)) if word.eq_ignore_ascii_case("csv") => Format::Csv,
            Some(Value::String(word)) if word.eq_ignore_ascii_case("json") => Format::Json,
            Some(other) => return Err(BadRequest::unknown_word("format", &shown(other), &FORMATS)),
        };
        Ok((Self::read_members(members, now)?, format))
    }

    fn read_members(members: &Map<String, Value>, now: Timestamp) -> Result<Self, BadRequest> {
        let query = match members.get("query") {
            None | Some(Value::Null) => None,
            Some(Value::String(text)) => Query::parse(text)?,
            Some(_) => return Err(BadRequest::new("INVALID_QUERY", "query", "write the query as a text")),
        };
        let criteria = Criteria::read(members.get("criteria"), "criteria", now)?;
        let exclusions = Criteria::read(members.get("exclusions"), "exclusions", now)?;
        Ok(Self {
            filter: Filter { criteria, exclusions, query },
            start: count(members, "start")?.unwrap_or(0),
            rows: count(members, "rows")?,
            sort: Sort::read(members.get("sort"))?,
        })
    }

    /// How many records of those found a search answers with at most: up to where its window ends.
    pub fn wanted(&self) -> usize {
        self.rows.unwrap_or(ROWS_DEFAULT).min(WINDOW.saturating_sub(self.start))
    }
}

impl Filter {
    /// The span of time outside of which nothing matches.
    pub fn span(&self) -> Span {
        self.criteria.created.unwrap_or_default()
    }

    /// Whether a record is as wanted.
    pub fn matches(&self, record: &Record) -> bool {
        if self.criteria.created.is_some_and(|span| !span.contains(record.at)) {
            return false;
        }
        if self.exclusions.created.is_some_and(|span| span.contains(record.at)) {
            return false;
        }
        if self.query.is_none() && self.criteria.texts.is_empty() && self.exclusions.texts.is_empty() {
            return true;
        }
        let subject = Subject::new(record);
        let has = |(field, wanted): &(Field, Vec<Wanted>)| wanted.iter().any(|one| subject.has(Some(*field), one));
        self.criteria.texts.iter().all(has)
            && !self.exclusions.texts.iter().any(has)
            && self.query.as_ref().is_none_or(|query| query.matches(&subject))
    }
}

impl Criteria {
    fn read(value: Option<&Value>, name: &str, now: Timestamp) -> Result<Self, BadRequest> {
        let mut criteria = Self::default();
        let members = match value {
            None | Some(Value::Null) => return Ok(criteria),
            Some(Value::Object(members)) => members,
            Some(_) => return Err(BadRequest::new("INVALID_BODY", name, "write an object of members and values")),
        };
        for (member, value) in members {
            let field = Field::parse(member).ok_or_else(|| BadRequest::unknown_member(member, &Field::NAMES))?;
            let path = format!("{name}.{member}");
            match (field, value) {
                (_, Value::Null) => {}
                (Field::CreateTime, value) => criteria.created = Some(Span::read(value, &path, now)?),
                (field, Value::Array(values)) if values.len() <= VALUES_MAX => {
                    let wanted =
                        values.iter().map(|value| wanted(field, value, &path)).collect::<Result<Vec<_>, _>>()?;
                    // An empty list narrows nothing, as if it were not there.
                    if !wanted.is_empty() {
                        criteria.texts.push((field, wanted));
                    }
                }
                (_, Value::Array(_)) => {
                    return Err(BadRequest::new("INVALID_VALUE", path, format!("list at most {VALUES_MAX} values")));
                }
                (field, value) => criteria.texts.push((field, vec![wanted(field, value, &path)?])),
            }
        }
        Ok(criteria)
    }
}

fn wanted(field: Field, value: &Value, path: &str) -> Result<Wanted, BadRequest> {
    match (field, value) {
        (Field::Flagged | Field::Verbose, Value::Bool(flag)) => Ok(Wanted::text(if *flag { "true" } else { "false" })),
        (Field::Flagged | Field::Verbose, _) => Err(BadRequest::new("INVALID_VALUE", path, "write true or false")),
        (_, Value::String(text)) => Ok(Wanted::text(text)),
        _ => Err(BadRequest::new("INVALID_VALUE", path, "write a list of texts")),
    }
}

impl Sort {
    fn read(value: Option<&Value>) -> Result<Self, BadRequest> {
        let alone;
        let entries = match value {
            None | Some(Value::Null) => &[][..],
            Some(Value::Array(entries)) => entries,
            Some(entry) => {
                alone = [entry.clone()];
                &alone[..]
            }
        };
        if entries.len() > Field::ALL.len() {
            return Err(BadRequest::new(
                "INVALID_SORT",
                "sort",
                format!("sort by at most {} members", Field::ALL.len()),
            ));
        }
        let mut sort = Vec::with_capacity(entries.len());
        for (index, entry) in entries.iter().enumerate() {
            let path = format!("sort[{index}]");
            let Value::Object(members) = entry else {
                return Err(BadRequest::new("INVALID_SORT", path, "write an object with field and order"));
            };
            if let Some(name) = members.keys().find(|name| !matches!(name.as_str(), "field" | "order")) {
                return Err(BadRequest::unknown_member(name, &["field", "order"]));
            }
            let field = members.get("field").unwrap_or(&Value::Null);
            let Some(field) = field.as_str().and_then(Field::parse) else {
                return Err(BadRequest::unknown_word(format!("{path}.field"), &shown(field), &Field::NAMES));
            };
            let direction = match members.get("order") {
                None | Some(Value::Null) => Direction::Ascending,
                Some(Value::String(order)) if order.eq_ignore_ascii_case("asc") => Direction::Ascending,
                Some(Value::String(order)) if order.eq_ignore_ascii_case("desc") => Direction::Descending,
                Some(other) => return Err(BadRequest::unknown_word(format!("{path}.order"), &shown(other), &ORDERS)),
            };
            sort.push((field, direction));
        }
        if sort.is_empty() {
            sort.push((Field::CreateTime, Direction::Descending));
        }
        Ok(Self(sort))
    }

    /// Which of two records comes first. No two are equal, so that pages never overlap.
    pub fn compare(&self, one: &Record, other: &Record) -> Ordering {
        let by_fields = self.0.iter().map(|(field, direction)| direction.turn(by(*field, one, other)));
        let last = self.0.last().map_or(Direction::Descending, |(_, direction)| *direction);
        by_fields.fold(Ordering::Equal, Ordering::then).then_with(|| last.turn(one.number.cmp(&other.number)))
    }
}

impl Direction {
    fn turn(self, ordering: Ordering) -> Ordering {
        if self == Self::Descending { ordering.reverse() } else { ordering }
    }
}

fn by(field: Field, one: &Record, other: &Record) -> Ordering {
    match field {
        Field::ActorIp => one.actor_ip.cmp(&other.actor_ip),
        Field::Actor => one.actor.cmp(&other.actor),
        Field::RequestUrl => one.request_url.cmp(&other.request_url),
        Field::Description => one.description.cmp(&other.description),
        Field::Flagged => one.flagged.cmp(&other.flagged),
        Field::Verbose => one.verbose.cmp(&other.verbose),
        // Milliseconds, as the record shows them: what shows as equal is equal.
        Field::CreateTime => one.at.millis().cmp(&other.at.millis()),
    }
}

fn object<'a>(body: &'a Value, known: &[&str]) -> Result<&'a Map<String, Value>, BadRequest> {
    let Value::Object(members) = body else { return Err(BadRequest::body("the body is not a JSON object")) };
    match members.keys().find(|name| !known.contains(&name.as_str())) {
        Some(name) => Err(BadRequest::unknown_member(name, known)),
        None => Ok(members),
    }
}

/// A count of records, written as a number or as a text.
fn count(members: &Map<String, Value>, name: &'static str) -> Result<Option<usize>, BadRequest> {
    let number = match members.get(name) {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::Number(number)) => number.as_u64(),
        Some(Value::String(text)) => text.parse().ok(),
        Some(_) => None,
    };
    let fits = number.and_then(|number| usize::try_from(number).ok()).filter(|number| *number <= WINDOW);
    let code = if name == "rows" { "INVALID_ROWS" } else { "INVALID_START" };
    fits.map(Some).ok_or_else(|| BadRequest::new(code, name, format!("write a number from 0 to {WINDOW}")))
}

fn shown(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests;
