//! Licence expressions as packages state them: SPDX with AND, OR, WITH and parentheses, and the old `MIT/Apache-2.0`.

/// Whether the expression can be met with allowed licences alone; an error when it cannot be read.
pub fn is_met(expression: &str, allowed: &dyn Fn(&str) -> bool) -> Result<bool, String> {
    let spaced = expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
    let words: Vec<_> = spaced.split_whitespace().collect();
    let mut reader = Reader { words: &words, allowed };
    let met = reader.any()?;
    match reader.words.first() {
        None => Ok(met),
        Some(word) => Err(format!("unexpected `{word}`")),
    }
}

struct Reader<'a> {
    words: &'a [&'a str],
    allowed: &'a dyn Fn(&str) -> bool,
}

impl Reader<'_> {
    fn take(&mut self, word: &str) -> bool {
        let found = self.words.first() == Some(&word);
        if found {
            self.words = &self.words[1..];
        }
        found
    }

    fn next(&mut self) -> Result<String, String> {
        let (word, rest) = self.words.split_first().ok_or("it ends too soon")?;
        self.words = rest;
        let plain = word.chars().all(|c| c.is_ascii_alphanumeric() || "-.+".contains(c));
        let is_name = plain && !["AND", "OR", "WITH"].contains(word);
        if is_name { Ok((*word).to_owned()) } else { Err(format!("unexpected `{word}`")) }
    }

    // Both loops read on when the answer is settled, since the rest must be well formed as well.
    fn any(&mut self) -> Result<bool, String> {
        let mut met = self.all()?;
        while self.take("OR") {
            met |= self.all()?;
        }
        Ok(met)
    }

    fn all(&mut self) -> Result<bool, String> {
        let mut met = self.one()?;
        while self.take("AND") {
            met &= self.one()?;
        }
        Ok(met)
    }

    fn one(&mut self) -> Result<bool, String> {
        if self.take("(") {
            let met = self.any()?;
            return if self.take(")") { Ok(met) } else { Err("a parenthesis is not closed".to_owned()) };
        }
        let mut licence = self.next()?;
        if self.take("WITH") {
            // A licence with an exception is a licence of its own: it must be allowed as a whole.
            licence = format!("{licence} WITH {}", self.next()?);
        }
        Ok((self.allowed)(&licence))
    }
}

#[test]
fn expressions_are_read_as_spdx_says() {
    let allowed = |licence: &str| ["MIT", "ISC", "Apache-2.0"].contains(&licence);
    for (expression, met) in [
        ("MIT", true),
        ("GPL-3.0-only", false),
        ("GPL-3.0-only OR MIT", true),
        ("GPL-3.0-only AND MIT", false),
        ("MIT/Apache-2.0", true),
        ("Unlicense / MIT", true),
        ("MIT OR GPL-2.0-only AND GPL-3.0-only", true),
        ("(MIT OR GPL-2.0-only) AND GPL-3.0-only", false),
        ("ISC AND (Apache-2.0 OR ISC) AND (GPL-2.0-only OR (MIT AND ISC))", true),
        ("Apache-2.0 WITH LLVM-exception", false),
        ("Apache-2.0 WITH LLVM-exception OR Apache-2.0", true),
    ] {
        assert_eq!(is_met(expression, &allowed), Ok(met), "{expression}");
    }
    for broken in ["", "MIT OR", "AND MIT", "(MIT", "MIT)", "MIT ISC", "MIT WITH", "M!T"] {
        assert!(is_met(broken, &allowed).is_err(), "{broken:?} was read");
    }
    let own = |licence: &str| licence == "Apache-2.0 WITH LLVM-exception";
    assert_eq!(is_met("Apache-2.0 WITH LLVM-exception", &own), Ok(true));
}
