//! What must hold of every reader of bytes from outside, whatever the bytes are: one function for each reader.
//!
//! Each takes bytes and fails if something does not hold. They run over the files of `tests/corpus` with every `cargo
//! test`, and as fuzz targets (`shared/testkit/fuzz`), which look for bytes that nobody has thought of.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
// Each user uses some of it.
#![allow(dead_code)]

use serde_json::Value;
use understudy_core::Timestamp;
use understudy_core::command::{COMMANDS, ResourceRequest, parse as parse_command};
use understudy_core::event::aws_time as read_time;
use understudy_core::plan::{Plan, Stack, parse_text};
use understudy_core::state::unescaped;

/// More than any answer about bad input needs.
const LONGEST_ANSWER: usize = 4_000;

/// An answer for people: not empty, not endless, and nothing in it that a terminal obeys.
#[track_caller]
pub fn readable(answer: &str) {
    assert!(!answer.trim().is_empty(), "an empty answer helps nobody");
    assert!(answer.len() <= LONGEST_ANSWER, "{} bytes: {answer}", answer.len());
    assert!(!answer.chars().any(|c| c.is_control() && c != '\n'), "{answer:?}");
}

/// The text of a plan: what is accepted is the same plan when it is written and read again, and what is not is
/// answered with every problem.
pub fn plan_text(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    match parse_text(text) {
        Ok(plan) => {
            let written = serde_json::to_string(&plan).unwrap();
            assert_eq!(parse_text(&written).as_ref(), Ok(&plan));
            plan.warnings().iter().for_each(|warning| readable(&warning.message));
            read_again(&plan);
            assert!(
                plan.primary()
                    .is_some_and(|primary| plan.site(&primary.name) == Some(primary))
            );
        }
        Err(error) => {
            let problems = error.problems();
            assert!((1..=201).contains(&problems.len()), "{} problems", problems.len());
            for problem in problems {
                readable(&problem.message);
                readable(&problem.to_string());
            }
        }
    }
}

// What is read out of an accepted plan's texts later: it is there, since the plan was accepted.
fn read_again(plan: &Plan) {
    let now: Timestamp = "2026-11-21T10:00:00Z".parse().unwrap();
    let references = plan.policy.observers.reference.len();
    assert_eq!(plan.reference_probes().len(), references, "each reference can be asked");
    if let Some(hours) = &plan.policy.failback.hours {
        let open = hours.next_open(now);
        assert!(open.is_some_and(|open| now <= open), "{hours:?} never begin");
    }
    for site in &plan.sites {
        plan.lag_sources(&site.name);
        assert!(plan.sites_owning(&site.name).contains(site.name.as_str()));
        for resource in &site.resources {
            assert!(plan.sites_owning(resource).contains(site.name.as_str()), "{resource}");
        }
    }
    for foreign in plan.of_other_accounts("123456789012") {
        readable(&foreign.sentence("123456789012"));
    }
    let stack = Stack {
        region: Some("eu-west-1".into()),
        topic_arn: Some("arn:aws:sns:eu-west-1:123456789012:understudy".into()),
        alarm_name_prefix: Some("shop-".into()),
        setup_alarm_name_prefix: Some("understudy-".into()),
    };
    plan.warnings_in(&stack)
        .iter()
        .for_each(|warning| readable(&warning.message));
}

/// A command as JSON.
pub fn command(bytes: &[u8]) {
    if let Ok(value) = serde_json::from_slice::<Value>(bytes) {
        command_value(value);
    }
}

/// A command: what is accepted is the same when it is written and read again.
pub fn command_value(value: Value) {
    if let Ok(request) = serde_json::from_value::<ResourceRequest>(value.clone()) {
        let written = serde_json::to_value(&request).unwrap();
        assert_eq!(serde_json::from_value::<ResourceRequest>(written).unwrap(), request);
    }
    match parse_command(value) {
        Ok(command) => {
            assert!(COMMANDS.contains(&command.word()), "{}", command.word());
            let written = serde_json::to_value(&command).unwrap();
            assert_eq!(parse_command(written).as_ref(), Ok(&command));
        }
        Err(answer) => readable(&answer),
    }
}

/// A time as AWS writes it: what is accepted is the same time when it is written and read again.
pub fn aws_time(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    match read_time(text) {
        Ok(at) => assert_eq!(read_time(&at.to_string()), Ok(at)),
        Err(answer) => readable(&answer),
    }
}

/// A name as Route 53 writes it: it ends in one dot, is in lower case, and no code of a character that may be sent as it
/// is is left in a name in which every backslash begins a code.
pub fn dns_name(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let name = unescaped(text);
    assert!(name.ends_with('.') && !name.ends_with(".."), "{text:?}: {name:?}");
    assert!(
        !name.bytes().any(|byte| byte.is_ascii_uppercase()),
        "{text:?}: {name:?}"
    );
    assert!(name.len() <= text.len() + 1, "{text:?}: {name:?}");
    if codes_alone(text) {
        assert!(codes_alone(&name), "{text:?}: {name:?}");
        assert_eq!(unescaped(&name), name, "{text:?}");
    }
}

/// Whether every backslash begins a code of three digits, as Route 53 writes them.
pub fn codes_alone(text: &str) -> bool {
    text.split('\\')
        .skip(1)
        .all(|code| code.len() >= 3 && code.bytes().take(3).all(|digit| (b'0'..=b'7').contains(&digit)))
}
