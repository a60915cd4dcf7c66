//! What is wrong with a command that has the right form, all of it at once.

use super::{ALL_PLANS, Command, History, MAX_WAIT_SECONDS, OfPlan};
use crate::execution::Style;

pub(super) fn problems(command: &Command) -> Vec<String> {
    let mut problems = Vec::new();
    match command {
        Command::Failover(asked) | Command::Failback(asked) => {
            words(&mut problems, Some(&asked.plan), &asked.operator, &asked.reason);
            waits(&mut problems, asked.wait_seconds);
            if asked.escalate_after_seconds.is_some() && asked.style == Style::Unplanned {
                problems.push("`escalate_after_seconds` is for a planned move; this one is unplanned already".into());
            }
        }
        Command::Setup(asked) | Command::Teardown(asked) => {
            words(&mut problems, Some(&asked.plan), &asked.operator, &asked.reason);
            waits(&mut problems, asked.wait_seconds);
        }
        Command::Status(OfPlan { plan })
        | Command::Preflight(OfPlan { plan })
        | Command::History(History { plan, .. }) => {
            text(&mut problems, "plan", plan, 63);
        }
        Command::Pause(word) | Command::Resume(word) => {
            words(&mut problems, Some(&word.plan), &word.operator, &word.reason);
            if word.execution && word.plan == ALL_PLANS {
                problems.push("`execution` needs the name of a plan; `stop-all` stops what runs everywhere".into());
            }
        }
        Command::Maintenance(window) => {
            words(&mut problems, Some(&window.plan), &window.operator, &window.reason);
            if window.until.is_some() == window.for_seconds.is_some() {
                problems.push("say either `until` or `for_seconds`".into());
            }
        }
        Command::Mode(word) => {
            words(&mut problems, Some(&word.plan), &word.operator, &word.reason);
            if word.plan != ALL_PLANS {
                problems.push(
                    "`mode` is for all plans, `\"plan\": \"*\"`; that of one plan is `policy.mode` in its file: change it with \
                     `put-plan`"
                        .into(),
                );
            }
        }
        Command::Acknowledge(word) | Command::Keep(word) | Command::Cancel(word) | Command::DeletePlan(word) => {
            words(&mut problems, Some(&word.plan), &word.operator, &word.reason);
        }
        Command::StopAll(word) | Command::StartAll(word) => {
            words(&mut problems, None, &word.operator, &word.reason);
        }
        Command::Approve(answer) | Command::Reject(answer) => {
            words(&mut problems, Some(&answer.plan), &answer.operator, &answer.reason);
            if answer.proposal.is_some() && (answer.execution.is_some() || answer.step.is_some()) {
                problems.push("say either `proposal`, or `execution` and `step`".into());
            }
        }
        Command::Skip(skip) => {
            words(&mut problems, Some(&skip.plan), &skip.operator, &skip.reason);
            text(&mut problems, "step", &skip.step, 63);
        }
        Command::Escalate(word) => words(&mut problems, Some(&word.plan), &word.operator, &word.reason),
        Command::Resolve(word) => words(&mut problems, Some(&word.plan), &word.operator, &word.reason),
        Command::PutPlan(put) => words(&mut problems, None, &put.operator, &put.reason),
        Command::List(_) | Command::Validate(_) => {}
    }
    problems
}

fn waits(problems: &mut Vec<String>, wait_seconds: u32) {
    if wait_seconds > MAX_WAIT_SECONDS {
        problems.push(format!("`wait_seconds` is {wait_seconds}; at most {MAX_WAIT_SECONDS}"));
    }
}

fn words(problems: &mut Vec<String>, plan: Option<&str>, operator: &str, reason: &str) {
    if let Some(plan) = plan {
        text(problems, "plan", plan, 63);
    }
    text(problems, "operator", operator, 128);
    text(problems, "reason", reason, 500);
}

fn text(problems: &mut Vec<String>, name: &str, value: &str, longest: usize) {
    if value.trim().is_empty() {
        problems.push(format!("`{name}` must not be empty"));
    } else if value.chars().count() > longest {
        problems.push(format!(
            "`{name}` has {} characters; at most {longest} are kept",
            value.chars().count()
        ));
    } else if value.chars().any(char::is_control) {
        problems.push(format!("`{name}` must not contain control characters"));
    }
}
