//! Charts, drawn as SVG on the server. A chart says what it shows in its title and takes its colours from the stylesheet, by class; the
//! macro that puts it on a page puts a table of the same numbers beside it.

use crate::show;
use askama::filters::Safe;
use claviger_domain::{Error, Result};
use plotters::backend::SVGBackend;
use plotters::chart::{ChartBuilder, ChartContext};
use plotters::coord::Shift;
use plotters::coord::cartesian::Cartesian2d;
use plotters::coord::ranged1d::{IntoSegmentedCoord as _, SegmentValue, SegmentedCoord};
use plotters::coord::types::{RangedCoordi64, RangedCoordusize};
use plotters::drawing::{DrawingArea, IntoDrawingArea as _};
use plotters::element::Rectangle;
use plotters::series::LineSeries;
use plotters::style::{Color as _, RGBColor, ShapeStyle, TRANSPARENT};
use std::fmt::Display;

const SIZE: (u32, u32) = (720, 260);
/// Pixels along the bottom that labels have, and that each of their characters takes.
const BOTTOM: usize = 620;
const CHARACTER: usize = 8;
/// What stands for a class of the stylesheet until everything is drawn.
const INK: RGBColor = RGBColor(0, 0, 1);
const RULE: RGBColor = RGBColor(0, 0, 2);

/// What the numbers of a series mean, which is how they are coloured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tone {
    /// What went well, or the only series.
    Calls,
    /// What was refused.
    Refused,
    /// What was held back.
    Held,
    /// Whatever else there is.
    Other,
}

/// How a chart is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// Bars, those of a period upon each other.
    Bars,
    /// A line for each series.
    Lines,
}

/// Numbers of one kind, one for each label of the chart.
#[derive(Clone, Debug)]
pub(crate) struct Series {
    /// What they are called.
    pub(crate) name: &'static str,
    /// What they mean.
    pub(crate) tone: Tone,
    /// The numbers; none is below zero.
    pub(crate) values: Vec<i64>,
}

/// A chart.
#[derive(Clone, Debug)]
pub(crate) struct Chart {
    /// What it shows, as a sentence would.
    pub(crate) title: String,
    /// What the labels are, such as `Day`.
    pub(crate) over: &'static str,
    /// What the numbers belong to.
    pub(crate) labels: Vec<String>,
    /// The numbers.
    pub(crate) series: Vec<Series>,
    /// How it is drawn.
    pub(crate) form: Form,
}

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Plot<'a> = ChartContext<'a, SVGBackend<'a>, Cartesian2d<SegmentedCoord<RangedCoordusize>, RangedCoordi64>>;

impl Tone {
    const ALL: [Self; 4] = [Self::Calls, Self::Refused, Self::Held, Self::Other];

    /// Its class in the stylesheet.
    pub(crate) fn class(self) -> &'static str {
        match self {
            Self::Calls => "calls",
            Self::Refused => "refused",
            Self::Held => "held",
            Self::Other => "other",
        }
    }

    fn colour(self) -> RGBColor {
        RGBColor(0, 1, self as u8)
    }
}

impl Chart {
    /// Each label with its numbers, in the order of the series.
    pub(crate) fn rows(&self) -> Vec<(&str, Vec<i64>)> {
        let numbers =
            |index: usize| self.series.iter().map(|one| one.values.get(index).copied().unwrap_or(0)).collect();
        self.labels.iter().enumerate().map(|(index, label)| (label.as_str(), numbers(index))).collect()
    }

    /// The drawing.
    ///
    /// # Errors
    /// Where the library fails, which writing into memory does not.
    pub(crate) fn svg(&self) -> Result<Safe<String>> {
        let mut drawn = String::new();
        self.draw(&SVGBackend::with_string(&mut drawn, SIZE).into_drawing_area())?;
        Ok(Safe(self.dressed(drawn)))
    }

    /// How it is drawn: a line through a single point would be none.
    fn form(&self) -> Form {
        if self.labels.len() < 2 { Form::Bars } else { self.form }
    }

    fn draw(&self, area: &Area<'_>) -> Result<()> {
        let top = self.rows().into_iter().map(|(_, numbers)| match self.form() {
            Form::Bars => numbers.iter().sum(),
            Form::Lines => numbers.iter().copied().max().unwrap_or(0),
        });
        let top = top.max().unwrap_or(0).max(4);
        let longest = self.labels.iter().map(|label| label.chars().count()).max().unwrap_or(0);
        let room = (BOTTOM / (longest * CHARACTER + 2 * CHARACTER)).clamp(2, 12);
        let last = self.labels.len().saturating_sub(1);
        let mut plot = ChartBuilder::on(area)
            .margin_top(10)
            .margin_right(16)
            .x_label_area_size(28)
            .y_label_area_size(64)
            .build_cartesian_2d((0..last).into_segmented(), 0..top.saturating_add(top / 20))
            .map_err(internal)?;
        let label = |at: &SegmentValue<usize>| match at {
            SegmentValue::CenterOf(index) => self.labels.get(*index).cloned().unwrap_or_default(),
            _ => String::new(),
        };
        plot.configure_mesh()
            .disable_x_mesh()
            .x_labels(room)
            .y_labels(5)
            .axis_style(RULE)
            .bold_line_style(RULE)
            .light_line_style(TRANSPARENT)
            .label_style(("sans-serif", 15, &INK))
            .x_label_formatter(&label)
            .y_label_formatter(&show::number)
            .draw()
            .map_err(internal)?;
        match self.form() {
            Form::Bars => self.bars(&mut plot)?,
            Form::Lines => self.lines(&mut plot)?,
        }
        area.present().map_err(internal)
    }

    fn bars(&self, plot: &mut Plot<'_>) -> Result<()> {
        let gap = if self.labels.len() > 60 { 0 } else { 2 };
        let mut bases = vec![0_i64; self.labels.len()];
        for one in &self.series {
            let style = one.tone.colour().filled();
            let stacked = bases.iter_mut().zip(&one.values).enumerate().filter(|(_, (_, value))| **value > 0);
            let bars = stacked.map(|(index, (base, value))| {
                let from = *base;
                *base = base.saturating_add(*value);
                let corners = [(SegmentValue::Exact(index), *base), (SegmentValue::Exact(index + 1), from)];
                let mut bar = Rectangle::new(corners, style);
                bar.set_margin(0, 0, gap, gap);
                bar
            });
            plot.draw_series(bars).map_err(internal)?;
        }
        Ok(())
    }

    fn lines(&self, plot: &mut Plot<'_>) -> Result<()> {
        for one in &self.series {
            let style = ShapeStyle { color: one.tone.colour().to_rgba(), filled: false, stroke_width: 2 };
            let points = one.values.iter().enumerate().map(|(index, value)| (SegmentValue::CenterOf(index), *value));
            plot.draw_series(LineSeries::new(points, style)).map_err(internal)?;
        }
        Ok(())
    }

    /// With classes for colours, and with its title.
    fn dressed(&self, drawn: String) -> String {
        let mut drawn =
            drawn.replace(&painted("fill", INK), "class=\"ink\"").replace(&painted("stroke", RULE), "class=\"rule\"");
        for tone in Tone::ALL {
            let class = tone.class();
            drawn = drawn.replace(&painted("fill", tone.colour()), &format!("class=\"fill {class}\""));
            drawn = drawn.replace(&painted("stroke", tone.colour()), &format!("class=\"trace {class}\""));
        }
        let title = show::escaped(&self.title);
        drawn.replacen("<svg ", "<svg role=\"img\" ", 1).replacen('\n', &format!("<title>{title}</title>\n"), 1)
    }
}

fn painted(attribute: &str, RGBColor(red, green, blue): RGBColor) -> String {
    format!("{attribute}=\"#{red:02X}{green:02X}{blue:02X}\"")
}

fn internal(error: impl Display) -> Error {
    Error::Internal(format!("a chart: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chart(form: Form, values: &[i64]) -> Chart {
        let series = |name, tone| Series { name, tone, values: values.to_vec() };
        Chart {
            title: "Calls of <A & B>".into(),
            over: "Day",
            labels: (0..values.len()).map(|day| format!("11-{:02}", day + 1)).collect(),
            series: vec![series("allowed", Tone::Calls), series("denied", Tone::Refused), series("over", Tone::Held)],
            form,
        }
    }

    #[test]
    fn a_single_day_is_seen() {
        let one = chart(Form::Lines, &[7]).svg().unwrap().to_string();
        assert!(one.contains("class=\"fill calls\""), "a line through one point draws nothing: {one}");
        assert!(chart(Form::Lines, &[7, 8]).svg().unwrap().to_string().contains("class=\"trace calls\""));
    }

    #[test]
    fn colours_are_left_to_the_stylesheet() {
        for form in [Form::Bars, Form::Lines] {
            let svg = chart(form, &[3, 0, 1_200, 7]).svg().unwrap().0;
            assert!(!svg.contains('#') && !svg.contains("style=") && !svg.contains("<script"), "{svg}");
            let class = if form == Form::Bars { "class=\"fill refused\"" } else { "class=\"trace refused\"" };
            assert!(svg.contains(class) && svg.contains("class=\"ink\"") && svg.contains("class=\"rule\""), "{svg}");
        }
    }

    #[test]
    fn it_says_what_it_shows() {
        let svg = chart(Form::Bars, &[3, 5]).svg().unwrap().0;
        assert!(svg.starts_with("<svg role=\"img\" width=\"720\""), "{svg}");
        assert!(svg.contains("<title>Calls of &lt;A &amp; B&gt;</title>"), "{svg}");
        assert!(svg.contains("11-01") && svg.contains("11-02") && svg.trim_end().ends_with("</svg>"), "{svg}");
    }

    #[test]
    fn bars_stand_upon_each_other_and_nothing_is_drawn_for_nothing() {
        let svg = chart(Form::Bars, &[3, 0, 5]).svg().unwrap().0;
        assert_eq!(svg.matches("class=\"fill ").count(), 6);
        assert_eq!(chart(Form::Bars, &[3, 0]).rows(), [("11-01", vec![3, 3, 3]), ("11-02", vec![0, 0, 0])]);
    }

    #[test]
    fn any_numbers_can_be_drawn() {
        for form in [Form::Bars, Form::Lines] {
            for values in [vec![], vec![0], vec![7], vec![0; 3], vec![i64::MAX / 8, 1], vec![1; 800]] {
                assert!(chart(form, &values).svg().is_ok(), "{values:?}");
            }
        }
    }
}
