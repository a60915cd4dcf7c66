//! Ten thousand histories of the three functions in a world that does its worst: no invariant is violated in any, and an
//! invocation has ended at every place where one can.
//!
//! `HISTORIES=100000 cargo test -p understudy-testkit --test simulation` runs more of them, `SEED=17` only that one.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::time::Instant;
use understudy_testkit::sim::crowd::{crowd, explain};
use understudy_testkit::sim::history::{Action, History};
use understudy_testkit::sim::report::HAPPENINGS;

fn asked(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().expect("a number"))
}

#[test]
fn no_history_violates_an_invariant_and_every_await_point_is_crashed() {
    if let Some(seed) = asked("SEED") {
        assert_eq!(
            History::of_seed(seed).run().violations,
            Vec::<String>::new(),
            "{}",
            explain(seed)
        );
        return;
    }
    let histories = asked("HISTORIES").unwrap_or(10_000);
    let begun = Instant::now();
    let done = crowd(0, histories);
    println!("{}in {:.1} s", done.counts, begun.elapsed().as_secs_f64());
    if let Some((seed, _)) = done.failing.first() {
        panic!("{:#?}\n{}", done.failing, explain(*seed));
    }
    assert_eq!(done.counts.histories, histories);
    if histories >= 10_000 {
        assert_eq!(done.counts.never_crashed(), Vec::<String>::new());
        let missing = Action::ALL
            .iter()
            .filter(|action| **action != Action::Progress && !done.counts.faults.contains_key(action));
        assert_eq!(missing.collect::<Vec<_>>(), Vec::<&Action>::new(), "never happened");
        for what in HAPPENINGS {
            assert!(done.counts.happened.contains_key(what), "never: {what}");
        }
    }
}

#[test]
fn the_same_seed_is_the_same_history() {
    let hashes = || -> Vec<u64> { (500..540).map(|seed| History::of_seed(seed).run().hash).collect() };
    let elsewhere = std::thread::spawn(hashes);
    let here = hashes();
    assert_eq!(here, elsewhere.join().unwrap());
    let told: Vec<u64> = (500..540).map(|seed| History::of_seed(seed).tell().hash).collect();
    assert_eq!(here, told, "telling a history changes nothing in it");
    let different: std::collections::BTreeSet<u64> = here.iter().copied().collect();
    assert_eq!(different.len(), here.len());
}
