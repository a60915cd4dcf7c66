//! What a wide history has beside the others: two Regions, modes, people's words, a setup.
//!
//! Half of all seeds are wide. What they have is drawn from numbers of their own, so that a seed of the other half is the
//! same history as before there were wide ones.

use super::history::Dice;
use super::report::{ENTERED, Point, SET_UP, WORDS, hunted};
use super::setup::{OBSERVERS, Opening, Setup, group};
use serde_json::{Value, json};
use understudy_core::plan::Mode;

/// `policy.approval.expires_after_seconds`.
pub const APPROVAL_SECONDS: u32 = 60;
/// The endpoint by which observers judge themselves.
pub const REFERENCE_HOST: &str = "reference.example.com";
/// The hours in which a plan may come home by itself, from and to, in minutes of the day. Histories begin at ten: the
/// first hours open soon, the second close soon, the third are not today.
const HOURS: [(u32, u32); 3] = [(603, 630), (540, 603), (1320, 1380)];

/// What a wide history has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wide {
    /// Whether it is one.
    pub is_wide: bool,
    /// `policy.mode`, where it is not `manual`.
    pub mode: Mode,
    /// `policy.approval.on_expiry: move`.
    pub silence_moves: bool,
    /// `policy.observers.quorum`.
    pub quorum: u32,
    /// Whether observers have a reference endpoint.
    pub reference: bool,
    /// `policy.failback.hours`: which.
    pub hours: Option<u8>,
    /// Automatic executions at once over all plans.
    pub concurrent: u32,
    /// Regions: 0 where sites name none, else how many have executors. With two, each has all three functions.
    pub regions: u32,
    /// Whether the plans state a setup.
    pub sets_up: bool,
    /// Whether the moves wait at a gate for a person's yes.
    pub gated: bool,
    /// Whether people say yes to the first plan's proposals, and only when it is too late.
    pub answers_late: bool,
    /// Whether the dead source of a copy that is far behind has time to flatter it.
    pub flatters: bool,
    /// Whether people take back their pauses and stops when faults stop.
    pub lifted: bool,
}

impl Default for Wide {
    fn default() -> Self {
        Self {
            is_wide: false,
            mode: Mode::Automatic,
            silence_moves: false,
            quorum: 1,
            reference: false,
            hours: None,
            concurrent: understudy_engine::decision::DEFAULT_FLEET_CONCURRENT,
            regions: 0,
            sets_up: false,
            gated: false,
            answers_late: false,
            flatters: false,
            lifted: false,
        }
    }
}

impl Wide {
    /// How many Regions have executors and decision functions.
    pub fn places(&self) -> usize {
        if self.regions == 2 { 2 } else { 1 }
    }

    /// The hours of automatic failbacks, from and to, in minutes of the day.
    pub fn hours_of_day(&self) -> Option<(u32, u32)> {
        HOURS.get(usize::from(self.hours?)).copied()
    }
}

impl Setup {
    /// Makes it wide, for half of all seeds.
    pub(super) fn widen(&mut self, dice: &Dice) {
        if !dice.one_in(2) {
            return;
        }
        let quorum = dice.pick(&[1, 2]).unwrap_or(1);
        self.wide = Wide {
            is_wide: true,
            mode: dice
                .pick(&[Mode::Automatic, Mode::Automatic, Mode::Approve, Mode::Observe])
                .unwrap_or_default(),
            silence_moves: dice.one_in(3),
            quorum: 1,
            reference: dice.one_in(3),
            hours: dice.pick(&[None, None, None, Some(0), Some(1), Some(2)]).flatten(),
            concurrent: dice.pick(&[1, 3]).unwrap_or(3),
            regions: dice.pick(&[0, 0, 1, 2, 2]).unwrap_or(0),
            sets_up: dice.one_in(3),
            gated: dice.one_in(5),
            answers_late: false,
            flatters: false,
            lifted: dice.one_in(2),
        };
        if self.wide.regions == 2 {
            self.observers = 2;
        }
        if self.observers == 2 {
            self.wide.quorum = quorum;
        }
        match dice.below(10) {
            0 | 1 => self.opening = Opening::BothBad,
            2 => self.opening = Opening::InMaintenance,
            _ => {}
        }
        if self.hunts_data() {
            // Its call comes where something moves.
            self.opening = Opening::Dead;
            self.wide.mode = Mode::Automatic;
        } else if self.wide.regions == 2 && dice.one_in(4) {
            self.opening = Opening::CutOff;
        }
        // A blast radius is met where several plans want to move at once.
        if self.wide.concurrent == 1 && dice.one_in(2) {
            self.plans = 3;
            self.fleet_limit = 5;
            self.opening = Opening::AllDead;
            self.wide.mode = Mode::Automatic;
        }
        // Hours of failback, where something comes home.
        if self.wide.hours.is_some() {
            self.comes_home = true;
            self.opening = Opening::Dead;
        }
        match self.hunted() {
            Some(point) if SET_UP.contains(&point) => {
                self.wide.sets_up = true;
                self.opening = Opening::SetUp;
                self.hunt_the_first_call();
            }
            Some(point) if WORDS.contains(&point) => {
                self.opening = Opening::Stopped;
                self.hunt_the_first_call();
            }
            Some(ENTERED) => {
                self.opening = Opening::Dead;
                self.manual = false;
                self.wide.mode = Mode::Automatic;
                self.hunt_the_first_call();
            }
            _ => {}
        }
        let moves_by_itself = !self.manual && !matches!(self.opening, Opening::SetUp | Opening::Stopped);
        if self.wide.mode == Mode::Approve && moves_by_itself && dice.one_in(2) {
            self.wide.answers_late = true;
            self.opening = Opening::Dead;
        }
        self.wide.flatters = self.hunt.is_none() && dice.one_in(8);
    }

    /// The call that this history hunts, if it hunts one.
    pub(crate) fn hunted(&self) -> Option<Point> {
        self.hunt.map(|(number, ..)| hunted(number, self.wide.is_wide))
    }

    /// `policy.mode`.
    pub fn mode(&self) -> Mode {
        if self.manual { Mode::Manual } else { self.wide.mode }
    }

    /// What a wide plan states beside the others.
    pub(super) fn widen_plan(&self, name: &str, plan: &mut Value) {
        let wide = &self.wide;
        if !wide.is_wide {
            return;
        }
        if wide.regions > 0 {
            for (site, region) in OBSERVERS.iter().enumerate() {
                plan["sites"][site]["region"] = json!(region);
            }
        }
        let policy = &mut plan["policy"];
        policy["approval"] = json!({
            "expires_after_seconds": APPROVAL_SECONDS, "on_expiry": if wide.silence_moves { "move" } else { "discard" },
        });
        policy["observers"] = json!({"quorum": wide.quorum});
        if wide.reference {
            policy["observers"]["reference"] = json!([format!("{REFERENCE_HOST}:443")]);
        }
        if let Some((from, to)) = wide.hours_of_day() {
            let time = |minutes: u32| format!("{:02}:{:02}", minutes / 60, minutes % 60);
            policy["failback"]["hours"] = json!({"from": time(from), "to": time(to)});
        }
        if wide.sets_up {
            plan["setup"] = json!([
                {"kind": "target_group_health", "name": "blue-check", "target_group_arn": group(name, "blue"),
                 "path": "/health", "interval_seconds": 10, "timeout_seconds": self.step_seconds},
                {"kind": "target_group_health", "name": "green-check", "target_group_arn": group(name, "green"),
                 "path": "/health", "interval_seconds": 10, "timeout_seconds": self.step_seconds},
            ]);
        }
        if let (true, Some(steps)) = (wide.gated, plan["steps"].as_array_mut()) {
            steps.insert(
                1,
                json!({"kind": "approval", "name": "yes", "timeout_seconds": self.step_seconds}),
            );
        }
    }
}

/// A plan whose standby is its primary from now on, wherever it is.
pub(super) fn at_home_elsewhere(plan: &mut Value) {
    for (site, priority) in [(0, 2), (1, 1)] {
        plan["sites"][site]["priority"] = json!(priority);
    }
}
