//! Guards as they are asked, one after the other, each with the time at which it lets go by itself, where the clock
//! alone opens it.

use crate::guard::{Guard, Verdict};
use crate::mutant::{Mutant, active};
use jiff::Timestamp;

pub(super) struct Asking {
    pub(super) now: Timestamp,
    pub(super) verdicts: Vec<Verdict>,
    opens_at: Vec<Timestamp>,
}

impl Asking {
    pub(super) fn new(now: Timestamp, verdicts: Vec<Verdict>) -> Self {
        Self {
            now,
            verdicts,
            opens_at: Vec::new(),
        }
    }

    pub(super) fn ask(&mut self, verdict: Verdict) {
        self.ask_until(verdict, None);
    }

    /// `opens_at`: when the guard lets go by itself, if it stops.
    pub(super) fn ask_until(&mut self, verdict: Verdict, opens_at: Option<Timestamp>) {
        if !verdict.allows && !active(Mutant::TimerForgotten) {
            self.opens_at.extend(opens_at.filter(|at| *at > self.now));
        }
        self.verdicts.push(verdict);
    }

    /// The guards that stop.
    pub(super) fn stops(&self) -> Vec<Guard> {
        let stops = self.verdicts.iter().filter(|verdict| !verdict.allows);
        stops.map(|verdict| verdict.guard).collect()
    }

    /// When the first of them lets go by itself.
    pub(super) fn look_again_at(&self) -> Option<Timestamp> {
        self.opens_at.iter().min().copied()
    }

    /// When the last of them does.
    pub(super) fn all_open_at(&self) -> Option<Timestamp> {
        self.opens_at.iter().max().copied()
    }
}
