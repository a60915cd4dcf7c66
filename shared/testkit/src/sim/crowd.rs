//! Many histories, a thread for each core, a world for each history.

use super::history::History;
use super::report::Counts;
use super::shrink::shrink;
use std::fmt::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

/// How many seeds a thread takes at once.
const STRETCH: u64 = 16;

/// What a crowd of histories came to.
#[derive(Clone, Debug, Default)]
pub struct Crowd {
    /// What was done.
    pub counts: Counts,
    /// Seeds that violated an invariant, in order, each with its first violation.
    pub failing: Vec<(u64, String)>,
}

/// Runs the histories of these seeds, and stops taking new ones after some have failed.
pub fn crowd(first: u64, count: u64) -> Crowd {
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let next = AtomicU64::new(0);
    let failed = AtomicU64::new(0);
    let work = || {
        let mut mine = Crowd::default();
        loop {
            let from = next.fetch_add(STRETCH, Ordering::Relaxed);
            if from >= count || failed.load(Ordering::Relaxed) >= 8 {
                return mine;
            }
            for seed in from..(from + STRETCH).min(count) {
                let outcome = History::of_seed(first + seed).run();
                mine.counts.add(&outcome.counts);
                if let Some(violation) = outcome.violations.into_iter().next() {
                    failed.fetch_add(1, Ordering::Relaxed);
                    mine.failing.push((first + seed, violation));
                }
            }
        }
    };
    let mut all = Crowd::default();
    thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        for worker in workers {
            match worker.join() {
                Ok(done) => {
                    all.counts.add(&done.counts);
                    all.failing.extend(done.failing);
                }
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
    });
    all.failing.sort();
    all
}

/// A failing seed, for a person: what does not hold, the shrunk history in plain words, and how to see it again.
pub fn explain(seed: u64) -> String {
    let history = History::of_seed(seed);
    let found = history.run().violations;
    if found.is_empty() {
        return format!("seed {seed} violates nothing");
    }
    let short = shrink(&history);
    let told = short.tell();
    let mut text = format!("seed {seed} violates {}\n", found.join("\n  and "));
    // A String takes whatever is written to it.
    let _ = writeln!(
        text,
        "shrunk to {} step(s) of {}: {}",
        short.choices.len(),
        history.choices.len(),
        told.violations.join("; ")
    );
    let _ = writeln!(text, "  {:?}", short.setup);
    let _ = writeln!(
        text,
        "  History::of_kept({seed}, {}, \"{}\")",
        short.choices.len(),
        short.kept()
    );
    for line in &told.trace {
        let _ = writeln!(text, "    {line}");
    }
    let _ = writeln!(text, "replay it with: make replay SEED={seed}");
    text
}
