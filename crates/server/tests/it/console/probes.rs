//! Case K7: whatever somebody writes is text on every page, and no formula in any file.

use super::world::{FILES, PAGES, World};
use crate::fixture::{Fixture, on_both};
use std::sync::Arc;

on_both!(k7_what_anybody_writes_is_text_everywhere);

/// What spreadsheets take for formulas.
const FORMULAS: [&str; 4] = ["=1+1", "@SUM(1)", "-1", "+1"];
/// What must never stand on a page as it is.
const RAW: [&str; 4] = ["<img/src=x", "<script>x", "\"><img/", "onerror=\""];

fn probe(word: &str) -> String {
    let formula = FORMULAS[word.len() % FORMULAS.len()];
    format!("{formula}{word}\"><img/src=x>{{{{7*7}}}}<script>x")
}

/// The cells of a file, as RFC 4180 has them.
fn cells(text: &str) -> Vec<String> {
    let (mut cells, mut cell, mut quoted) = (Vec::new(), String::new(), false);
    let mut rest = text.chars().peekable();
    while let Some(next) = rest.next() {
        match (next, quoted) {
            ('"', true) if rest.peek() == Some(&'"') => {
                rest.next();
                cell.push('"');
            }
            ('"', _) => quoted = !quoted,
            (',' | '\n', false) => cells.push(std::mem::take(&mut cell)),
            ('\r', false) => {}
            (other, _) => cell.push(other),
        }
    }
    cells
}

async fn k7_what_anybody_writes_is_text_everywhere(f: Arc<Fixture>) {
    let world = World::begin(&f, &probe).await;
    let mut seen = 0;
    for page in PAGES {
        let html = world.browser(page.who).page(&world.path(page)).await;
        for raw in RAW {
            assert!(!html.contains(raw), "{}: {raw}: {html}", page.name);
        }
        // A template that is not one: nothing has computed it.
        assert_eq!(html.contains("img/src=x"), html.contains("{{7*7}}"), "{}: {html}", page.name);
        seen += usize::from(html.contains("&#60;img/src=x"));
    }
    assert!(seen > 50, "the probes stand on {seen} pages alone");
    for file in FILES {
        let answer = world.browser(file.who).get(&world.path(file)).await;
        assert_eq!(answer.status, 200, "{}", file.route);
        let cells = cells(&answer.text);
        for cell in &cells {
            assert!(!cell.starts_with(['=', '+', '-', '@', '\t', '\r']), "{}: {cell:?}", file.route);
        }
        assert!(cells.iter().any(|cell| cell.starts_with('\'') && cell.contains("<script>x")), "{}", file.route);
    }
}
