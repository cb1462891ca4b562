//! The query language of searches, as much of Lucene's as audit records need: words, `field:value`, `"phrases"`, `*` and `?`,
//! `AND` `OR` `NOT` (in capitals) and `-`, parentheses, `create_time:[a TO b]`, and a backslash before a character that is
//! meant as it is. Terms side by side must all hold. Sizes are bounded, so that no query makes a search slow.

mod parser;

use super::bad_request::BadRequest;
use super::text::{Field, Subject, Wanted};
use super::times::Span;

/// Most bytes of a query.
pub const LENGTH_MAX: usize = 10_240;
/// Deepest nesting.
pub const DEPTH_MAX: usize = 32;
/// Most terms.
pub const TERMS_MAX: usize = 512;

/// A query that can be asked of records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Query(Node);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Node {
    All(Vec<Node>),
    Any(Vec<Node>),
    Not(Box<Node>),
    Everything,
    Text(Option<Field>, Wanted),
    Created(Span),
}

impl Query {
    /// Reads a query; none if it is blank.
    pub fn parse(text: &str) -> Result<Option<Self>, BadRequest> {
        if text.len() > LENGTH_MAX {
            return Err(BadRequest::query(format!("the query has {} bytes; {LENGTH_MAX} are allowed", text.len())));
        }
        if text.trim().is_empty() {
            return Ok(None);
        }
        parser::parse(text).map(|node| Some(Self(node)))
    }

    /// Whether a record is as the query says.
    pub fn matches(&self, subject: &Subject<'_>) -> bool {
        self.0.matches(subject)
    }
}

impl Node {
    fn matches(&self, subject: &Subject<'_>) -> bool {
        match self {
            Self::All(nodes) => nodes.iter().all(|node| node.matches(subject)),
            Self::Any(nodes) => nodes.iter().any(|node| node.matches(subject)),
            Self::Not(node) => !node.matches(subject),
            Self::Everything => true,
            Self::Text(field, wanted) => subject.has(*field, wanted),
            Self::Created(span) => span.contains(subject.record.at),
        }
    }
}

#[cfg(test)]
mod tests;
