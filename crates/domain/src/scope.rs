//! Scopes: how an OAuth client asks for less than its application may do. A word is a right of this catalogue
//! (`org.audits:READ`) or a scope of a vendor that stands for one (`device:read`).

use crate::catalogue::Catalogue;
use crate::grants::{GrantSet, Grants, Verb};
use crate::{Error, Result};
use std::collections::BTreeSet;

/// Most bytes of a scope that is asked for.
pub const SCOPE_MAX: usize = 1_500;

/// A scope that was granted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scope {
    /// Its words as they were asked for, each once, with a blank between.
    pub text: String,
    /// What they allow.
    pub limit: GrantSet,
}

/// The right that a word stands for, as a place of a [`GrantSet`] and a verb. A right of this catalogue goes before a scope of
/// a vendor that differs from it in upper and lower case alone.
pub fn right(word: &str, catalogue: &Catalogue) -> Option<(usize, Verb)> {
    let own = || {
        let (name, verb) = word.rsplit_once(':')?;
        let verb = Verb::parse(verb)?;
        let permission = catalogue.find(name).filter(|permission| permission.verbs.has(verb))?;
        Some((permission.index, verb))
    };
    own().or_else(|| catalogue.find_scope(word))
}

/// What a scope that was granted allows. A word that means nothing any more allows nothing.
pub fn limit(text: &str, catalogue: &Catalogue) -> GrantSet {
    let mut limit = GrantSet::compile(&Grants::new(), catalogue);
    for (index, verb) in text.split(' ').filter_map(|word| right(word, catalogue)) {
        limit.add(index, verb);
    }
    limit
}

/// Grants a scope that is asked for to whoever holds `held`; refuses it where any word of it is more than that.
pub fn grant(asked: &str, held: &GrantSet, catalogue: &Catalogue) -> Result<Scope> {
    if asked.len() > SCOPE_MAX {
        return Err(refused(format!("the scope has more than {SCOPE_MAX} characters; ask for less, or leave it out")));
    }
    let mut limit = GrantSet::compile(&Grants::new(), catalogue);
    let (mut words, mut more) = (BTreeSet::new(), Vec::new());
    let mut text = String::with_capacity(asked.len());
    for word in asked.split(' ').filter(|word| !word.is_empty()) {
        match right(word, catalogue).filter(|(index, verb)| held.has(*index, *verb)) {
            Some((index, verb)) => limit.add(index, verb),
            None => more.push(word),
        }
        if words.insert(word) {
            if !text.is_empty() {
                text.push(' ');
            }
            text.push_str(word);
        }
    }
    if text.is_empty() {
        return Err(refused("the scope is empty; name rights such as org.audits:READ, or leave it out".into()));
    }
    if !more.is_empty() {
        let shown: Vec<_> = more.iter().take(5).map(|word| printable(word)).collect();
        let detail =
            format!("the application does not hold {}; ask for what it holds, or leave scope out", shown.join(" "));
        return Err(refused(detail));
    }
    Ok(Scope { text, limit })
}

/// A set of grants as the scope that would ask for all of it.
pub fn spell(held: &GrantSet, catalogue: &Catalogue) -> String {
    let mut text = String::new();
    for (permission, verbs) in catalogue.permissions().iter().zip(held.verbs()) {
        for verb in verbs.iter() {
            for part in [if text.is_empty() { "" } else { " " }, &permission.name, ":", verb.as_str()] {
                text.push_str(part);
            }
        }
    }
    text
}

fn printable(word: &str) -> String {
    word.chars().filter(|c| c.is_ascii_graphic() && !matches!(c, '"' | '\\')).take(80).collect()
}

fn refused(detail: String) -> Error {
    Error::Malformed { code: "invalid_scope", detail }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held(catalogue: &Catalogue, scope: &str) -> GrantSet {
        limit(scope, catalogue)
    }

    #[test]
    fn a_scope_is_granted_as_it_was_asked_for_or_not_at_all() {
        let catalogue = Catalogue::built_in();
        let may = held(&catalogue, "org.audits:READ cylance.devices:READ applications:READ");
        let scope = grant("  Device:Read org.audits:READ Device:Read ", &may, &catalogue).unwrap();
        assert_eq!(scope.text, "Device:Read org.audits:READ");
        assert_eq!(scope.limit, held(&catalogue, "cylance.devices:READ org.audits:READ"));
        for wider in ["org.audits:READ applications:CREATE", "device:update", "nothing", "org.audits", "*", "", "  "] {
            let refused = grant(wider, &may, &catalogue).unwrap_err();
            assert!(matches!(refused, Error::Malformed { code: "invalid_scope", .. }), "{wider}");
        }
        assert!(grant(&"org.audits:READ ".repeat(100), &may, &catalogue).is_err());
    }

    #[test]
    fn what_is_spelled_is_read() {
        let catalogue = Catalogue::built_in();
        let everything = catalogue.everything();
        assert_eq!(limit(&spell(&everything, &catalogue), &catalogue), everything);
        assert_eq!(limit("gone:READ", &catalogue), held(&catalogue, ""));
    }

    #[test]
    fn a_refusal_is_fit_for_a_header() {
        let catalogue = Catalogue::built_in();
        let refused = grant("a\"b\\c\u{7}é", &held(&catalogue, ""), &catalogue).unwrap_err();
        assert!(refused.to_string().contains(" abc;"), "{refused}");
    }
}
