//! One sandbox of one function: every port, with a [`Wire`] in between.

use crate::clock::TestClock;
use crate::faults::{Place, Wire};
use async_trait::async_trait;
use jiff::Timestamp;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use tokio::sync::Notify;
use understudy_engine::ports::{CallError, Due, Item, Key, Put, Table};

/// The process in which one invocation runs. It can die.
pub(crate) struct Sandbox {
    pub(crate) request_id: String,
    clock: Arc<TestClock>,
    wire: Arc<Wire>,
    calls: AtomicU32,
    dies_next: AtomicBool,
    died: Notify,
}

impl Sandbox {
    pub(crate) fn new(request_id: String, clock: Arc<TestClock>, wire: Arc<Wire>) -> Arc<Self> {
        let (calls, dies_next, died) = (AtomicU32::new(0), AtomicBool::new(false), Notify::new());
        Arc::new(Self {
            request_id,
            clock,
            wire,
            calls,
            dies_next,
            died,
        })
    }

    /// Returns when it has died.
    pub(crate) async fn death(&self) {
        self.died.notified().await;
    }

    /// Whether it read its last reply and was to die after it.
    pub(crate) fn is_doomed(&self) -> bool {
        self.dies_next.load(Ordering::SeqCst)
    }

    async fn die<T>(&self) -> T {
        self.died.notify_one();
        std::future::pending().await
    }

    pub(crate) async fn through<T>(&self, operation: &'static str, call: impl Future<Output = T>) -> T {
        if self.is_doomed() {
            return self.die().await;
        }
        let nth = self.calls.fetch_add(1, Ordering::SeqCst) + 1;
        let place = self.wire.enter(&self.request_id, nth, operation);
        self.clock.breathe().await;
        if place == Some(Place::BeforeEffect) {
            return self.die().await;
        }
        let reply = call.await;
        match place {
            Some(Place::AfterEffect) => return self.die().await,
            Some(Place::AfterReply) => self.dies_next.store(true, Ordering::SeqCst),
            _ => {}
        }
        reply
    }
}

/// A port with the wire in between.
pub(crate) struct Wired<T> {
    pub(crate) inner: Arc<T>,
    pub(crate) sandbox: Arc<Sandbox>,
}

#[async_trait]
impl<T: Table> Table for Wired<T> {
    async fn get(&self, key: &Key) -> Result<Option<Item>, CallError> {
        self.sandbox.through("table.get", self.inner.get(key)).await
    }
    async fn put(&self, item: &Item, expected: u64) -> Result<Put, CallError> {
        self.sandbox.through("table.put", self.inner.put(item, expected)).await
    }
    async fn delete(&self, key: &Key, expected: u64) -> Result<Put, CallError> {
        self.sandbox
            .through("table.delete", self.inner.delete(key, expected))
            .await
    }
    async fn query(&self, plan: &str, prefix: &str, limit: usize, newest_first: bool) -> Result<Vec<Item>, CallError> {
        self.sandbox
            .through("table.query", self.inner.query(plan, prefix, limit, newest_first))
            .await
    }
    async fn due(&self, until: Option<Timestamp>) -> Result<Vec<Due>, CallError> {
        self.sandbox.through("table.due", self.inner.due(until)).await
    }
}
