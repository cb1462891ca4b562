//! A plan for people: member by member, with what there is and what there will be.

use serde_json::{Value, json};

use super::document::shown;
use super::plan::{Action, Plan, Step};

/// Longest value that is shown in full.
const VALUE_MAX: usize = 300;

/// The plan as text.
pub(super) fn text(plan: &Plan) -> String {
    let mut out = String::new();
    for step in plan.steps.iter().filter(|step| step.action != Action::Unchanged || !step.notes.is_empty()) {
        out.push_str(&line(step));
        for change in &step.changes {
            let to = value(&change.to);
            let member = shown(&change.member);
            match &change.from {
                Some(from) => out.push_str(&format!("    {member}: {} -> {to}\n", value(from))),
                None => out.push_str(&format!("    {member}: {to}\n")),
            }
        }
        for note in &step.notes {
            out.push_str(&format!("    ({})\n", shown(note)));
        }
    }
    let count = |action| plan.count(action);
    out.push_str(&format!(
        "{} to create, {} to update, {} to delete, {} unchanged, {} not in the file\n",
        count(Action::Create),
        count(Action::Update),
        count(Action::Delete),
        count(Action::Unchanged),
        count(Action::Drift)
    ));
    out
}

/// The one line of a step.
pub(super) fn line(step: &Step) -> String {
    let mark = match step.action {
        Action::Create => '+',
        Action::Update => '~',
        Action::Unchanged => ' ',
        Action::Drift => '?',
        Action::Delete => '-',
    };
    format!("{mark} {} {}\n", step.action.word(), step.title())
}

/// The plan for programs.
pub(super) fn json(plan: &Plan) -> Value {
    json!({
        "steps": plan.steps.iter().map(Step::to_json).collect::<Vec<_>>(),
        "pending": plan.pending().count(),
        "drift": plan.count(Action::Drift),
    })
}

fn value(value: &Value) -> String {
    let text = shown(&value.to_string());
    if text.chars().count() <= VALUE_MAX {
        return text;
    }
    let cut: String = text.chars().take(VALUE_MAX).collect();
    format!("{cut}…")
}
