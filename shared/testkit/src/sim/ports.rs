//! Every port of the engine, with a [`Gate`] in front of the fake that serves it.

use super::gate::Gate;
use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use std::sync::Arc;
use understudy_engine::ports::{CallError, Clock, Due, Item, Key, Put, Table};

/// A fake with a gate in front.
pub(crate) struct Gated<T> {
    pub(crate) inner: Arc<T>,
    pub(crate) gate: Arc<Gate>,
}

/// The clock of one sandbox: true time and its own error.
pub(crate) struct SandboxClock(pub(crate) Arc<Gate>);

#[async_trait]
impl Clock for SandboxClock {
    fn now(&self) -> Timestamp {
        self.0.now()
    }
    async fn sleep(&self, duration: SignedDuration) {
        self.0.sleep(duration).await;
    }
}

macro_rules! points {
    ($name:ident, $operation:literal) => {
        // One name for each kind of item: where an invocation can die is counted by these.
        fn $name(item: &str) -> &'static str {
            match item.split('#').next().unwrap_or_default() {
                "control" => concat!($operation, " control"),
                "revision" => concat!($operation, " revision"),
                "observation" => concat!($operation, " observation"),
                "decision" => concat!($operation, " decision"),
                "execution" => concat!($operation, " execution"),
                "velocity" => concat!($operation, " fleet"),
                "state" => concat!($operation, " word"),
                "heartbeat" => concat!($operation, " heartbeat"),
                "lag" => concat!($operation, " lag"),
                "preflight" => concat!($operation, " preflight"),
                "setup" => concat!($operation, " setup"),
                "alarm" => concat!($operation, " alarm"),
                _ => concat!($operation, " other"),
            }
        }
    };
}

points!(get_point, "table.get");
points!(put_point, "table.put");
points!(delete_point, "table.delete");
points!(query_point, "table.query");

#[async_trait]
impl<T: Table> Table for Gated<T> {
    async fn get(&self, key: &Key) -> Result<Option<Item>, CallError> {
        self.gate.through(get_point(&key.item), self.inner.get(key)).await
    }
    async fn put(&self, item: &Item, expected: u64) -> Result<Put, CallError> {
        self.gate
            .through(put_point(&item.key.item), self.inner.put(item, expected))
            .await
    }
    async fn delete(&self, key: &Key, expected: u64) -> Result<Put, CallError> {
        self.gate
            .through(delete_point(&key.item), self.inner.delete(key, expected))
            .await
    }
    async fn query(&self, plan: &str, prefix: &str, limit: usize, newest_first: bool) -> Result<Vec<Item>, CallError> {
        self.gate
            .through(query_point(prefix), self.inner.query(plan, prefix, limit, newest_first))
            .await
    }
    async fn due(&self, until: Option<Timestamp>) -> Result<Vec<Due>, CallError> {
        self.gate.through("table.due", self.inner.due(until)).await
    }
}
