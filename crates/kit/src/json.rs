//! JSON bodies, read strictly: at most 32 levels, no member named twice, nothing that the type does not know.
//!
//! Text that is no JSON is malformed, with line and column; JSON that does not fit the type is invalid, with a pointer to
//! the place and the names that are known there.

use claviger_domain::audit::clean;
use claviger_domain::{Error, FieldError, Result};
use serde::de::value::{MapDeserializer, SeqDeserializer};
use serde::de::{
    self, DeserializeOwned, DeserializeSeed, Deserializer, IntoDeserializer, MapAccess, SeqAccess, Unexpected, Visitor,
};
use serde::forward_to_deserialize_any;
use serde_json::{Map, Number, Value};
use serde_path_to_error::Segment;
use std::fmt;

/// Most levels of arrays and objects.
pub(crate) const DEPTH_MAX: usize = 32;

/// What a refused value was part of.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// A JSON body: places are JSON pointers.
    Body,
    /// A query: places are names.
    Query,
}

/// Fits a value into a type, as a body of its own would be.
pub fn fit<T: DeserializeOwned>(value: Value) -> Result<T> {
    serde_path_to_error::deserialize(Named(value))
        .map_err(|error: serde_path_to_error::Error<serde_json::Error>| invalid(&error, Place::Body))
}

/// A value whose objects are objects: serde would also take an array for one, member by member in the order of the type.
struct Named(Value);

impl<'de> IntoDeserializer<'de, serde_json::Error> for Named {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

impl<'de> Deserializer<'de> for Named {
    type Error = serde_json::Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        match self.0 {
            Value::Array(values) => {
                let mut access = SeqDeserializer::new(values.into_iter().map(Named));
                let value = visitor.visit_seq(&mut access)?;
                access.end().map(|()| value)
            }
            Value::Object(members) => {
                visitor.visit_map(MapDeserializer::new(members.into_iter().map(|(name, value)| (name, Named(value)))))
            }
            plain => plain.deserialize_any(visitor),
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Self::Error> {
        if self.0.is_array() {
            return Err(de::Error::invalid_type(Unexpected::Seq, &"an object"));
        }
        self.deserialize_any(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        if self.0.is_null() { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Self::Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Self::Error> {
        self.0.deserialize_enum(name, variants, visitor)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq tuple
        tuple_struct map identifier ignored_any
    }
}

/// Reads a body. An empty one reads as an object without members.
pub(crate) fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T> {
    let value = if bytes.is_empty() { Value::Object(Map::new()) } else { read(bytes)? };
    fit(value)
}

fn read(bytes: &[u8]) -> Result<Value> {
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let value = Strict { depth: 0 }.deserialize(&mut reader);
    value.and_then(|value| reader.end().map(|()| value)).map_err(|error| Error::Malformed {
        code: "malformed_json",
        detail: format!("the body is not acceptable JSON: {}", clean(&error.to_string())),
    })
}

#[derive(Clone, Copy)]
struct Strict {
    depth: usize,
}

impl Strict {
    fn deeper<E: de::Error>(self) -> Result<Self, E> {
        if self.depth == DEPTH_MAX {
            return Err(E::custom(format!("more than {DEPTH_MAX} levels of arrays and objects")));
        }
        Ok(Self { depth: self.depth + 1 })
    }
}

impl<'de> DeserializeSeed<'de> for Strict {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("a number out of range"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let inner = self.deeper()?;
        let mut values = Vec::new();
        while let Some(value) = access.next_element_seed(inner)? {
            values.push(value);
        }
        Ok(Value::Array(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let inner = self.deeper()?;
        let mut members = Map::new();
        while let Some(name) = access.next_key::<String>()? {
            if members.contains_key(&name) {
                return Err(de::Error::custom(format!("the member {:?} stands twice in one object", cut(&name))));
            }
            members.insert(name, access.next_value_seed(inner)?);
        }
        Ok(Value::Object(members))
    }
}

/// The refusal of a value that does not fit its type.
pub(crate) fn invalid<E: fmt::Display>(error: &serde_path_to_error::Error<E>, place: Place) -> Error {
    let mut pointer = String::new();
    for segment in error.path() {
        let step = match segment {
            Segment::Seq { index } => index.to_string(),
            Segment::Map { key } => key.replace('~', "~0").replace('/', "~1"),
            Segment::Enum { .. } | Segment::Unknown => continue,
        };
        if place == Place::Body {
            pointer.push('/');
        }
        pointer.push_str(&cut(&step));
    }
    let text = error.inner().to_string();
    Error::Invalid(vec![explain(pointer, &text, place)])
}

/// Puts what serde says into the words of the API.
fn explain(pointer: String, text: &str, place: Place) -> FieldError {
    let what = if place == Place::Body { "member" } else { "parameter" };
    let quoted = |prefix: &str| text.strip_prefix(prefix).and_then(|rest| rest.split_once('`'));
    if let Some((name, rest)) = quoted("unknown field `") {
        let message = format!("there is no {what} {:?}", cut(name));
        return FieldError { pointer, message, fix: format!("known are {}", known(rest)) };
    }
    if let Some((name, rest)) = quoted("unknown variant `") {
        let message = format!("{:?} is not one of its values", cut(name));
        return FieldError { pointer, message, fix: format!("give one of {}", known(rest)) };
    }
    if let Some((name, _)) = quoted("missing field `") {
        let separator = if place == Place::Body { "/" } else { "" };
        let pointer = format!("{pointer}{separator}{name}");
        return FieldError { pointer, message: format!("the {what} is missing"), fix: format!("give {name}") };
    }
    if let Some((name, _)) = quoted("duplicate field `") {
        let pointer = format!("{pointer}{name}");
        let message = format!("the {what} {:?} is given twice", cut(name));
        return FieldError { pointer, message, fix: "give it once".into() };
    }
    let expected = text.split_once(", expected ").map(|(found, expected)| (cut(found), expected));
    match expected {
        Some((found, expected)) => {
            FieldError { pointer, message: clean(&found), fix: format!("give {}", plain(expected)) }
        }
        None => FieldError { pointer, message: clean(text), fix: "see GET /v1/openapi.json for what it takes".into() },
    }
}

/// What was expected, without the names that only the code knows.
fn plain(expected: &str) -> String {
    match expected.split_once(' ').map_or(expected, |(first, _)| first) {
        "i8" | "i16" | "i32" | "i64" => "a whole number".to_owned(),
        "u8" | "u16" | "u32" | "u64" | "usize" => "a whole number that is not negative".to_owned(),
        "f32" | "f64" => "a number".to_owned(),
        "struct" => "an object".to_owned(),
        _ => match expected {
            "a map" => "an object".to_owned(),
            "a sequence" => "an array".to_owned(),
            other => cut(other),
        },
    }
}

/// The names in ", expected one of `a`, `b`", or in ", expected `a`".
fn known(text: &str) -> String {
    let names: Vec<_> = text.split('`').skip(1).step_by(2).collect();
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

fn cut(text: &str) -> String {
    text.chars().take(128).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde::Deserialize;
    use std::collections::BTreeMap;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only read")]
    struct Body {
        name: String,
        #[serde(default)]
        grants: BTreeMap<String, Vec<String>>,
    }

    fn refused(json: &str) -> (String, String, String) {
        match parse::<Body>(json.as_bytes()) {
            Err(Error::Invalid(mut fields)) => {
                let field = fields.remove(0);
                (field.pointer, field.message, field.fix)
            }
            other => panic!("{other:?}"),
        }
    }

    fn malformed(json: &[u8]) -> String {
        match parse::<Value>(json) {
            Err(Error::Malformed { code: "malformed_json", detail }) => detail,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_place_and_what_is_known_there_are_named() {
        let (pointer, message, fix) = refused(r#"{"name":"x","nam":1}"#);
        assert_eq!((pointer.as_str(), message.as_str()), ("/nam", "there is no member \"nam\""));
        assert_eq!(fix, "known are name, grants");
        let (pointer, message, fix) = refused(r#"{"name":"x","grants":{"a/b~c":["READ",3]}}"#);
        assert_eq!(pointer, "/grants/a~1b~0c/1");
        assert_eq!((message.as_str(), fix.as_str()), ("invalid type: integer `3`", "give a string"));
        assert_eq!(refused("{}").0, "/name");
        assert_eq!(refused("").0, "/name");
        let object = |json: &str| refused(json).2 == "give an object";
        assert!(object("[]") && object("[\"x\"]") && object("null") && object("3"));
    }

    #[test]
    fn an_array_is_no_object_and_types_have_plain_names() {
        #[derive(Debug, Deserialize)]
        #[expect(dead_code, reason = "only read")]
        struct Outer {
            #[serde(default)]
            inner: Option<Body>,
            #[serde(default)]
            all: Vec<Body>,
            #[serde(default)]
            count: Option<i64>,
            #[serde(default)]
            size: u32,
        }
        let refused = |json: &str| match parse::<Outer>(json.as_bytes()) {
            Err(Error::Invalid(fields)) => (fields[0].pointer.clone(), fields[0].fix.clone()),
            other => panic!("{other:?}"),
        };
        let expected = |pointer: &str, fix: &str| (pointer.to_owned(), fix.to_owned());
        assert_eq!(refused(r#"{"inner":["x"]}"#), expected("/inner", "give an object"));
        assert_eq!(refused(r#"{"all":[{"name":"x"},["x"]]}"#), expected("/all/1", "give an object"));
        assert_eq!(refused(r#"{"all":{}}"#), expected("/all", "give an array"));
        assert_eq!(refused(r#"{"count":"1"}"#), expected("/count", "give a whole number"));
        assert_eq!(refused(r#"{"size":-1}"#), expected("/size", "give a whole number that is not negative"));
        assert_eq!(refused(r#"{"all":[{"name":"x","grants":[]}]}"#), expected("/all/0/grants", "give an object"));
        assert!(parse::<Outer>(br#"{"inner":null,"all":[{"name":"x"}],"count":1}"#).is_ok());
    }

    #[test]
    fn text_that_is_no_json_is_placed() {
        assert!(malformed(b"{\n  \"a\": }").contains("line 2 column 8"));
        assert!(malformed(b"{\"a\":1,\"a\":2}").contains("\"a\" stands twice"));
        assert!(malformed(b"{\"a\":{\"b\":1,\"b\":2}}").contains("line 1 column"));
        for bad in
            [&b"\xef\xbb\xbf{}"[..], b"\"\xff\"", b"\"\\ud800\"", b"NaN", b"1e400", b"{} {}", b"{\"a\"", b"\xfe\xff\0{"]
        {
            malformed(bad);
        }
    }

    #[test]
    fn depth_is_bounded_without_a_stack() {
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(parse::<Value>(nested(DEPTH_MAX).as_bytes()).is_ok());
        assert!(malformed(nested(DEPTH_MAX + 1).as_bytes()).contains("32 levels"));
        assert!(malformed("[".repeat(1_000_000).as_bytes()).contains("32 levels"));
        assert!(malformed("{\"a\":".repeat(200_000).as_bytes()).contains("32 levels"));
    }

    proptest! {
        #[test]
        fn what_serde_json_reads_is_read_alike(text in "[\\[\\]{}\",:a1 .e-]{0,40}") {
            if let Ok(value) = parse::<Value>(text.as_bytes()) && !text.is_empty() {
                prop_assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), value);
            }
        }

        #[test]
        fn any_bytes_are_answered(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse::<Body>(&bytes);
        }
    }
}
