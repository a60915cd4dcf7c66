//! Fuzzes a value that AWS writes as text.
#![no_main]

#[path = "../../../aws/tests/bytes/mod.rs"]
mod bytes;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    bytes::aws_value(data);
});
