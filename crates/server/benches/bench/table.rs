//! The one table, in Markdown, so that it can be put into a document as it is.

use std::fmt::Write as _;

/// One line of the table.
pub(crate) struct Figure {
    what: String,
    measured: String,
    floor: String,
    kept: Option<bool>,
}

#[derive(Default)]
pub(crate) struct Table {
    figures: Vec<Figure>,
    notes: Vec<String>,
}

impl Table {
    /// A figure that must not fall below its floor.
    pub(crate) fn at_least(&mut self, what: &str, measured: f64, floor: f64) {
        self.add(what, format!("{measured:.2}"), format!("≥ {floor:.2}"), Some(measured >= floor));
    }

    /// A figure that must not rise above its bound, in a unit.
    pub(crate) fn at_most(&mut self, what: &str, measured: f64, bound: f64, unit: &str) {
        let text = |value: f64| {
            let digits = if bound < 10.0 { 2 } else { 0 };
            format!("{value:.digits$}{unit}")
        };
        self.add(what, text(measured), format!("≤ {}", text(bound)), Some(measured <= bound));
    }

    /// A figure that is shown and holds nobody to anything.
    pub(crate) fn shown(&mut self, what: &str, measured: String) {
        self.add(what, measured, String::new(), None);
    }

    fn add(&mut self, what: &str, measured: String, floor: String, kept: Option<bool>) {
        self.figures.push(Figure { what: what.to_owned(), measured, floor, kept });
    }

    /// A line beneath the table.
    pub(crate) fn note(&mut self, text: String) {
        self.notes.push(text);
    }

    /// Whether no figure misses its floor.
    pub(crate) fn is_kept(&self) -> bool {
        self.figures.iter().all(|figure| figure.kept != Some(false))
    }

    pub(crate) fn render(&self) -> String {
        let mut text = String::from("| figure | measured | floor | ok? |\n|---|---|---|---|\n");
        for Figure { what, measured, floor, kept } in &self.figures {
            let kept = match kept {
                Some(true) => "yes",
                Some(false) => "**no**",
                None => "",
            };
            let _ = writeln!(text, "| {what} | {measured} | {floor} | {kept} |");
        }
        text.push('\n');
        for note in &self.notes {
            let _ = writeln!(text, "- {note}");
        }
        text
    }
}

/// The value that a share of all does not exceed.
pub(crate) fn quantile(values: &[f64], share: f64) -> f64 {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    let place = (values.len() as f64 * share).ceil() as usize;
    values.get(place.clamp(1, values.len().max(1)) - 1).copied().unwrap_or(f64::NAN)
}

/// The middle of five (or of however many there are).
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
