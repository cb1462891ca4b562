//! Audit records as CSV (RFC 4180): a header line, CRLF, quotes where they are needed. A cell that a spreadsheet would take
//! for a formula begins with an apostrophe.

use super::model::Record;
use std::borrow::Cow;

/// The columns.
const HEADER: [&str; 8] =
    ["create_time", "actor", "actor_ip", "description", "request_url", "flagged", "verbose", "org_key"];

/// The whole file.
pub fn write<'a>(records: impl Iterator<Item = &'a Record>, org_key: &str) -> Vec<u8> {
    let mut out = String::new();
    line(&mut out, HEADER);
    for record in records {
        let time = record.at.to_millis_text();
        let cells = [
            time.as_str(),
            &record.actor,
            record.actor_ip.as_deref().unwrap_or_default(),
            &record.description,
            record.request_url.as_deref().unwrap_or_default(),
            flag(record.flagged),
            flag(record.verbose),
            org_key,
        ];
        line(&mut out, cells);
    }
    out.into_bytes()
}

fn flag(value: bool) -> &'static str {
    if value { "true" } else { "false" }
}

fn line(out: &mut String, cells: [&str; HEADER.len()]) {
    for (index, text) in cells.into_iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        out.push_str(&cell(text));
    }
    out.push_str("\r\n");
}

/// One cell.
fn cell(text: &str) -> Cow<'_, str> {
    let formula = text.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let quoted = text.contains(['"', ',', '\r', '\n']);
    match (formula, quoted) {
        (false, false) => Cow::Borrowed(text),
        (true, false) => Cow::Owned(format!("'{text}")),
        (_, true) => Cow::Owned(format!("\"{}{}\"", if formula { "'" } else { "" }, text.replace('"', "\"\""))),
    }
}

#[cfg(test)]
mod tests {
    use super::super::model::tests::record;
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_file_has_a_header_and_a_line_per_record() {
        let mut second = record(2);
        second.description = "Updated connector \"a, b\" with api key 1".into();
        second.actor_ip = None;
        second.flagged = true;
        let file = String::from_utf8(write([record(1), second].iter(), "ABCD1234")).unwrap();
        assert_eq!(
            file,
            "create_time,actor,actor_ip,description,request_url,flagged,verbose,org_key\r\n\
             2026-01-01T00:00:00.001Z,0199-abcd,192.0.2.7,Created connector Splunk HEC with api key 0199-ffff,\
             /v1/tenants/1/applications,false,false,ABCD1234\r\n\
             2026-01-01T00:00:00.002Z,0199-abcd,,\"Updated connector \"\"a, b\"\" with api key 1\",\
             /v1/tenants/1/applications,true,false,ABCD1234\r\n"
        );
        assert_eq!(write([].iter(), "K").iter().filter(|byte| **byte == b'\n').count(), 1);
    }

    #[test]
    fn formulas_are_made_text() {
        for (text, written) in [
            ("=1+1", "'=1+1"),
            ("+1", "'+1"),
            ("-1", "'-1"),
            ("@SUM(A1)", "'@SUM(A1)"),
            ("\tx", "'\tx"),
            ("\rx", "\"'\rx\""),
            ("=HYPERLINK(\"x\",\"y\")", "\"'=HYPERLINK(\"\"x\"\",\"\"y\"\")\""),
            ("a=b", "a=b"),
            ("line\nbreak", "\"line\nbreak\""),
            ("", ""),
        ] {
            assert_eq!(cell(text), written);
        }
    }

    /// Reads one line of one cell back.
    fn read(written: &str) -> String {
        let inner = written.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
        inner.map_or_else(|| written.to_owned(), |inner| inner.replace("\"\"", "\""))
    }

    proptest! {
        #[test]
        fn cells_read_back(text in "[-=+@\"', \\t\\r\\na-z]{0,12}") {
            let back = read(&cell(&text));
            prop_assert!(!back.starts_with(['=', '+', '-', '@', '\t', '\r']));
            prop_assert!(back == text || back.strip_prefix('\'') == Some(&text));
        }
    }
}
