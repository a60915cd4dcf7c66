//! Fuzzes the text of a plan.
#![no_main]

#[path = "../../../core/tests/bytes/mod.rs"]
mod bytes;

libfuzzer_sys::fuzz_target!(|data: &[u8]| bytes::plan_text(data));
