//! Forgetting: old records leave the table a few at a time.
//!
//! The table has no TTL (strongly consistent global tables have none). Each invocation looks at the oldest
//! records of one plan, another one every minute, and deletes at most a few of those that are past their time.
//!
//! A large pre-state goes when nothing names it any more: with the last execution that named it, or, if an executor
//! was ended before its intent was durable, when the share of the pre-states that it belongs to has its turn.

use super::Probe;
use super::check::Done;
use crate::ports::{CallError, Item, Key, Put};
use crate::store::{DECISION, EXECUTION, PRE_STATE, SETUP};
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeSet;
use understudy_core::execution::{Execution, PreState};
use understudy_core::plan::Plan;

/// How long a decision record is kept.
pub const KEEP_DECISIONS: SignedDuration = SignedDuration::from_hours(24 * 30);
/// How long an ended execution is kept.
pub const KEEP_EXECUTIONS: SignedDuration = SignedDuration::from_hours(24 * 400);
/// How many records of a kind an invocation looks at.
const AT_ONCE: usize = 25;
/// Into how many shares a plan's pre-states fall, by the first two digits of their hashes. A turn looks at one.
const SHARES: i64 = 256;
/// Of how many ended executions it is still found out what they name. A record has some ten KB, and a plan that has
/// made more moves within [`KEEP_EXECUTIONS`] keeps its pre-states until fewer are left.
const MOST_EXECUTIONS: usize = 500;

impl Probe {
    /// Prunes the records of the plan whose minute it is.
    pub(super) async fn prune(&self, plans: &[std::sync::Arc<Plan>], now: Timestamp) -> Done {
        let mut done = Done::default();
        let Ok(count) = i64::try_from(plans.len()) else {
            return done;
        };
        if count == 0 {
            return done;
        }
        let minute = now.as_second().div_euclid(60);
        let turn = usize::try_from(minute.rem_euclid(count)).unwrap_or_default();
        let Some(plan) = plans.get(turn) else { return done };
        let share = format!("{:02x}", minute.div_euclid(count).rem_euclid(SHARES));
        if let Err(error) = self.prune_plan(&plan.name, &share, now, &mut done).await {
            done.errors += 1;
            tracing::warn!(
                plan = plan.name,
                error = error.message,
                "not all old records were pruned; a later minute tries again"
            );
        }
        done
    }

    async fn prune_plan(&self, plan: &str, share: &str, now: Timestamp, done: &mut Done) -> Result<(), CallError> {
        self.prune_kind(plan, DECISION, KEEP_DECISIONS, now, done).await?;
        let ended = self.prune_kind(plan, EXECUTION, KEEP_EXECUTIONS, now, done).await?;
        self.prune_pre_states(plan, &ended, share, done).await
    }

    // Answers the records that it deleted.
    async fn prune_kind(
        &self,
        plan: &str,
        prefix: &str,
        keep: SignedDuration,
        now: Timestamp,
        done: &mut Done,
    ) -> Result<Vec<Item>, CallError> {
        let mut deleted = Vec::new();
        for item in self.store.table().query(plan, prefix, AT_ONCE, false).await? {
            let id = item.key.item.strip_prefix(prefix).unwrap_or_default();
            // Ids sort by time: the first young one ends the search.
            match made_at(id) {
                Some(at) if now.duration_since(at) > keep => {
                    self.store.table().delete(&item.key, item.version).await?;
                    done.pruned += 1;
                    deleted.push(item);
                }
                _ => break,
            }
        }
        Ok(deleted)
    }

    // Deletes those pre-states that the `ended` executions or nobody named, and that nobody names now.
    //
    // What makes it safe is the order: the items, then the control item, then the history, then the deletes.
    // An executor that begins to need one of the items meanwhile writes it anew first, so that the delete, which
    // wants the version that was read here, loses. One that needed it before still has its execution in the control
    // item; and if that has ended, it was in the history before it left the control item.
    async fn prune_pre_states(
        &self,
        plan: &str,
        ended: &[Item],
        share: &str,
        done: &mut Done,
    ) -> Result<(), CallError> {
        let table = self.store.table();
        let mut items = table
            .query(plan, &format!("{PRE_STATE}{share}"), AT_ONCE, false)
            .await?;
        let named: BTreeSet<String> = ended.iter().flat_map(named_by).collect();
        // What is too much for now is found by its share.
        for sha256 in named
            .into_iter()
            .filter(|sha256| !sha256.starts_with(share))
            .take(AT_ONCE)
        {
            let key = Key {
                plan: plan.to_owned(),
                item: format!("{PRE_STATE}{sha256}"),
            };
            items.extend(table.get(&key).await?);
        }
        if items.is_empty() {
            return Ok(());
        }
        let set_up = match self.store.control(plan).await? {
            Some(control) if control.execution.is_none() => control.set_up.is_some(),
            _ => return Ok(()),
        };
        let history = table.query(plan, EXECUTION, MOST_EXECUTIONS + 1, false).await?;
        if history.len() > MOST_EXECUTIONS {
            tracing::warn!(
                plan,
                "there are more than {MOST_EXECUTIONS} ended executions; no pre-state is pruned until fewer are left"
            );
            return Ok(());
        }
        // Looked for in the text, so that a record of another form keeps what it names, too.
        let mut history: Vec<String> = history.iter().map(|record| record.body.to_string()).collect();
        if set_up {
            // What setup has found is restored by a teardown, however long ago the setup was.
            let key = Key {
                plan: plan.to_owned(),
                item: SETUP.to_owned(),
            };
            history.extend(table.get(&key).await?.map(|record| record.body.to_string()));
        }
        for item in items {
            let sha256 = item.key.item.strip_prefix(PRE_STATE).unwrap_or_default();
            if history.iter().any(|record| record.contains(sha256)) {
                continue;
            }
            if table.delete(&item.key, item.version).await? == Put::Written {
                done.pruned += 1;
            }
        }
        Ok(())
    }
}

// The large pre-states that an ended execution names. One that can not be read names none: their shares find them.
fn named_by(record: &Item) -> Vec<String> {
    let Ok(execution) = crate::store::from_item::<Execution>(record) else {
        return Vec::new();
    };
    let stored = |pre_state| match pre_state {
        PreState::Stored { sha256 } => Some(sha256),
        PreState::Inline(_) => None,
    };
    execution
        .steps
        .into_iter()
        .filter_map(|run| run.pre_state.and_then(stored))
        .collect()
}

// Version 7 of a UUID begins with the milliseconds of its making.
fn made_at(id: &str) -> Option<Timestamp> {
    let (seconds, nanoseconds) = uuid::Uuid::try_parse(id).ok()?.get_timestamp()?.to_unix();
    Timestamp::new(i64::try_from(seconds).ok()?, i32::try_from(nanoseconds).ok()?).ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_time_is_read_back_from_an_id() {
        let at: Timestamp = "2026-11-21T10:00:00.123Z".parse().unwrap();
        let id = uuid::Builder::from_unix_timestamp_millis(at.as_millisecond() as u64, &[7; 10])
            .into_uuid()
            .to_string();
        assert_eq!(made_at(&id), Some(at));
        assert_eq!(made_at("not-an-id"), None);
    }
}
