//! Fuzzes a question to the executor.
#![no_main]

#[path = "../../../engine/tests/bytes/mod.rs"]
mod bytes;

libfuzzer_sys::fuzz_target!(|data: &[u8]| bytes::question(data));
