//! What was done, in numbers: histories, steps, faults by kind, and where invocations were ended.

use super::history::Action;
use super::sandbox::Function;
use crate::faults::Place;
use std::collections::BTreeMap;
use std::fmt;

/// An await point: a call of a function to one of its ports.
pub type Point = (Function, &'static str);

/// How often a point was seen, and how often an invocation ended before it, after its effect, after its reply.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Crashes {
    /// Calls that had their effect.
    pub seen: u64,
    /// Ends before the call, after its effect, after its reply.
    pub crashed: [u64; 3],
}

/// What was done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Histories.
    pub histories: u64,
    /// Choices of the scheduler, those after the faults included.
    pub steps: u64,
    /// Invocations of the three functions.
    pub invocations: u64,
    /// Accepted and refused writes of the table.
    pub writes: u64,
    /// Mutating calls that reached the cloud.
    pub changes: u64,
    /// Executions that were opened.
    pub executions: u64,
    /// Invocations that Lambda's timeout ended.
    pub timeouts: u64,
    /// Direct invocations by the probe.
    pub nudges: u64,
    /// Faults that were carried out, by kind.
    pub faults: BTreeMap<Action, u64>,
    /// What came of them that is asked for by name, by what it is: [`HAPPENINGS`].
    pub happened: BTreeMap<&'static str, u64>,
    /// Where invocations can end, and where they did.
    pub points: BTreeMap<Point, Crashes>,
}

/// A revision of a plan was stored while an execution of it was under way.
pub(crate) const EDITED: &str = "a plan edited while an execution of it is under way";
/// A plan's second site fell ill while the other one was.
pub(crate) const BOTH_BAD: &str = "both sites bad";
/// An executor wrote with an epoch that a newer one had passed, and was refused.
pub(crate) const OVERTAKEN: &str = "an executor that wakes with an old epoch, and is refused";

/// Five alarms' events at once.
pub(crate) const STORM: &str = "an alarm storm";
/// A Region went with all of its functions.
pub(crate) const REGION_GONE: &str = "a Region with its functions gone";

/// What has to have happened, beside the faults, in as many histories as are meant to be enough.
pub const HAPPENINGS: [&str; 5] = [EDITED, BOTH_BAD, OVERTAKEN, STORM, REGION_GONE];

impl Counts {
    pub(crate) fn happens(&mut self, what: &'static str) {
        *self.happened.entry(what).or_default() += 1;
    }

    pub(crate) fn seen(&mut self, function: Function, point: &'static str) {
        self.points.entry((function, point)).or_default().seen += 1;
    }

    pub(crate) fn crashed(&mut self, function: Function, point: &'static str, place: Place) {
        let crashes = self.points.entry((function, point)).or_default();
        if let Some(count) = crashes.crashed.get_mut(place as usize) {
            *count += 1;
        }
    }

    /// Adds what another history did.
    pub fn add(&mut self, other: &Self) {
        self.histories += other.histories;
        self.steps += other.steps;
        self.invocations += other.invocations;
        self.writes += other.writes;
        self.changes += other.changes;
        self.executions += other.executions;
        self.timeouts += other.timeouts;
        self.nudges += other.nudges;
        for (action, count) in &other.faults {
            *self.faults.entry(*action).or_default() += count;
        }
        for (what, count) in &other.happened {
            *self.happened.entry(what).or_default() += count;
        }
        for (point, crashes) in &other.points {
            let sum = self.points.entry(*point).or_default();
            sum.seen += crashes.seen;
            for (sum, count) in sum.crashed.iter_mut().zip(crashes.crashed) {
                *sum += count;
            }
        }
    }

    /// Await points that were seen: each call before, after its effect, after its reply.
    pub fn await_points(&self) -> usize {
        self.points.len() * Place::ALL.len()
    }

    /// Those at which no invocation has ended.
    pub fn never_crashed(&self) -> Vec<String> {
        let points = self.points.iter();
        points
            .flat_map(|((function, point), crashes)| {
                let missing = Place::ALL
                    .into_iter()
                    .zip(crashes.crashed)
                    .filter(|(_, count)| *count == 0);
                missing.map(move |(place, _)| {
                    format!(
                        "{} {} {point} (seen {} times)",
                        function.as_str(),
                        words(place),
                        crashes.seen
                    )
                })
            })
            .collect()
    }
}

/// A place in words.
pub(crate) fn words(place: Place) -> &'static str {
    match place {
        Place::BeforeEffect => "before",
        Place::AfterEffect => "after the effect of",
        Place::AfterReply => "after the reply to",
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            out,
            "{} histories, {} steps, {} invocations, {} executions, {} writes tried, {} mutating calls, {} direct invocations, {} timeouts",
            self.histories,
            self.steps,
            self.invocations,
            self.executions,
            self.writes,
            self.changes,
            self.nudges,
            self.timeouts
        )?;
        let faults: u64 = self.faults.values().sum();
        writeln!(
            out,
            "{faults} faults and disturbances of {} kinds:\n",
            self.faults.len()
        )?;
        // As docs/RELIABILITY.md has it.
        writeln!(out, "| what | how often |\n|---|---|")?;
        for (action, count) in &self.faults {
            writeln!(out, "| {} | {count} |", action.words())?;
        }
        for (what, count) in &self.happened {
            writeln!(out, "| {what} | {count} |")?;
        }
        writeln!(out)?;
        let missing = self.never_crashed();
        let points = self.await_points();
        writeln!(
            out,
            "{points} await points seen ({} calls, each before, after its effect, after its reply), {} crashed at",
            self.points.len(),
            points - missing.len()
        )?;
        for missed in missing {
            writeln!(out, "  never crashed: {missed}")?;
        }
        Ok(())
    }
}

/// The calls that histories hunt: the mutating ones, and those that few histories make. Wide ones hunt [`SET_UP`],
/// [`WORDS`] and [`ENTERED`] too.
const HUNTED: &[Point] = &[
    (Function::Executor, "traffic.set_weights"),
    (Function::Executor, "dns.change_records"),
    (Function::Executor, "table.put control"),
    ARCHIVE,
    (Function::Executor, "notifier.publish"),
    (Function::Probe, "functions.nudge"),
    RARE[0],
    RARE[1],
    RARE[2],
    (Function::Decision, "table.put revision"),
    DATA[0],
    DATA[1],
    DATA[2],
    DATA[3],
    DATA[4],
    DATA[5],
    UNBOUND,
];

/// The call that an execution makes once, when it has ended.
pub(crate) const ARCHIVE: Point = (Function::Executor, "table.put execution");

/// Calls that only plans with a database make.
pub(crate) const DATA: [Point; 6] = [
    (Function::Executor, "databases.global"),
    SWITCH_OVER,
    FAIL_OVER,
    (Function::Probe, "metrics.newest"),
    (Function::Probe, "table.put lag"),
    (Function::Decision, "table.get lag"),
];

/// The record of an alarm that no plan is bound to.
pub(crate) const UNBOUND: Point = (Function::Decision, "table.put alarm");

/// The call by which a planned move takes its database along.
pub(crate) const SWITCH_OVER: Point = (Function::Executor, "databases.switch_over_global");
/// The call by which a database is moved without its source.
pub(crate) const FAIL_OVER: Point = (Function::Executor, "databases.fail_over_global");

/// Calls that are made only after something else has happened, which a history that hunts them brings about.
pub(crate) const RARE: [Point; 3] = [
    (Function::Decision, "functions.ask_executor"),
    (Function::Decision, "table.get execution"),
    (Function::Executor, "table.get execution"),
];

/// Calls that only plans with a setup make.
pub(crate) const SET_UP: [Point; 5] = [
    (Function::Executor, "traffic.health_check"),
    (Function::Executor, "traffic.set_health_check"),
    (Function::Executor, "table.get setup"),
    (Function::Executor, "table.put setup"),
    (Function::Decision, "table.get setup"),
];

/// Calls that a word on all plans makes, or a new revision of one.
pub(crate) const WORDS: [Point; 4] = [
    (Function::Decision, "table.put word"),
    (Function::Decision, "table.due"),
    (Function::Decision, "table.put revision"),
    (Function::Decision, "functions.nudge"),
];

/// The call that only an automatic move makes.
pub(crate) const ENTERED: Point = (Function::Decision, "table.put fleet");

/// The call that a history hunts.
pub(crate) fn hunted(number: u16, is_wide: bool) -> Point {
    let more: &[&[Point]] = if is_wide { &[&SET_UP, &WORDS, &[ENTERED]] } else { &[] };
    let points = || std::iter::once(&HUNTED).chain(more).flat_map(|points| points.iter());
    let chosen = points().nth(number as usize % points().count().max(1));
    chosen.copied().unwrap_or((Function::Executor, "table.put control"))
}
