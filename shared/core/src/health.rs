//! From one answer to the health of a site.
//!
//! 1. A probe is tried once a *slot* (`floor(now / interval)`), which gives a [`Sample`].
//! 2. [`observe`] counts slots, not calls: the thresholds of the probe turn a run of equal samples into a
//!    settled [`Health`]. Two overlapping probe functions can not count a slot twice, because the
//!    observation is only ever replaced by one of a greater slot.
//! 3. [`unfit`] asks whether the observer itself can be believed. One that sees everything fail at once, or reaches
//!    none of its reference endpoints, says so in its observations, and its voice does not count.
//! 4. [`assess`] turns fresh observations of fit observers into the health of each site by the plan's rule and its
//!    quorum. What is missing, stale or contradictory is *unknown*, and unknown is never unhealthy.

mod assess;
mod fitness;

pub use assess::{assess, short_of_quorum};
pub(crate) use fitness::REFERENCE_LOOKS;
pub use fitness::{REFERENCE_SITE, unfit};

use crate::mutant::{Mutant, active};
use crate::plan::Probe;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// Evidence older than this many slots of its probe is stale: it counts as unknown.
pub const STALE_SLOTS: i64 = 3;

/// An unchanged observation is written again when it is this many slots old. It must be smaller than
/// [`STALE_SLOTS`], or healthy sites would go stale between two heartbeats.
pub const HEARTBEAT_SLOTS: i64 = 2;

/// An observation may be of a slot that is so many ahead of ours, and no more: two clocks that are right differ by less than
/// the shortest interval. One further ahead is of a clock that was or is wrong, and is no evidence. Were it believed, one
/// jump of a clock would keep a site as it was seen last until time has caught up.
pub const AHEAD_SLOTS: i64 = 1;

/// What is known of a probe or a site.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Health {
    /// It works.
    Healthy,
    /// It works, with something to look at. Alerts and never moves anything.
    Degraded,
    /// It does not work.
    Unhealthy,
    /// Nobody can say: not asked, not answered by the service that knows, too old, or contradictory.
    Unknown,
}

impl Health {
    /// The word that is used everywhere: plan files, JSON, logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::Degraded => "degraded",
            Self::Unhealthy => "unhealthy",
            Self::Unknown => "unknown",
        }
    }
}

impl std::fmt::Display for Health {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// One answer of one try.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sample {
    /// What the answer says.
    pub health: Health,
    /// Why, for people: `HTTP 200`, `connection refused`, `status backing-up still serves`.
    pub reason: String,
}

impl Sample {
    /// A sample with its reason.
    pub fn new(health: Health, reason: impl Into<String>) -> Self {
        Self {
            health,
            reason: reason.into(),
        }
    }
}

/// What one observer knows of one probe.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Observation {
    /// The site that the probe speaks about.
    pub site: String,
    /// The probe's name.
    pub probe: String,
    /// The deployed probe function that saw it, named by its Region.
    pub observer: String,
    /// The slot of the newest sample.
    pub slot: i64,
    /// The length of a slot when it was written.
    pub interval_seconds: u32,
    /// The settled health.
    pub health: Health,
    /// Since when the settled health has been this.
    pub since: Timestamp,
    /// What the newest samples say, and for how many slots in a row (counted up to the threshold).
    pub streak: Streak,
    /// The newest sample's reason.
    pub reason: String,
    /// When the newest sample was taken.
    pub observed_at: Timestamp,
    /// Since when it has failed without a break, if it was well when that began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failing_since: Option<Timestamp>,
    /// Why the observer says that it is not to be believed now. None: it is fit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unfit: Option<String>,
    /// Since when it says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unfit_since: Option<Timestamp>,
}

/// A run of equal samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Streak {
    /// What they say.
    pub health: Health,
    /// How many, up to the threshold that they are counted against.
    pub slots: u32,
    /// When the run began.
    pub since: Timestamp,
}

/// A new observation, and whether it must be written and must wake the decision function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observed {
    /// The observation.
    pub observation: Observation,
    /// The settled health differs from before: decision must hear of it.
    pub changed: bool,
    /// It is worth a write: something changed, or the heartbeat is due.
    pub write: bool,
}

impl Observation {
    // Since when the observer, which calls itself unfit, is not believed.
    fn unfit_from(&self) -> Timestamp {
        self.unfit_since.unwrap_or(self.observed_at)
    }

    // Until when the voice, which is not heard now, may have said something else than this.
    fn contradicted_until(&self, health: Health) -> Timestamp {
        let silent_from = match self.unfit {
            Some(_) => self.unfit_from(),
            None => {
                let end = self.slot.saturating_add(STALE_SLOTS + 1);
                let second = end.saturating_mul(i64::from(self.interval_seconds.max(1)));
                Timestamp::from_second(second).unwrap_or(Timestamp::MAX)
            }
        };
        if self.health == health {
            silent_from.min(self.since)
        } else {
            silent_from
        }
    }
}

impl Observed {
    /// The same, with the observer's word about itself ([`unfit`]). A changed word is written and wakes decision.
    pub fn of_observer(mut self, previous: Option<&Observation>, unfit: Option<String>) -> Self {
        let before = previous.filter(|before| before.unfit.is_some());
        if before.is_some() != unfit.is_some() {
            (self.changed, self.write) = (true, true);
        }
        let since = before.map_or(self.observation.observed_at, Observation::unfit_from);
        self.observation.unfit_since = unfit.is_some().then_some(since);
        self.observation.unfit = unfit;
        self
    }
}

/// The slot of `now` for an interval.
pub fn slot(now: Timestamp, interval_seconds: u32) -> i64 {
    now.as_second().div_euclid(i64::from(interval_seconds.max(1)))
}

/// Whether a slot lies further ahead of the current one than two clocks that are right differ by.
pub fn is_ahead(observed: i64, current: i64) -> bool {
    observed.saturating_sub(current) > AHEAD_SLOTS
}

/// Whether an observation is evidence now: neither stale nor of a clock that ran ahead.
pub fn is_fresh(now: Timestamp, seen: &Observation) -> bool {
    let current = slot(now, seen.interval_seconds);
    let stale = current.saturating_sub(seen.slot) > STALE_SLOTS && !active(Mutant::StaleAccepted);
    !stale && !is_ahead(seen.slot, current)
}

/// Whether a slot has been counted where `newest` is the newest one that was. One that lies ahead of its time
/// ([`is_ahead`]) says nothing about what has been counted.
pub fn is_counted(newest: i64, slot: i64) -> bool {
    newest >= slot && !is_ahead(newest, slot)
}

/// Counts one sample. `None`: this slot, or a later one, has been counted already.
///
/// A probe never seen before is *unknown* until one of its thresholds is reached, whichever way: a
/// resource that was never healthy can still be found unhealthy. After a gap of more than
/// [`STALE_SLOTS`] slots the count starts again from unknown, since nobody knows what happened meanwhile. So it does over an
/// observation of a clock that ran ahead, once the clock is right again: whatever was counted by that clock is forgotten, and
/// with it the slots that are now counted a first time.
pub fn observe(
    previous: Option<&Observation>,
    probe: &Probe,
    observer: &str,
    now: Timestamp,
    sample: Sample,
) -> Option<Observed> {
    let interval_seconds = probe.interval_seconds();
    let slot = slot(now, interval_seconds);
    let comparable = previous.filter(|before| before.interval_seconds == interval_seconds);
    if comparable.is_some_and(|before| is_counted(before.slot, slot)) && !active(Mutant::SlotNotCompared) {
        return None;
    }
    let continued =
        comparable.filter(|before| slot.saturating_sub(before.slot) <= STALE_SLOTS && !is_ahead(before.slot, slot));

    let threshold = match sample.health {
        Health::Healthy => probe.common().healthy_threshold,
        Health::Degraded | Health::Unhealthy | Health::Unknown => probe.common().unhealthy_threshold,
    };
    let streak = match continued {
        Some(before) if before.streak.health == sample.health => Streak {
            slots: before.streak.slots.saturating_add(1).min(threshold),
            ..before.streak
        },
        _ => Streak {
            health: sample.health,
            slots: 1,
            since: now,
        },
    };
    let (before_health, before_since) =
        continued.map_or((Health::Unknown, now), |before| (before.health, before.since));
    let settled = streak.slots >= threshold && streak.health != before_health;
    let (health, since) = if settled {
        (streak.health, now)
    } else {
        (before_health, before_since)
    };
    // Nobody could say for a whole threshold: that is news too, although the settled health stays unknown.
    let sure_of_nothing = streak.health == Health::Unknown
        && streak.slots >= threshold
        && continued.is_none_or(|before| before.streak.health != Health::Unknown || before.streak.slots < threshold);
    // After a gap decision has taken the site for unknown: settling again is news, though it is what was settled before.
    let changed = previous.map_or(Health::Unknown, |before| before.health) != health
        || before_health != health
        || sure_of_nothing;
    let write = changed
        || continued.is_none()
        || previous.is_none_or(|before| {
            before.streak.health != streak.health
                || before.streak.slots != streak.slots
                || before.interval_seconds != interval_seconds
                || slot.saturating_sub(before.slot) >= HEARTBEAT_SLOTS
        });
    let failing_since = match sample.health {
        Health::Healthy | Health::Degraded => None,
        Health::Unhealthy | Health::Unknown => continued.and_then(|before| match before.streak.health {
            Health::Unhealthy | Health::Unknown => before.failing_since,
            // The first bad sample of one that was well.
            Health::Healthy | Health::Degraded => {
                matches!(before.health, Health::Healthy | Health::Degraded).then_some(now)
            }
        }),
    };
    let observation = Observation {
        site: probe.common().site.clone(),
        probe: probe.name().to_owned(),
        observer: observer.to_owned(),
        slot,
        interval_seconds,
        health,
        since,
        streak,
        reason: sample.reason,
        observed_at: now,
        failing_since,
        unfit: None,
        unfit_since: None,
    };
    Some(Observed {
        observation,
        changed,
        write,
    })
}

/// What stands before the name of a sufficient alarm that is a [`Witness`].
const ALARM: &str = "alarm:";

/// How long a sufficient alarm may have insufficient data until that is worth telling: a new alarm begins so, and
/// leaves it within minutes; one on a metric that is only sent when something happens has it for long, unless it
/// is set to treat missing data otherwise (<https://repost.aws/knowledge-center/cloudwatch-alarm-insufficient-data-state>).
pub const ALARM_SETTLES: SignedDuration = SignedDuration::from_mins(15);

/// The state of an alarm, as CloudWatch says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum AlarmState {
    /// The metric is as it should be.
    Ok,
    /// The metric is not.
    Alarm,
    /// CloudWatch can not tell.
    InsufficientData,
}

/// An alarm, read from CloudWatch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlarmReading {
    /// The alarm's name.
    pub alarm_name: String,
    /// Its state.
    pub state: AlarmState,
    /// Since when.
    pub since: Timestamp,
    /// CloudWatch's own reason.
    pub reason: String,
}

/// What came of asking CloudWatch for an alarm whose word is sufficient.
///
/// An alarm that says nothing moves nothing and stands in nobody's way; people are told that it is mute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AlarmWord {
    /// The alarm was read.
    Read(AlarmReading),
    /// CloudWatch does not know it.
    Missing {
        /// The alarm's name.
        alarm_name: String,
    },
    /// It could not be asked this time.
    Unread {
        /// The alarm's name.
        alarm_name: String,
        /// What CloudWatch answered.
        why: String,
    },
}

impl AlarmWord {
    /// The alarm that was asked for.
    pub fn alarm_name(&self) -> &str {
        match self {
            Self::Read(reading) => &reading.alarm_name,
            Self::Missing { alarm_name } | Self::Unread { alarm_name, .. } => alarm_name,
        }
    }
}

/// The word of one probe about a site, or of a sufficient alarm that is raised or says nothing; for people and for the
/// record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Witness {
    /// The probe (or `alarm:NAME` for a sufficient alarm).
    pub probe: String,
    /// What it says; unknown where its observation is missing, stale or contradicted by another observer.
    pub health: Health,
    /// Since when, where known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// Since when it has failed without a break: that is before it counted as unhealthy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failing_since: Option<Timestamp>,
    /// Why.
    pub reason: String,
    /// It has begun to be observed and has not reached a threshold yet; of an alarm, it has had too little data for less
    /// than [`ALARM_SETTLES`].
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub settling: bool,
    /// It could not be asked this time. That may be over at the next look.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unread: bool,
    /// Observers whose voice did not count, each with its own reason.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unfit: Vec<String>,
}

impl Witness {
    /// The sufficient alarm that it is, if it is one.
    pub fn alarm(&self) -> Option<&str> {
        self.probe.strip_prefix(ALARM)
    }
}

/// What is known of a site.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SiteHealth {
    /// By the plan's rule.
    pub health: Health,
    /// Since when, where known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// The words it was made of.
    pub witnesses: Vec<Witness>,
    /// Unknown only because a probe has not been observed for long enough yet.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub settling: bool,
}

impl SiteHealth {
    /// When the first of its failing probes began to fail.
    pub fn failing_since(&self) -> Option<Timestamp> {
        let failing = self
            .witnesses
            .iter()
            .filter(|witness| witness.health == Health::Unhealthy);
        failing.filter_map(|witness| witness.failing_since).min()
    }

    /// One line for people: `unhealthy since 10:00:05Z (blue-web: connection refused)`.
    pub fn sentence(&self) -> String {
        let mut text = self.health.to_string();
        if let Some(since) = self.since {
            text.push_str(&format!(" since {}", crate::report::clock(since)));
        }
        let telling: Vec<String> = self
            .witnesses
            .iter()
            .filter(|witness| witness.health == self.health)
            .take(3)
            .map(|witness| format!("{}: {}", witness.probe, witness.reason))
            .collect();
        if !telling.is_empty() {
            text.push_str(&format!(" ({})", telling.join("; ")));
        }
        text
    }
}
