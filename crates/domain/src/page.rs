//! Pages of lists: bounds, and cursors that clients cannot read anything into.

use crate::{Error, Result};

/// Items on a page when the client does not say.
pub const LIMIT_DEFAULT: i64 = 50;
/// Most items on a page.
pub const LIMIT_MAX: i64 = 1_000;

/// Which page of a list is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageRequest {
    /// Items, 1 to [`LIMIT_MAX`].
    pub limit: i64,
    /// Position after which to go on; none for the first page.
    pub after: Option<String>,
}

/// One page of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<T> {
    /// The items.
    pub items: Vec<T>,
    /// Position after which the next page goes on; none when this is the last.
    pub next: Option<String>,
}

impl PageRequest {
    /// Accepts `limit` and `cursor` as they came.
    pub fn parse(limit: Option<i64>, cursor: Option<&str>) -> Result<Self> {
        let limit = limit.unwrap_or(LIMIT_DEFAULT);
        if !(1..=LIMIT_MAX).contains(&limit) {
            return Err(Error::invalid("limit", format!("{limit} items a page"), format!("give 1 to {LIMIT_MAX}")));
        }
        let after = cursor.map(|cursor| decode(cursor).ok_or_else(bad_cursor)).transpose()?;
        Ok(Self { limit, after })
    }

    /// The position as the integer it must be for a list that counts.
    pub fn after_number(&self) -> Result<Option<i64>> {
        self.after.as_deref().map(|text| text.parse().map_err(|_| bad_cursor())).transpose()
    }

    /// One more than the limit: what to ask the store for, so that one knows whether there is a next page.
    pub fn fetch(&self) -> i64 {
        self.limit + 1
    }
}

impl<T> Page<T> {
    /// Makes a page of what [`PageRequest::fetch`] brought; `position` names where an item stands.
    pub fn cut(mut items: Vec<T>, request: &PageRequest, position: impl Fn(&T) -> String) -> Self {
        let limit = usize::try_from(request.limit).unwrap_or(0);
        let more = items.len() > limit;
        items.truncate(limit);
        let next = items.last().filter(|_| more).map(|last| encode(&position(last)));
        Self { items, next }
    }

    /// Makes a page of items that were gathered until it was full or enough had been looked at: the next one goes on after
    /// `position`, if there may be more.
    pub fn gathered(items: Vec<T>, position: Option<&str>) -> Self {
        Self { items, next: position.map(encode) }
    }

    /// The page with each item converted.
    pub fn map<U>(self, convert: impl FnMut(T) -> U) -> Page<U> {
        Page { items: self.items.into_iter().map(convert).collect(), next: self.next }
    }
}

fn bad_cursor() -> Error {
    Error::invalid(
        "cursor",
        "not a cursor of this list",
        "pass next_cursor of the previous page unchanged, or leave it out",
    )
}

fn encode(position: &str) -> String {
    let checksum = crc32fast::hash(position.as_bytes());
    position.bytes().chain(checksum.to_be_bytes()).map(|byte| format!("{byte:02x}")).collect()
}

fn decode(cursor: &str) -> Option<String> {
    let digits = cursor.as_bytes();
    if digits.len() > 1_024 || !digits.len().is_multiple_of(2) || !digits.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    let pairs = digits.chunks_exact(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok());
    let bytes: Vec<u8> = pairs.collect::<Option<_>>()?;
    let (position, checksum) = bytes.split_at_checked(bytes.len().checked_sub(4)?)?;
    let position =
        String::from_utf8(position.to_vec()).ok().filter(|_| crc32fast::hash(position).to_be_bytes() == checksum);
    // No list has such positions, and not every store takes them.
    position.filter(|position| !position.chars().any(char::is_control))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn bounds_are_kept() {
        assert!(PageRequest::parse(Some(0), None).is_err());
        assert!(PageRequest::parse(Some(1_001), None).is_err());
        assert_eq!(PageRequest::parse(None, None).unwrap().limit, 50);
        assert!(PageRequest::parse(None, Some("zz")).is_err());
        assert!(PageRequest::parse(None, Some(&encode("a\0"))).is_err());
    }

    #[test]
    fn a_full_page_with_more_names_the_next() {
        let request = PageRequest::parse(Some(2), None).unwrap();
        let page = Page::cut(vec![1, 2, 3], &request, i32::to_string);
        assert_eq!(page.items, [1, 2]);
        let next = PageRequest::parse(Some(2), page.next.as_deref()).unwrap();
        assert_eq!(next.after_number().unwrap(), Some(2));
        assert_eq!(Page::cut(vec![3], &next, i32::to_string).next, None);
    }

    proptest! {
        #[test]
        fn cursors_round_trip_and_nonsense_is_refused(position in "[^\\p{Cc}]{0,60}", noise in "[0-9a-f]{0,40}") {
            let cursor = encode(&position);
            prop_assert_eq!(decode(&cursor), Some(position));
            if let Some(decoded) = decode(&noise) { prop_assert_eq!(encode(&decoded), noise); }
        }
    }
}
