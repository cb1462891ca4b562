//! JSON Web Signatures in their compact form (RFC 7515), read strictly: three segments of canonical base64url, and objects
//! that name no member twice. What an algorithm makes of the parts is decided elsewhere, and never by the header alone.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, Visitor};
use serde_json::{Map, Value};
use std::fmt;

/// Most bytes of a text that is looked at.
pub const TEXT_MAX: usize = 4_096;

/// The three segments of a text, still encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Compact<'a> {
    /// The header's segment.
    pub header: &'a str,
    /// The payload's segment.
    pub payload: &'a str,
    /// What is signed: both of them with the dot between.
    pub signed: &'a str,
    /// The signature's segment.
    pub signature: &'a str,
}

/// Takes a text apart, if it has exactly three segments and is not too long.
pub fn split(text: &str) -> Option<Compact<'_>> {
    split_within(text, TEXT_MAX)
}

/// The same for a text of at most so many bytes.
pub fn split_within(text: &str, most: usize) -> Option<Compact<'_>> {
    if text.len() > most {
        return None;
    }
    let (signed, signature) = text.rsplit_once('.')?;
    let (header, payload) = signed.split_once('.')?;
    let whole = !header.is_empty() && !payload.is_empty() && !signature.is_empty() && !payload.contains('.');
    whole.then_some(Compact { header, payload, signed, signature })
}

/// The bytes of a segment. Padding, other alphabets and bits that say nothing are refused, so that each has one spelling.
pub fn decode(segment: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(segment).ok()
}

/// The bytes of a segment that has exactly so many.
pub fn decode_exactly<const N: usize>(segment: &str) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    // One byte more than needed would be asked for by an estimate; a longer segment is refused by its length.
    if segment.len() != (N * 4).div_ceil(3) {
        return None;
    }
    let decoded = decode(segment)?;
    (decoded.len() == N).then(|| bytes.copy_from_slice(&decoded))?;
    Some(bytes)
}

/// The segment of these bytes.
pub fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Appends the segment of these bytes.
pub fn encode_into(bytes: &[u8], text: &mut String) {
    URL_SAFE_NO_PAD.encode_string(bytes, text);
}

/// The object that a segment holds, if it is one and names no member twice.
pub fn object(segment: &str) -> Option<Map<String, Value>> {
    serde_json::from_slice::<Members>(&decode(segment)?).ok().map(|members| members.0)
}

struct Members(Map<String, Value>);

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(MembersVisitor)
    }
}

struct MembersVisitor;

impl<'de> Visitor<'de> for MembersVisitor {
    type Value = Members;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Members, A::Error> {
        let mut members = Map::new();
        while let Some((name, value)) = access.next_entry::<String, Value>()? {
            if members.insert(name, value).is_some() {
                return Err(A::Error::custom("a member is named twice"));
            }
        }
        Ok(Members(members))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn three_segments_and_no_other_number() {
        let parts = split("a.b.c").unwrap();
        assert_eq!((parts.header, parts.payload, parts.signature, parts.signed), ("a", "b", "c", "a.b"));
        for bad in ["", "a", "a.b", "a.b.c.d", ".b.c", "a..c", "a.b.", "..", "a.b.c."] {
            assert_eq!(split(bad), None, "{bad}");
        }
        assert_eq!(split(&format!("a.{}.c", "b".repeat(TEXT_MAX))), None);
    }

    #[test]
    fn one_spelling_for_the_same_bytes() {
        assert_eq!(decode("AQ").unwrap(), [1]);
        for bad in ["AR", "AQ==", "AQ=", "A", "+/8", "A Q", "AQ\n"] {
            assert_eq!(decode(bad), None, "{bad}");
        }
        assert_eq!(decode_exactly::<1>("AQ"), Some([1]));
        assert_eq!(decode_exactly::<2>("AQ"), None);
    }

    #[test]
    fn objects_name_no_member_twice() {
        let read = |json: &str| object(&encode(json.as_bytes()));
        assert_eq!(read(r#"{"a":1,"b":[2]}"#).unwrap().len(), 2);
        for bad in [r#"{"a":1,"a":1}"#, "[]", "1", "", r#"{"a":1}x"#, r#"{"a":}"#] {
            assert_eq!(read(bad), None, "{bad}");
        }
        assert_eq!(read(&format!("{}1{}", "[".repeat(1_000), "]".repeat(1_000))), None);
    }

    proptest! {
        #[test]
        fn any_text_is_answered(text in "\\PC{0,200}") {
            if let Some(parts) = split(&text) {
                let _ = (object(parts.header), decode_exactly::<64>(parts.signature));
            }
        }

        #[test]
        fn bytes_round_trip(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
            prop_assert_eq!(decode(&encode(&bytes)).unwrap(), bytes);
        }
    }
}
