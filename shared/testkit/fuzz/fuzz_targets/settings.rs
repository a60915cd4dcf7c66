//! Fuzzes the environment of a function.
#![no_main]

#[path = "../../../aws/tests/bytes/mod.rs"]
mod bytes;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    bytes::settings(data);
});
