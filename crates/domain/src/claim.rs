//! Conditions on the claims of tokens that others have signed: what of them must be how, for an application to be given.
//! Every comparison takes the whole of a claim; nothing matches by being a part of something.

use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Most characters of a claim's name.
pub const CLAIM_MAX: usize = 128;
/// Most characters that a claim is compared with.
pub const VALUE_MAX: usize = 512;
/// Most values of a list.
pub const VALUES_MAX: usize = 50;
/// Most stars of a pattern.
const STARS_MAX: usize = 8;
/// Longest claim that is compared with a pattern.
const COMPARED_MAX: usize = 2_048;

/// A condition as it is written and stored: a claim, and one way to compare it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Draft {
    /// The claim: its name, or a JSON pointer such as `/kubernetes.io/namespace` to one within another.
    pub claim: String,
    /// It is this text, this whole number or this truth value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub equals: Option<Value>,
    /// It is a text that fits this pattern.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub matches: Option<String>,
    /// It is one of these texts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub one_of: Option<Vec<String>>,
    /// It is a list, and this text is in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contains: Option<String>,
}

/// A condition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Condition {
    claim: String,
    test: Test,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Test {
    Equals(Value),
    Matches(String),
    OneOf(Vec<String>),
    Contains(String),
}

impl Condition {
    /// Accepts the condition at `pointer`.
    pub fn parse(pointer: &str, draft: Draft) -> Result<Self> {
        let Draft { claim, equals, matches, one_of, contains } = draft;
        check_claim(&format!("{pointer}/claim"), &claim)?;
        let at = |member: &str| format!("{pointer}/{member}");
        let test = match (equals, matches, one_of, contains) {
            (Some(value), None, None, None) => Test::Equals(check_scalar(&at("equals"), value)?),
            (None, Some(pattern), None, None) => Test::Matches(check_pattern(&at("matches"), pattern)?),
            (None, None, Some(values), None) => Test::OneOf(check_values(&at("one_of"), values)?),
            (None, None, None, Some(value)) => Test::Contains(check_text(&at("contains"), value)?),
            _ => {
                let fix = "give exactly one of equals, matches, one_of and contains";
                return Err(Error::invalid(pointer, "the condition does not compare the claim in one way", fix));
            }
        };
        if claim == "sub" && matches!(&test, Test::Matches(pattern) if pattern.starts_with('*')) {
            let fix = "begin the pattern with what all its subjects begin with";
            return Err(Error::invalid(&at("matches"), "a pattern for sub that begins with a star fits anybody", fix));
        }
        Ok(Self { claim, test })
    }

    /// The condition as it is written.
    pub fn draft(&self) -> Draft {
        let draft = Draft { claim: self.claim.clone(), ..Draft::default() };
        match self.test.clone() {
            Test::Equals(value) => Draft { equals: Some(value), ..draft },
            Test::Matches(pattern) => Draft { matches: Some(pattern), ..draft },
            Test::OneOf(values) => Draft { one_of: Some(values), ..draft },
            Test::Contains(value) => Draft { contains: Some(value), ..draft },
        }
    }

    /// Whether it says who the token is about.
    pub fn is_about_subject(&self) -> bool {
        self.claim == "sub" && !matches!(self.test, Test::Contains(_))
    }

    /// Whether it holds for these claims. A claim that is not there, or of another kind, fulfils nothing.
    pub fn holds(&self, claims: &Map<String, Value>) -> bool {
        let Some(found) = look_up(claims, &self.claim) else { return false };
        match &self.test {
            Test::Equals(wanted) => found == wanted,
            Test::Matches(pattern) => found.as_str().is_some_and(|text| fits(pattern, text)),
            Test::OneOf(values) => found.as_str().is_some_and(|text| values.iter().any(|value| value == text)),
            Test::Contains(wanted) => {
                found.as_array().is_some_and(|list| list.iter().any(|one| one.as_str() == Some(wanted)))
            }
        }
    }
}

/// The claim of a name, or of a JSON pointer to one within another.
pub(crate) fn look_up<'a>(claims: &'a Map<String, Value>, claim: &str) -> Option<&'a Value> {
    let Some(path) = claim.strip_prefix('/') else { return claims.get(claim) };
    let mut names = path.split('/').map(|name| name.replace("~1", "/").replace("~0", "~"));
    let first = names.next().and_then(|name| claims.get(&name));
    names.fold(first, |found, name| found?.as_object()?.get(&name))
}

pub(crate) fn check_claim(pointer: &str, claim: &str) -> Result<()> {
    let length = claim.chars().count();
    let bounded = (1..=CLAIM_MAX).contains(&length) && !claim.chars().any(char::is_control) && claim != "/";
    if bounded {
        return Ok(());
    }
    let fix = format!("give the name of a claim, of 1 to {CLAIM_MAX} characters, or a JSON pointer to one");
    Err(Error::invalid(pointer, "not the name of a claim", fix))
}

pub(crate) fn check_text(pointer: &str, text: String) -> Result<String> {
    let length = text.chars().count();
    if (1..=VALUE_MAX).contains(&length) && !text.chars().any(char::is_control) {
        return Ok(text);
    }
    Err(Error::invalid(
        pointer,
        format!("a text of {length} characters"),
        format!("give 1 to {VALUE_MAX} printable characters"),
    ))
}

fn check_scalar(pointer: &str, value: Value) -> Result<Value> {
    match value {
        Value::String(text) => check_text(pointer, text).map(Value::String),
        Value::Bool(_) => Ok(value),
        Value::Number(number) if number.is_i64() => Ok(Value::Number(number)),
        _ => Err(Error::invalid(pointer, "neither a text nor a whole number nor a truth value", "give one of these")),
    }
}

fn check_values(pointer: &str, values: Vec<String>) -> Result<Vec<String>> {
    if !(1..=VALUES_MAX).contains(&values.len()) {
        return Err(Error::invalid(pointer, format!("{} values", values.len()), format!("give 1 to {VALUES_MAX}")));
    }
    let checked = values.into_iter().enumerate().map(|(index, value)| check_text(&format!("{pointer}/{index}"), value));
    checked.collect()
}

fn check_pattern(pointer: &str, pattern: String) -> Result<String> {
    let pattern = check_text(pointer, pattern)?;
    let stars = pattern.split(|c| c != '*').filter(|run| !run.is_empty()).count();
    if stars > STARS_MAX || pattern.contains("***") {
        let fix = format!("write * for part of a segment and ** for anything, at most {STARS_MAX} times in all");
        return Err(Error::invalid(pointer, "the pattern has too many stars", fix));
    }
    Ok(pattern)
}

/// Whether a text fits a pattern as a whole: `*` stands for any characters but `:` and `/`, which part the segments of
/// subjects, `**` for any characters at all, everything else for itself.
fn fits(pattern: &str, text: &str) -> bool {
    if text.len() > COMPARED_MAX {
        return false;
    }
    let text: Vec<char> = text.chars().collect();
    // Which beginnings of the text the pattern read so far can stand for.
    let mut reached = vec![false; text.len() + 1];
    if let Some(first) = reached.first_mut() {
        *first = true;
    }
    let mut rest = pattern.chars().peekable();
    while let Some(c) = rest.next() {
        if c == '*' {
            let any = rest.next_if_eq(&'*').is_some();
            let mut on = false;
            let after = std::iter::once(None).chain(text.iter().map(Some));
            for (place, before) in reached.iter_mut().zip(after) {
                let crosses = before.is_none_or(|c| any || !matches!(c, ':' | '/'));
                on = *place || (on && crosses);
                *place = on;
            }
        } else {
            let mut last = false;
            let after = std::iter::once(None).chain(text.iter().map(Some));
            for (place, before) in reached.iter_mut().zip(after) {
                let here = last && before == Some(&c);
                last = std::mem::replace(place, here);
            }
        }
    }
    reached.last().copied().unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn condition(draft: Value) -> Result<Condition> {
        Condition::parse("/c", serde_json::from_value(draft).unwrap())
    }

    fn holds(draft: Value, claims: Value) -> bool {
        condition(draft).unwrap().holds(claims.as_object().unwrap())
    }

    #[test]
    fn whole_claims_are_compared() {
        let sub = |sub: &str| json!({ "sub": sub });
        assert!(holds(json!({"claim": "sub", "equals": "a"}), sub("a")));
        for other in ["A", "ab", "ba", "", " a"] {
            assert!(!holds(json!({"claim": "sub", "equals": "a"}), sub(other)), "{other}");
        }
        assert!(!holds(json!({"claim": "sub", "equals": "a"}), json!({"sub": ["a"]})));
        assert!(!holds(json!({"claim": "sub", "equals": "a"}), json!({})));
        assert!(holds(json!({"claim": "ok", "equals": true}), json!({"ok": true})));
        assert!(!holds(json!({"claim": "ok", "equals": true}), json!({"ok": "true"})));
        assert!(
            holds(json!({"claim": "n", "equals": 7}), json!({"n": 7}))
                && !holds(json!({"claim": "n", "equals": 7}), json!({"n": 7.0}))
        );
        assert!(holds(json!({"claim": "env", "one_of": ["a", "b"]}), json!({"env": "b"})));
        assert!(!holds(json!({"claim": "env", "one_of": ["a", "b"]}), json!({"env": ["b"]})));
        assert!(holds(json!({"claim": "groups", "contains": "b"}), json!({"groups": ["a", "b"]})));
        assert!(!holds(json!({"claim": "groups", "contains": "b"}), json!({"groups": "b"})));
    }

    #[test]
    fn claims_within_claims_have_pointers() {
        let claims = json!({"kubernetes.io": {"namespace": "prod", "a/b": "x"}, "a.b": "y", "/c": "z"});
        assert!(holds(json!({"claim": "/kubernetes.io/namespace", "equals": "prod"}), claims.clone()));
        assert!(holds(json!({"claim": "/kubernetes.io/a~1b", "equals": "x"}), claims.clone()));
        assert!(holds(json!({"claim": "a.b", "equals": "y"}), claims.clone()));
        assert!(!holds(json!({"claim": "/kubernetes.io/namespace/x", "equals": "prod"}), claims.clone()));
        assert!(!holds(json!({"claim": "/c", "equals": "z"}), claims));
    }

    #[test]
    fn patterns_are_anchored_and_stars_stay_in_their_segment() {
        let main = "repo:acme/*:ref:refs/heads/main";
        assert!(fits(main, "repo:acme/app:ref:refs/heads/main") && fits(main, "repo:acme/:ref:refs/heads/main"));
        for bad in [
            "repo:acme/app:ref:refs/heads/main2",
            "xrepo:acme/app:ref:refs/heads/main",
            "repo:acme/a/b:ref:refs/heads/main",
            "repo:acme/app:ref:refs/heads/evil:ref:refs/heads/main",
            "repo:acme-evil/app:ref:refs/heads/main",
            "",
        ] {
            assert!(!fits(main, bad), "{bad}");
        }
        assert!(fits("repo:acme/**", "repo:acme/app:ref:refs/heads/main") && !fits("repo:acme/**", "repo:acme"));
        assert!(fits("a?[b]", "a?[b]") && !fits("a?", "ab"), "no other signs");
        assert!(!fits("a**", &format!("a{}", "x".repeat(COMPARED_MAX))));
    }

    #[test]
    fn drafts_are_checked() {
        for bad in [
            json!({"claim": "sub"}),
            json!({"claim": "sub", "equals": "a", "matches": "a"}),
            json!({"claim": "", "equals": "a"}),
            json!({"claim": "x".repeat(129), "equals": "a"}),
            json!({"claim": "a", "equals": ""}),
            json!({"claim": "a", "equals": 1.5}),
            json!({"claim": "a", "equals": []}),
            json!({"claim": "a", "one_of": []}),
            json!({"claim": "a", "one_of": vec!["x"; 51]}),
            json!({"claim": "a", "matches": "***"}),
            json!({"claim": "a", "matches": "a*".repeat(9)}),
            json!({"claim": "a", "contains": "x".repeat(513)}),
            json!({"claim": "sub", "matches": "*"}),
            json!({"claim": "sub", "matches": "**x"}),
        ] {
            assert!(condition(bad.clone()).is_err(), "{bad}");
        }
        let good = json!({"claim": "sub", "matches": "repo:acme/*"});
        let parsed = condition(good.clone()).unwrap();
        assert_eq!(serde_json::to_value(parsed.draft()).unwrap(), good);
        assert!(parsed.is_about_subject());
    }

    /// The same by trying everything.
    fn fits_slowly(pattern: &[char], text: &[char]) -> bool {
        match pattern {
            [] => text.is_empty(),
            ['*', '*', rest @ ..] => (0..=text.len()).any(|taken| fits_slowly(rest, &text[taken..])),
            ['*', rest @ ..] => {
                let most = text.iter().position(|c| matches!(c, ':' | '/')).unwrap_or(text.len());
                (0..=most).any(|taken| fits_slowly(rest, &text[taken..]))
            }
            [c, rest @ ..] => text.first() == Some(c) && fits_slowly(rest, &text[1..]),
        }
    }

    proptest! {
        #[test]
        fn patterns_mean_what_they_say(pattern in "[ab:*]{0,8}", text in "[ab:/]{0,10}") {
            prop_assume!(!pattern.contains("***"));
            let (p, t): (Vec<_>, Vec<_>) = (pattern.chars().collect(), text.chars().collect());
            prop_assert_eq!(fits(&pattern, &text), fits_slowly(&p, &t));
        }
    }
}
