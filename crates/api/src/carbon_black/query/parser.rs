//! Reads a query, character by character, into the tree that is asked of records.

use super::super::bad_request::{BadRequest, echo};
use super::super::text::{Field, Wanted};
use super::super::times::{Span, read_time};
use super::super::wildcard::{self, Atom, Pattern};
use super::{DEPTH_MAX, Node, TERMS_MAX};

type Result<T> = std::result::Result<T, BadRequest>;

/// Reads the whole of `text`.
pub(super) fn parse(text: &str) -> Result<Node> {
    let mut parser = Parser { letters: text.chars().collect(), position: 0, depth: 0, terms: 0 };
    let node = parser.any(None)?;
    match parser.peek(0) {
        None => Ok(node),
        Some(_) => Err(BadRequest::query("a closing parenthesis has no opening one")),
    }
}

struct Parser {
    letters: Vec<char>,
    position: usize,
    depth: usize,
    terms: usize,
}

/// A word as it is written, its wildcards told apart from escaped ones.
struct Word {
    atoms: Vec<Atom>,
    plain: bool,
}

impl Parser {
    fn peek(&self, ahead: usize) -> Option<char> {
        self.letters.get(self.position + ahead).copied()
    }

    fn skip_blanks(&mut self) {
        while self.peek(0).is_some_and(char::is_whitespace) {
            self.position += 1;
        }
    }

    fn eat(&mut self, expected: &str) -> bool {
        let here = expected.chars().enumerate().all(|(ahead, c)| self.peek(ahead) == Some(c));
        if here {
            self.position += expected.chars().count();
        }
        here
    }

    /// An operator that is a word must not be the beginning of a longer one.
    fn eat_operator(&mut self, word: &str, sign: &str) -> bool {
        self.skip_blanks();
        let start = self.position;
        if self.eat(word) {
            if self.peek(0).is_none_or(|c| c.is_whitespace() || matches!(c, '(' | ')' | '"')) {
                return true;
            }
            self.position = start;
        }
        self.eat(sign)
    }

    fn is_at_operator(&mut self, word: &str, sign: &str) -> bool {
        let start = self.position;
        let found = self.eat_operator(word, sign);
        self.position = start;
        found
    }

    /// `a OR b OR c`
    fn any(&mut self, field: Option<Field>) -> Result<Node> {
        let mut nodes = vec![self.all(field)?];
        while self.eat_operator("OR", "||") {
            nodes.push(self.all(field)?);
        }
        Ok(joined(nodes, Node::Any))
    }

    /// `a AND b c`
    fn all(&mut self, field: Option<Field>) -> Result<Node> {
        let mut nodes = vec![self.one(field)?];
        loop {
            if self.eat_operator("AND", "&&") {
                nodes.push(self.one(field)?);
                continue;
            }
            self.skip_blanks();
            if matches!(self.peek(0), None | Some(')')) || self.is_at_operator("OR", "||") {
                return Ok(joined(nodes, Node::All));
            }
            nodes.push(self.one(field)?);
        }
    }

    /// `NOT a`, `-a`, `(…)` or a term.
    fn one(&mut self, field: Option<Field>) -> Result<Node> {
        if self.eat_operator("NOT", "!") || self.eat_minus() {
            return self.deeper(|parser| Ok(Node::Not(Box::new(parser.one(field)?))));
        }
        self.skip_blanks();
        if self.peek(0) == Some('+') && self.peek(1).is_some_and(|next| !next.is_whitespace()) {
            self.position += 1;
        }
        if self.eat("(") {
            return self.deeper(|parser| {
                let node = parser.any(field)?;
                if parser.eat(")") {
                    Ok(node)
                } else {
                    Err(BadRequest::query("an opening parenthesis has no closing one"))
                }
            });
        }
        for (word, sign) in [("AND", "&&"), ("OR", "||")] {
            if self.is_at_operator(word, sign) {
                return Err(BadRequest::query(format!("{word} has nothing before it")));
            }
        }
        self.term(field)
    }

    fn eat_minus(&mut self) -> bool {
        let found = self.peek(0) == Some('-') && self.peek(1).is_some_and(|next| !next.is_whitespace());
        self.position += usize::from(found);
        found
    }

    fn deeper(&mut self, read: impl FnOnce(&mut Self) -> Result<Node>) -> Result<Node> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(BadRequest::query(format!("the query is nested more than {DEPTH_MAX} deep")));
        }
        let node = read(self)?;
        self.depth -= 1;
        Ok(node)
    }

    fn term(&mut self, field: Option<Field>) -> Result<Node> {
        self.terms += 1;
        if self.terms > TERMS_MAX {
            return Err(BadRequest::query(format!("the query has more than {TERMS_MAX} terms")));
        }
        match self.peek(0) {
            None => Err(BadRequest::query("the query ends where a term is expected")),
            Some(')') => Err(BadRequest::query("a closing parenthesis stands where a term is expected")),
            Some('"') => Ok(Node::Text(field, Wanted::text(&self.phrase()?))),
            Some('[' | '{') => self.range(field),
            Some(_) => {
                // Only the first colon separates: values such as times and addresses hold more of them.
                let word = self.word(true)?;
                if self.eat(":") { self.with_field(&word) } else { value(field, word) }
            }
        }
    }

    fn with_field(&mut self, name: &Word) -> Result<Node> {
        if name.atoms == [Atom::Many] {
            return if self.eat("*") {
                Ok(Node::Everything)
            } else {
                Err(BadRequest::query("write *:* for every record"))
            };
        }
        let written: String = name.atoms.iter().map(written).collect();
        let Some(field) = Field::parse(&written).filter(|_| name.plain) else {
            let known = Field::NAMES.join(", ");
            let message =
                format!("\"{}\" is no field; fields are {known}; write \\: for a colon that is text", echo(&written));
            return Err(BadRequest::query(message));
        };
        self.skip_blanks();
        match self.peek(0) {
            Some('(') => {
                self.position += 1;
                self.deeper(|parser| {
                    let node = parser.any(Some(field))?;
                    if parser.eat(")") {
                        Ok(node)
                    } else {
                        Err(BadRequest::query("an opening parenthesis has no closing one"))
                    }
                })
            }
            None | Some('"' | ')' | '[' | '{') => self.term(Some(field)),
            Some(_) => {
                let word = self.word(false)?;
                value(Some(field), word)
            }
        }
    }

    /// A text in quotes, with no wildcards in it.
    fn phrase(&mut self) -> Result<String> {
        self.position += 1;
        let mut text = String::new();
        loop {
            match self.peek(0) {
                None => return Err(BadRequest::query("a quote is not closed")),
                Some('"') => break,
                Some('\\') => {
                    self.position += 1;
                    text.extend(self.peek(0));
                }
                Some(c) => text.push(c),
            }
            self.position += 1;
        }
        self.position += 1;
        Ok(text)
    }

    fn word(&mut self, ends_at_colon: bool) -> Result<Word> {
        let (mut atoms, mut plain) = (Vec::new(), true);
        while let Some(c) = self.peek(0) {
            let operator = matches!((c, self.peek(1)), ('&', Some('&')) | ('|', Some('|')));
            if operator || c.is_whitespace() || matches!(c, '(' | ')' | '"') || (c == ':' && ends_at_colon) {
                break;
            }
            self.position += 1;
            match c {
                '*' | '?' => {
                    plain = false;
                    atoms.push(if c == '*' { Atom::Many } else { Atom::One });
                }
                '[' | ']' | '{' | '}' | '^' | '~' => {
                    let message = format!("{c} is not understood here; write \\{c} for the character itself");
                    return Err(BadRequest::query(message));
                }
                '\\' => {
                    let escaped = self.peek(0).ok_or_else(|| BadRequest::query("a backslash ends the query"))?;
                    self.position += 1;
                    atoms.push(Atom::Char(escaped));
                }
                c => atoms.push(Atom::Char(c)),
            }
        }
        if atoms.is_empty() {
            return Err(BadRequest::query("a colon or an operator stands where a term is expected"));
        }
        Ok(Word { atoms, plain })
    }

    /// `[a TO b]`, or with braces for ends that are not included.
    fn range(&mut self, field: Option<Field>) -> Result<Node> {
        let bad = |message: &str| BadRequest::query(format!("{message}; ranges are create_time:[2026-01-01 TO *]"));
        if field != Some(Field::CreateTime) {
            return Err(bad("only create_time has ranges"));
        }
        let opened_with_brace = self.peek(0) == Some('{');
        self.position += 1;
        let mut inside = String::new();
        let closed_with_brace = loop {
            let c = self.peek(0).ok_or_else(|| bad("a range is not closed"))?;
            self.position += 1;
            if matches!(c, ']' | '}') {
                break c == '}';
            }
            inside.push(c);
        };
        let (from, to) = inside.split_once(" TO ").ok_or_else(|| bad("a range needs TO"))?;
        let end = |text: &str| match text.trim().trim_matches('"') {
            "*" => Ok(None),
            text => {
                read_time(text).map(|time| Some(time.millis())).ok_or_else(|| bad("an end of the range is no time"))
            }
        };
        let (from, to) = (end(from)?, end(to)?);
        Ok(Node::Created(Span {
            from: from.map(|from| from + i64::from(opened_with_brace)),
            to: to.map(|to| to - i64::from(closed_with_brace)),
        }))
    }
}

fn joined(mut nodes: Vec<Node>, join: fn(Vec<Node>) -> Node) -> Node {
    match nodes.pop() {
        Some(only) if nodes.is_empty() => only,
        last => {
            nodes.extend(last);
            join(nodes)
        }
    }
}

fn value(field: Option<Field>, word: Word) -> Result<Node> {
    if word.plain {
        let text: String = word.atoms.iter().map(written).collect();
        return Ok(Node::Text(field, Wanted::text(&text)));
    }
    let lower = |atom: Atom| match atom {
        Atom::Char(c) => c.to_lowercase().map(Atom::Char).collect(),
        wildcard => vec![wildcard],
    };
    let atoms: Vec<Atom> = word.atoms.into_iter().flat_map(lower).collect();
    let pattern = Pattern::compile(&atoms).ok_or_else(|| {
        let most = wildcard::LENGTH_MAX;
        BadRequest::query(format!("a term with wildcards has more than {most} characters"))
    })?;
    Ok(Node::Text(field, Wanted::Pattern(pattern)))
}

fn written(atom: &Atom) -> char {
    match atom {
        Atom::Char(c) => *c,
        Atom::One => '?',
        Atom::Many => '*',
    }
}
