//! The table in memory: real compare-and-set, a log of every write, and the stream behind it.
//!
//! 1. A write is accepted only if the version that stands there is the expected one, as DynamoDB's condition says.
//! 2. Every attempt is logged with its outcome, so that a test can say "nothing was written" or "the epoch never fell".
//! 3. Every accepted write is put on the stream, in order. The world delivers what the mappings' filters let through.

use crate::clock::{TestClock, lock};
use crate::faults::{Faults, Reply};
use async_trait::async_trait;
use jiff::Timestamp;
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};
use understudy_core::control::{Control, Wake};
use understudy_engine::ports::{CallError, CallErrorKind, Clock, Due, Item, Key, Put, Table};

/// DynamoDB's limit for one item.
const MAX_ITEM_BYTES: usize = 400 * 1024;

/// One attempt to write.
#[derive(Clone, Debug)]
pub struct Write {
    /// When.
    pub at: Timestamp,
    /// The item's key.
    pub key: Key,
    /// The version that the writer expected.
    pub expected: u64,
    /// The whole item; none for a delete.
    pub item: Option<Arc<Item>>,
    /// Whether it was accepted.
    pub accepted: bool,
}

/// One record of the stream.
#[derive(Clone, Debug)]
pub struct StreamRecord {
    /// Its place in the stream.
    pub sequence: u64,
    /// The item as it was written.
    pub item: Arc<Item>,
    /// Which function it needs.
    pub wake: Wake,
}

#[derive(Default)]
struct State {
    items: BTreeMap<Key, Arc<Item>>,
    writes: Vec<Write>,
    stream: VecDeque<StreamRecord>,
    sequence: u64,
}

/// The table in memory.
pub struct MemoryTable {
    clock: Arc<TestClock>,
    state: Mutex<State>,
    /// What goes wrong: `table.get`, `table.put`, `table.delete`, `table.query`, `table.due`.
    pub faults: Faults,
}

impl MemoryTable {
    /// An empty table.
    pub fn new(clock: Arc<TestClock>) -> Self {
        Self {
            clock,
            state: Mutex::default(),
            faults: Faults::default(),
        }
    }

    /// Every attempt to write so far.
    pub fn writes(&self) -> Vec<Write> {
        lock(&self.state).writes.clone()
    }

    /// Takes the log of the attempts to write, which begins anew.
    pub(crate) fn drain_writes(&self) -> Vec<Write> {
        std::mem::take(&mut lock(&self.state).writes)
    }

    /// How many writes were accepted so far.
    pub fn accepted_writes(&self) -> usize {
        lock(&self.state).writes.iter().filter(|write| write.accepted).count()
    }

    /// All that stands in the table.
    pub fn items(&self) -> Vec<Item> {
        lock(&self.state).items.values().map(|item| (**item).clone()).collect()
    }

    /// The item, past all faults.
    pub fn peek(&self, plan: &str, item: &str) -> Option<Item> {
        lock(&self.state)
            .items
            .get(&Key {
                plan: plan.to_owned(),
                item: item.to_owned(),
            })
            .map(|item| (**item).clone())
    }

    /// The plan's control item, past all faults.
    pub fn control(&self, plan: &str) -> Option<Control> {
        serde_json::from_value(self.peek(plan, "control")?.body).ok()
    }

    /// Every plan's control item.
    pub fn controls(&self) -> Vec<Control> {
        let items = self.items();
        items
            .into_iter()
            .filter(|item| item.key.item == "control")
            .filter_map(|item| serde_json::from_value(item.body).ok())
            .collect()
    }

    /// The items of a plan whose sort key begins with `prefix`, past all faults.
    pub fn peek_all(&self, plan: &str, prefix: &str) -> Vec<Item> {
        self.share_all(plan, prefix)
            .iter()
            .map(|item| (**item).clone())
            .collect()
    }

    /// The same, shared and not copied.
    pub(crate) fn share_all(&self, plan: &str, prefix: &str) -> Vec<Arc<Item>> {
        let from = Key {
            plan: plan.to_owned(),
            item: prefix.to_owned(),
        };
        let state = lock(&self.state);
        let found = state.items.range(from..);
        found
            .take_while(|(key, _)| key.plan == plan && key.item.starts_with(prefix))
            .map(|(_, item)| item.clone())
            .collect()
    }

    /// Puts an item there as it is, past every condition: for what another version or a vandal has written.
    pub fn plant(&self, item: Item) {
        lock(&self.state).items.insert(item.key.clone(), Arc::new(item));
    }

    /// The oldest record of the stream, taken from it.
    pub fn take_record(&self) -> Option<StreamRecord> {
        lock(&self.state).stream.pop_front()
    }

    /// The records that wait, in order.
    pub fn waiting_records(&self) -> Vec<StreamRecord> {
        lock(&self.state).stream.iter().cloned().collect()
    }

    /// Loses what waits on the stream.
    pub fn drop_stream(&self) {
        lock(&self.state).stream.clear();
    }

    fn compare_and_set(&self, key: &Key, expected: u64, item: Option<&Item>) -> Put {
        let now = self.clock.now();
        let mut state = lock(&self.state);
        let standing = state.items.get(key);
        // Deleting what is not there is fine: somebody else pruned it.
        let accepted =
            standing.map_or(0, |standing| standing.version) == expected || (item.is_none() && standing.is_none());
        let lost_to = standing
            .filter(|_| !accepted)
            .map(|standing| Box::new((**standing).clone()));
        let item = item.map(|item| Arc::new(item.clone()));
        state.writes.push(Write {
            at: now,
            key: key.clone(),
            expected,
            item: item.clone(),
            accepted,
        });
        if !accepted {
            return Put::Lost(lost_to);
        }
        match item {
            None => {
                state.items.remove(key);
            }
            Some(item) => {
                state.items.insert(key.clone(), item.clone());
                state.sequence += 1;
                let sequence = state.sequence;
                if let Some(wake) = item.wake {
                    state.stream.push_back(StreamRecord { sequence, item, wake });
                }
            }
        }
        Put::Written
    }

    async fn reach(&self, operation: &str) -> Result<Reply, CallError> {
        self.clock.breathe().await;
        self.faults.before(operation, &self.clock, None).await
    }
}

// A partition key of 1 to 2048 bytes, a sort key of 1 to 1024: for reads as for writes.
fn check_key(key: &Key) -> Result<(), CallError> {
    if (1..=2048).contains(&key.plan.len()) && (1..=1024).contains(&key.item.len()) {
        return Ok(());
    }
    let (plan, item) = (key.plan.len(), key.item.len());
    Err(CallError::new(
        CallErrorKind::Refused,
        format!("keys of {plan} and {item} bytes, which DynamoDB refuses"),
    ))
}

fn check(item: &Item, expected: u64) -> Result<(), CallError> {
    let refuse = |what: String| Err(CallError::new(CallErrorKind::Refused, what));
    let size = understudy_engine::store::json_bytes(&item.body) + item.key.plan.len() + item.key.item.len();
    if size > MAX_ITEM_BYTES {
        return refuse(format!(
            "item {}/{} has {size} bytes; DynamoDB takes 400 KB",
            item.key.plan, item.key.item
        ));
    }
    check_key(&item.key)?;
    if item.version <= expected {
        return refuse(format!(
            "version {} does not grow past the expected {expected}",
            item.version
        ));
    }
    Ok(())
}

#[async_trait]
impl Table for MemoryTable {
    async fn get(&self, key: &Key) -> Result<Option<Item>, CallError> {
        let reply = self.reach("table.get").await?;
        check_key(key)?;
        let found = lock(&self.state).items.get(key).map(|item| (**item).clone());
        reply.give("table.get", found)
    }

    async fn put(&self, item: &Item, expected: u64) -> Result<Put, CallError> {
        let reply = self.reach("table.put").await?;
        check(item, expected)?;
        let outcome = self.compare_and_set(&item.key, expected, Some(item));
        if reply == Reply::MeetsItself {
            // The repetition is a second attempt with the same condition.
            return Ok(self.compare_and_set(&item.key, expected, Some(item)));
        }
        reply.give("table.put", outcome)
    }

    async fn delete(&self, key: &Key, expected: u64) -> Result<Put, CallError> {
        let reply = self.reach("table.delete").await?;
        let outcome = self.compare_and_set(key, expected, None);
        reply.give("table.delete", outcome)
    }

    async fn query(&self, plan: &str, prefix: &str, limit: usize, newest_first: bool) -> Result<Vec<Item>, CallError> {
        let reply = self.reach("table.query").await?;
        let mut found = self.peek_all(plan, prefix);
        if newest_first {
            found.reverse();
        }
        found.truncate(limit);
        reply.give("table.query", found)
    }

    async fn due(&self, until: Option<Timestamp>) -> Result<Vec<Due>, CallError> {
        let reply = self.reach("table.due").await?;
        let mut found: Vec<Due> = lock(&self.state)
            .items
            .values()
            .filter_map(|item| {
                Some(Due {
                    due_at: item.due_at?,
                    plan: item.key.plan.clone(),
                })
            })
            .filter(|due| until.is_none_or(|until| due.due_at <= until))
            .collect();
        found.sort_by_key(|due| due.due_at);
        reply.give("table.due", found)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::faults::Fault;
    use serde_json::json;

    fn table() -> MemoryTable {
        MemoryTable::new(Arc::new(TestClock::new(Timestamp::UNIX_EPOCH)))
    }

    fn item(version: u64, write_id: &str) -> Item {
        Item {
            key: Key {
                plan: "shop".into(),
                item: "control".into(),
            },
            version,
            write_id: write_id.into(),
            schema_version: 1,
            wake: None,
            due_at: None,
            body: json!({"n": version}),
        }
    }

    #[tokio::test]
    async fn of_two_writers_of_the_same_version_one_wins_and_the_other_sees_by_whom() {
        let table = table();
        assert_eq!(table.put(&item(1, "a"), 0).await.unwrap(), Put::Written);
        let Put::Lost(Some(standing)) = table.put(&item(1, "b"), 0).await.unwrap() else {
            panic!("it must lose")
        };
        assert_eq!(standing.write_id, "a");
        assert_eq!(table.accepted_writes(), 1);
        assert_eq!(table.writes().len(), 2);
    }

    #[tokio::test]
    async fn a_lost_reply_leaves_its_effect_and_a_repeated_put_meets_itself() {
        let table = table();
        table.faults.next("table.put", Fault::ReplyLost);
        assert_eq!(table.put(&item(1, "a"), 0).await.unwrap_err().kind, CallErrorKind::Lost);
        assert_eq!(table.peek("shop", "control").unwrap().write_id, "a");
        table.faults.next("table.put", Fault::MeetsItself);
        let Put::Lost(Some(own)) = table.put(&item(2, "b"), 1).await.unwrap() else {
            panic!("it must meet itself")
        };
        assert_eq!(own.write_id, "b");
    }

    #[tokio::test]
    async fn only_writes_with_a_wake_reach_the_stream_in_order() {
        let table = table();
        table.put(&item(1, "a"), 0).await.unwrap();
        table
            .put(
                &Item {
                    wake: Some(Wake::Executor),
                    ..item(2, "b")
                },
                1,
            )
            .await
            .unwrap();
        table
            .put(
                &Item {
                    wake: Some(Wake::Decision),
                    ..item(3, "c")
                },
                2,
            )
            .await
            .unwrap();
        let waiting: Vec<String> = table
            .waiting_records()
            .into_iter()
            .map(|record| record.item.write_id.clone())
            .collect();
        assert_eq!(waiting, ["b", "c"]);
    }

    #[tokio::test]
    async fn a_table_that_is_away_answers_nothing_and_keeps_everything() {
        let table = table();
        table.put(&item(1, "a"), 0).await.unwrap();
        table.faults.always("table.*", Fault::Before(CallErrorKind::Lost));
        assert!(table.get(&item(1, "a").key).await.is_err());
        assert!(table.put(&item(2, "b"), 1).await.is_err());
        table.faults.clear();
        assert_eq!(table.get(&item(1, "a").key).await.unwrap().unwrap().write_id, "a");
    }
}
