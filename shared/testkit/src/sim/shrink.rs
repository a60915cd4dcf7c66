//! A failing history, made as short as it still fails.
//!
//! Choices are made harmless in ever smaller stretches, then harmless ones are taken out, while the same invariant is
//! still violated. Both leave a history, so each try is one more run.

use super::history::{Action, Choice, History};

/// Runs at most.
const MOST_RUNS: u32 = 1500;

/// The shortest history found that violates the same invariant.
pub fn shrink(history: &History) -> History {
    let first = history.run();
    let Some(kind) = first.violations.first().map(|found| invariant(found)) else {
        return history.clone();
    };
    let mut best = history.clone();
    best.choices.truncate(first.taken);
    let mut runs = 0;
    let mut fails = |candidate: &History| {
        runs += 1;
        runs < MOST_RUNS
            && candidate
                .run()
                .violations
                .first()
                .is_some_and(|found| invariant(found) == kind)
    };
    let mut hunted = best.clone();
    hunted.setup.hunt = None;
    if fails(&hunted) {
        best = hunted;
    }
    loop {
        let before = (wild(&best), best.choices.len());
        best = pass(best, &mut fails, |choices, from, to| {
            for choice in choices.iter_mut().take(to).skip(from) {
                *choice = Choice::PROGRESS;
            }
        });
        best = pass(best, &mut fails, |choices, from, to| {
            choices.drain(from..to.min(choices.len()));
        });
        if (wild(&best), best.choices.len()) == before {
            return best;
        }
    }
}

// Tries a change on every stretch of the choices, long stretches first.
fn pass(
    mut best: History,
    fails: &mut impl FnMut(&History) -> bool,
    change: impl Fn(&mut Vec<Choice>, usize, usize),
) -> History {
    let mut length = best.choices.len().max(1);
    loop {
        let mut from = 0;
        while from < best.choices.len() {
            let mut candidate = best.clone();
            change(&mut candidate.choices, from, from + length);
            if candidate != best && fails(&candidate) {
                let shorter = candidate.choices.len() < best.choices.len();
                best = candidate;
                from += if shorter { 0 } else { length };
            } else {
                from += length;
            }
        }
        if length == 1 {
            return best;
        }
        length = length.div_ceil(2);
    }
}

fn wild(history: &History) -> usize {
    history
        .choices
        .iter()
        .filter(|choice| choice.action != Action::Progress)
        .count()
}

fn invariant(violation: &str) -> String {
    violation.split(':').next().unwrap_or_default().to_owned()
}
