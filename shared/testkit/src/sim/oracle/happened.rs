//! What came of the faults, seen by what is written.

use super::Oracle;
use crate::memory::Write;
use crate::sim::sandbox::{Function, Running};
use understudy_engine::store::CONTROL;

impl Oracle {
    /// Whether a write stores a revision of a plan of which an execution is under way.
    pub(crate) fn is_edit(&self, write: &Write) -> bool {
        let before = self.controls.get(&write.key.plan);
        let before = before.filter(|old| write.accepted && old.execution.is_some());
        before.is_some_and(|old| number(write, "plan_revision").is_some_and(|new| new != old.plan_revision))
    }

    /// Whether it is an executor's, which a newer one has overtaken since it took its lease.
    pub(crate) fn is_overtaken(&self, running: &Running, write: &Write) -> bool {
        let now = self.controls.get(&write.key.plan);
        let now = now.filter(|_| !write.accepted && running.function == Function::Executor);
        now.is_some_and(|now| number(write, "epoch").is_some_and(|mine| mine < now.epoch))
    }
}

// A number of the control item that somebody wrote, or tried to.
fn number(write: &Write, name: &str) -> Option<u64> {
    let item = write.item.as_ref().filter(|_| write.key.item == CONTROL);
    item?.body.get(name)?.as_u64()
}
