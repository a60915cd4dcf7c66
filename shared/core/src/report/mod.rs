//! What people are told: announcements, and the words for times.
//!
//! An announcement is written into the control item by the very write whose change it tells, and is
//! published afterwards by any executor's turn: at least once, with an id to deduplicate by. It has a JSON
//! form for machines, a text for mail, and attributes that subscriptions filter by.
//!
//! [`Timeline`] says how long what took, against the plan's objectives; [`status_lines`] and [`execution_line`] tell
//! people what is going on and what was, in the order in which they ask.

mod lines;
mod timeline;

pub use lines::{execution_line, how_to_stop, status_lines};
pub use timeline::{Objective, Timeline};

use crate::execution::{Execution, Status, StepState};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::json;

/// What an announcement tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EventKind {
    /// An execution has begun.
    Started,
    /// It waits for something.
    Waiting,
    /// It has completed.
    Completed,
    /// It has failed, been rolled back or been cancelled.
    Failed,
    /// A person must look.
    Stuck,
    /// A person said how it goes on, or changed what may start.
    Operator,
    /// Nothing moved, and somebody should know why.
    Alert,
}

impl EventKind {
    /// The word, as JSON and message attributes spell it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Started => "started",
            Self::Waiting => "waiting",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Stuck => "stuck",
            Self::Operator => "operator",
            Self::Alert => "alert",
        }
    }
}

/// One message, until it has been published.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Announcement {
    /// The id to deduplicate by. The same change always has the same id.
    pub id: String,
    /// What it tells.
    pub event: EventKind,
    /// The mail's subject: at most 100 ASCII characters, as SNS demands.
    pub subject: String,
    /// The readable text.
    pub text: String,
    /// The same for machines, a JSON object.
    pub body: serde_json::Value,
    /// When to try to publish it (again).
    pub retry_at: Timestamp,
}

/// An announcement about an execution: where it stands now.
pub fn about_execution(
    event: EventKind,
    plan: &str,
    epoch: u64,
    execution: &Execution,
    now: Timestamp,
) -> Announcement {
    let word = match event {
        EventKind::Failed => execution.status.as_str(),
        other => other.as_str(),
    };
    let headline = format!(
        "{} {} {}: {}",
        plan,
        execution.kind,
        word,
        execution.route().replace('→', "to")
    );
    Announcement {
        id: announcement_id(&execution.id, word, execution),
        event,
        subject: subject(&headline),
        text: execution_text(&headline, execution),
        body: json!({
            "schema_version": 1,
            "event": event.as_str(),
            "plan": plan,
            "epoch": epoch,
            "execution": execution.id,
            "kind": execution.kind,
            "trigger": execution.trigger,
            "style": execution.style,
            "status": execution.status,
            "from": execution.from,
            "to": execution.to,
            "reason": execution.reason,
            "loss_estimate_seconds": execution.loss_estimate_seconds,
            "reduced_to_percent": reduced(execution),
            "irreversible_steps": execution.plan.irreversible_steps(execution.style),
            "operator": execution.operator,
            "words": execution.words,
            "failure": execution.failure,
            "asking": execution.asking(),
            "at": now,
            "detected_at": execution.detected_at,
            "created_at": execution.created_at,
            "started_at": execution.started_at,
            "ended_at": execution.ended_at,
            "timeline": Timeline::of(execution),
            "steps": execution.steps.iter().map(|run| json!({
                "name": run.name, "kind": run.kind, "state": run.state, "detail": run.detail,
                "started_at": run.started_at, "ended_at": run.ended_at,
            })).collect::<Vec<_>>(),
        }),
        retry_at: now,
    }
}

/// An announcement about something that did not move, or that a person said.
pub fn about_plan(
    event: EventKind,
    plan: &str,
    id: &str,
    headline: &str,
    details: &[String],
    now: Timestamp,
) -> Announcement {
    let mut text = format!("{headline}\n");
    for detail in details {
        text.push_str(&format!("\n- {detail}"));
    }
    Announcement {
        id: id.to_owned(),
        event,
        subject: subject(&format!("{plan}: {headline}")),
        text,
        body: json!({
            "schema_version": 1, "event": event.as_str(), "plan": plan, "headline": headline,
            "details": details, "at": now,
        }),
        retry_at: now,
    }
}

// A second stop at the same status (stuck, resolved, stuck again) is a new announcement: its id counts what
// happened so far.
fn announcement_id(execution: &str, word: &str, run: &Execution) -> String {
    let events: u32 = run
        .steps
        .iter()
        .map(|step| step.attempts + step.retries + u32::from(step.ended_at.is_some()))
        .sum();
    // A refused call may leave every count as it was: then what a person said in between tells two stops apart.
    let words = u32::try_from(run.words.len()).unwrap_or(u32::MAX);
    match word {
        "stuck" | "waiting" => format!("{execution}:{word}:{}", events + words),
        _ => format!("{execution}:{word}"),
    }
}

fn subject(text: &str) -> String {
    let mut subject: String = format!("Understudy: {text}")
        .chars()
        .map(|c| if c.is_ascii() && !c.is_ascii_control() { c } else { '?' })
        .collect();
    subject.truncate(100);
    subject
}

fn execution_text(headline: &str, execution: &Execution) -> String {
    let mut text = format!("{headline}\n\nWhy: {}\n", execution.reason);
    if let Some(operator) = &execution.operator {
        text.push_str(&format!("Asked by: {operator}\n"));
    }
    if let Some(failure) = &execution.failure {
        text.push_str(&format!("What went wrong: {failure}\n"));
    }
    text.push_str(&format!(
        "Execution: {} ({}, {})\n",
        execution.id, execution.trigger, execution.style
    ));
    for line in consequences(execution) {
        text.push_str(&format!("{line}\n"));
    }
    if let Some(percent) = reduced(execution) {
        text.push_str(&format!(
            "Reduced: {} can carry {percent} % of the plan's load\n",
            execution.to
        ));
    }
    for spoken in &execution.words {
        text.push_str(&format!("{}\n", spoken.sentence()));
    }
    let asking = execution.asking();
    if !asking.is_empty() {
        text.push_str(&format!("\n{}\n", asking.join("\n  ")));
    }
    if !execution.steps.is_empty() {
        text.push_str("\nSteps:\n");
        for run in &execution.steps {
            let took = match (run.started_at, run.ended_at) {
                (Some(start), Some(end)) => format!(" in {}", seconds(end.duration_since(start))),
                _ => String::new(),
            };
            let detail = if run.detail.is_empty() {
                String::new()
            } else {
                format!(": {}", run.detail)
            };
            text.push_str(&format!("  {} ({}) {}{took}{detail}\n", run.name, run.kind, run.state));
        }
    }
    if execution.status.is_final() {
        text.push_str(&format!("\nHow long it took: {}\n", Timeline::of(execution).sentence()));
    }
    if execution.status == Status::Stuck {
        text.push_str(concat!(
            "\nA person must say how it goes on. Look at the resources named above, then send decision:\n",
            "  {\"command\": \"resolve\", \"plan\": \"…\", \"operator\": \"…\", \"reason\": \"…\", ",
            "\"action\": \"retry\" | \"rollback\" | \"abandon\"}\n",
        ));
    }
    text
}

// How much of the load the destination can carry, where that is not all of it.
fn reduced(execution: &Execution) -> Option<u32> {
    let site = execution
        .plan
        .site(&execution.to)
        .filter(|_| execution.kind.is_move())?;
    (site.capacity_percent < 100).then_some(site.capacity_percent)
}

/// What can not be had back: data that may be lost, and steps that can not be taken back. Nothing, for most moves.
pub(crate) fn consequences(execution: &Execution) -> Vec<String> {
    let (plan, style) = (&execution.plan, execution.style);
    let mut lines = Vec::new();
    match execution.loss_estimate_seconds {
        Some(seconds) => lines.push(format!(
            "Data that may be lost: about {seconds} s, by the lag that was measured last"
        )),
        None if execution.is_lossy() => lines.push("Data that may be lost: nobody knows how much".into()),
        None => {}
    }
    let irreversible = plan.irreversible_steps(style);
    if !irreversible.is_empty() {
        lines.push(format!("Can not be taken back: {}", irreversible.join(", ")));
    }
    lines
}

/// The steps that an execution changed something with.
pub fn changed_steps(execution: &Execution) -> usize {
    execution
        .steps
        .iter()
        .filter(|run| run.state == StepState::Done)
        .count()
}

/// The time of day with seconds, in UTC: `10:00:05Z`.
pub fn clock(at: Timestamp) -> String {
    at.strftime("%H:%M:%SZ").to_string()
}

/// A duration for people: `4.2 s`, `3 min 05 s`.
pub fn seconds(duration: SignedDuration) -> String {
    let millis = duration.as_millis().max(0);
    if millis < 60_000 {
        format!("{}.{} s", millis / 1000, millis % 1000 / 100)
    } else {
        format!("{} min {:02} s", millis / 60_000, millis / 1000 % 60)
    }
}
