//! Signals, zonal shifts and accelerators of [`FakeCloud`], and the sandboxes' and the simulator's ways to them.
//!
//! As in AWS: an alarm follows its metric some reads after a datapoint and keeps its state while nothing comes; one zonal
//! shift of a resource is active at a time and ends by itself; an accelerator is `IN_PROGRESS` for a while after each change.

use crate::clock::lock;
use crate::cloud::{FakeCloud, Maturing, State, not_found};
use crate::cloud_ports::conflict;
use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeMap;
use understudy_core::control::later;
use understudy_core::health::AlarmState;
use understudy_core::state::{Dial, Percent, ResourceState, Shift};
use understudy_engine::ports::{
    Accelerators, ActiveShift, CallError, Clock, EndpointGroup, ShiftedResource, SignalMetric, Signals, ZonalShifts,
};

/// What steers traffic.
#[derive(Default)]
pub(crate) struct Steering {
    signals: Vec<FakeSignal>,
    shifted: BTreeMap<String, Shifted>,
    next_shift: u32,
    dials: BTreeMap<String, EndpointGroup>,
    /// How long after a datapoint its alarm evaluates it, beside the reads that see it on its way.
    alarms_follow_after: SignedDuration,
    /// The accelerators, each with its number of reads until it is deployed.
    accelerators: BTreeMap<String, Maturing<()>>,
}

struct FakeSignal {
    metric: SignalMetric,
    alarm: String,
    goes_off_at: f64,
    value: Option<Maturing<f64>>,
    /// Nothing is evaluated before.
    follows_at: Timestamp,
}

#[derive(Default)]
struct Shifted {
    zones: Vec<String>,
    shifts: Vec<ActiveShift>,
    autoshifts: Vec<String>,
}

impl Steering {
    // The state of each alarm that has evaluated a datapoint with this read.
    fn evaluated(&mut self, now: Timestamp) -> Vec<(String, AlarmState)> {
        let due = self.signals.iter_mut().filter(|signal| signal.follows_at <= now);
        let followed = due.filter_map(|signal| {
            let value = signal.value.as_mut()?;
            if !value.arrives() {
                return None;
            }
            let off = (value.now - signal.goes_off_at).abs() < 0.5;
            let state = if off { AlarmState::Alarm } else { AlarmState::Ok };
            Some((signal.alarm.clone(), state))
        });
        followed.collect()
    }
}

/// One read more of the alarms: those whose time has come follow their metrics.
pub(crate) fn evaluate(state: &mut State, now: Timestamp) {
    for (name, to) in state.steering.evaluated(now) {
        if let Some(alarm) = state.alarms.get_mut(&name).filter(|alarm| alarm.state != to) {
            (alarm.state, alarm.since) = (to, now);
        }
    }
}

impl FakeCloud {
    /// Puts an alarm there that goes off while the newest value of this metric is `goes_off_at`.
    pub fn put_signal(&self, metric: SignalMetric, alarm: &str, goes_off_at: f64, state: AlarmState) {
        self.put_alarm(alarm, state);
        let value = None;
        let alarm = alarm.to_owned();
        lock(&self.state).steering.signals.push(FakeSignal {
            metric,
            alarm,
            goes_off_at,
            value,
            follows_at: Timestamp::MIN,
        });
    }

    /// An alarm evaluates what is published from now on no sooner than this, as in AWS, where it takes a minute or two.
    pub fn let_alarms_follow_after(&self, time: SignedDuration) {
        lock(&self.state).steering.alarms_follow_after = time;
    }

    /// The state that an alarm really has.
    pub fn alarm_state(&self, name: &str) -> Option<AlarmState> {
        lock(&self.state).alarms.get(name).map(|alarm| alarm.state)
    }

    /// Puts a resource there for which zonal shift is enabled.
    pub fn put_shiftable(&self, arn: &str, zones: &[&str]) {
        let zones = zones.iter().map(|zone| (*zone).to_owned()).collect();
        let shifted = Shifted {
            zones,
            ..Shifted::default()
        };
        lock(&self.state).steering.shifted.insert(arn.to_owned(), shifted);
    }

    /// Starts a zonal shift as somebody else would, or as an earlier move of a plan: what was active is not any more.
    pub fn put_shift(&self, arn: &str, away_from: &str, comment: &str, shift_type: &str, lasts: SignedDuration) {
        let ends_at = understudy_core::control::later(self.clock.now(), lasts);
        let mut state = lock(&self.state);
        state.steering.next_shift += 1;
        let id = format!("shift-{}", state.steering.next_shift);
        if let Some(shifted) = state.steering.shifted.get_mut(arn) {
            shifted.shifts = vec![ActiveShift {
                id,
                away_from: away_from.to_owned(),
                ends_at,
                comment: comment.to_owned(),
                shift_type: shift_type.to_owned(),
            }];
        }
    }

    /// AWS leaves this zone by itself, or comes back (`None`).
    pub fn put_autoshift(&self, arn: &str, away_from: Option<&str>) {
        if let Some(shifted) = lock(&self.state).steering.shifted.get_mut(arn) {
            shifted.autoshifts = away_from.into_iter().map(str::to_owned).collect();
        }
    }

    /// The shifts of a resource that have not ended.
    pub fn shifts(&self, arn: &str) -> Vec<ActiveShift> {
        let now = self.clock.now();
        let state = lock(&self.state);
        let shifts = state.steering.shifted.get(arn).map(|shifted| shifted.shifts.clone());
        let active = shifts.into_iter().flatten();
        active.filter(|shift| shift.ends_at > now).collect()
    }

    /// Puts an endpoint group there, or changes it as somebody else would.
    pub fn put_endpoint_group(&self, arn: &str, percent: Percent, endpoints: &[(&str, u32)]) {
        let endpoints = endpoints.iter().map(|(id, weight)| ((*id).to_owned(), *weight));
        let group = EndpointGroup {
            percent,
            endpoints: endpoints.collect(),
        };
        let mut state = lock(&self.state);
        state.steering.dials.insert(arn.to_owned(), group);
        let accelerator = accelerator_of(arn).to_owned();
        let accelerators = &mut state.steering.accelerators;
        accelerators.entry(accelerator).or_insert(Maturing::arrived(()));
    }

    /// An endpoint group as it really is.
    pub fn endpoint_group_now(&self, arn: &str) -> Option<EndpointGroup> {
        lock(&self.state).steering.dials.get(arn).cloned()
    }

    // A change of the shifts of the resource that has this one.
    fn change_shift(
        &self,
        operation: &'static str,
        id: &str,
        change: impl FnOnce(&mut Vec<ActiveShift>, usize),
    ) -> Result<(), CallError> {
        let now = self.clock.now();
        let (arn, before, after) = {
            let mut state = lock(&self.state);
            let mut resources = state.steering.shifted.iter_mut();
            let found = resources.find_map(|(arn, shifted)| {
                let mut shifts = shifted.shifts.iter();
                let at = shifts.position(|shift| shift.id == id && shift.ends_at > now)?;
                Some((arn.clone(), shifted, at))
            });
            let Some((arn, shifted, at)) = found else {
                return Err(conflict(format!(
                    "shift {id} is not active any more; nothing was changed"
                )));
            };
            let before = as_state(&shifted.shifts);
            change(&mut shifted.shifts, at);
            (arn, before, as_state(&shifted.shifts))
        };
        self.record(operation, &arn, before, after, true);
        Ok(())
    }
}

fn as_state(shifts: &[ActiveShift]) -> ResourceState {
    let shift = shifts.first().map(|shift| Shift {
        away_from: shift.away_from.clone(),
        ends_at: shift.ends_at,
        id: Some(shift.id.clone()),
        foreign: false,
    });
    ResourceState::ZonalShift { shift }
}

fn accelerator_of(arn: &str) -> &str {
    arn.split("/listener/").next().unwrap_or(arn)
}

#[async_trait]
impl Signals for FakeCloud {
    async fn publish(&self, _region: Option<&str>, values: &[(SignalMetric, f64)]) -> Result<(), CallError> {
        let reply = self.reach("signals.publish").await?;
        let namespace = values.first().map(|(metric, _)| metric.namespace.clone());
        let (before, after) = {
            let mut state = lock(&self.state);
            let said = |state: &State| {
                let signals = state.steering.signals.iter();
                let active = signals.filter_map(|signal| {
                    let value = signal.value.as_ref()?.now;
                    Some((signal.alarm.clone(), value > 0.5))
                });
                ResourceState::DnsSignal {
                    active: active.collect(),
                }
            };
            let before = said(&state);
            let follows_at = later(self.clock.now(), state.steering.alarms_follow_after);
            for (metric, value) in values {
                for signal in state
                    .steering
                    .signals
                    .iter_mut()
                    .filter(|signal| signal.metric == *metric)
                {
                    let known = signal.value.as_ref();
                    // The same again changes nothing of what is being evaluated.
                    if known.is_none_or(|known| known.now != *value || known.reads_left == 0) {
                        signal.value = Some(Maturing::on_its_way(*value));
                        signal.follows_at = follows_at;
                    }
                }
            }
            (before, said(&state))
        };
        self.record("signals.publish", &namespace.unwrap_or_default(), before, after, true);
        reply.give("signals.publish", ())
    }
}

#[async_trait]
impl ZonalShifts for FakeCloud {
    async fn resource(&self, _region: Option<&str>, arn: &str) -> Result<ShiftedResource, CallError> {
        let reply = self.reach("shifts.resource").await?;
        let now = self.clock.now();
        let found = {
            let state = lock(&self.state);
            let shifted = state.steering.shifted.get(arn);
            let shifted = shifted.ok_or_else(|| not_found("resource with zonal shift enabled", arn))?;
            let active = shifted.shifts.iter().filter(|shift| shift.ends_at > now);
            let shifts: Vec<ActiveShift> = active.cloned().collect();
            let left = shifts.iter().map(|shift| &shift.away_from).chain(&shifted.autoshifts);
            let left: Vec<&String> = left.collect();
            let zones = shifted.zones.iter().map(|zone| (zone.clone(), !left.contains(&zone)));
            ShiftedResource {
                zones: zones.collect(),
                autoshifts: shifted.autoshifts.clone(),
                shifts,
            }
        };
        reply.give("shifts.resource", found)
    }

    async fn start(
        &self,
        _region: Option<&str>,
        arn: &str,
        away_from: &str,
        minutes: u32,
        comment: &str,
    ) -> Result<(), CallError> {
        let reply = self.reach("shifts.start").await?;
        let active = self.shifts(arn);
        let before = as_state(&active);
        if !active.is_empty() {
            self.record("shifts.start", arn, before.clone(), before, false);
            return Err(conflict(format!("{arn} has an active shift; nothing was changed")));
        }
        let lasts = SignedDuration::from_mins(i64::from(minutes));
        self.put_shift(arn, away_from, comment, "ZONAL_SHIFT", lasts);
        self.record("shifts.start", arn, before, as_state(&self.shifts(arn)), true);
        reply.give("shifts.start", ())
    }

    async fn extend(&self, _region: Option<&str>, id: &str, minutes: u32, comment: &str) -> Result<(), CallError> {
        let reply = self.reach("shifts.extend").await?;
        let lasts = SignedDuration::from_mins(i64::from(minutes));
        let ends_at = understudy_core::control::later(self.clock.now(), lasts);
        self.change_shift("shifts.extend", id, |shifts, at| {
            if let Some(shift) = shifts.get_mut(at) {
                shift.ends_at = ends_at;
                shift.comment = comment.to_owned();
            }
        })?;
        reply.give("shifts.extend", ())
    }

    async fn cancel(&self, _region: Option<&str>, id: &str) -> Result<(), CallError> {
        let reply = self.reach("shifts.cancel").await?;
        self.change_shift("shifts.cancel", id, |shifts, at| {
            shifts.remove(at);
        })?;
        reply.give("shifts.cancel", ())
    }
}

#[async_trait]
impl Accelerators for FakeCloud {
    async fn endpoint_group(&self, arn: &str) -> Result<EndpointGroup, CallError> {
        let reply = self.reach("accelerators.endpoint_group").await?;
        let found = self.endpoint_group_now(arn);
        reply.give(
            "accelerators.endpoint_group",
            found.ok_or_else(|| not_found("endpoint group", arn))?,
        )
    }

    async fn is_deployed(&self, endpoint_group_arn: &str) -> Result<bool, CallError> {
        let reply = self.reach("accelerators.is_deployed").await?;
        let deployed = {
            let mut state = lock(&self.state);
            let accelerator = state.steering.accelerators.get_mut(accelerator_of(endpoint_group_arn));
            let accelerator = accelerator.ok_or_else(|| not_found("accelerator of", endpoint_group_arn))?;
            let deployed = accelerator.reads_left == 0;
            accelerator.arrives();
            deployed
        };
        reply.give("accelerators.is_deployed", deployed)
    }

    async fn dial(&self, arn: &str, expected: &Dial, wanted: &Dial) -> Result<(), CallError> {
        let reply = self.reach("accelerators.dial").await?;
        let (before, after, accepted) = {
            let mut state = lock(&self.state);
            let group = state.steering.dials.get_mut(arn);
            let group = group.ok_or_else(|| not_found("endpoint group", arn))?;
            let look = |group: &EndpointGroup| {
                let named = |(id, _): &(&String, &u32)| expected.weights.contains_key(*id);
                let weights = group.endpoints.iter().filter(named);
                Dial {
                    percent: group.percent,
                    weights: weights.map(|(id, weight)| (id.clone(), *weight)).collect(),
                }
            };
            let before = look(group);
            let accepted = before == *expected;
            if accepted {
                group.percent = wanted.percent;
                group.endpoints.extend(wanted.weights.clone());
            }
            let after = look(group);
            if accepted {
                let accelerator = accelerator_of(arn).to_owned();
                state
                    .steering
                    .accelerators
                    .insert(accelerator, Maturing::on_its_way(()));
            }
            (before, after, accepted)
        };
        let as_state = |dial| ResourceState::AcceleratorDial {
            dials: [(arn.to_owned(), dial)].into(),
        };
        self.record("accelerators.dial", arn, as_state(before), as_state(after), accepted);
        if !accepted {
            return Err(conflict(format!("{arn} is not as expected; nothing was changed")));
        }
        reply.give("accelerators.dial", ())
    }
}
