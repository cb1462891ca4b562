//! How times, numbers and the like are written on pages.

use askama::filters::Safe;
use claviger_domain::password::{MIN_ALONE, MIN_WITH_SECOND_FACTOR};
use claviger_domain::time::Timestamp;

/// A time, as `<time>`.
pub(crate) fn time(at: &Timestamp) -> Safe<String> {
    let text = at.to_string();
    Safe(format!("<time datetime=\"{text}\">{}</time>", minute(&text)))
}

/// A time as plain text, for attributes.
pub(crate) fn plain(at: &Timestamp) -> String {
    minute(&at.to_string())
}

/// A text in which times stand as pages have them, and not as the wire has them.
pub(crate) fn with_times(text: &str) -> String {
    let told = text.split(' ').map(|word| {
        let bare = word.trim_end_matches([',', ';', ':', '.', ')']);
        let at = bare.ends_with('Z').then(|| Timestamp::parse(bare)).flatten();
        let rest = word.strip_prefix(bare).unwrap_or_default();
        at.map_or_else(|| word.to_owned(), |at| plain(&at) + rest)
    });
    told.collect::<Vec<_>>().join(" ")
}

/// A time as fields for times have it, to the minute and in UTC; empty for none.
pub(crate) fn field(at: Option<Timestamp>) -> String {
    at.map(|at| at.to_string().chars().take(16).collect()).unwrap_or_default()
}

/// A time, if there is one, or what is said in its place.
pub(crate) fn time_or(at: &Option<Timestamp>, otherwise: &str) -> Safe<String> {
    match at {
        Some(at) => time(at),
        None => Safe(escaped(otherwise)),
    }
}

/// `2026-11-22 14:05 UTC`, from the text of a timestamp.
fn minute(text: &str) -> String {
    let (date, rest) = text.split_once('T').unwrap_or((text, ""));
    format!("{date} {} UTC", rest.get(..5).unwrap_or_default())
}

/// A number with its thousands set apart.
pub(crate) fn number(number: &i64) -> String {
    let digits = number.unsigned_abs().to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3 + 1);
    if *number < 0 {
        text.push('−');
    }
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1 application`, `2 applications`.
pub(crate) fn counted(count: &i64, one: &str, many: &str) -> String {
    format!("{} {}", number(count), if *count == 1 { one } else { many })
}

/// Bytes in hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A text as part of a query.
pub(crate) fn encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

/// What a new password must be: as long as the tenant of its person asks, which not every page knows.
pub(crate) fn password_hint() -> String {
    format!(
        "Several words that have nothing to do with each other: {MIN_ALONE} characters or more, or \
         {MIN_WITH_SECOND_FACTOR} where your organization asks for a second factor."
    )
}

/// The same for whoever has a password and nothing besides.
pub(crate) fn password_alone_hint() -> String {
    format!("{MIN_ALONE} characters or more: several words that have nothing to do with each other.")
}

/// An e-mail address, which is broken after its @ rather than in the middle of a word; what is long also at its dots.
pub(crate) fn address(text: &str) -> Safe<String> {
    const LONG: usize = 20;
    let parts = text.split('@').map(|part| {
        let shown = escaped(part);
        if part.len() > LONG { shown.replace('.', "<wbr>.") } else { shown }
    });
    Safe(parts.collect::<Vec<_>>().join("@<wbr>"))
}

/// A text as HTML.
pub(crate) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;").replace('\'', "&#39;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_numbers_read_well() {
        let at = Timestamp::from_micros(1_800_000_000_000_000);
        let expected = "<time datetime=\"2027-01-15T08:00:00.000000Z\">2027-01-15 08:00 UTC</time>";
        assert_eq!(time(&at).to_string(), expected);
        assert_eq!(time_or(&None, "<never>").to_string(), "&lt;never&gt;");
        assert_eq!(
            with_times("it stops at 2027-01-15T08:00:00.000000Z; A to Z."),
            "it stops at 2027-01-15 08:00 UTC; A to Z."
        );
        let shown: Vec<_> = [0, 999, 1_000, 1_234_567, -1_000].iter().map(number).collect();
        assert_eq!(shown, ["0", "999", "1,000", "1,234,567", "−1,000"]);
        assert_eq!(counted(&1, "key", "keys"), "1 key");
        assert_eq!(address("a.b@<c>.example").to_string(), "a.b@<wbr>&lt;c&gt;.example");
        assert_eq!(
            address("a.long.name.in.many.parts").to_string(),
            "a<wbr>.long<wbr>.name<wbr>.in<wbr>.many<wbr>.parts"
        );
        assert_eq!(encoded("a b/ü?"), "a%20b%2F%C3%BC%3F");
    }
}
