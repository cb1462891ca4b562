//! YAML 1.2 (of which JSON is a part) into JSON values, by the core schema and strictly: no member twice, no tag but the
//! core ones, and bounds on depth and on what aliases may grow to.

use std::borrow::Cow;
use std::collections::HashMap;

use saphyr_parser::{Event, Parser, ScalarStyle, Span, Tag};
use serde_json::{Map, Number, Value};

/// Most bytes of a file.
pub(super) const TEXT_MAX: usize = 16 << 20;
/// Most levels of lists and mappings.
const DEPTH_MAX: usize = 32;
/// Most values of a file, those that aliases repeat included; a long text counts as several.
const NODES_MAX: usize = 2_000_000;
/// Bytes of a text that count as one value.
const NODE_BYTES: usize = 64;

/// The documents of a text, or what is wrong with it and where.
pub(super) fn parse(text: &str) -> Result<Vec<Value>, String> {
    if text.len() > TEXT_MAX {
        return Err(format!("it has more than {TEXT_MAX} bytes"));
    }
    let mut builder = Builder::default();
    for event in Parser::new_from_str(text) {
        let (event, span) = event.map_err(|error| error.to_string())?;
        builder.take(event).map_err(|what| format!("{what} ({})", place(&span)))?;
    }
    Ok(builder.documents)
}

fn place(span: &Span) -> String {
    format!("line {}, column {}", span.start.line(), span.start.col() + 1)
}

/// A list or mapping that is not finished.
enum Open {
    List(usize, Vec<Value>),
    Mapping(usize, Map<String, Value>, Option<String>),
}

#[derive(Default)]
struct Builder {
    documents: Vec<Value>,
    open: Vec<Open>,
    anchors: HashMap<usize, (Value, usize)>,
    nodes: usize,
}

impl Builder {
    fn take(&mut self, event: Event<'_>) -> Result<(), String> {
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let value = scalar(text, style, tag.as_deref(), self.expects_key())?;
                let size = self.size_if_kept(anchor, || size(&value));
                self.put(value, anchor, size)
            }
            Event::SequenceStart(anchor, tag) => self.begin(Open::List(anchor, Vec::new()), tag.as_deref(), "seq"),
            Event::MappingStart(anchor, tag) => {
                self.begin(Open::Mapping(anchor, Map::new(), None), tag.as_deref(), "map")
            }
            Event::SequenceEnd | Event::MappingEnd => match self.open.pop() {
                Some(Open::List(anchor, items)) => {
                    let size = self.size_if_kept(anchor, || size_of_list(&items));
                    self.put(Value::Array(items), anchor, size)
                }
                Some(Open::Mapping(anchor, members, _)) => {
                    let size = self.size_if_kept(anchor, || size_of_mapping(&members));
                    self.put(Value::Object(members), anchor, size)
                }
                None => Err("an end without a beginning".to_owned()),
            },
            Event::Alias(anchor) => {
                let Some((value, size)) = self.anchors.get(&anchor) else {
                    return Err("an alias of what stands around it".to_owned());
                };
                self.nodes += size;
                let (value, size) = (if self.nodes > NODES_MAX { Value::Null } else { value.clone() }, *size);
                self.put(value, 0, size)
            }
            Event::DocumentStart(_) => {
                self.anchors.clear();
                Ok(())
            }
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => Ok(()),
        }
    }

    /// Only what an alias may repeat has to be measured.
    fn size_if_kept(&self, anchor: usize, size: impl FnOnce() -> usize) -> usize {
        if anchor == 0 { 1 } else { size() }
    }

    fn begin(&mut self, open: Open, tag: Option<&Tag>, name: &str) -> Result<(), String> {
        if tag.is_some_and(|tag| !(tag.is_yaml_core_schema() && tag.suffix == name)) {
            return Err("a tag; write the value without".to_owned());
        }
        if self.expects_key() {
            return Err("a list or mapping as the name of a member".to_owned());
        }
        if self.open.len() == DEPTH_MAX {
            return Err(format!("more than {DEPTH_MAX} levels"));
        }
        self.open.push(open);
        Ok(())
    }

    fn expects_key(&self) -> bool {
        matches!(self.open.last(), Some(Open::Mapping(_, _, None)))
    }

    fn put(&mut self, value: Value, anchor: usize, size: usize) -> Result<(), String> {
        self.nodes += 1;
        if self.nodes > NODES_MAX {
            return Err(format!("more than {NODES_MAX} values"));
        }
        if anchor != 0 {
            self.anchors.insert(anchor, (value.clone(), size));
        }
        match self.open.last_mut() {
            None => self.documents.push(value),
            Some(Open::List(_, items)) => items.push(value),
            Some(Open::Mapping(_, members, key)) => match (key.take(), value) {
                (Some(name), value) => {
                    members.insert(name, value);
                }
                (None, Value::String(name)) if !members.contains_key(&name) => *key = Some(name),
                (None, Value::String(name)) => return Err(format!("the member {name:?} stands twice")),
                (None, _) => return Err("the name of a member is not a text".to_owned()),
            },
        }
        Ok(())
    }
}

fn size(value: &Value) -> usize {
    match value {
        Value::Array(items) => size_of_list(items),
        Value::Object(members) => size_of_mapping(members),
        Value::String(text) => size_of_text(text),
        _ => 1,
    }
}

fn size_of_list(items: &[Value]) -> usize {
    items.iter().map(size).sum::<usize>() + 1
}

fn size_of_mapping(members: &Map<String, Value>) -> usize {
    members.iter().map(|(name, value)| size_of_text(name) + size(value)).sum::<usize>() + 1
}

fn size_of_text(text: &str) -> usize {
    text.len() / NODE_BYTES + 1
}

/// The value of a scalar by the core schema (YAML 1.2.2, 10.3); the name of a member is always a text.
fn scalar(text: Cow<'_, str>, style: ScalarStyle, tag: Option<&Tag>, is_key: bool) -> Result<Value, String> {
    match tag {
        Some(tag) if tag.is_yaml_core_schema() && tag.suffix == "str" => return Ok(text.into_owned().into()),
        Some(_) => return Err("a tag; write the value without".to_owned()),
        None => {}
    }
    if is_key || style != ScalarStyle::Plain {
        return Ok(text.into_owned().into());
    }
    match text.as_ref() {
        "" | "~" | "null" | "Null" | "NULL" => return Ok(Value::Null),
        "true" | "True" | "TRUE" => return Ok(true.into()),
        "false" | "False" | "FALSE" => return Ok(false.into()),
        ".nan" | ".NaN" | ".NAN" | ".inf" | ".Inf" | ".INF" | "+.inf" | "-.inf" => {
            return Err(format!("{text} is no number here"));
        }
        _ => {}
    }
    number(&text).map_or_else(|| Ok(text.into_owned().into()), |number| Ok(Value::Number(number)))
}

fn number(text: &str) -> Option<Number> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if let Some(octal) = text.strip_prefix("0o") {
        return i64::from_str_radix(octal, 8).ok().map(Number::from);
    }
    if let Some(hexadecimal) = text.strip_prefix("0x") {
        return i64::from_str_radix(hexadecimal, 16).ok().map(Number::from);
    }
    let first = digits.bytes().find(|byte| *byte != b'.')?;
    if !first.is_ascii_digit() || !digits.bytes().all(|byte| byte.is_ascii_digit() || b".eE+-".contains(&byte)) {
        return None;
    }
    match text.parse::<i64>() {
        Ok(whole) => Some(whole.into()),
        Err(_) => text.parse::<f64>().ok().and_then(Number::from_f64),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_core_schema_holds() {
        let text = "
# a comment
a: [1, -2, +3, 1.5, 1e3, 0x1F, 0o17, .5]
b: {yes: no, on: \"true\", off: 'null'}
c: [true, False, ~, null, '']
d: 2099-01-01T00:00:00Z
e: |
  two
  lines
1: one
f: !!str 7
g:
h: 10.0.0.0/8
i: 12:30
";
        let expected = json!({
            "a": [1, -2, 3, 1.5, 1000.0, 31, 15, 0.5], "b": {"yes": "no", "on": "true", "off": "null"},
            "c": [true, false, null, null, ""], "d": "2099-01-01T00:00:00Z", "e": "two\nlines\n", "1": "one", "f": "7",
            "g": null, "h": "10.0.0.0/8", "i": "12:30"
        });
        assert_eq!(parse(text).unwrap(), [expected]);
    }

    #[test]
    fn documents_and_json_are_read() {
        assert_eq!(parse("---\na: 1\n---\nb: 2\n...\n").unwrap(), [json!({"a": 1}), json!({"b": 2})]);
        assert_eq!(
            parse(r#"{"a": ["x\ty", "\u00e9", 1, null], "b": {}}"#).unwrap(),
            [json!({"a": ["x\ty", "é", 1, null], "b": {}})]
        );
        assert_eq!(parse("").unwrap(), [] as [Value; 0]);
    }

    #[test]
    fn aliases_repeat_within_bounds() {
        let text = "a: &x {n: [1, 2]}\nb: *x\nc: [*x]\n";
        assert_eq!(parse(text).unwrap(), [json!({"a": {"n": [1, 2]}, "b": {"n": [1, 2]}, "c": [{"n": [1, 2]}]})]);
        let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for level in 1..12 {
            let before = format!("*a{}, ", level - 1).repeat(10);
            bomb.push_str(&format!("a{level}: &a{level} [{}]\n", before.trim_end_matches(", ")));
        }
        assert!(parse(&bomb).unwrap_err().contains("more than"));
        // Few values, and each of them long.
        for long in [format!("a: &x {}\n", "y".repeat(1 << 20)), format!("a: &x {{{}: 1}}\n", "y".repeat(1 << 10))] {
            let bomb = format!("{long}b: [{}]\n", "*x, ".repeat(200_000));
            assert!(parse(&bomb).unwrap_err().contains("more than"));
        }
    }

    #[test]
    fn what_is_doubtful_is_refused_with_its_place() {
        for (bad, what) in [
            ("a: 1\na: 2\n", "stands twice"),
            ("a: !secret x\n", "tag"),
            ("? [a]\n: 1\n", "name of a member"),
            ("a: .inf\n", "no number"),
            (&"[".repeat(40), "levels"),
            ("a: *nothing\n", ""),
            ("a: [1\n", ""),
        ] {
            let error = parse(bad).unwrap_err();
            assert!(error.contains(what) && error.contains("line"), "{bad:?}: {error}");
        }
    }
}
