//! What people read: a few lines that answer, in this order, what is going on, since when, what is next, and how to stop
//! it.

use super::{Timeline, clock, seconds};
use crate::control::{Control, Word};
use crate::decide::{Decision, Situation};
use crate::execution::{Execution, Kind, Status};
use crate::fleet::{FleetMode, Maintenance};
use jiff::Timestamp;

/// The state of a plan. `next` is what decision would say now.
pub fn status_lines(now: Timestamp, situation: Situation<'_>, next: &Decision) -> Vec<String> {
    let Situation {
        plan,
        control,
        sites,
        fleet,
        lags,
        preflight,
        setup: _,
    } = situation;
    let primary = plan.primary().map(|site| site.name.as_str()).unwrap_or_default();
    let mut lines = vec![match &control.away {
        Some(away) => format!(
            "{}: {} carries it, away from {primary} since {} ({})",
            control.plan,
            control.active_site,
            ago(now, away.since),
            away.trigger
        ),
        None if control.active_site == primary => format!("{}: {primary} carries it, at home", control.plan),
        None => format!(
            "{}: {} carries it; home is {primary}",
            control.plan, control.active_site
        ),
    }];
    lines.extend(way_home(now, control));
    for site in plan.sites_by_priority() {
        let health = sites
            .get(&site.name)
            .map_or_else(|| "unknown".to_owned(), crate::health::SiteHealth::sentence);
        lines.push(format!("site {} is {health}", site.name));
    }
    if let Some(running) = &control.execution {
        lines.extend(running_lines(now, running));
    }
    if let Some(open) = control.proposal.as_ref().filter(|known| known.is_open()) {
        lines.push(format!("a yes is needed: {}", open.sentence()));
        lines.extend(
            open.asking(&control.plan)
                .into_iter()
                .take(4)
                .map(|line| format!("  {line}")),
        );
    }
    let mut held = |what: &str, word: Option<&Word>| {
        if let Some(word) = word {
            lines.push(format!(
                "{what} by {} since {}: {}",
                word.operator,
                ago(now, word.at),
                word.reason
            ));
        }
    };
    held("all is stopped", fleet.stopped.as_ref());
    held("all plans are paused", fleet.paused.as_ref());
    if let Some(FleetMode { mode, word }) = &fleet.mode {
        held(&format!("all plans are in mode {mode}"), Some(word));
    }
    held("paused", control.paused.as_ref());
    let windows = [
        ("maintenance", &control.maintenance),
        ("maintenance of all plans", &fleet.maintenance),
    ];
    for (what, window) in windows {
        if let Some(Maintenance { word, until }) = window.as_ref().filter(|window| window.until > now) {
            lines.push(format!("{what} by {} until {until}: {}", word.operator, word.reason));
        }
    }
    for (site, lag) in lags {
        lines.push(format!(
            "the copy at {site} was {} s behind, measured {}{}",
            lag.seconds,
            ago(now, lag.measured_at),
            if lag.source_healthy {
                ""
            } else {
                ", while the source was not well"
            }
        ));
    }
    if let Some(last) = preflight.filter(|last| last.is_about(control)) {
        lines.push(format!("preflight {}: {}", ago(now, last.checked_at), last.sentence()));
        let told = last.concerns.iter().take(5);
        lines.extend(told.map(|concern| format!("  {}", concern.sentence())));
    }
    if let Some(latch) = control.latch.as_ref().filter(|latch| latch.until > now) {
        lines.push(format!(
            "latched by execution {} until {}; `acknowledge` opens it",
            latch.execution,
            clock(latch.until)
        ));
    }
    if let Some(set_up) = &control.set_up {
        lines.push(format!(
            "{} item(s) of its setup are made, {}; `teardown` takes them back",
            set_up.items,
            ago(now, set_up.at)
        ));
    }
    lines.push(format!("next: {}", next.summary));
    if let (None, Some(last)) = (&control.execution, &control.last_execution) {
        lines.push(format!("last: {}, {}", last.summary, ago(now, last.ended_at)));
    }
    lines.push(format!("to stop it: {}", how_to_stop(control)));
    lines
}

// Whether it comes home by itself, as the person promised who moved it.
fn way_home(now: Timestamp, control: &Control) -> Option<String> {
    let coming = control
        .execution
        .as_ref()
        .and_then(|running| running.return_after_seconds);
    if let Some(seconds) = coming {
        return Some(format!(
            "it comes home by itself {seconds} s after this move; `keep` lets it stay"
        ));
    }
    let away = control.away.as_ref()?;
    match (away.return_at, &away.kept) {
        (Some(at), _) => Some(format!("it comes home by itself at {at}; `keep` lets it stay")),
        (None, Some(word)) => Some(format!(
            "kept there by {} since {}: {}",
            word.operator,
            ago(now, word.at),
            word.reason
        )),
        (None, None) => None,
    }
}

fn running_lines(now: Timestamp, running: &Execution) -> Vec<String> {
    let by = running
        .operator
        .as_ref()
        .map(|operator| format!(" by {operator}"))
        .unwrap_or_default();
    let mut lines = vec![format!(
        "{} {} is {} since {}{by} ({}, {}): {}",
        running.kind,
        running.route(),
        running.status,
        ago(now, running.created_at),
        running.trigger,
        running.style,
        running.reason
    )];
    lines.extend(super::consequences(running).into_iter().map(|line| format!("  {line}")));
    for run in &running.steps {
        let detail = if run.detail.is_empty() {
            String::new()
        } else {
            format!(": {}", run.detail)
        };
        lines.push(format!("  {} ({}) {}{detail}", run.name, run.kind, run.state));
    }
    lines.extend(running.asking().into_iter().map(|line| format!("  {line}")));
    lines.extend(running.words.iter().map(|spoken| format!("  {}", spoken.sentence())));
    if let Some(held) = &running.held {
        lines.push(format!(
            "  held by {} since {}: {}",
            held.word.operator,
            ago(now, held.word.at),
            held.word.reason
        ));
    }
    if let Some(failure) = &running.failure {
        lines.push(format!("  what went wrong: {failure}"));
    }
    let until = running.deadline.duration_since(now);
    lines.push(match running.status {
        Status::Stuck => "  a person must say how it goes on".to_owned(),
        _ if running.rests() => "  its clocks stand still".to_owned(),
        _ => format!("  a person is called if it has not ended in {}", seconds(until)),
    });
    lines
}

/// An execution that has ended, in one line.
pub fn execution_line(execution: &Execution) -> String {
    let by = execution
        .operator
        .as_ref()
        .map(|operator| format!(" by {operator}"))
        .unwrap_or_default();
    let failure = execution
        .failure
        .as_ref()
        .map(|failure| format!("; {failure}"))
        .unwrap_or_default();
    let loss = execution
        .loss_estimate_seconds
        .map(|loss| format!("; data that may be lost: about {loss} s"))
        .unwrap_or_default();
    format!(
        "{} {} {} {} ({}{by}): {}{failure}; {}{loss}",
        execution.created_at.strftime("%Y-%m-%d %H:%M:%SZ"),
        execution.kind,
        execution.route(),
        execution.status,
        execution.trigger,
        execution.reason,
        Timeline::of(execution).sentence()
    )
}

/// The command that stops what is going on.
pub fn how_to_stop(control: &Control) -> String {
    let plan = &control.plan;
    let send = |word: &str, more: &str| {
        format!("{{\"command\": \"{word}\", \"plan\": \"{plan}\", \"operator\": …, \"reason\": …{more}}}")
    };
    match &control.execution {
        Some(running) if running.status == Status::Stuck => {
            send("resolve", ", \"action\": \"retry\" | \"rollback\" | \"abandon\"")
        }
        // What it has taken back stays so: to have it again is a setup.
        Some(running) if running.kind == Kind::Teardown => {
            format!("{} lets it rest", send("pause", ", \"execution\": true"))
        }
        Some(_) => format!(
            "{} undoes it; {} lets it rest",
            send("cancel", ""),
            send("pause", ", \"execution\": true")
        ),
        None if control.paused.is_none() => format!("nothing runs; {} keeps it so", send("pause", "")),
        None => "nothing runs, and the plan is paused".into(),
    }
}

fn ago(now: Timestamp, at: Timestamp) -> String {
    let past = now.duration_since(at);
    let hours = past.as_hours();
    match hours {
        0 => format!("{} ({} ago)", clock(at), seconds(past)),
        1..48 => format!("{} ({hours} h {:02} min ago)", clock(at), past.as_mins() % 60),
        _ => format!("{at} ({} days ago)", hours / 24),
    }
}
