//! Answers of CloudWatch, which speaks CBOR. These few forms are all that they need.
#![allow(dead_code)]

use super::Answer;

pub fn head(major: u8, length: usize) -> Vec<u8> {
    match u8::try_from(length).unwrap() {
        short @ 0..24 => vec![major << 5 | short],
        long => vec![major << 5 | 24, long],
    }
}

pub fn text(text: &str) -> Vec<u8> {
    [head(3, text.len()), text.as_bytes().to_vec()].concat()
}

pub fn list(items: &[Vec<u8>]) -> Vec<u8> {
    [head(4, items.len()), items.concat()].concat()
}

pub fn map(entries: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let entries_bytes = entries
        .iter()
        .flat_map(|(name, value)| [text(name), value.clone()].concat());
    head(5, entries.len()).into_iter().chain(entries_bytes).collect()
}

pub fn time(seconds: f64) -> Vec<u8> {
    [vec![0xc1, 0xfb], seconds.to_be_bytes().to_vec()].concat()
}

pub fn cbor(status: u16, body: Vec<u8>) -> Answer {
    Answer::SaysWith(status, "smithy-protocol", "rpc-v2-cbor", body)
}

pub fn float(value: f64) -> Vec<u8> {
    [vec![0xfb], value.to_be_bytes().to_vec()].concat()
}

pub fn failed(code: &str) -> Vec<u8> {
    map(&[("__type", text(code)), ("message", text("as scripted"))])
}

pub fn truth(truth: bool) -> Vec<u8> {
    vec![if truth { 0xf5 } else { 0xf4 }]
}

pub fn integer(integer: u16) -> Vec<u8> {
    [vec![0x19], integer.to_be_bytes().to_vec()].concat()
}

pub fn double(double: f64) -> Vec<u8> {
    [vec![0xfb], double.to_be_bytes().to_vec()].concat()
}
