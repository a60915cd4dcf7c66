//! Fuzzes an item in DynamoDB's own form.
#![no_main]

#[path = "../../../aws/tests/bytes/mod.rs"]
mod bytes;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    bytes::attributes(data);
});
