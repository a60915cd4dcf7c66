//! From observations to the health of a site.
//!
//! 1. For each probe, the fresh words of fit observers are counted against the plan's quorum ([`agreed`]). A word from the
//!    future is not fresh: a clock is wrong, and its observer is named with those whose voice does not count.
//! 2. The plan's rule (`any`, `all`, `at_least`) makes the health of the site of its probes.
//! 3. An alarm whose word is sufficient and that is in ALARM makes it unhealthy all the same. One that says nothing is a
//!    witness that knows nothing.

use super::{
    ALARM, ALARM_SETTLES, AlarmReading, AlarmState, AlarmWord, Health, Observation, SiteHealth, Witness, is_ahead,
    is_fresh, slot,
};
use crate::control::later;
use crate::mutant::{Mutant, active};
use crate::plan::{AlarmEvidence, Plan, Probe, UnhealthyRule};
use jiff::Timestamp;
use std::collections::BTreeMap;

/// The health of every site of the plan.
///
/// `alarms` is what came of asking for the plan's alarms whose word is sufficient; hints need none.
pub fn assess(
    now: Timestamp,
    plan: &Plan,
    observations: &[Observation],
    alarms: &[AlarmWord],
) -> BTreeMap<String, SiteHealth> {
    plan.sites
        .iter()
        .map(|site| {
            let mut witnesses: Vec<Witness> = plan
                .probes_of(&site.name)
                .map(|probe| testify(now, plan, probe, observations))
                .collect();
            let (mut health, mut since) = rule(plan.policy.unhealthy_when, &witnesses);
            let settling = health == Health::Unknown
                && witnesses
                    .iter()
                    .all(|witness| witness.health != Health::Unknown || witness.settling);
            let words: Vec<&AlarmWord> = plan
                .alarms
                .iter()
                .filter(|alarm| alarm.site == site.name && alarm.evidence == AlarmEvidence::Sufficient)
                .filter_map(|alarm| alarms.iter().find(|word| word.alarm_name() == alarm.alarm_name))
                .collect();
            let raised = words
                .iter()
                .filter_map(|word| match word {
                    AlarmWord::Read(reading) if reading.state == AlarmState::Alarm => Some(reading),
                    _ => None,
                })
                .min_by_key(|reading| reading.since);
            if let Some(reading) = raised.filter(|_| health != Health::Unhealthy) {
                (health, since) = (Health::Unhealthy, Some(reading.since));
                let witness = alarm_witness(&reading.alarm_name, health, &reading.reason);
                witnesses.push(Witness {
                    since,
                    failing_since: since,
                    ..witness
                });
            }
            witnesses.extend(words.into_iter().filter_map(|word| mute(now, plan, word)));
            let found = SiteHealth {
                health,
                since,
                witnesses,
                settling: settling && health == Health::Unknown,
            };
            (site.name.clone(), found)
        })
        .collect()
}

// An alarm that says nothing is told, and counted neither for nor against: the probes alone decide then.
fn mute(now: Timestamp, plan: &Plan, word: &AlarmWord) -> Option<Witness> {
    let unknown = |reason: &str| alarm_witness(word.alarm_name(), Health::Unknown, reason);
    match word {
        AlarmWord::Read(AlarmReading {
            state: AlarmState::InsufficientData,
            since,
            reason,
            ..
        }) => Some(Witness {
            since: Some(*since),
            settling: now < later(*since, ALARM_SETTLES),
            ..unknown(&format!(
                "CloudWatch has too little data for it ({reason}); if none means that all is well, let the alarm treat \
                 missing data as notBreaching"
            ))
        }),
        AlarmWord::Read(_) => None,
        AlarmWord::Missing { alarm_name } => Some(unknown(if plan.sets_up_alarm(alarm_name) {
            "CloudWatch does not know this alarm; `setup` makes it"
        } else {
            "CloudWatch does not know this alarm; create it, or take it out of the plan"
        })),
        AlarmWord::Unread { why, .. } => Some(Witness {
            unread: true,
            ..unknown(&format!("it can not be read: {why}"))
        }),
    }
}

fn alarm_witness(alarm_name: &str, health: Health, reason: &str) -> Witness {
    Witness {
        probe: format!("{ALARM}{alarm_name}"),
        health,
        since: None,
        failing_since: None,
        reason: reason.to_owned(),
        settling: false,
        unread: false,
        unfit: Vec::new(),
    }
}

// What the observers of one probe say together.
fn testify(now: Timestamp, plan: &Plan, probe: &Probe, observations: &[Observation]) -> Witness {
    let seen: Vec<&Observation> = observations
        .iter()
        .filter(|seen| seen.probe == probe.name() && seen.site == probe.common().site)
        .collect();
    let (ahead, seen): (Vec<&Observation>, Vec<&Observation>) = seen
        .into_iter()
        .partition(|seen| is_ahead(seen.slot, slot(now, seen.interval_seconds)));
    let (fresh, old): (Vec<&Observation>, Vec<&Observation>) = seen.into_iter().partition(|seen| is_fresh(now, seen));
    let (fit, blind): (Vec<&Observation>, Vec<&Observation>) = fresh.into_iter().partition(|seen| seen.unfit.is_none());
    let early: Vec<String> = ahead.iter().map(|seen| wrong_clock(now, seen)).collect();
    let unfit: Vec<String> = blind
        .iter()
        .map(|seen| format!("{}: {}", seen.observer, seen.unfit.as_deref().unwrap_or_default()))
        .chain(early.iter().cloned())
        .collect();
    let unknown = |reason: String, settling: bool| Witness {
        probe: probe.name().to_owned(),
        health: Health::Unknown,
        since: None,
        failing_since: None,
        reason,
        settling,
        unread: false,
        unfit: unfit.clone(),
    };
    let Some(newest) = fit.iter().max_by_key(|seen| seen.observed_at) else {
        if let Some(why) = early.first() {
            return unknown(why.clone(), false);
        }
        if let Some(why) = unfit.first() {
            return unknown(format!("every observer calls itself unfit ({why})"), false);
        }
        return match old.iter().map(|seen| seen.observed_at).max() {
            Some(at) => unknown(
                format!("last observed {}, too long ago", crate::report::clock(at)),
                false,
            ),
            None => unknown("never observed".into(), true),
        };
    };
    let quorum = if active(Mutant::QuorumIgnored) {
        1
    } else {
        plan.policy.observers.quorum.max(1) as usize
    };
    let silent: Vec<&Observation> = blind.iter().chain(&old).copied().collect();
    let Some((health, since)) = agreed(&fit, &silent, quorum) else {
        let voices: Vec<String> = fit
            .iter()
            .map(|seen| format!("{} says {}", seen.observer, seen.health))
            .collect();
        let settling = fit
            .iter()
            .all(|seen| seen.health == Health::Unknown && seen.streak.health != Health::Unknown);
        let why = if fit.len() < quorum {
            format!("{quorum} observers must agree and {} can be heard: ", fit.len())
        } else {
            "observers disagree: ".to_owned()
        };
        return unknown(format!("{why}{}", voices.join(", ")), settling);
    };
    // The settled reason is that of the streak only while both agree; say so when a change is on its way.
    let telling = fit
        .iter()
        .filter(|seen| seen.health == health)
        .max_by_key(|seen| seen.observed_at)
        .unwrap_or(newest);
    let reason = if telling.streak.health == telling.health {
        telling.reason.clone()
    } else {
        format!(
            "{} slot(s) {}: {}",
            telling.streak.slots, telling.streak.health, telling.reason
        )
    };
    let unknown_is_bad = active(Mutant::UnknownIsUnhealthy) && health == Health::Unknown;
    Witness {
        probe: probe.name().to_owned(),
        health: if unknown_is_bad { Health::Unhealthy } else { health },
        since: Some(since),
        failing_since: fit
            .iter()
            .filter(|seen| seen.health == health)
            .filter_map(|seen| seen.failing_since)
            .min(),
        reason,
        settling: health == Health::Unknown && telling.streak.health != Health::Unknown,
        unread: false,
        unfit,
    }
}

/// The plan's probes that fewer observers look at now than its quorum asks for, though more have.
///
/// Those of observers that call themselves unfit count here: they look, and what they say of themselves wakes decision.
pub fn short_of_quorum(now: Timestamp, plan: &Plan, observations: &[Observation]) -> impl Iterator<Item = String> {
    let quorum = plan.policy.observers.quorum.max(1) as usize;
    plan.probes.iter().filter_map(move |probe| {
        let of_probe = |seen: &&Observation| seen.probe == probe.name() && seen.site == probe.common().site;
        let seen = observations.iter().filter(of_probe);
        let fresh = seen.clone().filter(|seen| is_fresh(now, seen)).count();
        (fresh < quorum && fresh < seen.count()).then(|| probe.name().to_owned())
    })
}

// Which clock it is nobody can tell from here: the observer's was ahead when it looked, or ours is behind.
fn wrong_clock(now: Timestamp, seen: &Observation) -> String {
    let start = seen.slot.saturating_mul(i64::from(seen.interval_seconds.max(1)));
    format!(
        "{}: observed {} s ahead of our clock; one of the two clocks is or was wrong, and this is no evidence",
        seen.observer,
        start.saturating_sub(now.as_second())
    )
}

/// The one health that at least `quorum` observers report, and since when it has been the only one.
///
/// Two healths that both have their quorum contradict each other. With a quorum of one that is every
/// disagreement; a larger one lets the many outvote the few. A voice that has fallen `silent` contradicted for as long as
/// it was heard: what it may have held back is not settled from before.
fn agreed(fit: &[&Observation], silent: &[&Observation], quorum: usize) -> Option<(Health, Timestamp)> {
    let mut voices: BTreeMap<Health, Vec<Timestamp>> = BTreeMap::new();
    for seen in fit {
        voices.entry(seen.health).or_default().push(seen.since);
    }
    voices.retain(|_, since| since.len() >= quorum);
    if voices.len() > 1 {
        return None;
    }
    let (health, mut since) = voices.pop_first()?;
    since.sort();
    // It held from the voice on with which it had its quorum, and with which too few were left for another one.
    let decisive = (quorum - 1).max(fit.len().saturating_sub(quorum)).min(since.len() - 1);
    let decided = *since.get(decisive)?;
    since.extend(silent.iter().map(|seen| seen.contradicted_until(health)));
    since.sort();
    let alone = (fit.len() + silent.len()).saturating_sub(quorum).min(since.len() - 1);
    Some((health, decided.max(*since.get(alone)?)))
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
