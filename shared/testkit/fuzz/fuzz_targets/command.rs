//! Fuzzes a command.
#![no_main]

#[path = "../../../core/tests/bytes/mod.rs"]
mod bytes;

libfuzzer_sys::fuzz_target!(|data: &[u8]| bytes::command(data));
