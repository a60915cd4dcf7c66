//! What each action of the scheduler does. `false`: it is not possible now, and the harmless step is taken.

use super::gate::{Phase, SLEEP, Verdict};
use super::history::{Action, Choice};
use super::oracle::MOST_SKEW;
use super::report::REGION_GONE;
use super::sandbox::{Function, Origin};
use super::world::{Side, Sim, Standing, Trouble};
use crate::faults::{Fault, Place};
use crate::memory_stream::key_payload;
use jiff::SignedDuration;
use understudy_core::control::later;
use understudy_engine::ports::CallErrorKind;

/// How long a partition lasts.
pub(super) const PARTITION: SignedDuration = SignedDuration::from_secs(43);
/// How late a copy of a record may come.
const DAY: SignedDuration = SignedDuration::from_hours(24);

impl Sim {
    pub(crate) fn act(&mut self, choice: Choice) -> bool {
        let Choice { action, a, b, c } = choice;
        let done = match action {
            Action::Progress => return false,
            Action::Release => self.one(a, |call| call.point != SLEEP).is_some_and(|call| {
                self.release(call, Verdict::Go);
                true
            }),
            Action::EffectOnly => self.with_sent(a, Verdict::Hold),
            Action::LoseReply => self.lose(a),
            Action::Throttle => self.with_sent(a, Verdict::Fail(CallErrorKind::Retryable)),
            Action::ServiceFault if b.is_multiple_of(2) => self.with_sent(a, Verdict::Fail(CallErrorKind::Fault)),
            Action::ServiceFault => self.with_sent(a, Verdict::Break),
            Action::NeverArrives => self.with_sent(a, Verdict::Fail(CallErrorKind::Lost)),
            Action::MeetsItself => self.meets_itself(a, b),
            Action::WriteConflict => self.write_conflict(a),
            Action::Slow => self.slow(a, b),
            Action::KillBefore => self.kill(a, Place::BeforeEffect),
            Action::KillAfterEffect => self.kill(a, Place::AfterEffect),
            Action::KillAfterReply => self.kill(a, Place::AfterReply),
            Action::Orphan => self.orphan(a),
            Action::Freeze => self.freeze(a, b),
            Action::Deliver => self.deliver_beside(a),
            Action::Duplicate => self.duplicate(a, b),
            Action::HoldLane => self.hold_lane(a, b),
            Action::Advance => {
                self.advance(SignedDuration::from_secs(1 + i64::from(a % 40)));
                true
            }
            Action::RunSchedule => {
                self.run_schedule();
                true
            }
            Action::SkipSchedule => self.schedule_at.is_some_and(|at| {
                self.schedule_at = Some(later(at, SignedDuration::from_secs(60)));
                true
            }),
            Action::Skew => self.skew(a, b),
            Action::SiteDies | Action::SiteReturns | Action::SiteLies => self.site(action, a, b),
            Action::OutsideWeights => self.outside_weights(a, b),
            Action::OutsideRecord => self.outside_record(a, b),
            Action::Alarm => self.alarm(a, b, c),
            Action::Command => self.command(a, b, c),
            Action::TwoCommands => self.command(a, b, c) && self.command(a, b.rotate_left(3), c.rotate_left(5)),
            Action::Partition => {
                let function = Function::ALL.get(a as usize % 3).copied().unwrap_or(Function::Executor);
                let side = if b.is_multiple_of(2) { Side::Table } else { Side::Cloud };
                self.trouble_begins(Trouble::Partition(function, side), PARTITION)
            }
            Action::TableAway => {
                let kind = if b.is_multiple_of(2) {
                    CallErrorKind::Retryable
                } else {
                    CallErrorKind::Lost
                };
                self.trouble_begins(
                    Trouble::TableAway(kind),
                    SignedDuration::from_secs(5 + i64::from(a % 50)),
                )
            }
            Action::FunctionGone => self.function_gone(a, b),
            Action::LaggingReads => {
                let operation = if a.is_multiple_of(2) {
                    "traffic.set_weights"
                } else {
                    "dns.change_records"
                };
                self.cloud
                    .faults
                    .next(operation, Fault::SeenAfter(1 + u32::from(b % 4)));
                true
            }
            Action::RegionGone => self.region_gone(a, b),
            Action::FleetWord => self.fleet_word(a, b, c),
            Action::PlanWord => self.plan_word(a, b, c),
            Action::Answer => self.answer_what_waits(a, b, c),
            Action::SetsUp => self.sets_up(a, b, c),
            Action::ReferenceDies => self.reference_dies(a),
        };
        if done {
            *self.counts.faults.entry(action).or_default() += 1;
        }
        done
    }

    // The call of this number among those that could go on.
    fn one(&self, number: u16, wanted: impl Fn(&Standing) -> bool) -> Option<Standing> {
        let now = self.now();
        let standing = self.standing(|call| call.not_before <= now && wanted(call));
        standing.get(number as usize % standing.len().max(1)).copied()
    }

    fn with_sent(&mut self, number: u16, verdict: Verdict) -> bool {
        let call = self.one(number, |call| call.phase == Phase::Sent && call.point != SLEEP);
        call.is_some_and(|call| {
            self.release(call, verdict);
            true
        })
    }

    fn lose(&mut self, number: u16) -> bool {
        let call = self.one(number, |call| call.point != SLEEP);
        call.is_some_and(|call| {
            self.release(call, Verdict::Lose);
            true
        })
    }

    // What the SDK repeats meets its own write, or is throttled.
    fn meets_itself(&mut self, number: u16, b: u16) -> bool {
        let call = self.one(number, |call| {
            call.phase == Phase::Sent && call.point.starts_with("table.put")
        });
        call.is_some_and(|call| {
            let fault = if b.is_multiple_of(2) {
                Fault::MeetsItself
            } else {
                Fault::RepetitionThrottled
            };
            self.table.faults.next("table.put", fault);
            self.release(call, Verdict::Go);
            // If the call never arrived, nobody else's shall meet itself.
            self.table.faults.clear();
            true
        })
    }

    // Another Region writes the same item at the same moment: nothing is written, and the caller may try again.
    fn write_conflict(&mut self, number: u16) -> bool {
        let call = self.one(number, |call| {
            call.phase == Phase::Sent && (call.point.starts_with("table.put") || call.point.starts_with("table.delete"))
        });
        call.is_some_and(|call| {
            self.release(call, Verdict::Fail(CallErrorKind::Retryable));
            true
        })
    }

    fn slow(&mut self, number: u16, b: u16) -> bool {
        // The fourth is the longest that a caller just bears, the fifth what it does not.
        let milliseconds = [1000, 3000, 5500, 7600, 20_000]
            .get(b as usize % 5)
            .copied()
            .unwrap_or(3000);
        let until = later(self.now(), SignedDuration::from_millis(milliseconds));
        let call = self.one(number, |call| call.point != SLEEP);
        let Some(running) = call.and_then(|call| self.running.get(call.index)) else {
            return false;
        };
        let (name, call) = (running.request_id.clone(), call);
        if let Some(call) = call {
            running.gate.slow(call.ticket, until);
            self.trace
                .note(self.now(), || format!("{name}: {} takes {milliseconds} ms", call.point));
        }
        true
    }

    fn kill(&mut self, number: u16, place: Place) -> bool {
        let now = self.now();
        let awake: Vec<bool> = self.running.iter().map(|running| running.is_awake(now)).collect();
        let call = self.one(number, |call| {
            call.point != SLEEP && awake.get(call.index) == Some(&true)
        });
        call.is_some_and(|call| {
            self.kill_at(call, place);
            true
        })
    }

    // The sandbox dies, and its call is on its way: it may land any time until its service gives up.
    fn orphan(&mut self, number: u16) -> bool {
        let call = self.one(number, |call| call.phase == Phase::Sent && call.point != SLEEP);
        let Some((call, running)) = call.and_then(|call| Some((call, self.running.get_mut(call.index)?))) else {
            return false;
        };
        if running.orphan.is_some() {
            return false;
        }
        running.orphan = Some(call.ticket);
        let origin = running.origin.clone();
        let (function, place, name) = (running.function, running.place, running.request_id.clone());
        self.counts.crashed(function, call.point, Place::BeforeEffect);
        self.trace.note(self.now(), || {
            format!("{name} is killed with {} on its way", call.point)
        });
        self.conclude((function, place), origin, false);
        true
    }

    fn freeze(&mut self, number: u16, b: u16) -> bool {
        let now = self.now();
        // Shorter than a lease, or far longer.
        let seconds = SignedDuration::from_secs(if b.is_multiple_of(3) {
            6 + i64::from(b % 20)
        } else {
            10 + i64::from(b % 200)
        });
        let awake: Vec<usize> = (0..self.running.len())
            .filter(|index| self.running.get(*index).is_some_and(|running| running.is_awake(now)))
            .collect();
        let index = awake.get(number as usize % awake.len().max(1)).copied();
        let Some(running) = index.and_then(|index| self.running.get_mut(index)) else {
            return false;
        };
        running.frozen_until = Some(later(now, seconds));
        running.was_frozen = true;
        // Lambda's own clock stands still with it.
        running.deadline = later(running.deadline, seconds);
        let name = running.request_id.clone();
        self.trace
            .note(now, || format!("{name} is frozen for {} s", seconds.as_secs()));
        true
    }

    fn deliver_beside(&mut self, number: u16) -> bool {
        let ready = self
            .bus
            .ready(self.now(), |function, place| !self.is_gone(function, place));
        let key = ready.get(number as usize % ready.len().max(1)).cloned();
        key.is_some_and(|key| {
            self.deliver(&key);
            true
        })
    }

    fn duplicate(&mut self, number: u16, b: u16) -> bool {
        let count = self.bus.delivered.len();
        let Some(record) = self.bus.delivered.get(number as usize % count.max(1)).cloned() else {
            return false;
        };
        if b % 16 == 15 && self.running.is_empty() {
            self.advance(DAY);
        }
        let function = Function::from(record.wake);
        self.trace.note(self.now(), || {
            format!(
                "the stream wakes {} once more for {} ({})",
                function.as_str(),
                record.item.key.plan,
                record.item.key.item
            )
        });
        let place = usize::from(b / 16) % self.setup.wide.places();
        self.invoke((function, place), key_payload(&record), Origin::Copy);
        true
    }

    fn hold_lane(&mut self, number: u16, b: u16) -> bool {
        let now = self.now();
        let until = later(now, SignedDuration::from_secs(5 + i64::from(b % 90)));
        let count = self.bus.lanes.len();
        let lane = self.bus.lanes.iter_mut().nth(number as usize % count.max(1));
        let Some((key, lane)) = lane else { return false };
        lane.not_before = Some(until);
        let words = format!(
            "the lane of {} for {} is stuck until {}",
            key.2,
            key.0.as_str(),
            until.strftime("%H:%M:%S")
        );
        self.trace.note(now, || words);
        true
    }

    // Within what the protocol bears: two clocks differ by less than the takeover's margin.
    fn skew(&mut self, number: u16, b: u16) -> bool {
        let most = i64::try_from(MOST_SKEW.as_millis()).unwrap_or_default();
        let milliseconds = i64::from(b) % (2 * most + 1) - most;
        let count = self.running.len();
        let Some(running) = self.running.get_mut(number as usize % count.max(1)) else {
            return false;
        };
        running.gate.set_skew(SignedDuration::from_millis(milliseconds));
        running.jumped = true;
        let name = running.request_id.clone();
        self.trace
            .note(self.now(), || format!("the clock of {name} is {milliseconds} ms off"));
        true
    }

    pub(super) fn trouble_begins(&mut self, trouble: Trouble, lasts: SignedDuration) -> bool {
        let until = later(self.now(), lasts);
        self.trace
            .note(self.now(), || format!("{trouble:?} for {} s", lasts.as_secs()));
        self.troubles.push((trouble, until));
        true
    }

    // All of a Region goes: what runs there dies, what is sent there waits. Or its services do not answer it, and nothing
    // else is wrong with it.
    fn region_gone(&mut self, a: u16, b: u16) -> bool {
        if self.setup.wide.places() < 2 {
            return false;
        }
        // Mostly the Region that is being left.
        let place = usize::from(a.is_multiple_of(3));
        if !b.is_multiple_of(2) {
            return self.trouble_begins(Trouble::CutOff(place), PARTITION);
        }
        self.counts.happens(REGION_GONE);
        while let Some(index) = self
            .running
            .iter()
            .position(|running| running.place == place && running.orphan.is_none())
        {
            self.end(index, None);
        }
        let seconds = SignedDuration::from_secs(20 + i64::from(b % 200));
        self.trouble_begins(Trouble::RegionGone(place), seconds)
    }

    // A function goes: what runs of it dies, what is sent to it waits.
    fn function_gone(&mut self, a: u16, b: u16) -> bool {
        let function = Function::ALL.get(a as usize % 3).copied().unwrap_or(Function::Executor);
        while let Some(index) = self
            .running
            .iter()
            .position(|running| running.function == function && running.orphan.is_none())
        {
            self.end(index, None);
        }
        self.trouble_begins(
            Trouble::Gone(function),
            SignedDuration::from_secs(20 + i64::from(b % 120)),
        )
    }
}
