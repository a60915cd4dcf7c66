//! Fuzzes what the executor answered.
#![no_main]

#[path = "../../../engine/tests/bytes/mod.rs"]
mod bytes;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    bytes::answer(data);
});
