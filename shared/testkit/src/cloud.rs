//! The cloud in memory: load balancers, zones, instances, databases, alarms, endpoints, SNS and functions.
//!
//! 1. Reads answer what a test has put there; a change is seen after as many reads as the test asks.
//! 2. A change compares and sets, as the ports promise: somebody else's change in between is a conflict.
//! 3. Every change is recorded with the time and with *the control items as they stood at that moment*, so that a
//!    test can ask whether the intent and the pre-state were durable before the call.

use crate::clock::{TestClock, lock};
use crate::cloud_databases::Databases;
use crate::cloud_definitions::Tagged;
use crate::cloud_group_setup::GroupsSetUp;
use crate::cloud_health_checks::Checks;
use crate::cloud_hooks::Hook;
use crate::cloud_metrics::Figures;
pub use crate::cloud_metrics::MetricCall;
use crate::cloud_permissions::{Taken, account};
use crate::cloud_setup::Setup;
use crate::cloud_steering::Steering;
use crate::faults::Faults;
use crate::memory::MemoryTable;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::pin::Pin;
use std::sync::{Arc, Mutex, OnceLock};
use understudy_core::control::{Control, Wake};
use understudy_core::health::{AlarmReading, AlarmState, Health, Sample};
use understudy_core::plan::Stack;
use understudy_core::report::Announcement;
use understudy_core::state::{Association, HealthCheck, RecordSet, ResourceState, TargetWeight};
use understudy_engine::ports::{
    Account, AutoScalingGroup, Balanced, CallError, Clock, DatabaseStatus, InstanceStatus, Target,
};

type Answer = Pin<Box<dyn Future<Output = Result<Value, CallError>> + Send>>;
type Asked = Box<dyn Fn(Value) -> Answer + Send + Sync>;

/// One mutating call that reached the cloud.
#[derive(Clone, Debug)]
pub struct Change {
    /// When it had its effect.
    pub at: Timestamp,
    /// `traffic.set_weights`, `groups.resize`, …
    pub operation: &'static str,
    /// The listener, the zone, the group, …; of several instances, the first.
    pub resource: String,
    /// The resource before.
    pub before: ResourceState,
    /// The resource after.
    pub after: ResourceState,
    /// Whether it was as expected and so was changed.
    pub accepted: bool,
    /// Every control item at that moment.
    pub controls: Vec<Control>,
}

impl Change {
    /// Whether the world was another one afterwards. Asked both ways, as a state may be good enough in place of another
    /// without being it: a shift that lasts longer, and what sets it back.
    pub fn is_effective(&self) -> bool {
        self.accepted && !(self.before.same_as(&self.after) && self.after.same_as(&self.before))
    }
}

/// One message that SNS took.
#[derive(Clone, Debug)]
pub struct Published {
    /// When.
    pub at: Timestamp,
    /// The plan's own topic, if it has one.
    pub topic_arn: Option<String>,
    /// The plan.
    pub plan: String,
    /// The message.
    pub announcement: Announcement,
}

/// A value, and what readers see of it until they have read often enough.
#[derive(Clone, Debug, Default)]
pub(crate) struct Lagging<T> {
    pub(crate) real: T,
    shown: Option<T>,
    reads_left: u32,
}

impl<T: Clone> Lagging<T> {
    pub(crate) fn new(real: T) -> Self {
        Self {
            real,
            shown: None,
            reads_left: 0,
        }
    }

    pub(crate) fn read(&mut self) -> T {
        if let Some(shown) = self.shown.clone().filter(|_| self.reads_left > 0) {
            self.reads_left -= 1;
            return shown;
        }
        self.shown = None;
        self.real.clone()
    }

    pub(crate) fn settle(&mut self) {
        self.reads_left = 0;
    }

    /// Shows something else for so many reads.
    pub(crate) fn show(&mut self, shown: T, reads: u32) {
        self.shown = Some(shown);
        self.reads_left = reads;
    }

    pub(crate) fn set(&mut self, value: T, seen_after: u32) {
        self.shown = (seen_after > 0).then(|| self.real.clone());
        self.reads_left = seen_after;
        self.real = value;
    }
}

/// What has begun and is not there yet: an instance that starts, a target that drains.
#[derive(Clone, Debug)]
pub(crate) struct Maturing<T> {
    pub(crate) now: T,
    /// How many reads it is still on its way.
    pub(crate) reads_left: u32,
}

impl<T> Maturing<T> {
    /// There already.
    pub(crate) fn arrived(now: T) -> Self {
        Self { now, reads_left: 0 }
    }

    /// On its way for a few reads.
    pub(crate) fn on_its_way(now: T) -> Self {
        Self { now, reads_left: 3 }
    }

    /// One read more has seen it on its way: whether it arrives with it.
    pub(crate) fn arrives(&mut self) -> bool {
        let arrives = self.reads_left == 1;
        self.reads_left = self.reads_left.saturating_sub(1);
        arrives
    }
}

#[derive(Default)]
pub(crate) struct State {
    pub(crate) weights: BTreeMap<String, Lagging<Vec<TargetWeight>>>,
    pub(crate) zones: BTreeMap<String, Lagging<Vec<RecordSet>>>,
    pub(crate) pending_changes: BTreeMap<String, u32>,
    pub(crate) polls_until_in_sync: u32,
    pub(crate) next_change: u32,
    pub(crate) targets: BTreeMap<String, Vec<Maturing<Target>>>,
    /// When the draining targets of a group are gone, by group and id.
    pub(crate) drained_at: BTreeMap<(String, String), Timestamp>,
    pub(crate) deregistration_delays: BTreeMap<String, u32>,
    pub(crate) stickiness: BTreeMap<String, u32>,
    pub(crate) instances: BTreeMap<String, Maturing<InstanceStatus>>,
    pub(crate) groups: BTreeMap<String, Maturing<AutoScalingGroup>>,
    pub(crate) addresses: BTreeMap<String, Lagging<Option<Association>>>,
    pub(crate) databases: BTreeMap<String, DatabaseStatus>,
    pub(crate) data: Databases,
    pub(crate) figures: Figures,
    pub(crate) steering: Steering,
    pub(crate) setup: Setup,
    pub(crate) group_setup: GroupsSetUp,
    pub(crate) health_checks: Checks,
    pub(crate) alarms: BTreeMap<String, AlarmReading>,
    pub(crate) definitions: BTreeMap<String, Lagging<Option<Tagged>>>,
    pub(crate) target_health: BTreeMap<String, Lagging<HealthCheck>>,
    pub(crate) balanced: BTreeMap<String, Balanced>,
    pub(crate) endpoints: BTreeMap<String, Sample>,
    pub(crate) hanging: Vec<String>,
    pub(crate) published: Vec<Published>,
    pub(crate) nudges: Vec<(Wake, String)>,
    pub(crate) nudges_taken: usize,
    pub(crate) changes: Vec<Change>,
    pub(crate) taken: Taken,
    pub(crate) stack: Stack,
    pub(crate) untagged: BTreeSet<String>,
    pub(crate) hooks: BTreeMap<String, Hook>,
}

/// The cloud in memory.
pub struct FakeCloud {
    pub(crate) clock: Arc<TestClock>,
    pub(crate) table: Arc<MemoryTable>,
    pub(crate) state: Mutex<State>,
    pub(crate) executor: OnceLock<Asked>,
    pub(crate) account: Account,
    /// How long every call takes.
    pub latency: SignedDuration,
    /// What goes wrong. Operations are spelled as port and method: `traffic.set_weights`, `dns.in_sync`, `groups.resize`,
    /// `compute.start`, `alarms.readings`, `notifier.publish`, `functions.nudge`, …
    pub faults: Faults,
}

impl FakeCloud {
    /// An empty cloud that peeks at this table.
    pub fn new(clock: Arc<TestClock>, table: Arc<MemoryTable>) -> Self {
        Self {
            clock,
            table,
            state: Mutex::default(),
            executor: OnceLock::new(),
            account: account(),
            latency: SignedDuration::from_millis(20),
            faults: Faults::default(),
        }
    }

    /// Puts a zone there, or changes it as somebody else would.
    pub fn put_zone(&self, zone: &str, records: Vec<RecordSet>) {
        lock(&self.state).zones.insert(zone.to_owned(), Lagging::new(records));
    }

    /// The record sets that really are.
    pub fn zone(&self, zone: &str) -> Vec<RecordSet> {
        lock(&self.state)
            .zones
            .get(zone)
            .map(|found| found.real.clone())
            .unwrap_or_default()
    }

    /// How often `in_sync` says no before it says yes, for changes from now on.
    pub fn polls_until_in_sync(&self, polls: u32) {
        lock(&self.state).polls_until_in_sync = polls;
    }

    /// Puts a database there.
    pub fn put_database(&self, id: &str, status: &str) {
        let status = DatabaseStatus {
            db_instance_identifier: id.to_owned(),
            status: status.to_owned(),
        };
        lock(&self.state).databases.insert(id.to_owned(), status);
    }

    /// Puts an alarm there, in this state since now.
    pub fn put_alarm(&self, name: &str, alarm: AlarmState) {
        let reading = AlarmReading {
            alarm_name: name.to_owned(),
            state: alarm,
            since: self.clock.now(),
            reason: "threshold crossed".into(),
        };
        lock(&self.state).alarms.insert(name.to_owned(), reading);
    }

    /// Somebody deletes an alarm.
    pub fn delete_alarm(&self, name: &str) {
        lock(&self.state).alarms.remove(name);
    }

    /// What a host answers from now on.
    pub fn answer(&self, host: &str, health: Health, reason: &str) {
        let mut state = lock(&self.state);
        state.hanging.retain(|hanging| hanging != host);
        state.endpoints.insert(host.to_owned(), Sample::new(health, reason));
    }

    /// Every change so far is seen by everybody.
    pub(crate) fn settle_reads(&self) {
        let mut state = lock(&self.state);
        state.weights.values_mut().for_each(Lagging::settle);
        state.zones.values_mut().for_each(Lagging::settle);
        state.definitions.values_mut().for_each(Lagging::settle);
        state.target_health.values_mut().for_each(Lagging::settle);
        state.data.settle();
    }

    /// What a host answers now.
    pub fn health_of(&self, host: &str) -> Option<Health> {
        lock(&self.state).endpoints.get(host).map(|sample| sample.health)
    }

    /// Takes the record of what SNS took, which begins anew.
    pub(crate) fn drain_published(&self) -> Vec<Published> {
        std::mem::take(&mut lock(&self.state).published)
    }

    /// Takes the record of mutating calls, which begins anew.
    pub(crate) fn drain_changes(&self) -> Vec<Change> {
        std::mem::take(&mut lock(&self.state).changes)
    }

    /// The host takes connections and never answers.
    pub fn hang(&self, host: &str) {
        lock(&self.state).hanging.push(host.to_owned());
    }

    /// Everything that SNS took, in order.
    pub fn published(&self) -> Vec<Published> {
        lock(&self.state).published.clone()
    }

    /// Every mutating call that reached the cloud, in order.
    pub fn changes(&self) -> Vec<Change> {
        lock(&self.state).changes.clone()
    }

    /// Those that changed the world.
    pub fn effective_changes(&self) -> Vec<Change> {
        self.changes().into_iter().filter(Change::is_effective).collect()
    }

    /// Direct invocations so far.
    pub fn nudges(&self) -> Vec<(Wake, String)> {
        lock(&self.state).nudges.clone()
    }

    /// The next direct invocation that has not been delivered.
    pub(crate) fn take_nudge(&self) -> Option<(Wake, String)> {
        let mut state = lock(&self.state);
        let next = state.nudges.get(state.nudges_taken).cloned();
        state.nudges_taken += usize::from(next.is_some());
        next
    }

    /// Who answers questions to the executor.
    pub(crate) fn hook_executor(&self, hook: Asked) {
        // A second hook would change nothing; there is only one world.
        let _ = self.executor.set(hook);
    }

    pub(crate) fn record(
        &self,
        operation: &'static str,
        resource: &str,
        before: ResourceState,
        after: ResourceState,
        accepted: bool,
    ) {
        let change = Change {
            at: self.clock.now(),
            operation,
            resource: resource.to_owned(),
            before,
            after,
            accepted,
            controls: self.table.controls(),
        };
        lock(&self.state).changes.push(change);
    }
}

pub(crate) fn not_found(what: &str, name: &str) -> CallError {
    CallError::new(
        understudy_engine::ports::CallErrorKind::NotFound,
        format!("there is no {what} {name}"),
    )
}
