//! Fuzzes a refusal of Route 53 without its envelope.
#![no_main]

#[path = "../../../aws/tests/bytes/mod.rs"]
mod bytes;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    bytes::refusal(data);
});
