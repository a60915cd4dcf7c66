//! What a person reads about a move: each change once, reasons, steps, messages.

use super::timeline::seconds_between;
use super::{Narrator, text};
use crate::world::Message;
use jiff::Timestamp;
use serde_json::Value;
use std::collections::BTreeMap;

/// What was last told of each subject, so that only what has changed is told.
#[derive(Clone, Debug, Default)]
pub(super) struct Seen {
    last: BTreeMap<String, String>,
}

impl Seen {
    /// Tells what has changed in a status since the last one. What comes *next* is left out once a move has ended:
    /// its own reasons and steps are told first.
    pub(super) fn tell(&mut self, status: &Value, ended: bool, narrator: &mut dyn Narrator) {
        for (site, health) in status
            .pointer("/sites")
            .and_then(Value::as_object)
            .into_iter()
            .flatten()
        {
            for witness in list(health, "/witnesses") {
                let probe = text(witness, "/probe");
                let line = format!(
                    "round: {site} is {} ({probe}: {})",
                    text(health, "/health"),
                    text(witness, "/reason")
                );
                self.changed(probe, line, narrator);
            }
        }
        if ended {
            return;
        }
        match status.pointer("/execution").filter(|execution| !execution.is_null()) {
            None if text(status, "/next").is_empty() => {}
            None => self.changed("next", format!("decision: {}", text(status, "/next")), narrator),
            Some(execution) => {
                let line = format!(
                    "executor: {} {} → {} is {}",
                    text(execution, "/kind"),
                    text(execution, "/from"),
                    text(execution, "/to"),
                    text(execution, "/status").replace('_', " ")
                );
                self.changed("execution", line, narrator);
            }
        }
    }

    fn changed(&mut self, subject: &str, line: String, narrator: &mut dyn Narrator) {
        if self.last.get(subject) != Some(&line) {
            narrator.event(&line);
            self.last.insert(subject.to_owned(), line);
        }
    }
}

/// Why an execution was opened: its reason, and every guard's verdict with the facts.
pub(super) fn tell_reasons(execution: &Value, narrator: &mut dyn Narrator) {
    narrator.event(&format!("decided: {}", text(execution, "/reason")));
    for verdict in list(execution, "/verdicts") {
        narrator.show(&verdict_text(verdict));
    }
}

/// The steps of an execution, with what each took.
pub(super) fn tell_steps(execution: &Value, narrator: &mut dyn Narrator) {
    for step in list(execution, "/steps") {
        let times = (
            text(step, "/started_at").parse::<Timestamp>(),
            text(step, "/ended_at").parse::<Timestamp>(),
        );
        let took = if let (Ok(from), Ok(to)) = times {
            format!("{:.2} s", seconds_between(from, to))
        } else {
            String::new()
        };
        narrator.event(&format!(
            "step {:<16} {:<10} {took:>7}  {}",
            text(step, "/name"),
            text(step, "/state"),
            text(step, "/detail")
        ));
    }
}

/// A message as the subscriber got it: its subject, and what it can be filtered by.
pub(super) fn tell_message(message: &Message, narrator: &mut dyn Narrator) {
    let subject = message.subject.as_deref().unwrap_or("(no subject)");
    narrator.event(&format!("SNS → subscriber: \"{subject}\""));
    let attributes: Vec<String> = message
        .attributes
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    narrator.show(&format!("          {}", attributes.join(" ")));
}

/// The answer to a dry run: what would be done, every guard, and for each step the call that it would make.
pub(super) fn dry_run_text(dry: &Value) -> String {
    let mut lines = vec![format!("  would: {}", text(dry, "/summary"))];
    lines.extend(list(dry, "/verdicts").map(verdict_text));
    for step in list(dry, "/steps") {
        let (name, kind, plane) = (text(step, "/name"), text(step, "/kind"), text(step, "/plane"));
        lines.push(match plane {
            "none" => format!("    step {name} ({kind}, changes nothing)"),
            plane => format!(
                "    step {name} ({kind}, {plane} plane, {})",
                text(step, "/reversibility")
            ),
        });
        lines.push(format!("      now     {}", text(step, "/current")));
        let mut calls = list(step, "/calls").filter_map(Value::as_str).peekable();
        if calls.peek().is_none() {
            lines.push(format!("      would   {}", text(step, "/would")));
        } else {
            lines.push(format!("      wanted  {}", text(step, "/wanted")));
            lines.extend(calls.map(|call| format!("      call    {call}")));
        }
    }
    lines.join("\n")
}

fn verdict_text(verdict: &Value) -> String {
    let mark = if verdict["allows"] == true { "lets go" } else { "stops" };
    format!(
        "    {:<28}  {mark:<7}  {}",
        text(verdict, "/guard"),
        text(verdict, "/facts")
    )
}

fn list<'a>(value: &'a Value, pointer: &str) -> impl Iterator<Item = &'a Value> {
    value.pointer(pointer).and_then(Value::as_array).into_iter().flatten()
}
