//! From one answer to the health of a site.
//!
//! 1. A probe is tried once a *slot* (`floor(now / interval)`), which gives a [`Sample`].
//! 2. [`observe`] counts slots, not calls: the thresholds of the probe turn a run of equal samples into a
//!    settled [`Health`]. Two overlapping probe functions can not count a slot twice, because the
//!    observation is only ever replaced by one of a greater slot.
//! 3. [`assess`] turns fresh observations into the health of each site by the plan's rule. What is missing,
//!    stale or contradictory is *unknown*, and unknown is never unhealthy.

use crate::mutant::{Mutant, active};
use crate::plan::{AlarmEvidence, Plan, Probe, UnhealthyRule};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Evidence older than this many slots of its probe is stale: it counts as unknown.
pub const STALE_SLOTS: i64 = 3;

/// An unchanged observation is written again when it is this many slots old. It must be smaller than
/// [`STALE_SLOTS`], or healthy sites would go stale between two heartbeats.
pub const HEARTBEAT_SLOTS: i64 = 2;

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

/// The slot of `now` for an interval.
pub fn slot(now: Timestamp, interval_seconds: u32) -> i64 {
    now.as_second().div_euclid(i64::from(interval_seconds.max(1)))
}

/// Counts one sample. `None`: this slot, or a later one, has been counted already.
///
/// A probe never seen before is *unknown* until one of its thresholds is reached, whichever way: a
/// resource that was never healthy can still be found unhealthy. After a gap of more than
/// [`STALE_SLOTS`] slots the count starts again from unknown, since nobody knows what happened meanwhile.
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
    if comparable.is_some_and(|before| before.slot >= slot) && !active(Mutant::SlotNotCompared) {
        return None;
    }
    let continued = comparable.filter(|before| slot - before.slot <= STALE_SLOTS);

    let threshold = match sample.health {
        Health::Healthy => probe.common().healthy_threshold,
        Health::Degraded | Health::Unhealthy | Health::Unknown => probe.common().unhealthy_threshold,
    };
    let streak = match continued {
        Some(before) if before.streak.health == sample.health => Streak {
            slots: (before.streak.slots + 1).min(threshold),
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
        || previous.is_none_or(|before| {
            before.streak.health != streak.health
                || before.streak.slots != streak.slots
                || before.interval_seconds != interval_seconds
                || slot - before.slot >= HEARTBEAT_SLOTS
        });
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
    };
    Some(Observed {
        observation,
        changed,
        write,
    })
}

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

/// One probe's word about a site, for people and for the record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Witness {
    /// The probe (or `alarm:NAME` for a sufficient alarm).
    pub probe: String,
    /// What it says; unknown where its observation is missing, stale or contradicted by another observer.
    pub health: Health,
    /// Since when, where known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// Why.
    pub reason: String,
    /// It has begun to be observed and has not reached a threshold yet.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub settling: bool,
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

/// The health of every site of the plan.
///
/// `alarms` are the readings of the plan's alarms whose word is sufficient; hints need none.
pub fn assess(
    now: Timestamp,
    plan: &Plan,
    observations: &[Observation],
    alarms: &[AlarmReading],
) -> BTreeMap<String, SiteHealth> {
    plan.sites
        .iter()
        .map(|site| {
            let mut witnesses: Vec<Witness> = plan
                .probes_of(&site.name)
                .map(|probe| testify(now, probe, observations))
                .collect();
            let (health, since) = rule(plan.policy.unhealthy_when, &witnesses);
            let alarm = plan
                .alarms
                .iter()
                .filter(|alarm| alarm.site == site.name && alarm.evidence == AlarmEvidence::Sufficient)
                .filter_map(|alarm| alarms.iter().find(|reading| reading.alarm_name == alarm.alarm_name))
                .filter(|reading| reading.state == AlarmState::Alarm)
                .min_by_key(|reading| reading.since);
            let found = match alarm {
                Some(reading) if health != Health::Unhealthy => {
                    witnesses.push(Witness {
                        probe: format!("alarm:{}", reading.alarm_name),
                        health: Health::Unhealthy,
                        since: Some(reading.since),
                        reason: reading.reason.clone(),
                        settling: false,
                    });
                    SiteHealth {
                        health: Health::Unhealthy,
                        since: Some(reading.since),
                        witnesses,
                        settling: false,
                    }
                }
                _ => {
                    let settling = health == Health::Unknown
                        && witnesses
                            .iter()
                            .all(|witness| witness.health != Health::Unknown || witness.settling);
                    SiteHealth {
                        health,
                        since,
                        witnesses,
                        settling,
                    }
                }
            };
            (site.name.clone(), found)
        })
        .collect()
}

fn testify(now: Timestamp, probe: &Probe, observations: &[Observation]) -> Witness {
    let unknown = |reason: String| Witness {
        probe: probe.name().to_owned(),
        health: Health::Unknown,
        since: None,
        reason,
        settling: false,
    };
    let seen: Vec<&Observation> = observations
        .iter()
        .filter(|seen| seen.probe == probe.name() && seen.site == probe.common().site)
        .collect();
    let Some(newest) = seen.iter().max_by_key(|seen| seen.observed_at) else {
        return Witness {
            settling: true,
            ..unknown("never observed".into())
        };
    };
    let fresh: Vec<&&Observation> = seen
        .iter()
        .filter(|seen| slot(now, seen.interval_seconds) - seen.slot <= STALE_SLOTS || active(Mutant::StaleAccepted))
        .collect();
    let Some(first) = fresh.iter().min_by_key(|seen| seen.since) else {
        return unknown(format!(
            "last observed {}, too long ago",
            crate::report::clock(newest.observed_at)
        ));
    };
    if let Some(other) = fresh.iter().find(|seen| seen.health != first.health) {
        return unknown(format!(
            "observers disagree: {} says {}, {} says {}",
            first.observer, first.health, other.observer, other.health
        ));
    }
    // The settled reason is that of the streak only while both agree; say so when a change is on its way.
    let reason = if newest.streak.health == newest.health {
        newest.reason.clone()
    } else {
        format!(
            "{} slot(s) {}: {}",
            newest.streak.slots, newest.streak.health, newest.reason
        )
    };
    let since = fresh.iter().map(|seen| seen.since).max();
    let settling = first.health == Health::Unknown && newest.streak.health != Health::Unknown;
    let unknown_is_bad = active(Mutant::UnknownIsUnhealthy) && first.health == Health::Unknown;
    Witness {
        probe: probe.name().to_owned(),
        health: if unknown_is_bad {
            Health::Unhealthy
        } else {
            first.health
        },
        since,
        reason,
        settling,
    }
}

fn rule(rule: UnhealthyRule, witnesses: &[Witness]) -> (Health, Option<Timestamp>) {
    if witnesses.is_empty() {
        return (Health::Unknown, None);
    }
    let mut bad_since: Vec<Timestamp> = witnesses
        .iter()
        .filter(|witness| witness.health == Health::Unhealthy)
        .filter_map(|witness| witness.since)
        .collect();
    bad_since.sort();
    let needed = match rule {
        UnhealthyRule::Any => 1,
        UnhealthyRule::All => witnesses.len(),
        UnhealthyRule::AtLeast(count) => (count as usize).max(1),
    };
    if bad_since.len() >= needed {
        // The moment at which the rule became true: that of the last probe it needed.
        return (Health::Unhealthy, bad_since.get(needed - 1).copied());
    }
    let latest = |health: Health| {
        witnesses
            .iter()
            .filter(|witness| witness.health == health)
            .filter_map(|w| w.since)
            .max()
    };
    if witnesses.iter().any(|witness| witness.health == Health::Unknown) {
        return (Health::Unknown, None);
    }
    if !bad_since.is_empty() {
        return (Health::Degraded, bad_since.first().copied());
    }
    if witnesses.iter().any(|witness| witness.health == Health::Degraded) {
        return (Health::Degraded, latest(Health::Degraded));
    }
    (Health::Healthy, latest(Health::Healthy))
}
