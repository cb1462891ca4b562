//! The query language, by what it finds and what it refuses.

use super::super::model::tests::record;
use super::*;
use proptest::prelude::*;

fn matches(query: &str) -> bool {
    let query = Query::parse(query).unwrap_or_else(|error| panic!("{query}: {error:?}")).unwrap();
    query.matches(&Subject::new(&record(1)))
}

fn refusal(query: &str) -> String {
    let error = Query::parse(query).expect_err(query).to_json();
    assert_eq!((&error["error_code"], &error["reason"]), (&"INVALID_QUERY".into(), &"query_malformed_syntax".into()));
    error["message"].as_str().unwrap().to_owned()
}

// The record: connector "Splunk HEC" created by 0199-abcd from 192.0.2.7 at 2026-01-01T00:00:00.001Z.

#[test]
fn terms_find_words_and_fields() {
    for query in [
        "splunk",
        "SPLUNK hec",
        "description:splunk",
        "description: splunk",
        "\"connector splunk\"",
        "description:\"Connector Splunk HEC\"",
        "actor:0199-abcd",
        "actor:\"0199-ABCD\"",
        "actor_ip:192.0.2.7",
        "192.0.2.7",
        "flagged:false verbose:false",
        "create_time:2026-01-01T00:00:00.001Z",
        "request_url:tenants/1",
        r"Connector\ Splunk",
        r"description:api\-key",
        "0199-ffff",
        "+splunk +hec",
        "*:*",
        "actor:*",
    ] {
        assert!(matches(query), "{query}");
    }
    for query in [
        "qradar",
        "\"splunk connector\"",
        "actor:0199",
        "actor_ip:192.0.2",
        "flagged:true",
        "description:0199-abcd",
        "splunk qradar",
    ] {
        assert!(!matches(query), "{query}");
    }
}

#[test]
fn operators_bind_as_they_should() {
    for (query, expected) in [
        ("splunk AND hec", true),
        ("splunk AND qradar", false),
        ("qradar OR splunk", true),
        ("qradar || splunk", true),
        ("splunk && hec", true),
        ("NOT qradar", true),
        ("-qradar", true),
        ("!qradar splunk", true),
        ("NOT NOT splunk", true),
        ("splunk -hec", false),
        ("splunk OR qradar AND nothing", true),
        ("(splunk OR qradar) AND nothing", false),
        ("nothing OR splunk hec", true),
        ("nothing hec OR qradar", false),
        ("NOT (qradar OR hec)", false),
        ("actor:(0199-abcd OR somebody)", true),
        ("actor:(nobody OR somebody)", false),
        ("actor:(nobody OR description:splunk)", true),
        ("NOT(qradar)", true),
        ("(((splunk)))", true),
        ("splunk and hec", false),
        ("ORACLE OR splunk", true),
        ("NOTHING OR splunk", true),
        ("splunk - hec", false),
    ] {
        assert_eq!(matches(query), expected, "{query}");
    }
}

#[test]
fn wildcards_stand_for_characters() {
    for query in [
        "splun*",
        "s?lunk",
        "*unk",
        "description:created*0199-ffff",
        "actor_ip:192.0.2.*",
        "request_url:*/applications",
        "SPL*",
    ] {
        assert!(matches(query), "{query}");
    }
    for query in ["splu", "s?unk", "actor_ip:192.0.3.*", r"splun\*", "\"splun*\"", "actor:?"] {
        assert!(!matches(query), "{query}");
    }
}

#[test]
fn times_have_ranges() {
    for (query, expected) in [
        ("create_time:[2026-01-01 TO *]", true),
        ("create_time:[* TO 2026-01-01T00:00:00.001Z]", true),
        ("create_time:[* TO 2026-01-01T00:00:00.001Z}", false),
        ("create_time:{2026-01-01T00:00:00.001Z TO *]", false),
        ("create_time:[\"2025-01-01T00:00:00Z\" TO \"2025-12-31T00:00:00Z\"]", false),
        ("NOT create_time:[* TO 2025-12-31] splunk", true),
        ("create_time:2026-01-*", true),
    ] {
        assert_eq!(matches(query), expected, "{query}");
    }
}

#[test]
fn blank_queries_ask_nothing() {
    assert_eq!(Query::parse(" \t ").unwrap(), None);
    assert_eq!(Query::parse("").unwrap(), None);
}

#[test]
fn what_cannot_be_read_is_refused_with_the_reason() {
    for (query, part) in [
        ("(splunk", "no closing"),
        ("actor:(splunk", "no closing"),
        ("splunk)", "no opening"),
        ("()", "where a term is expected"),
        ("splunk AND", "ends where"),
        ("AND splunk", "AND has nothing before it"),
        ("OR", "OR has nothing before it"),
        ("a OR OR b", "OR has nothing before it"),
        ("NOT", "ends where"),
        ("\"splunk", "not closed"),
        ("\"splunk\\", "not closed"),
        ("splunk\\", "backslash"),
        ("colour:red", "fields are actor_ip, actor"),
        ("https://example.org", "write \\: for a colon"),
        ("acto*:x", "no field"),
        (":x", "where a term is expected"),
        ("actor:", "ends where"),
        ("actor:)", "closing parenthesis"),
        ("splunk^2", "write \\^"),
        ("splunk~", "write \\~"),
        ("actor:[a TO b]", "only create_time"),
        ("[a TO b]", "only create_time"),
        ("create_time:[2026-01-01]", "needs TO"),
        ("create_time:[soon TO *]", "no time"),
        ("create_time:[* TO *", "not closed"),
        ("*:x", "*:*"),
    ] {
        let message = refusal(query);
        assert!(message.contains(part), "{query}: {message}");
    }
}

#[test]
fn sizes_are_bounded() {
    assert!(refusal(&"a".repeat(LENGTH_MAX + 1)).contains("bytes"));
    assert!(Query::parse(&"a".repeat(LENGTH_MAX)).is_ok());
    assert!(refusal(&"(".repeat(5_000)).contains("deep"));
    assert!(refusal(&"NOT ".repeat(2_000)).contains("deep"));
    assert!(refusal(&"-".repeat(5_000)).contains("deep"));
    let nested = |depth| format!("{}splunk{}", "(".repeat(depth), ")".repeat(depth));
    assert!(matches(&nested(DEPTH_MAX)));
    assert!(refusal(&nested(DEPTH_MAX + 1)).contains("deep"));
    assert!(Query::parse(&"(a) ".repeat(100)).is_ok(), "depth is given back");
    assert!(refusal(&"a ".repeat(TERMS_MAX + 1)).contains("terms"));
    assert!(refusal(&format!("*{}", "a".repeat(200))).contains("characters"));
}

proptest! {
    #[test]
    fn no_query_brings_it_down(query in "\\PC{0,60}") {
        if let Ok(Some(query)) = Query::parse(&query) {
            query.matches(&Subject::new(&record(1)));
        }
    }

    #[test]
    fn no_query_of_its_own_signs_brings_it_down(query in "[-+!&|(){}\\[\\]^\"~*?:\\\\ a]{0,40}") {
        if let Ok(Some(query)) = Query::parse(&query) {
            query.matches(&Subject::new(&record(1)));
        }
    }

    #[test]
    fn escaped_texts_are_found_as_they_are(text in "[ -~]{1,30}") {
        let escaped: String = text.chars().flat_map(|c| ['\\', c]).collect();
        let mut record = record(1);
        record.actor = text;
        let query = Query::parse(&format!("actor:{escaped}")).unwrap().unwrap();
        prop_assert!(query.matches(&Subject::new(&record)));
    }
}
