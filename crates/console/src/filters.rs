//! What lists are narrowed by: times as people type them, and the query that says all of it again in a link.

use crate::show::encoded;
use claviger_domain::time::Timestamp;
use claviger_domain::{Error, Result};

/// A time in UTC as a field or a link has it; none where nothing was filled in.
pub(crate) fn moment(name: &str, text: Option<&str>) -> Result<Option<Timestamp>> {
    let Some(text) = given(text) else { return Ok(None) };
    let text = text.replacen(' ', "T", 1);
    let read = ["", "Z", ":00Z", "T00:00:00Z"].iter().find_map(|rest| Timestamp::parse(&format!("{text}{rest}")));
    let wrong = || Error::invalid(name, "this is no time", "write it as 2026-11-22 14:05, in UTC");
    read.map(Some).ok_or_else(wrong)
}

/// What was filled in, without what stands around it.
pub(crate) fn given(text: Option<&str>) -> Option<&str> {
    text.map(str::trim).filter(|text| !text.is_empty())
}

/// A path with those values that are there.
pub(crate) fn with_query(path: &str, values: &[(&str, Option<&str>)]) -> String {
    let given = values.iter().filter_map(|(name, value)| Some((name, given(*value)?)));
    let query: Vec<_> = given.map(|(name, value)| format!("{name}={}", encoded(value))).collect();
    if query.is_empty() { path.to_owned() } else { format!("{path}?{}", query.join("&")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_people_write_them() {
        let read = |text| moment("since", Some(text)).map(|at| at.map(|at| at.to_string()));
        for text in ["2026-11-22T14:05", "2026-11-22 14:05", "2026-11-22 14:05:00", "2026-11-22T15:05:00+01:00"] {
            assert_eq!(read(text).unwrap().unwrap(), "2026-11-22T14:05:00.000000Z", "{text}");
        }
        assert_eq!(read("2026-11-22").unwrap().unwrap(), "2026-11-22T00:00:00.000000Z");
        assert_eq!((read(" ").unwrap(), moment("since", None).unwrap()), (None, None));
        assert!(read("yesterday").is_err());
    }

    #[test]
    fn links_hold_what_is_there() {
        assert_eq!(with_query("/a", &[("x", None), ("y", Some(" "))]), "/a");
        assert_eq!(with_query("/a", &[("x", Some("1 2")), ("y", None), ("z", Some("&"))]), "/a?x=1%202&z=%26");
    }
}
