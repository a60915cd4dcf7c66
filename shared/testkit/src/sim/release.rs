//! How a call goes on: with its effect, a fault, or the end of its sandbox.

use super::gate::{CLIENT_TIMEOUT, Phase, Verdict};
use super::report::words;
use super::sandbox::Function;
use super::world::{LATENCY, Side, Sim, Standing, Trouble};
use crate::faults::Place;
use jiff::{SignedDuration, Timestamp};
use understudy_engine::ports::{CallErrorKind, Clock};

/// How long a read may show what was before a change.
const MOST_LAG: SignedDuration = SignedDuration::from_secs(4);
/// How long a call takes that finds nobody.
const FUTILE: SignedDuration = SignedDuration::from_millis(1500);

impl Sim {
    /// Gives a standing call its verdict, unless the world has a worse one, and lets its sandbox go on.
    ///
    /// Whether it got the verdict that was wanted for it.
    pub(crate) fn release(&mut self, standing: Standing, wanted: Verdict) -> bool {
        let Some(running) = self.running.get_mut(standing.index) else {
            return false;
        };
        if standing.point == super::gate::SLEEP {
            running.gate.decide(standing.ticket, Verdict::Go);
            self.trace
                .note(self.clock.now(), || format!("{} wakes", running.request_id));
            self.poll(standing.index);
            return true;
        }
        let (function, place, hunting) = (running.function, running.place, self.hunts(standing));
        if let Some(place) = hunting {
            self.kill_at(standing, place);
            return false;
        }
        let now = self.now();
        // Its own copy is only read back where the reply to writing it was lost.
        let hunts_copy = self.setup.hunted() == Some(super::report::RARE[2]);
        let lost = hunts_copy && standing.point == "table.put execution" && wanted == Verdict::Go;
        let wanted = if lost { Verdict::Lose } else { wanted };
        let mut verdict = match (self.trouble(function, place, standing.point), standing.phase) {
            (Some(kind), Phase::Sent) => Verdict::Fail(kind),
            (Some(_), Phase::Effected) => Verdict::Lose,
            (None, _) => wanted,
        };
        let Some(running) = self.running.get_mut(standing.index) else {
            return false;
        };
        // Whoever waits this long has given up; what arrives then has no effect any more.
        let patient = standing.point == "functions.ask_executor" || running.was_frozen;
        let late = now.duration_since(standing.since) > CLIENT_TIMEOUT;
        if late && standing.phase == Phase::Sent && standing.point != "functions.ask_executor" {
            verdict = Verdict::Fail(CallErrorKind::Lost);
        } else if late && !patient {
            verdict = Verdict::Lose;
        }
        if !running.is_awake(now) && !matches!(verdict, Verdict::Fail(_)) {
            verdict = Verdict::Hold;
        }
        if !running.is_awake(now) && matches!(verdict, Verdict::Fail(_)) {
            // Nobody is awake to hear it: it stands until somebody is.
            running
                .gate
                .slow(standing.ticket, running.frozen_until.unwrap_or(Timestamp::MAX));
            if running.orphan.is_some() {
                self.bury(standing.index);
            }
            return false;
        }
        if standing.phase == Phase::Sent {
            // One that comes too late has waited already.
            let futile = matches!(verdict, Verdict::Fail(CallErrorKind::Lost)) && !late;
            // The exhaustive search moves time only where nothing else can happen.
            if !self.exhaustive {
                self.clock.advance(if futile { FUTILE } else { LATENCY });
            }
            if !matches!(verdict, Verdict::Fail(_)) {
                self.counts.seen(function, standing.point);
                if self.changed_at.is_some_and(|at| now.duration_since(at) > MOST_LAG) {
                    self.changed_at = None;
                    self.cloud.settle_reads();
                }
                self.oracle
                    .before_effect(running, standing.point, standing.since, &self.table);
            }
        }
        if standing.point == "endpoint.check" && !matches!(verdict, Verdict::Go | Verdict::Hold) {
            self.oracle.check_failed(now);
        }
        running.gate.decide(standing.ticket, verdict);
        self.trace.note(self.clock.now(), || {
            let word = match (standing.phase, verdict) {
                (Phase::Effected, Verdict::Lose) => "reply lost".to_owned(),
                (Phase::Effected, _) => "reply read".to_owned(),
                (_, Verdict::Go) => "done".to_owned(),
                (_, Verdict::Hold) => "done, the reply waits".to_owned(),
                (_, Verdict::Lose) => "done, the reply is lost".to_owned(),
                (_, Verdict::Break) => "done, the reply is HTTP 5xx".to_owned(),
                (_, Verdict::Fail(kind)) => format!("failed: {kind:?}"),
            };
            format!("{}: {} {word}", running.request_id, standing.point)
        });
        let orphan = running.orphan.is_some();
        self.poll(standing.index);
        if orphan {
            self.bury(standing.index);
        }
        verdict == wanted
    }

    // The place at which this history is to end an invocation, if this is the call.
    fn hunts(&mut self, standing: Standing) -> Option<Place> {
        let (_, nth, place) = self.setup.hunt?;
        let running = self.running.get(standing.index)?;
        let hunted = self.setup.hunted()?;
        if standing.phase != Phase::Sent || hunted != (running.function, standing.point) || running.orphan.is_some() {
            return None;
        }
        self.hunted += 1;
        if self.hunted != nth + 1 {
            return None;
        }
        self.setup.hunt = None;
        Place::ALL.get(place as usize).copied()
    }

    /// Ends an invocation at a call: before it, after its effect, or after its reply.
    pub(crate) fn kill_at(&mut self, standing: Standing, place: Place) {
        let Some(running) = self.running.get(standing.index) else {
            return;
        };
        let (function, request_id) = (running.function, running.request_id.clone());
        let place = match (standing.phase, place) {
            (Phase::Effected, Place::BeforeEffect) => Place::AfterEffect,
            (_, place) => place,
        };
        match place {
            Place::BeforeEffect => {}
            Place::AfterEffect if standing.phase == Phase::Effected => {}
            Place::AfterEffect => {
                if !self.release(standing, Verdict::Hold) {
                    return;
                }
            }
            Place::AfterReply => {
                if let Some(running) = self.running.get_mut(standing.index) {
                    running.doomed = true;
                }
                if !self.release(standing, Verdict::Go) {
                    if let Some(running) = self.index_of(&request_id).and_then(|index| self.running.get_mut(index)) {
                        running.doomed = false;
                    }
                    return;
                }
            }
        }
        self.counts.crashed(function, standing.point, place);
        self.trace.note(self.clock.now(), || {
            format!("{request_id} is killed {} {}", words(place), standing.point)
        });
        if let Some(index) = self.index_of(&request_id) {
            self.end(index, None);
        }
    }

    fn trouble(&self, function: Function, place: usize, point: &str) -> Option<CallErrorKind> {
        let to_table = point.starts_with("table.");
        self.troubles.iter().find_map(|(trouble, _)| match trouble {
            Trouble::Partition(whom, side) if *whom == function => {
                ((*side == Side::Table) == to_table).then_some(CallErrorKind::Lost)
            }
            Trouble::CutOff(whose) if *whose == place && !to_table => Some(CallErrorKind::Lost),
            Trouble::TableAway(kind) if to_table => Some(*kind),
            _ => None,
        })
    }
}
