//! What everybody who guesses passwords tries first: known ones, runs and repetitions, and the names at hand.

use crate::name::Name;
use unicode_normalization::UnicodeNormalization;

/// Sorted by bytes, one a line, in lower case; where it comes from stands beside it.
static COMMON: &str = include_str!("../../data/common-passwords.txt");
/// What every person of a server knows.
const PRODUCT: &str = "claviger";
/// Shorter words occur in too many good passwords.
const WORD_MIN: usize = 4;
/// What must be left of a password when the names in it are taken away.
const LEFT_MIN: usize = 8;
/// Rows of keyboards, and what people count along.
const ROWS: [&str; 8] = [
    "abcdefghijklmnopqrstuvwxyz",
    "01234567890",
    "qwertyuiopasdfghjklzxcvbnm",
    "qwertzuiopasdfghjklyxcvbnm",
    "azertyuiopqsdfghjklmwxcvbn",
    "1qaz2wsx3edc4rfv5tgb6yhn7ujm8ik",
    "qazwsxedcrfvtgbyhnujmik",
    "!@#$%^&*()_+",
];

/// Words that whoever guesses a person's password knows: names of tenants, and the e-mail address.
#[derive(Clone, Debug, Default)]
pub struct Context {
    words: Vec<String>,
}

impl Context {
    /// The context of somebody with this e-mail address, in tenants of these names.
    pub fn of<'a>(tenants: impl IntoIterator<Item = &'a str>, email: &'a str) -> Self {
        let mut words = vec![PRODUCT.to_owned()];
        for text in tenants.into_iter().chain([email]).map(folded) {
            words.extend(text.split('@').map(str::to_owned));
            words.extend(text.split(|c: char| !c.is_alphanumeric()).map(str::to_owned));
            words.push(text.chars().filter(|c| c.is_alphanumeric()).collect());
            words.push(text);
        }
        words.retain(|word| word.chars().count() >= WORD_MIN);
        // The longest first, so that what is within another is not taken out of its middle.
        words.sort_by(|one, other| other.len().cmp(&one.len()).then_with(|| one.cmp(other)));
        words.dedup();
        Self { words }
    }
}

/// Why a password would be guessed soon.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Weakness {
    /// It is one of those that people choose most, or little more than one.
    Common,
    /// It is one character or group again and again, or runs along the alphabet or a keyboard.
    Pattern,
    /// It is little more than the name of the tenant, the product or the person.
    Context,
}

impl Weakness {
    pub(super) const fn message(self) -> &'static str {
        match self {
            Self::Common => "the password is, or hardly differs from, one that is known to be used often",
            Self::Pattern => "the password repeats itself or runs along the alphabet or a keyboard",
            Self::Context => "the password is made of names: of the tenant, the product or the e-mail address",
        }
    }

    pub(super) const fn fix(self) -> &'static str {
        match self {
            Self::Common | Self::Pattern => "choose several words that have nothing to do with each other",
            Self::Context => "choose words that nobody would think of who knows you",
        }
    }
}

/// What is weak about a password, if something is.
pub(super) fn weakness(password: &str, context: &Context) -> Option<Weakness> {
    let folded = folded(password);
    let bare = folded.trim_matches(|c: char| !c.is_alphabetic());
    let rest = folded.replacen(bare, "", 1);
    let little_rest = rest.chars().count() < LEFT_MIN || is_common(&rest) || is_pattern(&rest);
    let bare_unit = unit_of(bare);
    if is_common(&folded) || is_common(&unit_of(&folded)) || (little_rest && (is_common(bare) || is_common(&bare_unit)))
    {
        return Some(Weakness::Common);
    }
    if is_made_of_names(&folded, context) {
        return Some(Weakness::Context);
    }
    is_pattern(&folded).then_some(Weakness::Pattern)
}

/// Whether a text is something short again and again, or a run.
fn is_pattern(text: &str) -> bool {
    let unit = unit_of(text);
    let repeated = unit.chars().count() * 2 <= text.chars().count() && unit.chars().count() < LEFT_MIN;
    repeated || is_run(&unit)
}

/// As passwords are compared: compatible forms, without regard to case.
fn folded(text: &str) -> String {
    match Name::parse("", text) {
        Ok(name) => name.key(),
        Err(_) => text.nfkc().flat_map(char::to_lowercase).collect(),
    }
}

/// Whether a text stands in the list: a search by halves in the sorted text itself.
fn is_common(text: &str) -> bool {
    if text.contains('\n') {
        return false;
    }
    let (mut low, mut high) = (0, COMMON.len());
    while low < high {
        let middle = low + (high - low) / 2;
        let start = COMMON.get(..middle).and_then(|before| before.rfind('\n')).map_or(0, |at| at + 1);
        let end = COMMON.get(middle..).and_then(|after| after.find('\n')).map_or(COMMON.len(), |at| middle + at);
        let line = COMMON.get(start..end).unwrap_or_default();
        match line.as_bytes().cmp(text.as_bytes()) {
            std::cmp::Ordering::Equal => return !line.is_empty(),
            std::cmp::Ordering::Less => low = end + 1,
            std::cmp::Ordering::Greater => high = start,
        }
    }
    false
}

/// The shortest text of whose repetitions another is made; the last one may be cut off.
fn unit_of(text: &str) -> String {
    let characters: Vec<char> = text.chars().collect();
    let period = (1..=characters.len())
        .find(|period| characters.iter().zip(characters.iter().skip(*period)).all(|(one, other)| one == other));
    characters.into_iter().take(period.unwrap_or(0)).collect()
}

/// Whether a text is a run along a row, up or down, from anywhere and over its end, or a few of them.
fn is_run(text: &str) -> bool {
    let characters: Vec<char> = text.chars().collect();
    let steps = characters.len().saturating_sub(1);
    if steps < WORD_MIN {
        return false;
    }
    let follows = |one: &char, other: &char| {
        ROWS.iter().any(|row| {
            let pairs = || row.chars().zip(row.chars().skip(1).chain(row.chars().take(1)));
            pairs().any(|pair| pair == (*one, *other) || pair == (*other, *one))
        })
    };
    let along = characters.iter().zip(characters.iter().skip(1)).filter(|(one, other)| follows(one, other)).count();
    // One in five steps may lead to another row.
    along * 5 >= steps * 4
}

fn is_made_of_names(folded: &str, context: &Context) -> bool {
    let mut left = folded.to_owned();
    for word in &context.words {
        left = left.replace(word.as_str(), " ");
    }
    let alphanumeric = |text: &str| text.chars().filter(|c| c.is_alphanumeric()).count();
    left != folded && alphanumeric(&left) < LEFT_MIN
}
