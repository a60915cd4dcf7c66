//! Answers of AWS that were hostile once, or might be: each file of the corpus is read as it may come.

#![cfg(all(
    feature = "cloudwatch",
    feature = "dynamodb",
    feature = "elbv2",
    feature = "endpoint",
    feature = "iam",
    feature = "lambda",
    feature = "route53"
))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod bytes;

use std::fs;
use std::path::Path;

// Each file is read whole and cut off; those named `valid…` are understood, and no others.
fn each(corpus: &str, read: fn(&[u8]) -> bool) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus").join(corpus);
    let mut files = 0;
    for entry in fs::read_dir(&folder).unwrap_or_else(|error| panic!("reading {}: {error}", folder.display())) {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let bytes = fs::read(&path).unwrap();
        assert_eq!(read(&bytes), name.starts_with("valid"), "{corpus}/{name}");
        // What is cut off in the middle, as by a limit somewhere on its way.
        for part in [bytes.len() / 3, bytes.len() / 2, bytes.len().saturating_sub(1)] {
            read(&bytes[..part]);
        }
        files += 1;
    }
    assert!(files > 0, "{} has no files", folder.display());
}

#[test]
fn an_item_in_dynamodbs_own_form() {
    each("attributes", bytes::attributes);
}

#[test]
fn a_refusal_of_route_53_without_its_envelope() {
    each("refusal", bytes::refusal);
}

#[test]
fn what_a_failed_function_says_of_itself() {
    each("failure", bytes::failure);
}

#[test]
fn the_body_of_a_health_endpoints_answer() {
    each("health_answer", bytes::health_answer);
}

#[test]
fn what_a_function_answered() {
    each("function_answer", bytes::function_answer);
}

#[test]
fn how_a_service_says_no() {
    each("service_error", bytes::service_error);
}

#[test]
fn the_environment_of_a_function() {
    each("settings", bytes::settings);
}

#[test]
fn a_value_that_aws_writes_as_text() {
    each("aws_value", bytes::aws_value);
}
