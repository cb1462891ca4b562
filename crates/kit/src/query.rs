//! Query strings: decoded strictly, and refused by name where a parameter is unknown, repeated or of the wrong type.

use crate::Failure;
use crate::json::{Place, invalid};
use axum::extract::FromRequestParts;
use claviger_domain::{Error, Result};
use http::request::Parts;
use serde::de::value::{Error as PlainError, MapDeserializer};
use serde::de::{DeserializeOwned, Deserializer, Error as _, IntoDeserializer, Visitor};
use serde::forward_to_deserialize_any;
use std::borrow::Cow;

/// Extracts the parameters of a query.
#[derive(Clone, Copy, Debug)]
pub struct Query<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Query<T> {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Failure> {
        Ok(Self(parse(parts.uri.query().unwrap_or_default())?))
    }
}

fn parse<T: DeserializeOwned>(query: &str) -> Result<T> {
    let pairs: Vec<_> = pairs(query).collect::<Result<_>>()?;
    let pairs = pairs.into_iter().map(|(name, value)| (name, Value(value)));
    serde_path_to_error::deserialize(MapDeserializer::new(pairs))
        .map_err(|error: serde_path_to_error::Error<PlainError>| invalid(&error, Place::Query))
}

/// The decoded names and values of a query, in their order. What holds neither `%` nor `+` is not copied.
pub fn pairs(query: &str) -> impl Iterator<Item = Result<(Cow<'_, str>, Cow<'_, str>)>> {
    let encoded = query.bytes().fold(false, |found, byte| found | matches!(byte, b'%' | b'+'));
    let decode = move |text| if encoded { decode(text) } else { Ok(Cow::Borrowed(text)) };
    query.split('&').filter(|pair| !pair.is_empty()).map(move |pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        Ok((decode(name)?, decode(value)?))
    })
}

/// Takes percent and plus signs out of a text.
pub(crate) fn decode(text: &str) -> Result<Cow<'_, str>> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'+' => b' ',
            b'%' => match (bytes.next().and_then(hex), bytes.next().and_then(hex)) {
                (Some(high), Some(low)) => high * 16 + low,
                _ => return Err(malformed()),
            },
            other => other,
        });
    }
    String::from_utf8(decoded).map(Cow::Owned).map_err(|_| malformed())
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

fn malformed() -> Error {
    let detail = "the query is not percent-encoded UTF-8; encode each name and value".into();
    Error::Malformed { code: "query_malformed", detail }
}

/// A parameter's value, which is text until the type of the member says otherwise.
struct Value<'a>(Cow<'a, str>);

impl<'de> IntoDeserializer<'de, PlainError> for Value<'de> {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

impl<'de> Deserializer<'de> for Value<'de> {
    type Error = PlainError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, PlainError> {
        match self.0 {
            Cow::Borrowed(text) => visitor.visit_borrowed_str(text),
            Cow::Owned(text) => visitor.visit_string(text),
        }
    }

    fn deserialize_i64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, PlainError> {
        match self.0.parse() {
            Ok(number) => visitor.visit_i64(number),
            Err(_) => Err(PlainError::custom("not a whole number")),
        }
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, PlainError> {
        match self.0.as_ref() {
            "true" => visitor.visit_bool(true),
            "false" => visitor.visit_bool(false),
            _ => Err(PlainError::custom("neither true nor false")),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, PlainError> {
        visitor.visit_some(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, PlainError> {
        visitor.visit_enum(self.0.into_deserializer())
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, PlainError> {
        visitor.visit_newtype_struct(self)
    }

    forward_to_deserialize_any! {
        i8 i16 i32 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq tuple
        tuple_struct map struct identifier ignored_any
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use claviger_domain::time::Timestamp;
    use serde::Deserialize;

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(deny_unknown_fields)]
    struct Page {
        limit: Option<i64>,
        cursor: Option<String>,
        since: Option<Timestamp>,
    }

    fn refusal(query: &str) -> (String, String, String) {
        match parse::<Page>(query) {
            Err(Error::Invalid(mut fields)) => {
                let field = fields.remove(0);
                (field.pointer, field.message, field.fix)
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn parameters_are_typed_and_decoded() {
        let page: Page = parse("limit=7&cursor=a%2Bb+c&since=2026-01-01T01:00:00%2B01:00").unwrap();
        assert_eq!(page.limit, Some(7));
        assert_eq!(page.cursor.as_deref(), Some("a+b c"));
        assert_eq!(page.since, Timestamp::parse("2026-01-01T00:00:00Z"));
        assert_eq!(parse::<Page>("").unwrap(), Page { limit: None, cursor: None, since: None });
        assert!(parse::<Page>("&&limit=1&").is_ok());
    }

    #[test]
    fn what_is_unknown_repeated_or_mistyped_is_named() {
        let (pointer, message, fix) = refusal("start=1");
        assert_eq!((pointer.as_str(), message.as_str()), ("start", "there is no parameter \"start\""));
        assert_eq!(fix, "known are limit, cursor, since");
        assert_eq!(refusal("limit=1&limit=2").0, "limit");
        assert_eq!(refusal("limit=many").0, "limit");
        assert_eq!(refusal("since=yesterday").0, "since");
    }

    #[test]
    fn bad_encoding_is_malformed() {
        for bad in ["cursor=%", "cursor=%4", "cursor=%zz", "cursor=%ff", "%ff=1"] {
            assert!(matches!(parse::<Page>(bad), Err(Error::Malformed { code: "query_malformed", .. })), "{bad}");
        }
    }
}
