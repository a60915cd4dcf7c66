//! Deliberate mistakes in the protocol, one at a time: the simulator finds them.
//!
//! `make mutants` prints which seed found which; `MUTANTS=StopIgnored,HoursIgnored make mutants`, of these alone.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use understudy_core::mutant::{Mutant, choose};
use understudy_testkit::sim::crowd::explain;
use understudy_testkit::sim::history::{Action, History};
use understudy_testkit::sim::shrink::shrink;

/// After so many histories a mutant has got away.
const PATIENCE: u64 = 4000;

// The first history that violates an invariant while the mutant lives.
fn hunt(mutant: Mutant) -> Option<(u64, String)> {
    choose(Some(mutant));
    let found = (0..PATIENCE).find_map(|seed| {
        let violation = History::of_seed(seed).run().violations.into_iter().next();
        violation.map(|violation| (seed, violation))
    });
    choose(None);
    found
}

// Those that are asked for by name, or all.
fn wanted() -> Vec<Mutant> {
    let names = std::env::var("MUTANTS").ok();
    let is_wanted = |mutant: &Mutant| {
        let name = format!("{mutant:?}");
        names
            .as_ref()
            .is_none_or(|names| names.split(',').any(|wanted| wanted == name))
    };
    Mutant::ALL.iter().copied().filter(is_wanted).collect()
}

#[test]
fn at_least_95_percent_of_the_mutants_are_found() {
    let wanted = wanted();
    let next = AtomicUsize::new(0);
    let report = Mutex::new(Vec::new());
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some(mutant) = wanted.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let found = hunt(*mutant);
                    report.lock().unwrap().push((*mutant as usize, *mutant, found));
                }
            });
        }
    });
    let mut report = report.into_inner().unwrap();
    report.sort_by_key(|(number, ..)| *number);
    let mut away = Vec::new();
    for (_, mutant, found) in &report {
        match found {
            Some((seed, violation)) => {
                let violation: String = violation.chars().take(110).collect();
                println!(
                    "{mutant:?} ({}): seed {seed}, after {} histories: {violation}",
                    mutant.words(),
                    seed + 1
                );
            }
            None => {
                println!("{mutant:?} ({}): GOT AWAY after {PATIENCE} histories", mutant.words());
                away.push(*mutant);
            }
        }
    }
    let found = report.len() - away.len();
    println!("{found} of {} mutants found", report.len());
    assert!(
        (report.len() >= 20 || wanted.len() < Mutant::ALL.len()) && found * 100 >= report.len() * 95,
        "got away: {away:?}"
    );
}

#[test]
fn a_failing_history_is_shrunk_and_fails_in_the_same_way() {
    let (seed, violation) = hunt(Mutant::UndoInOrder).expect("it is found");
    choose(Some(Mutant::UndoInOrder));
    let history = History::of_seed(seed);
    let short = shrink(&history);
    let outcome = short.tell();
    let printed = explain(seed);
    choose(None);
    let wild = |history: &History| {
        history
            .choices
            .iter()
            .filter(|choice| choice.action != Action::Progress)
            .count()
    };
    assert!(wild(&short) < wild(&history), "{} of {}", wild(&short), wild(&history));
    let kind = |violation: &str| violation.split(':').next().map(str::to_owned);
    assert_eq!(kind(&outcome.violations[0]), kind(&violation));
    assert!(outcome.trace.len() > 5, "{:#?}", outcome.trace);
    // What is printed is all of that: the seed, the history in plain words, and how to see it again.
    assert!(
        printed.starts_with(&format!("seed {seed} violates {violation}")),
        "{printed}"
    );
    for part in [
        &outcome.violations[0],
        &outcome.trace[0],
        &short.kept(),
        &format!("make replay SEED={seed}"),
    ] {
        assert!(printed.contains(part.as_str()), "{part} is not in:\n{printed}");
    }
    let replayed = History::of_kept(seed, short.choices.len(), &short.kept()).unwrap();
    assert_eq!(replayed.choices, short.choices);
    // Without the mutant the very same history is harmless.
    assert_eq!(short.run().violations, Vec::<String>::new());
}
