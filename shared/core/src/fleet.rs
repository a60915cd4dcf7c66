//! What holds for all plans together.
//!
//! Two items of the table, each changed by compare-and-set:
//!
//! - [`FleetState`] is people's word about all plans at once: no automatic moves (`pause` of `*`), no automatic moves
//!   until a time (`maintenance` of `*`), a mode that is more careful than the plans' own (`mode`), and the kill switch (`stop-all`), with which no executor starts a further
//!   mutating call.
//! - [`Fleet`] is how many plans have moved by themselves of late: the velocity limit (an hour) and the blast radius
//!   (at once). An entry is made *before* its execution is opened, so that two decisions at once can not both be the
//!   last one; an entry whose execution never came is dropped by the next writer. It errs towards refusing.

use crate::control::{Word, later};
use crate::execution::Kind;
use crate::guard::{Guard, Verdict};
use crate::mutant::{Mutant, active};
use crate::plan::Mode;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How long an entry may be without its execution before the next writer drops it.
pub const PATIENCE: SignedDuration = SignedDuration::from_secs(30);

/// The longest maintenance window, in seconds: seven days.
pub const MAX_MAINTENANCE_SECONDS: u32 = 7 * 24 * 3600;

/// No automatic moves until a time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Maintenance {
    /// Who said so, and why.
    pub word: Word,
    /// When it ends by itself.
    pub until: Timestamp,
}

/// A mode for all plans. It makes the mode of a plan more careful, never bolder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FleetMode {
    /// The mode.
    pub mode: Mode,
    /// Who said so, and why.
    pub word: Word,
}

/// People's word about all plans at once.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FleetState {
    /// Automatic moves of all plans are off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paused: Option<Word>,
    /// The kill switch: nothing starts, and no executor starts a further mutating call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stopped: Option<Word>,
    /// Automatic moves of all plans are off for a time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub maintenance: Option<Maintenance>,
    /// No plan is bolder than this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<FleetMode>,
}

impl FleetState {
    /// The mode that no plan's own may be bolder than.
    pub fn boldest(&self) -> Mode {
        self.mode.as_ref().map_or(Mode::Automatic, |known| known.mode)
    }
}

/// What is asked of all plans together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FleetLimits {
    /// How many automatic failovers within an hour.
    pub failovers_per_hour: u32,
    /// How many automatic executions at once.
    pub concurrent: u32,
}

/// The automatic executions of all plans within the last hour, and those that still go on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fleet {
    /// One for each, in the order in which they asked.
    pub entries: Vec<FleetEntry>,
}

/// One automatic execution of one plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FleetEntry {
    /// The plan.
    pub plan: String,
    /// The execution.
    pub execution: String,
    /// When it asked.
    pub at: Timestamp,
    /// Failover or failback. Only failovers count against the velocity limit.
    #[serde(default = "failover")]
    pub kind: Kind,
}

fn failover() -> Kind {
    Kind::Failover
}

/// What became of an entry's execution, as its plan's control item says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// It goes on (a stuck one too: it is a reason to look before the next one).
    Running,
    /// It has ended.
    Ended,
    /// The plan knows nothing of it: not opened yet, or never.
    Unseen,
}

impl Fleet {
    /// Asks for one more automatic execution, and enters it if both guards let go. Asking again changes nothing.
    ///
    /// `progress` is what became of the executions of the entries; one that is not in it counts as running.
    pub fn admit(
        &mut self,
        now: Timestamp,
        asked: FleetEntry,
        progress: &BTreeMap<String, Progress>,
        limits: FleetLimits,
    ) -> Vec<Verdict> {
        let hour_ago = now.checked_sub(SignedDuration::from_hours(1)).unwrap_or(Timestamp::MIN);
        let of = |entry: &FleetEntry| progress.get(&entry.execution).copied().unwrap_or(Progress::Running);
        self.entries.retain(|entry| match of(entry) {
            Progress::Running => true,
            Progress::Ended => entry.at > hour_ago,
            Progress::Unseen => later(entry.at, PATIENCE) >= now,
        });
        // Those that came before: one's own entry, made by an earlier try, does not count against itself.
        let before: Vec<&FleetEntry> = self
            .entries
            .iter()
            .take_while(|entry| entry.execution != asked.execution)
            .collect();
        let failovers = before
            .iter()
            .filter(|entry| entry.kind == Kind::Failover && entry.at > hour_ago)
            .count();
        let running: Vec<&str> = before
            .iter()
            .filter(|entry| of(entry) != Progress::Ended)
            .map(|entry| entry.plan.as_str())
            .collect();
        let mut verdicts = Vec::new();
        if asked.kind == Kind::Failover {
            verdicts.push(Verdict::when(
                Guard::WithinFleetLimit,
                failovers < limits.failovers_per_hour as usize || active(Mutant::FleetIgnored),
                format!(
                    "{failovers} of {} automatic failover(s) of all plans within the last hour",
                    limits.failovers_per_hour
                ),
                "move the plan by hand with `failover`; many plans failing at once is a reason to look first",
            ));
        }
        verdicts.push(Verdict::when(
            Guard::WithinBlastRadius,
            running.len() < limits.concurrent as usize || active(Mutant::BlastRadiusIgnored),
            format!(
                "{} of {} automatic execution(s) in progress at once ({})",
                running.len(),
                limits.concurrent,
                if running.is_empty() {
                    "none".to_owned()
                } else {
                    running.join(", ")
                }
            ),
            "wait for one of them to end, or move the plan by hand",
        ));
        let admitted = verdicts.iter().all(|verdict| verdict.allows);
        let known = self.entries.iter().position(|entry| entry.execution == asked.execution);
        match (admitted, known) {
            (true, None) => self.entries.push(asked),
            (false, Some(index)) => {
                self.entries.remove(index);
            }
            _ => {}
        }
        verdicts
    }
}
