//! The trace: one line a step in plain words, and one number for all of them.
//!
//! The number is FNV-1a over the lines, so that it is the same on every machine and with every release of Rust.

use jiff::Timestamp;
use std::fmt::Write;

const OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
const PRIME: u64 = 0x0000_0100_0000_01b3;

/// What happened so far.
#[derive(Debug)]
pub(crate) struct Trace {
    hash: u64,
    line: String,
    lines: Option<Vec<String>>,
}

impl Trace {
    /// An empty trace; `told`: it keeps its lines.
    pub(crate) fn new(told: bool) -> Self {
        Self {
            hash: OFFSET,
            line: String::new(),
            lines: told.then(Vec::new),
        }
    }

    /// Notes what happened.
    pub(crate) fn note(&mut self, at: Timestamp, words: impl FnOnce() -> String) {
        self.line.clear();
        // A String takes whatever is written to it.
        let _ = write!(self.line, "{} {}", at.as_millisecond(), words());
        for byte in self.line.bytes() {
            self.hash = (self.hash ^ u64::from(byte)).wrapping_mul(PRIME);
        }
        if let Some(lines) = &mut self.lines {
            let words = self.line.split_once(' ').map_or("", |(_, words)| words);
            lines.push(format!("{} {words}", at.strftime("%H:%M:%S%.3f")));
        }
    }

    /// The number.
    pub(crate) fn hash(&self) -> u64 {
        self.hash
    }

    /// The lines, if they were kept.
    pub(crate) fn into_lines(self) -> Vec<String> {
        self.lines.unwrap_or_default()
    }
}
