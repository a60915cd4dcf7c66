//! The ways out of the engine: small traits with our own types.
//!
//! An implementation translates and classifies; it decides nothing. Each read may repeat itself; no
//! mutating call ever does ([`Traffic::set_weights`], [`Dns::change_records`], [`Groups::resize`], …): only the executor
//! repeats those, after reading again.

mod alarms;
mod compute;
mod database;
mod database_setup;
mod group_setup;
mod groups;
mod health_checks;
mod hooks;
mod permissions;
mod steering;
mod traffic;
pub use alarms::AlarmDefinitions;
pub use compute::{Compute, InstanceStatus, Rehearsal};
pub use database::{
    Database, DatabaseCluster, DatabaseClusterStatus, DatabaseFailover, DatabaseInstance, DatabaseStatus,
    GlobalDatabase,
};
pub use database_setup::{DatabaseSetup, InstanceMade, SubscriptionFound};
pub use group_setup::{GroupSetUp, GroupSetup};
pub use groups::{AutoScalingGroup, Groups};
pub use health_checks::{HealthCheckFound, HealthChecks};
pub use hooks::{HookAnswer, HookFunction, Hooks};
pub use permissions::{Account, Permission, Permissions, Refused, TagsOf};
pub use steering::{Accelerators, ActiveShift, EndpointGroup, ShiftedResource, SignalMetric, Signals, ZonalShifts};
pub use traffic::{Balanced, Dns, ForwardTarget, Target, Traffic};
pub use understudy_core::judge::Datapoint;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use understudy_core::control::Wake;
use understudy_core::health::{AlarmReading, Sample};
use understudy_core::plan::{EndpointProbe, Metric, MetricSeries};
use understudy_core::report::Announcement;

/// Why a call did not give what was asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct CallError {
    /// What it means for the caller.
    pub kind: CallErrorKind,
    /// What was being done, to what, and what was answered. No secrets.
    pub message: String,
}

/// What a failed call means for the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallErrorKind {
    /// Turned away before it did anything, by a throttle or a state that passes: the same call may work later.
    Retryable,
    /// The service broke while it worked on a change (HTTP 5xx), which may or may not have had its effect. Read before
    /// anything else.
    Fault,
    /// No answer: the call may or may not have had its effect. Read before anything else.
    Lost,
    /// The resource does not exist.
    NotFound,
    /// The resource is not as the call expected it: somebody else changed it.
    Conflict,
    /// It was heard, and is not done yet: ask again in a while. Not an error, and not counted as one.
    NotYet,
    /// Refused for good: permissions, a bad argument, a wrong state.
    Refused,
}

impl CallError {
    /// An error of this kind.
    pub fn new(kind: CallErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
        }
    }

    /// Whether the same thing may be tried again (after reading).
    pub fn may_repeat(&self) -> bool {
        matches!(self.kind, CallErrorKind::Retryable) || self.is_unsure()
    }

    /// Whether the call may have had its effect all the same.
    pub fn is_unsure(&self) -> bool {
        matches!(self.kind, CallErrorKind::Fault | CallErrorKind::Lost)
    }
}

/// The key of an item: partition and sort key.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    /// The plan, or a name that starts with `_` (no plan's does).
    pub plan: String,
    /// Which item of it.
    pub item: String,
}

/// One item of the table.
#[derive(Clone, Debug, PartialEq)]
pub struct Item {
    /// Its key.
    pub key: Key,
    /// Grows with every write; 0 for an item that does not exist yet.
    pub version: u64,
    /// Of the one write that made this version: how a writer recognises its own lost reply.
    pub write_id: String,
    /// The version of the item's form.
    pub schema_version: u32,
    /// Which function it needs. The stream's filters test only this.
    pub wake: Option<Wake>,
    /// When it is due, for the sparse index. Only control items have one.
    pub due_at: Option<Timestamp>,
    /// The item itself.
    pub body: Value,
}

/// The outcome of a conditional write.
#[derive(Clone, Debug, PartialEq)]
pub enum Put {
    /// Written.
    Written,
    /// Refused: this is the item that stands there (none if there is none).
    Lost(Option<Box<Item>>),
}

/// An entry of the sparse index: a hint, the item is read again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Due {
    /// The plan.
    pub plan: String,
    /// When it is due.
    pub due_at: Timestamp,
}

/// The table: the truth. Every write is conditional, every read of an item is strongly consistent.
#[async_trait]
pub trait Table: Send + Sync {
    /// Reads one item.
    async fn get(&self, key: &Key) -> Result<Option<Item>, CallError>;
    /// Writes `item` if the version that stands there is `expected` (0: there is none).
    async fn put(&self, item: &Item, expected: u64) -> Result<Put, CallError>;
    /// Deletes the item if its version is `expected`. Deleting what is not there is fine.
    async fn delete(&self, key: &Key, expected: u64) -> Result<Put, CallError>;
    /// The items of a plan whose sort key begins with `prefix`, at most `limit`, in order or backwards.
    async fn query(&self, plan: &str, prefix: &str, limit: usize, newest_first: bool) -> Result<Vec<Item>, CallError>;
    /// All plans by the sparse index, the most urgent first; with `until`, only those due by then.
    async fn due(&self, until: Option<Timestamp>) -> Result<Vec<Due>, CallError>;
}

/// Time and waiting.
#[async_trait]
pub trait Clock: Send + Sync {
    /// Now.
    fn now(&self) -> Timestamp;
    /// Waits.
    async fn sleep(&self, duration: SignedDuration);
}

/// Randomness, for ids and jitter.
pub trait Random: Send + Sync {
    /// Ten bytes that nobody guesses and no two calls share.
    fn bytes(&self) -> [u8; 10];
}

/// A real connection to an endpoint. Never an error: what can not be reached is a sample.
#[async_trait]
pub trait Endpoint: Send + Sync {
    /// Tries once, within the probe's timeout.
    async fn check(&self, probe: &EndpointProbe) -> Sample;
}

/// CloudWatch.
#[async_trait]
pub trait Alarms: Send + Sync {
    /// These alarms, metric and composite, at most 100. Those that do not exist are not in the answer.
    async fn readings(&self, region: Option<&str>, names: &[String]) -> Result<Vec<AlarmReading>, CallError>;
}

/// A series of figures, one a period.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MetricQuery {
    /// The metric, or the expression over several.
    pub series: MetricSeries,
    /// The length of a period, a multiple of 60.
    pub period_seconds: u32,
}

impl MetricQuery {
    /// The largest value of each minute of one metric.
    pub fn most_of_a_minute(namespace: &str, metric_name: &str, dimensions: &[(&str, String)]) -> Self {
        let dimensions = dimensions.iter();
        Self {
            series: MetricSeries::Metric(Metric {
                namespace: namespace.to_owned(),
                metric_name: metric_name.to_owned(),
                dimensions: dimensions
                    .map(|(name, value)| ((*name).to_owned(), value.clone()))
                    .collect(),
                statistic: "maximum".to_owned(),
            }),
            period_seconds: 60,
        }
    }
}

/// What CloudWatch says of one series: its newest datapoint, that there is none, or that it can not say.
pub type Newest = Result<Option<Datapoint>, CallError>;

/// CloudWatch metrics.
#[async_trait]
pub trait Metrics: Send + Sync {
    /// The newest datapoint of each of these whose period began at `since` or later, and before `until`; without `until`
    /// the period that goes on counts too. At most 500, where an expression counts with each of its metrics
    /// ([`MetricSeries::queries`]).
    ///
    /// `NotFound`: CloudWatch does not take one of them, and has answered none.
    async fn newest(
        &self,
        region: Option<&str>,
        queries: &[MetricQuery],
        since: Timestamp,
        until: Option<Timestamp>,
    ) -> Result<Vec<Newest>, CallError>;
}

/// SNS.
#[async_trait]
pub trait Notifier: Send + Sync {
    /// Publishes to the topic (none: the stack's own).
    async fn publish(&self, topic_arn: Option<&str>, plan: &str, announcement: &Announcement) -> Result<(), CallError>;
}

/// Our own functions, invoked directly: for when clock and bus would fail together, and for questions.
#[async_trait]
pub trait Functions: Send + Sync {
    /// Invokes and does not wait.
    async fn nudge(&self, function: Wake, plan: &str) -> Result<(), CallError>;
    /// Asks the executor something that only reads, and waits for the answer.
    async fn ask_executor(&self, question: &Value) -> Result<Value, CallError>;
}

/// One invocation of a function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invocation {
    /// The request id: also the name under which a lease is held.
    pub request_id: String,
    /// When Lambda ends the process.
    pub deadline: Timestamp,
}
