//! Fuzzes a name as Route 53 writes it.
#![no_main]

#[path = "../../../core/tests/bytes/mod.rs"]
mod bytes;

libfuzzer_sys::fuzz_target!(|data: &[u8]| bytes::dns_name(data));
