//! Forgetting: old records leave the table a few at a time.
//!
//! The table has no TTL (strongly consistent global tables have none). Each invocation looks at the oldest
//! records of one plan, another one every minute, and deletes at most a few of those that are past their time.

use super::Probe;
use super::check::Done;
use crate::ports::CallError;
use crate::store::{DECISION, EXECUTION};
use jiff::{SignedDuration, Timestamp};
use understudy_core::plan::Plan;

/// How long a decision record is kept.
pub const KEEP_DECISIONS: SignedDuration = SignedDuration::from_hours(24 * 30);
/// How long an ended execution is kept.
pub const KEEP_EXECUTIONS: SignedDuration = SignedDuration::from_hours(24 * 400);
/// How many records of a kind an invocation looks at.
const AT_ONCE: usize = 25;

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
        let turn = usize::try_from(now.as_second().div_euclid(60).rem_euclid(count)).unwrap_or_default();
        let Some(plan) = plans.get(turn) else { return done };
        for (prefix, keep) in [(DECISION, KEEP_DECISIONS), (EXECUTION, KEEP_EXECUTIONS)] {
            match self.prune_kind(&plan.name, prefix, keep, now).await {
                Ok(deleted) => done.pruned += deleted,
                Err(error) => {
                    done.errors += 1;
                    tracing::warn!(
                        plan = plan.name,
                        error = error.message,
                        "old records were not pruned; a later minute tries again"
                    );
                }
            }
        }
        done
    }

    async fn prune_kind(
        &self,
        plan: &str,
        prefix: &str,
        keep: SignedDuration,
        now: Timestamp,
    ) -> Result<u32, CallError> {
        let mut deleted = 0;
        for item in self.store.table().query(plan, prefix, AT_ONCE, false).await? {
            let id = item.key.item.strip_prefix(prefix).unwrap_or_default();
            // Ids sort by time: the first young one ends the search.
            match made_at(id) {
                Some(at) if now.duration_since(at) > keep => {
                    self.store.table().delete(&item.key, item.version).await?;
                    deleted += 1;
                }
                _ => break,
            }
        }
        Ok(deleted)
    }
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
