//! Searches, by what they find and what they refuse.

use super::super::model::tests::record;
use super::*;
use proptest::prelude::*;
use serde_json::json;

const NOW: Timestamp = Timestamp::from_millis(1_767_225_600_500);

fn read(body: Value) -> Search {
    Search::read(&body, NOW).unwrap_or_else(|error| panic!("{body}: {error:?}"))
}

fn refused(body: Value) -> Value {
    Search::read(&body, NOW).expect_err(&body.to_string()).to_json()
}

fn matches(body: Value) -> bool {
    read(body).filter.matches(&record(1))
}

#[test]
fn without_members_everything_is_wanted_newest_first() {
    let search = read(json!({}));
    assert!(search.filter.matches(&record(1)));
    assert_eq!((search.start, search.wanted()), (0, ROWS_DEFAULT));
    assert_eq!(search.sort.compare(&record(2), &record(1)), Ordering::Less);
    assert_eq!(search.filter.span(), Span::default());
    assert_eq!(read(json!({ "criteria": null, "query": null, "sort": null, "rows": null })), search);
}

#[test]
fn criteria_are_all_met_by_any_of_their_values() {
    for (criteria, expected) in [
        (json!({ "actor": ["0199-abcd"] }), true),
        (json!({ "actor": ["nobody", "0199-abcd"] }), true),
        (json!({ "actor": "0199-abcd" }), true),
        (json!({ "actor": ["0199"] }), false),
        (json!({ "actor": [] }), true),
        (json!({ "actor": null }), true),
        (json!({ "actor_ip": ["192.0.2.7"], "actor": ["nobody"] }), false),
        (json!({ "description": ["Created connector"] }), true),
        (json!({ "description": ["connector Created"] }), false),
        (json!({ "request_url": ["/v1/tenants/1/applications"] }), true),
        (json!({ "flagged": false, "verbose": [false] }), true),
        (json!({ "flagged": true }), false),
        (json!({ "create_time": { "range": "-1h" } }), true),
        (json!({ "create_time": { "start": "2027-01-01T00:00:00Z", "end": "2028-01-01T00:00:00Z" } }), false),
    ] {
        assert_eq!(matches(json!({ "criteria": criteria })), expected, "{criteria}");
    }
}

#[test]
fn an_exclusion_that_is_met_leaves_the_record_out() {
    for (exclusions, expected) in [
        (json!({ "actor": ["nobody"] }), true),
        (json!({ "actor": ["0199-abcd"] }), false),
        (json!({ "actor": ["nobody"], "flagged": false }), false),
        (json!({ "create_time": { "range": "-1h" } }), false),
        (json!({ "create_time": { "start": "2027-01-01", "end": "2028-01-01" } }), true),
    ] {
        assert_eq!(matches(json!({ "exclusions": exclusions })), expected, "{exclusions}");
    }
    assert!(!matches(json!({ "criteria": { "flagged": false }, "query": "qradar" })));
    assert!(matches(json!({ "criteria": { "flagged": false }, "query": "splunk" })));
}

#[test]
fn the_span_of_the_criteria_narrows_the_search() {
    let search = read(json!({ "criteria": { "create_time": { "range": "-1s" } } }));
    assert_eq!(search.filter.span().since(), Some(NOW.plus_seconds(-1)));
    assert_eq!(read(json!({ "exclusions": { "create_time": { "range": "-1s" } } })).filter.span(), Span::default());
}

#[test]
fn rows_and_start_are_numbers_or_texts_within_the_window() {
    let search = read(json!({ "rows": "50", "start": "100" }));
    assert_eq!((search.start, search.wanted()), (100, 50));
    assert_eq!(read(json!({ "rows": 10_000 })).wanted(), WINDOW);
    assert_eq!(read(json!({ "rows": 0 })).wanted(), 0);
    assert_eq!(read(json!({ "start": 9_990 })).wanted(), 10);
    for bad in [
        json!({ "rows": -1 }),
        json!({ "rows": 10_001 }),
        json!({ "rows": 1.5 }),
        json!({ "rows": "many" }),
        json!({ "rows": [1] }),
        json!({ "rows": 5_001, "start": 5_000 }),
        json!({ "start": 10_000 }),
    ] {
        assert_eq!(refused(bad.clone())["error_code"], "INVALID_ROWS", "{bad}");
    }
    assert_eq!(refused(json!({ "start": -5 }))["error_code"], "INVALID_START");
    assert_eq!(refused(json!({ "start": u64::MAX }))["field"], "start");
}

#[test]
fn sorting_is_total_in_both_directions() {
    let mut records = [record(3), record(1), record(2)];
    records[0].actor = "a".into();
    let mut order = |sort: Value| {
        let sort = read(json!({ "sort": sort })).sort;
        records.sort_by(|one, other| sort.compare(one, other));
        records.iter().map(|record| record.number).collect::<Vec<_>>()
    };
    assert_eq!(order(json!([{ "field": "create_time", "order": "ASC" }])), [1, 2, 3]);
    assert_eq!(order(json!([{ "field": "actor", "order": "DESC" }])), [3, 2, 1]);
    assert_eq!(order(json!([{ "field": "actor" }])), [1, 2, 3]);
    assert_eq!(order(json!({ "field": "flagged", "order": "desc" })), [3, 2, 1]);
    assert_eq!(
        order(json!([{ "field": "actor", "order": "ASC" }, { "field": "create_time", "order": "DESC" }])),
        [2, 1, 3]
    );
    assert_eq!(order(json!([])), [3, 2, 1]);
}

#[test]
fn what_is_unknown_is_refused_by_name() {
    for (body, name) in [
        (json!({ "colour": 1 }), "colour"),
        (json!({ "format": "csv" }), "format"),
        (json!({ "time_range": { "range": "-1d" } }), "time_range"),
        (json!({ "criteria": { "no_such_field": ["x"] } }), "no_such_field"),
        (json!({ "exclusions": { "org_key": ["x"] } }), "org_key"),
        (json!({ "sort": [{ "field": "actor", "direction": "ASC" }] }), "direction"),
    ] {
        let error = refused(body);
        assert_eq!(error["error_code"], "UNEXPECTED_PROPERTY");
        assert_eq!(error["property_name"], name);
        assert!(error["known_properties"].as_array().is_some_and(|known| !known.is_empty()));
    }
    for (body, field) in [
        (json!({ "sort": [{ "field": "no_such_field", "order": "ASC" }] }), "sort[0].field"),
        (json!({ "sort": [{ "order": "ASC" }] }), "sort[0].field"),
        (json!({ "sort": [{ "field": "actor", "order": "UP" }] }), "sort[0].order"),
    ] {
        let error = refused(body);
        assert_eq!((&error["error_code"], &error["field"]), (&json!("INVALID_ENUM_VALUE"), &json!(field)));
        assert!(error["known_values"].as_array().is_some_and(|known| !known.is_empty()));
    }
    for (body, code) in [
        (json!([]), "INVALID_BODY"),
        (json!("x"), "INVALID_BODY"),
        (json!({ "criteria": [] }), "INVALID_BODY"),
        (json!({ "criteria": { "actor": [5] } }), "INVALID_VALUE"),
        (json!({ "criteria": { "flagged": "yes" } }), "INVALID_VALUE"),
        (json!({ "criteria": { "actor": vec!["x"; VALUES_MAX + 1] } }), "INVALID_VALUE"),
        (json!({ "criteria": { "create_time": { "range": "tomorrow" } } }), "INVALID_TIME_RANGE"),
        (json!({ "query": 5 }), "INVALID_QUERY"),
        (json!({ "query": "(" }), "INVALID_QUERY"),
        (json!({ "sort": "actor" }), "INVALID_SORT"),
        (json!({ "sort": vec![json!({ "field": "actor" }); 8] }), "INVALID_SORT"),
    ] {
        assert_eq!(refused(body.clone())["error_code"], code, "{body}");
    }
}

#[test]
fn exports_have_a_format_and_no_window() {
    let export = |body: Value| Search::read_export(&body, NOW);
    assert_eq!(export(json!({})).unwrap().1, Format::Csv);
    assert_eq!(export(json!({ "format": "JSON" })).unwrap().1, Format::Json);
    assert_eq!(export(json!({ "format": "json", "rows": 10_000, "start": 5 })).unwrap().0.rows, Some(10_000));
    let error = export(json!({ "format": "xml" })).unwrap_err().to_json();
    assert_eq!((&error["invalid_value"], &error["known_values"]), (&json!("xml"), &json!(FORMATS)));
}

proptest! {
    #[test]
    fn sorting_never_calls_two_records_equal(numbers in prop::collection::btree_set(1_i64..100, 2..10), field in 0_usize..7, descending: bool) {
        let order = if descending { "DESC" } else { "ASC" };
        let sort = read(json!({ "sort": [{ "field": Field::NAMES[field], "order": order }] })).sort;
        let mut records: Vec<_> = numbers.iter().map(|number| record(*number)).collect();
        records.sort_by(|one, other| sort.compare(one, other));
        prop_assert!(records.is_sorted_by(|one, other| sort.compare(one, other) == Ordering::Less));
    }
}
