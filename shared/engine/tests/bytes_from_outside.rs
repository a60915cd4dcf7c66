//! Bytes that were hostile once, or might be: each file of the corpus is read as it may come in.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod bytes;

use std::fs;
use std::path::Path;
use understudy_core::control::Control;
use understudy_core::health::Observation;
use understudy_engine::executor::question::Question;
use understudy_engine::intake::{Incoming, classify};
use understudy_engine::ports::HookAnswer;

/// The files of one target, by their names.
fn corpus(target: &str) -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus").join(target);
    let mut files: Vec<(String, Vec<u8>)> = fs::read_dir(&folder)
        .unwrap_or_else(|error| panic!("reading {}: {error}", folder.display()))
        .map(|entry| entry.unwrap().path())
        .map(|path| {
            (
                path.file_name().unwrap().to_string_lossy().into_owned(),
                fs::read(&path).unwrap(),
            )
        })
        .collect();
    files.sort();
    assert!(!files.is_empty(), "{} has no files", folder.display());
    files
}

fn each<T>(target: &str, check: fn(&[u8]) -> T) {
    for (name, bytes) in corpus(target) {
        println!("{target}/{name}");
        check(&bytes);
        // What is cut off in the middle, as by a limit somewhere on its way.
        for part in [bytes.len() / 3, bytes.len() / 2, bytes.len().saturating_sub(1)] {
            check(&bytes[..part]);
        }
    }
}

// The same of a reader that tells whether it accepted.
fn each_told(target: &str, read: fn(&[u8]) -> bool) {
    each(target, read);
    for (name, bytes) in corpus(target) {
        assert_eq!(read(&bytes), name.starts_with("valid"), "{name}");
    }
}

#[test]
fn an_event() {
    each("event", bytes::event);
    for (name, bytes) in corpus("event") {
        let understood = serde_json::from_slice(&bytes).is_ok_and(|payload| match classify(payload) {
            Incoming::Unknown(_) => false,
            Incoming::Alarms(alarms, _) => !alarms.is_empty(),
            _ => true,
        });
        assert_eq!(understood, name.starts_with("valid"), "{name}");
    }
}

#[test]
fn an_observation() {
    each("observation", bytes::observation);
    for (name, bytes) in corpus("observation") {
        let read = serde_json::from_slice::<Observation>(&bytes).is_ok();
        assert_eq!(read, name.starts_with("valid"), "{name}");
    }
}

#[test]
fn a_control_item() {
    each("control", bytes::control);
    for (name, bytes) in corpus("control") {
        let read = serde_json::from_slice::<Control>(&bytes).is_ok();
        assert_eq!(read, name.starts_with("valid"), "{name}");
    }
}

#[test]
fn a_question_to_the_executor() {
    each("question", bytes::question);
    for (name, bytes) in corpus("question") {
        let read = serde_json::from_slice::<Question>(&bytes).is_ok();
        assert_eq!(read, name.starts_with("valid"), "{name}");
    }
}

#[test]
fn what_a_hook_answered() {
    each("hook_answer", bytes::hook_answer);
    for (name, bytes) in corpus("hook_answer") {
        let read = serde_json::from_slice(&bytes).is_ok_and(|said| HookAnswer::read(&said).is_ok());
        assert_eq!(read, name.starts_with("valid"), "{name}");
    }
}

#[test]
fn what_the_executor_answered() {
    each_told("answer", bytes::answer);
}

#[test]
fn any_other_item_of_the_table() {
    each_told("item", bytes::item);
}
