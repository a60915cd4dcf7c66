//! Bytes that were hostile once, or might be: each file of the corpus is read as it may come in.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod bytes;

use std::fs;
use std::path::Path;

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

fn each(target: &str, check: fn(&[u8])) {
    for (name, bytes) in corpus(target) {
        println!("{target}/{name}");
        check(&bytes);
        // What is cut off in the middle, as by a limit somewhere on its way.
        for part in [bytes.len() / 3, bytes.len() / 2, bytes.len().saturating_sub(1)] {
            check(&bytes[..part]);
        }
    }
}

#[test]
fn the_text_of_a_plan() {
    each("plan_text", bytes::plan_text);
    for (name, bytes) in corpus("plan_text") {
        let accepted = std::str::from_utf8(&bytes).is_ok_and(|text| understudy_core::plan::parse_text(text).is_ok());
        assert_eq!(accepted, name.starts_with("valid"), "{name}");
    }
}

#[test]
fn a_command() {
    each("command", bytes::command);
    for (name, bytes) in corpus("command") {
        let accepted = serde_json::from_slice(&bytes).is_ok_and(|value| understudy_core::command::parse(value).is_ok());
        assert_eq!(accepted, name.starts_with("valid"), "{name}");
    }
}

#[test]
fn a_time_of_aws() {
    each("aws_time", bytes::aws_time);
    for (name, bytes) in corpus("aws_time") {
        let accepted = std::str::from_utf8(&bytes).is_ok_and(|text| understudy_core::event::aws_time(text).is_ok());
        assert_eq!(accepted, name.starts_with("valid"), "{name}");
    }
}

#[test]
fn a_name_of_route_53() {
    each("dns_name", bytes::dns_name);
    for (name, bytes) in corpus("dns_name") {
        let of_route_53 = std::str::from_utf8(&bytes).is_ok_and(bytes::codes_alone);
        assert_eq!(of_route_53, name.starts_with("valid"), "{name}");
    }
}

#[test]
fn names_lose_the_escape_codes_that_they_can_do_without() {
    let names = [
        ("\\052.Example.test.", "*.example.test."),
        ("a\\100b.example.test", "a@b.example.test."),
        ("_sip\\137tcp.example.test.", "_sip_tcp.example.test."),
        ("a\\056b.example.test.", "a\\056b.example.test."),
        ("a\\134b.example.test.", "a\\134b.example.test."),
        ("a\\303\\274.example.test.", "a\\303\\274.example.test."),
        ("odd\\", "odd\\."),
        // A number may have a sign, a code has none.
        ("\\+52.example.test.", "\\+52.example.test."),
    ];
    for (written, name) in names {
        assert_eq!(understudy_core::state::unescaped(written), name);
    }
}
