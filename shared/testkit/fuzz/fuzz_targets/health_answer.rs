//! Fuzzes the body of a health endpoint's answer, in pieces.
#![no_main]

#[path = "../../../aws/tests/bytes/mod.rs"]
mod bytes;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    bytes::health_answer(data);
});
