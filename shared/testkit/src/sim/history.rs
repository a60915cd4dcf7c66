//! What happens in one history: a setup, and a list of choices. Nothing else decides anything.
//!
//! A choice is one action and three numbers, drawn without looking at the world; what they mean is found when they are
//! carried out ("the call number `a` of those that stand there"). An action that is not possible at that moment is
//! [`Action::Progress`]: the oldest thing goes on, and nothing goes wrong. So a history stays a history whatever is
//! taken out of it, which is what shrinking lives on.

use super::setup::Setup;
use crate::clock::SeededRandom;
use std::fmt;
use std::str::FromStr;
use understudy_engine::ports::Random;

macro_rules! actions {
    ($($name:ident $weight:literal $words:literal),+ $(,)?) => {
        /// What the scheduler can do in one step.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[allow(missing_docs)]
        pub enum Action { $($name),+ }

        impl Action {
            /// All of them, the harmless one first.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            /// Its name.
            pub fn name(self) -> &'static str {
                match self { $(Self::$name => stringify!($name)),+ }
            }

            /// What it is, for the report.
            pub fn words(self) -> &'static str {
                match self { $(Self::$name => $words),+ }
            }

            fn weight(self) -> u32 {
                match self { $(Self::$name => $weight),+ }
            }

            /// Whether only wide histories have it.
            fn is_wide(self) -> bool {
                self >= Self::RegionGone
            }
        }
    };
}

actions! {
    Progress 0 "the oldest thing goes on",
    Release 60 "another call goes first",
    EffectOnly 14 "a reply is held back",
    LoseReply 6 "a reply is lost after the effect",
    Throttle 5 "throttled",
    ServiceFault 4 "a 5xx",
    NeverArrives 4 "a request never arrives",
    MeetsItself 4 "a repeated write meets itself, or is throttled",
    WriteConflict 3 "ReplicatedWriteConflictException",
    Slow 6 "a call is slow",
    KillBefore 5 "killed before a call",
    KillAfterEffect 5 "killed after the effect of a call",
    KillAfterReply 5 "killed after the reply to a call",
    Orphan 4 "killed with a call on its way",
    Freeze 5 "a sandbox frozen and thawed",
    Deliver 18 "a record delivered beside running turns",
    Duplicate 10 "an old record delivered again",
    HoldLane 4 "a stuck stream lane",
    Advance 8 "time goes on with calls on their way",
    RunSchedule 5 "a probe beside a running one",
    SkipSchedule 2 "a missed schedule",
    Skew 4 "a clock set off or jumping",
    SiteDies 6 "a site dies",
    SiteReturns 6 "a site returns",
    SiteLies 4 "a health system that lies",
    OutsideWeights 2 "somebody else changes the listener",
    OutsideRecord 2 "somebody else changes the record",
    Alarm 8 "an alarm, a storm, or one of yesterday",
    Command 8 "an operator's command",
    TwoCommands 3 "two operators at once",
    Partition 2 "a partition of 43 seconds",
    TableAway 2 "the table is away",
    FunctionGone 2 "a function that can not be invoked",
    LaggingReads 3 "a change that is seen late",
    RegionGone 4 "a Region with all of its functions gone, or cut off from its services",
    FleetWord 4 "a word on all plans: stop, start, pause, resume, maintenance",
    PlanWord 8 "a word on a plan: hold, let go on, skip, escalate, maintenance",
    Answer 5 "a yes or a no to what waits for one",
    SetsUp 3 "a setup or a teardown",
    ReferenceDies 2 "reference endpoints fall silent, or answer again",
}

/// One step of a history.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Choice {
    /// What is done.
    pub action: Action,
    /// To what: each action reads these in its own way.
    pub a: u16,
    /// How.
    pub b: u16,
    /// How much.
    pub c: u16,
}

impl Choice {
    /// The harmless step.
    pub const PROGRESS: Self = Self {
        action: Action::Progress,
        a: 0,
        b: 0,
        c: 0,
    };
}

impl fmt::Display for Choice {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}.{}.{}.{}", self.action.name(), self.a, self.b, self.c)
    }
}

/// A whole history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct History {
    /// Where the world's own randomness (ids, jitter) comes from.
    pub seed: u64,
    /// What stands at its beginning.
    pub setup: Setup,
    /// What happens.
    pub choices: Vec<Choice>,
}

/// Where the numbers that make a history wide come from: far from those of any other seed.
const WIDER: u64 = 0x5a5a_5a5a_0000_0000;

/// Numbers from a seed.
pub(crate) struct Dice(SeededRandom);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        // Away from the states that the world of the same seed walks through.
        Self(SeededRandom::new(
            seed.wrapping_mul(0xd134_2543_de82_ef95).wrapping_add(1),
        ))
    }

    pub(crate) fn words(&self) -> [u16; 4] {
        let [a, b, c, d, e, f, g, h, ..] = self.0.bytes();
        [[a, b], [c, d], [e, f], [g, h]].map(u16::from_le_bytes)
    }

    pub(crate) fn below(&self, limit: u32) -> u32 {
        let [low, high, ..] = self.words();
        (u32::from(low) | u32::from(high) << 16) % limit.max(1)
    }

    pub(crate) fn one_in(&self, count: u32) -> bool {
        self.below(count) == 0
    }

    pub(crate) fn pick<T: Copy>(&self, from: &[T]) -> Option<T> {
        from.get(self.below(u32::try_from(from.len()).unwrap_or(1)) as usize)
            .copied()
    }
}

impl History {
    /// The history of this seed. Which kinds of faults it has at all is drawn first, and how many: a history with
    /// everything in it drowns what two faults would do together.
    pub fn of_seed(seed: u64) -> Self {
        let dice = Dice::new(seed);
        let setup = Setup::drawn(&dice, &Dice::new(seed ^ WIDER));
        let enabled: Vec<(Action, u32)> = Action::ALL
            .iter()
            .copied()
            .filter(|action| action.weight() > 0 && (setup.wide.is_wide || !action.is_wide()))
            .filter(|action| *action == Action::Release || dice.one_in(2))
            .map(|action| (action, action.weight()))
            .collect();
        let sum: u32 = enabled.iter().map(|(_, weight)| weight).sum();
        let wildness = dice.pick(&[6_u32, 12, 25, 50]).unwrap_or(12);
        let steps = 60 + dice.below(200) as usize;
        let choices = (0..steps).map(|_| draw(&dice, &enabled, sum, wildness)).collect();
        Self { seed, setup, choices }
    }

    /// The history of this seed with only these of its steps other than harmless, as [`History::kept`] prints them.
    ///
    /// # Errors
    /// What could not be read.
    pub fn of_kept(seed: u64, steps: usize, kept: &str) -> Result<Self, String> {
        let mut history = Self::of_seed(seed);
        history.choices = vec![Choice::PROGRESS; steps];
        for word in kept.split_whitespace() {
            let (index, choice) = word.split_once(':').ok_or_else(|| format!("`{word}` has no colon"))?;
            let index: usize = index.parse().map_err(|_| format!("`{index}` is no step"))?;
            let place = history
                .choices
                .get_mut(index)
                .ok_or_else(|| format!("there is no step {index}"))?;
            *place = choice.parse()?;
        }
        Ok(history)
    }

    /// Its steps other than harmless, in one line.
    pub fn kept(&self) -> String {
        let steps = self.choices.iter().enumerate();
        let kept = steps.filter(|(_, choice)| choice.action != Action::Progress);
        kept.map(|(index, choice)| format!("{index}:{choice}"))
            .collect::<Vec<_>>()
            .join(" ")
    }
}

fn draw(dice: &Dice, enabled: &[(Action, u32)], sum: u32, wildness: u32) -> Choice {
    let [roll, a, b, c] = dice.words();
    if u32::from(roll) % 100 >= wildness {
        return Choice::PROGRESS;
    }
    let mut left = dice.below(sum);
    for (action, weight) in enabled {
        if left < *weight {
            let action = *action;
            return Choice { action, a, b, c };
        }
        left -= weight;
    }
    Choice::PROGRESS
}

impl FromStr for Choice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut parts = text.split('.');
        let name = parts.next().unwrap_or_default();
        let action = Action::ALL.iter().find(|action| action.name() == name);
        let action = *action.ok_or_else(|| format!("there is no action `{name}`"))?;
        let mut number = || {
            let part = parts.next().unwrap_or("0");
            part.parse::<u16>().map_err(|_| format!("`{part}` is no number"))
        };
        let (a, b, c) = (number()?, number()?, number()?);
        Ok(Self { action, a, b, c })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_history_is_read_back_from_what_is_kept_of_it() {
        let history = History::of_seed(11);
        assert_eq!(history, History::of_seed(11));
        let read = History::of_kept(11, history.choices.len(), &history.kept()).unwrap();
        assert_eq!(read, history);
        assert!(History::of_kept(11, 5, "2:Nonsense.1.2.3").is_err());
        assert!(History::of_kept(11, 5, "7:Freeze.1.2.3").is_err());
    }
}
