//! Fuzzes what an invoked function answered.
#![no_main]

#[path = "../../../aws/tests/bytes/mod.rs"]
mod bytes;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    bytes::function_answer(data);
});
