//! What is remembered at the good end of a setup, and forgotten at that of a teardown.
//!
//! 1. Large pre-states are made durable beside the record.
//! 2. The record is written by compare-and-set, with the epoch. One of a later epoch means that another executor has
//!    taken over: this one stops, as at any other refused write.
//! 3. Only then is the execution ended, with the word in the control item that there is a record. An executor that dies
//!    in between leaves it to the next one, which writes the same again.

use super::super::pre_state;
use super::{Stop, Turn};
use understudy_core::execution::{Execution, Kind, PreState};
use understudy_core::setup::SetUp;

/// The largest pre-state, in bytes of its JSON form, that the record itself holds: fifty of them fit into one item.
const MAX_REMEMBERED_BYTES: usize = 2 * 1024;

impl Turn<'_> {
    /// Writes the record, and answers what the control item says of it from now on.
    pub(super) async fn remember(&self, execution: &Execution) -> Result<Option<SetUp>, Stop> {
        // Whoever has lost the lease stops here. Who loses it after this is stopped by the record's epoch.
        self.commit(|_, _| Ok(())).await?;
        let now = self.now();
        let store = &self.executor.store;
        let written = if execution.kind == Kind::Teardown {
            store
                .change_setup(&self.plan, |record| record.clear(self.epoch))
                .await?
        } else {
            let execution = self.with_small_pre_states(execution).await?;
            let remember =
                |record: &mut understudy_core::setup::SetupRecord| record.remember(&execution, self.epoch, now);
            store.change_setup(&self.plan, remember).await?
        };
        let record = written.map_err(|outdated| {
            tracing::warn!(plan = self.plan, epoch = self.epoch, error = %outdated, "the record was not written");
            Stop::TakenOver
        })?;
        Ok((!record.items.is_empty()).then(|| SetUp {
            items: record.items.len(),
            at: now,
            execution: execution.id.clone(),
        }))
    }

    async fn with_small_pre_states(&self, execution: &Execution) -> Result<Execution, Stop> {
        let mut execution = execution.clone();
        for run in &mut execution.steps {
            if let Some(PreState::Inline(state)) = &run.pre_state {
                let kept =
                    pre_state::keep_within(&self.executor.store, &self.plan, state, MAX_REMEMBERED_BYTES).await?;
                run.pre_state = Some(kept);
            }
        }
        Ok(execution)
    }
}
