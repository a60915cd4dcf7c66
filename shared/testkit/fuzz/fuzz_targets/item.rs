//! Fuzzes the body of any other item of the table.
#![no_main]

#[path = "../../../engine/tests/bytes/mod.rs"]
mod bytes;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    bytes::item(data);
});
