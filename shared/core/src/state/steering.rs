//! Which site the signals call active, which zone is left, how far the dials are open.

use crate::health::AlarmState;
use crate::plan::{AcceleratorDial, AlarmWhen, DnsSignal, Signal, ZonalShift};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What a signal says, by the state of the alarm that watches it; `None` where the alarm has no data yet.
pub fn signalled(signal: &Signal, alarm: AlarmState) -> Option<bool> {
    let goes_off = match signal.alarm_when {
        AlarmWhen::Active => true,
        AlarmWhen::Inactive => false,
    };
    match alarm {
        AlarmState::Alarm => Some(goes_off),
        AlarmState::Ok => Some(!goes_off),
        AlarmState::InsufficientData => None,
    }
}

/// What the signals say while `to` is active, by site.
pub fn wanted_signals(step: &DnsSignal, to: &str) -> BTreeMap<String, bool> {
    let sites = step.signals.keys();
    sites.map(|site| (site.clone(), site == to)).collect()
}

/// A zonal shift: one that was found, or one that is wanted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shift {
    /// The zone that is left, by its id.
    pub away_from: String,
    /// When it ends by itself. Of one that is wanted: the earliest time that is good enough.
    pub ends_at: Timestamp,
    /// The service's name for it; none of one that is wanted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Whether somebody else began it: a person, a practice run, another plan.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub foreign: bool,
}

impl Shift {
    /// Whether it does all that `other` does: from the same zone, by the same hands, and for as long or longer.
    pub fn is_as_good_as(&self, other: &Self) -> bool {
        self.away_from == other.away_from && self.foreign == other.foreign && self.ends_at >= other.ends_at
    }

    /// Whether it is again what undo shall restore: as good as `found`, and not longer than the minutes by which an expiry
    /// can be set. One that would have ended by now is restored where no shift lasts any more, or only for a moment.
    pub fn restores(current: Option<&Self>, found: &Self, now: Timestamp) -> bool {
        /// What [`Shift::lasts_minutes`] adds, and the seconds of a call.
        const SPARE: SignedDuration = SignedDuration::from_mins(3);
        let until = crate::control::later(found.ends_at.max(now), SPARE);
        match current {
            None => found.ends_at <= now,
            Some(current) => {
                let lasts =
                    current.is_as_good_as(found) || (found.ends_at <= now && current.away_from == found.away_from);
                lasts && current.ends_at <= until
            }
        }
    }

    /// For how many minutes a shift must be asked for to be this one again; `hours` of one that is wanted. One that
    /// would have ended meanwhile gets a minute, the shortest that the service takes.
    pub fn lasts_minutes(&self, hours: u32, now: Timestamp) -> u32 {
        /// The longest that the service takes: 72 hours.
        const MOST: i64 = 72 * 60;
        if self.id.is_none() {
            return hours.saturating_mul(60);
        }
        // Begun minutes do not count, and a minute more is for clocks that differ.
        let minutes = self.ends_at.duration_since(now).as_secs().div_euclid(60) + 2;
        u32::try_from(minutes.clamp(1, MOST)).unwrap_or(1)
    }

    pub(super) fn sentence(&self) -> String {
        let whose = if self.foreign { "by somebody else, " } else { "" };
        format!("away from {} ({whose}until {:.0})", self.away_from, self.ends_at)
    }
}

/// The shift that is wanted while `to` is active, if any. Half of its time must be left.
pub fn wanted_shift(step: &ZonalShift, to: &str, now: Timestamp) -> Option<Shift> {
    let half = SignedDuration::from_mins(i64::from(step.expires_in_hours) * 30);
    Some(Shift {
        away_from: step.away_from.get(to)?.clone(),
        ends_at: crate::control::later(now, half),
        id: None,
        foreign: false,
    })
}

/// A percentage as Global Accelerator keeps it, exactly. Always a number.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(try_from = "f32", into = "f32")]
pub struct Percent(f32);

// It is never "not a number", and so always equal to itself.
impl Eq for Percent {}

impl Percent {
    /// None.
    pub const ZERO: Self = Self(0.0);

    /// This percentage.
    ///
    /// # Errors
    /// It is no number from 0 to 100.
    pub fn new(percent: f32) -> Result<Self, String> {
        if (0.0..=100.0).contains(&percent) {
            return Ok(Self(percent));
        }
        Err(format!("a dial is a number from 0 to 100; found {percent}"))
    }

    /// As the service takes it.
    pub fn get(self) -> f32 {
        self.0
    }
}

impl TryFrom<f32> for Percent {
    type Error = String;
    fn try_from(percent: f32) -> Result<Self, String> {
        Self::new(percent)
    }
}

impl From<Percent> for f32 {
    fn from(percent: Percent) -> Self {
        percent.0
    }
}

impl std::fmt::Display for Percent {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{} %", self.0)
    }
}

/// How much of the traffic an endpoint group gets, and its endpoints.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dial {
    /// The group's traffic dial.
    pub percent: Percent,
    /// The weights of the endpoints that the plan names.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub weights: BTreeMap<String, u32>,
}

/// Endpoint groups by their ARNs.
pub type Dials = BTreeMap<String, Dial>;

impl Dial {
    /// Whether somebody gets more by it than by `before`.
    pub fn raises(&self, before: &Self) -> bool {
        let heavier = |(id, weight): (&String, &u32)| before.weights.get(id).is_none_or(|old| weight > old);
        self.percent > before.percent || self.weights.iter().any(heavier)
    }

    pub(super) fn sentence(&self, arn: &str) -> String {
        let short = |name: &str| name.rsplit('/').next().unwrap_or(name).to_owned();
        let weights = self.weights.iter();
        let weights: String = weights.map(|(id, weight)| format!(" {}={weight}", short(id))).collect();
        format!("{} at {}{weights}", short(arn), self.percent)
    }
}

/// The dials while `to` is active.
///
/// A group of the destination's own is open to the plan's percentage, one that it shares stays as it is; groups that
/// are not the destination's are closed.
pub fn wanted_dials(step: &AcceleratorDial, to: &str, current: &Dials) -> Dials {
    let dial = |(arn, now): (&String, &Dial)| {
        let of_group = || step.sites.iter().filter(|(_, site)| site.endpoint_group_arn == *arn);
        let Some((_, own)) = of_group().find(|(name, _)| *name == to) else {
            let closed = Dial {
                percent: Percent::ZERO,
                ..now.clone()
            };
            return (arn.clone(), closed);
        };
        let shared = of_group().count() > 1;
        let whole = || own.percent.unwrap_or(100) as f32;
        let percent = if shared { now.percent.get() } else { whole() };
        let weights = now.weights.keys().map(|id| {
            let weight = own.endpoints.get(id).copied().unwrap_or(0);
            (id.clone(), weight)
        });
        let wanted = Dial {
            percent: Percent::new(percent).unwrap_or(now.percent),
            weights: weights.collect(),
        };
        (arn.clone(), wanted)
    };
    current.iter().map(dial).collect()
}

/// The next group on the way from one state to another: those that get more come first, so that nobody is left without.
pub fn next_dial<'a>(from: &Dials, into: &'a Dials) -> Option<(&'a str, &'a Dial)> {
    let differs = |(arn, wanted): &(&String, &Dial)| from.get(*arn) != Some(*wanted);
    let raised = |(arn, wanted): &(&String, &Dial)| from.get(*arn).is_none_or(|now| wanted.raises(now));
    let next = into.iter().filter(differs);
    let next = next.clone().find(raised).or_else(|| next.clone().next());
    next.map(|(arn, wanted)| (arn.as_str(), wanted))
}

/// Whether the way from one state to another, a group at a time, passes through `now`.
pub fn is_on_the_way(from: &Dials, now: &Dials, into: &Dials) -> bool {
    let mut here = from.clone();
    while let Some((arn, wanted)) = next_dial(&here, into) {
        here.insert(arn.to_owned(), wanted.clone());
        if here == *now && here != *into {
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;
    use serde_json::{Value, json};

    fn step<T: serde::de::DeserializeOwned>(mut step: Value) -> T {
        step["name"] = json!("a-step");
        serde_json::from_value(step).unwrap()
    }

    fn at(minutes: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + minutes * 60).unwrap()
    }

    #[test]
    fn a_signal_is_read_from_its_alarm() {
        let signal =
            |when: &str| -> Signal { serde_json::from_value(json!({"alarm_name": "a", "alarm_when": when})).unwrap() };
        for (when, alarm, said) in [
            ("inactive", AlarmState::Alarm, Some(false)),
            ("inactive", AlarmState::Ok, Some(true)),
            ("active", AlarmState::Alarm, Some(true)),
            ("active", AlarmState::Ok, Some(false)),
            ("active", AlarmState::InsufficientData, None),
            ("inactive", AlarmState::InsufficientData, None),
        ] {
            assert_eq!(signalled(&signal(when), alarm), said, "{when}, {alarm:?}");
        }
    }

    #[test]
    fn one_site_is_active_and_the_others_are_not() {
        let signals = json!({"blue": {"alarm_name": "b"}, "green": {"alarm_name": "g"}});
        let signals: DnsSignal = step(json!({"namespace": "n", "metric_name": "m", "signals": signals}));
        let wanted = wanted_signals(&signals, "green");
        assert_eq!(wanted, [("blue".to_owned(), false), ("green".to_owned(), true)].into());
        assert!(wanted_signals(&signals, "red").values().all(|active| !active));
    }

    fn shifting() -> ZonalShift {
        step(json!({"resource_identifier": "arn", "away_from": {"green": "euw1-az1"}, "expires_in_hours": 24}))
    }

    fn found(ends_at: Timestamp) -> Shift {
        Shift {
            away_from: "euw1-az1".into(),
            ends_at,
            id: Some("6f".into()),
            foreign: false,
        }
    }

    #[test]
    fn a_shift_is_restored_when_it_ends_again_when_it_would_have() {
        let before = found(at(120));
        let restored = |current: Option<Shift>, now| Shift::restores(current.as_ref(), &before, now);
        assert!(restored(Some(found(at(120))), at(0)));
        assert!(restored(Some(found(at(122))), at(0)), "an expiry is set by the minute");
        assert!(!restored(Some(found(at(24 * 60))), at(0)), "extended");
        assert!(!restored(Some(found(at(60))), at(0)), "cut short");
        assert!(!restored(None, at(0)));
        // It would have ended meanwhile.
        assert!(restored(None, at(121)));
        assert!(restored(Some(found(at(122))), at(121)), "about to end");
        assert!(!restored(Some(found(at(24 * 60))), at(121)));
    }

    #[test]
    fn a_shift_is_good_enough_while_half_of_its_time_is_left() {
        let wanted = wanted_shift(&shifting(), "green", at(0)).unwrap();
        assert!(found(at(12 * 60)).is_as_good_as(&wanted));
        assert!(!found(at(12 * 60 - 1)).is_as_good_as(&wanted));
        let theirs = Shift {
            foreign: true,
            ..found(at(24 * 60))
        };
        assert!(!theirs.is_as_good_as(&wanted));
        let elsewhere = Shift {
            away_from: "euw1-az2".into(),
            ..found(at(24 * 60))
        };
        assert!(!elsewhere.is_as_good_as(&wanted));
        assert_eq!(wanted_shift(&shifting(), "blue", at(0)), None, "all zones carry blue");
    }

    #[test]
    fn a_new_shift_lasts_its_hours_and_a_restored_one_until_it_would_have_ended() {
        let wanted = wanted_shift(&shifting(), "green", at(0)).unwrap();
        assert_eq!(wanted.lasts_minutes(24, at(0)), 24 * 60);
        for (ends_at, minutes) in [(at(90), 92), (at(0), 2), (at(-90), 1), (at(100 * 60), 72 * 60)] {
            let lasts = found(ends_at).lasts_minutes(24, at(0));
            assert_eq!(lasts, minutes);
            let restored = found(crate::control::later(
                at(0),
                SignedDuration::from_mins(i64::from(lasts)),
            ));
            assert!(restored.is_as_good_as(&found(ends_at)) || minutes == 72 * 60);
        }
    }

    fn dial(percent: f32, weights: &[(&str, u32)]) -> Dial {
        let weights = weights.iter().map(|(id, weight)| ((*id).to_owned(), *weight));
        Dial {
            percent: Percent::new(percent).unwrap(),
            weights: weights.collect(),
        }
    }

    fn dials(all: &[(&str, Dial)]) -> Dials {
        all.iter()
            .map(|(arn, dial)| ((*arn).to_owned(), dial.clone()))
            .collect()
    }

    #[test]
    fn the_destinations_group_opens_and_all_others_close() {
        let sites = json!({"blue": {"endpoint_group_arn": "b"}, "green": {"endpoint_group_arn": "g", "percent": 30},
                           "red": {"endpoint_group_arn": "r"}});
        let step: AcceleratorDial = step(json!({"sites": sites}));
        let now = dials(&[("b", dial(70.0, &[])), ("g", dial(0.0, &[])), ("r", dial(5.0, &[]))]);
        let wanted = wanted_dials(&step, "green", &now);
        assert_eq!(
            wanted,
            dials(&[("b", dial(0.0, &[])), ("g", dial(30.0, &[])), ("r", dial(0.0, &[]))])
        );
        let home = wanted_dials(&step, "blue", &wanted);
        assert_eq!(home["b"], dial(100.0, &[]));
    }

    #[test]
    fn a_shared_group_keeps_its_dial_and_moves_weights() {
        let sites = json!({"blue": {"endpoint_group_arn": "one", "endpoints": {"x": 128}},
                           "green": {"endpoint_group_arn": "one", "endpoints": {"y": 200}}});
        let step: AcceleratorDial = step(json!({"sites": sites}));
        let now = dials(&[("one", dial(40.0, &[("x", 128), ("y", 0)]))]);
        let wanted = wanted_dials(&step, "green", &now);
        assert_eq!(wanted, dials(&[("one", dial(40.0, &[("x", 0), ("y", 200)]))]));
    }

    #[test]
    fn what_is_opened_comes_first_there_and_back() {
        let from = dials(&[("b", dial(100.0, &[])), ("g", dial(0.0, &[])), ("r", dial(50.0, &[]))]);
        let into = dials(&[("b", dial(0.0, &[])), ("g", dial(100.0, &[])), ("r", dial(0.0, &[]))]);
        let order = |from: &Dials, into: &Dials| {
            let (mut here, mut order) = (from.clone(), Vec::new());
            while let Some((arn, dial)) = next_dial(&here, into) {
                assert!(order.len() < 3, "it ends");
                order.push(arn.to_owned());
                here.insert(arn.to_owned(), dial.clone());
            }
            assert_eq!(here, *into);
            order
        };
        assert_eq!(order(&from, &into), ["g", "b", "r"]);
        assert_eq!(order(&into, &from), ["b", "r", "g"]);

        let between = dials(&[("b", dial(100.0, &[])), ("g", dial(100.0, &[])), ("r", dial(50.0, &[]))]);
        assert!(is_on_the_way(&from, &between, &into));
        let closed = dials(&[("b", dial(0.0, &[])), ("g", dial(0.0, &[])), ("r", dial(50.0, &[]))]);
        assert!(!is_on_the_way(&from, &closed, &into), "nobody is left without");
        assert!(!is_on_the_way(&from, &into, &into) && !is_on_the_way(&from, &from, &into));
    }

    #[test]
    fn a_percentage_comes_back_as_it_was_and_nonsense_is_refused() {
        for percent in [0.0, 12.3, 33.333_332, 99.7, 100.0] {
            let kept = serde_json::to_value(Percent::new(percent).unwrap()).unwrap();
            let back: Percent = serde_json::from_value(kept).unwrap();
            assert_eq!(back.get().to_bits(), percent.to_bits());
        }
        for nonsense in [-1.0, 100.1, f32::NAN, f32::INFINITY] {
            assert!(Percent::new(nonsense).is_err(), "{nonsense}");
        }
        assert!(serde_json::from_value::<Percent>(json!(101)).is_err());
    }
}
