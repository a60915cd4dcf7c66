//! Typed items over the table: every change is a compare-and-set.
//!
//! 1. Read the item, apply a pure change to it, write it if nobody wrote in between.
//! 2. Lost? Then look at what it lost to. The same `write_id` means that it was our own write whose reply
//!    was lost: done. Else apply the change to the newer item and try again.
//! 3. No answer at all? Read: the `write_id` says whether the write happened.
//!
//! A change that leaves the item as it is writes nothing.

use crate::ports::{CallError, CallErrorKind, Clock, Item, Key, Put, Random, Table};
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::convert::Infallible;
use std::sync::Arc;
use understudy_core::SCHEMA_VERSION;
use understudy_core::control::{Control, Wake};
use understudy_core::decide::Lags;
use understudy_core::execution::Execution;
use understudy_core::fleet::FleetState;
use understudy_core::health::Observation;
use understudy_core::mutant::{Mutant, active};
use understudy_core::plan::Plan;
use understudy_core::preflight::Preflight;
use understudy_core::setup::{Outdated, SetupRecord};

/// The sort key of the control item.
pub const CONTROL: &str = "control";
/// The prefix of plan revisions.
pub const REVISION: &str = "revision#";
/// The prefix of observations.
pub const OBSERVATION: &str = "observation#";
/// The item that holds how far the copies of a plan's data are behind.
pub const LAG: &str = "lag";
/// The item that holds what was found when a plan was last read through.
pub const PREFLIGHT: &str = "preflight";
/// The item that remembers what setup has made.
pub const SETUP: &str = "setup";
/// The prefix of decision records.
pub const DECISION: &str = "decision#";
/// The partition of what holds for all plans together. No plan has this name.
pub const FLEET: &str = "_fleet";
/// The sort key of people's word about all plans.
pub const FLEET_STATE: &str = "state";
/// The sort key of the automatic executions of late.
pub const FLEET_VELOCITY: &str = "velocity";
/// The prefix of ended executions.
pub const EXECUTION: &str = "execution#";
/// The prefix of pre-states that are too large for the control item.
pub const PRE_STATE: &str = "pre_state#";

/// The largest control item, in bytes of its JSON form: well under DynamoDB's 400 KB.
pub const MAX_CONTROL_BYTES: usize = 300 * 1024;
/// How often a compare-and-set is tried against others before the caller hears of it.
const MAX_ATTEMPTS: u32 = 40;

/// The due time of an item that waits for nothing: the index lists every plan.
pub const NEVER: Timestamp = Timestamp::MAX;

/// Why a change was not made.
#[derive(Debug, thiserror::Error)]
pub enum ChangeError<E> {
    /// The change itself refused.
    #[error("{0}")]
    Refused(E),
    /// There is no such plan.
    #[error("there is no plan `{0}`; `list` shows the plans")]
    NoPlan(String),
    /// The table could not be read or written.
    #[error(transparent)]
    Table(#[from] CallError),
}

/// Typed items over the table.
#[derive(Clone)]
pub struct Store {
    table: Arc<dyn Table>,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
}

impl Store {
    /// A store over these ports.
    pub fn new(table: Arc<dyn Table>, clock: Arc<dyn Clock>, random: Arc<dyn Random>) -> Self {
        Self { table, clock, random }
    }

    /// The table, for queries.
    pub fn table(&self) -> &dyn Table {
        self.table.as_ref()
    }

    /// An id that sorts by time: UUID version 7 of `now`.
    pub fn new_id(&self, now: Timestamp) -> String {
        let millis = u64::try_from(now.as_millisecond()).unwrap_or_default();
        uuid::Builder::from_unix_timestamp_millis(millis, &self.random.bytes())
            .into_uuid()
            .to_string()
    }

    /// A number from 0 to 1, for jitter.
    pub fn jitter(&self) -> f64 {
        let [first, second, ..] = self.random.bytes();
        f64::from(u16::from_be_bytes([first, second])) / f64::from(u16::MAX)
    }

    /// The control item of a plan.
    ///
    /// # Errors
    /// The table could not be read, or the item is of a newer form than this code.
    pub async fn control(&self, plan: &str) -> Result<Option<Control>, CallError> {
        self.read(&control_key(plan)).await
    }

    /// People's word about all plans.
    ///
    /// # Errors
    /// The table could not be read, or the item is of a newer form than this code.
    pub async fn fleet_state(&self) -> Result<FleetState, CallError> {
        Ok(self.read(&fleet_key(FLEET_STATE)).await?.unwrap_or_default())
    }

    /// Changes the control item by compare-and-set, and answers it as written.
    ///
    /// `change` may run several times, each time on a newer item: it must be pure.
    ///
    /// # Errors
    /// See [`ChangeError`].
    pub async fn change<T, E>(
        &self,
        plan: &str,
        mut change: impl FnMut(&mut Control) -> Result<T, E>,
    ) -> Result<(Control, T), ChangeError<E>> {
        let mut control = self
            .control(plan)
            .await?
            .ok_or_else(|| ChangeError::NoPlan(plan.to_owned()))?;
        for attempt in 0..MAX_ATTEMPTS {
            let before = control.clone();
            let answer = change(&mut control).map_err(ChangeError::Refused)?;
            if control == before {
                return Ok((control, answer));
            }
            match self.put_control(&mut control).await? {
                None => return Ok((control, answer)),
                Some(Some(newer)) => control = newer,
                Some(None) => return Err(ChangeError::NoPlan(plan.to_owned())),
            }
            self.back_off(attempt).await;
        }
        Err(ChangeError::Table(contended(&control_key(plan))))
    }

    /// The same with a change that refuses nothing. A plan that is gone needs none.
    ///
    /// # Errors
    /// The table could not be read or written.
    pub async fn change_if_there(&self, plan: &str, mut change: impl FnMut(&mut Control)) -> Result<(), CallError> {
        let changed = self.change(plan, |control| {
            change(control);
            Ok::<_, Infallible>(())
        });
        match changed.await {
            Ok(_) | Err(ChangeError::NoPlan(_)) => Ok(()),
            Err(ChangeError::Table(error)) => Err(error),
            Err(ChangeError::Refused(never)) => match never {},
        }
    }

    /// Writes a control item over the version that it was read with. `None`: written, and its version is
    /// the new one. `Some`: somebody else wrote first; the item that stands there.
    ///
    /// # Errors
    /// The table could not be written, or the item is too large.
    pub async fn put_control(&self, control: &mut Control) -> Result<Option<Option<Control>>, CallError> {
        let expected = control.version;
        control.version += 1;
        let wake = control.wake.as_ref().map(|wake| wake.function);
        let due = control.next_due().map_or(NEVER, |(at, _)| at);
        let body = to_body(&control_key(&control.plan), control)?;
        let bytes = json_bytes(&body);
        if bytes > MAX_CONTROL_BYTES {
            return Err(CallError::new(
                CallErrorKind::Refused,
                format!(
                    "the control item of plan {} would be {bytes} bytes, {MAX_CONTROL_BYTES} are allowed; nothing was written; \
                     make the plan smaller",
                    control.plan
                ),
            ));
        }
        let item = self.item(control_key(&control.plan), control.version, body, wake, Some(due));
        match self.put(&item, expected).await? {
            Put::Written => Ok(None),
            Put::Lost(None) => Ok(Some(None)),
            Put::Lost(Some(found)) => Ok(Some(Some(from_item(&found)?))),
        }
    }

    /// Deletes the control item, if it is still this one.
    ///
    /// # Errors
    /// The table could not be written.
    pub async fn delete_control(&self, control: &Control) -> Result<bool, CallError> {
        Ok(self.table.delete(&control_key(&control.plan), control.version).await? == Put::Written)
    }

    /// Stores a plan in an item of its own and answers its sort key. Nothing points to it yet.
    ///
    /// # Errors
    /// The table could not be written.
    pub async fn put_revision(&self, plan: &Plan, revision: u64, now: Timestamp) -> Result<String, CallError> {
        let name = format!("{REVISION}{revision:08}-{}", self.new_id(now));
        let key = Key {
            plan: plan.name.clone(),
            item: name.clone(),
        };
        self.put_once(key, plan).await?;
        Ok(name)
    }

    /// The plan that the control item points to.
    ///
    /// # Errors
    /// The table could not be read, or the item is gone.
    pub async fn plan_of(&self, control: &Control) -> Result<Plan, CallError> {
        let key = Key {
            plan: control.plan.clone(),
            item: control.plan_item.clone(),
        };
        self.read(&key).await?.ok_or_else(|| {
            CallError::new(
                CallErrorKind::NotFound,
                format!(
                    "revision {} of plan {} is not in the table ({}); put the plan again",
                    control.plan_revision, control.plan, key.item
                ),
            )
        })
    }

    /// How far the copies of a plan's data were behind when their source was last seen to be well.
    ///
    /// # Errors
    /// The table could not be read.
    pub async fn lags(&self, plan: &str) -> Result<Lags, CallError> {
        Ok(self.read(&lag_key(plan)).await?.unwrap_or_default())
    }

    /// The same, measured since the active site is their source, and asked only where moves of this plan away from it have a
    /// copy that can be behind.
    ///
    /// # Errors
    /// The table could not be read.
    pub async fn lags_from(&self, plan: &Plan, control: &Control) -> Result<Lags, CallError> {
        if plan.lag_sources(&control.active_site).is_empty() {
            return Ok(Lags::new());
        }
        let mut lags = self.lags(&plan.name).await?;
        // What was measured before the site became the source was the lag behind another one.
        let since = control.carried_since();
        lags.retain(|_, lag| since.is_none_or(|since| lag.measured_at >= since));
        Ok(lags)
    }

    /// Remembers newer ones, each only if it says more than what is remembered.
    ///
    /// # Errors
    /// The table could not be written.
    pub async fn remember_lags(&self, plan: &str, measured: &Lags, now: Timestamp) -> Result<(), CallError> {
        self.upsert(&lag_key(plan), |before: Option<Lags>| {
            let before = before.unwrap_or_default();
            let mut after = before.clone();
            for (site, lag) in measured {
                if let Some(lag) = lag.remember(before.get(site).copied(), now) {
                    after.insert(site.clone(), lag);
                }
            }
            (Some(after).filter(|after| *after != before), ())
        })
        .await
    }

    /// What was found when a plan was last read through.
    ///
    /// # Errors
    /// The table could not be read.
    pub async fn preflight(&self, plan: &str) -> Result<Option<Preflight>, CallError> {
        self.read(&preflight_key(plan)).await
    }

    /// Remembers what was found, unless somebody has found something newer meanwhile. Answers what stood there.
    ///
    /// # Errors
    /// The table could not be written.
    pub async fn remember_preflight(&self, plan: &str, found: &Preflight) -> Result<Option<Preflight>, CallError> {
        self.upsert(&preflight_key(plan), |before: Option<Preflight>| {
            let newer = before
                .as_ref()
                .is_some_and(|before| before.checked_at > found.checked_at);
            ((!newer).then(|| found.clone()), before)
        })
        .await
    }

    /// What setup has made of a plan's resources.
    ///
    /// # Errors
    /// The table could not be read.
    pub async fn setup(&self, plan: &str) -> Result<SetupRecord, CallError> {
        Ok(self.read(&setup_key(plan)).await?.unwrap_or_default())
    }

    /// Changes that record by compare-and-set, and answers it as it is then. `change` must be pure.
    ///
    /// # Errors
    /// The table could not be written; inside, the record was written by a later epoch.
    pub async fn change_setup(
        &self,
        plan: &str,
        mut change: impl FnMut(&mut SetupRecord) -> Result<(), Outdated>,
    ) -> Result<Result<SetupRecord, Outdated>, CallError> {
        self.upsert(&setup_key(plan), |before: Option<SetupRecord>| {
            let mut record = before.clone().unwrap_or_default();
            match change(&mut record) {
                Ok(()) => (
                    Some(record.clone()).filter(|after| before.as_ref() != Some(after)),
                    Ok(record),
                ),
                Err(outdated) => (None, Err(outdated)),
            }
        })
        .await
    }

    /// All observations of a plan.
    ///
    /// # Errors
    /// The table could not be read.
    pub async fn observations(&self, plan: &str) -> Result<Vec<(Item, Observation)>, CallError> {
        let items = self.table.query(plan, OBSERVATION, usize::MAX, false).await?;
        items
            .into_iter()
            .map(|item| from_item(&item).map(|observation| (item, observation)))
            .collect()
    }

    /// The same without their items: what is seen of a plan.
    ///
    /// # Errors
    /// The table could not be read.
    pub async fn seen(&self, plan: &str) -> Result<Vec<Observation>, CallError> {
        let observations = self.observations(plan).await?.into_iter();
        Ok(observations.map(|(_, seen)| seen).collect())
    }

    /// Writes an item that must not exist yet. Our own earlier write of the same content counts as written.
    ///
    /// # Errors
    /// The table could not be written.
    pub async fn put_once(&self, key: Key, value: &impl Serialize) -> Result<bool, CallError> {
        let body = to_body(&key, value)?;
        let item = self.item(key, 1, body, None, None);
        Ok(match self.put(&item, 0).await? {
            Put::Written => true,
            Put::Lost(found) => found.is_some_and(|found| found.body == item.body),
        })
    }

    /// Copies an ended execution to the write-once history.
    ///
    /// # Errors
    /// The table could not be written.
    pub async fn archive(&self, plan: &str, execution: &Execution) -> Result<(), CallError> {
        let key = Key {
            plan: plan.to_owned(),
            item: format!("{EXECUTION}{}", execution.id),
        };
        self.put_once(key, execution).await.map(|_| ())
    }

    /// Changes any item by compare-and-set; `None` in means that there is none yet.
    ///
    /// # Errors
    /// The table could not be read or written.
    pub async fn upsert<V, T>(
        &self,
        key: &Key,
        mut change: impl FnMut(Option<V>) -> (Option<V>, T),
    ) -> Result<T, CallError>
    where
        V: Serialize + DeserializeOwned,
    {
        let mut found = self.table.get(key).await?;
        for attempt in 0..MAX_ATTEMPTS {
            let version = found.as_ref().map_or(0, |item| item.version);
            let current = found.as_ref().map(from_item).transpose()?;
            let (wanted, answer) = change(current);
            let Some(wanted) = wanted else { return Ok(answer) };
            let item = self.item(key.clone(), version + 1, to_body(key, &wanted)?, None, None);
            match self.put(&item, version).await? {
                Put::Written => return Ok(answer),
                Put::Lost(newer) => found = newer.map(|newer| *newer),
            }
            self.back_off(attempt).await;
        }
        Err(contended(key))
    }

    /// Writes `item` with its own `write_id`, and finds out what became of it if no answer came.
    ///
    /// # Errors
    /// The table could not be written, or not be asked whether it was.
    pub async fn put(&self, item: &Item, expected: u64) -> Result<Put, CallError> {
        let outcome = match self.table.put(item, expected).await {
            Err(error) if error.is_unsure() && active(Mutant::LostReplyIsSuccess) => Put::Written,
            // The SDK repeats by itself, and of several tries only the last one's answer is seen: one that was throttled may
            // follow one that was carried out.
            Err(error) if error.may_repeat() => {
                let found = self.table.get(&item.key).await?;
                match found {
                    Some(found) if found.version == expected && expected > 0 => return Err(error),
                    None if expected == 0 => return Err(error),
                    found => Put::Lost(found.map(Box::new)),
                }
            }
            other => other?,
        };
        Ok(match outcome {
            Put::Lost(Some(found)) if active(Mutant::ConditionDropped) => {
                let version = found.version + 1;
                self.table
                    .put(
                        &Item {
                            version,
                            ..item.clone()
                        },
                        found.version,
                    )
                    .await?
            }
            Put::Lost(Some(found)) if found.write_id == item.write_id && !active(Mutant::LostReplyIsRefusal) => {
                Put::Written
            }
            other => other,
        })
    }

    /// An item of this content, with a new `write_id`.
    pub fn item(
        &self,
        key: Key,
        version: u64,
        body: serde_json::Value,
        wake: Option<Wake>,
        due_at: Option<Timestamp>,
    ) -> Item {
        let write_id = self.random.bytes().iter().map(|byte| format!("{byte:02x}")).collect();
        Item {
            key,
            version,
            write_id,
            schema_version: SCHEMA_VERSION,
            wake,
            due_at,
            body,
        }
    }

    /// Reads an item.
    ///
    /// # Errors
    /// The table could not be read, or the item is not of the expected form.
    pub async fn read<V: DeserializeOwned>(&self, key: &Key) -> Result<Option<V>, CallError> {
        self.table.get(key).await?.as_ref().map(from_item).transpose()
    }

    async fn back_off(&self, attempt: u32) {
        let most = (10_u32 << attempt.min(6)).min(500);
        let millis = f64::from(most) * (0.5 + 0.5 * self.jitter());
        self.clock.sleep(SignedDuration::from_millis(millis as i64)).await;
    }
}

/// The key of a plan's control item.
pub fn control_key(plan: &str) -> Key {
    Key {
        plan: plan.to_owned(),
        item: CONTROL.to_owned(),
    }
}

/// The key of an item about all plans.
pub fn fleet_key(item: &str) -> Key {
    Key {
        plan: FLEET.to_owned(),
        item: item.to_owned(),
    }
}

fn preflight_key(plan: &str) -> Key {
    Key {
        plan: plan.to_owned(),
        item: PREFLIGHT.to_owned(),
    }
}

fn lag_key(plan: &str) -> Key {
    Key {
        plan: plan.to_owned(),
        item: LAG.to_owned(),
    }
}

fn setup_key(plan: &str) -> Key {
    Key {
        plan: plan.to_owned(),
        item: SETUP.to_owned(),
    }
}

/// The key of an observation.
pub fn observation_key(plan: &str, observation: &Observation) -> Key {
    Key {
        plan: plan.to_owned(),
        item: format!(
            "{OBSERVATION}{}#{}#{}",
            observation.site, observation.probe, observation.observer
        ),
    }
}

/// The value of an item.
///
/// # Errors
/// It is of a newer form, or not of the form that its key promises.
pub fn from_item<V: DeserializeOwned>(item: &Item) -> Result<V, CallError> {
    let name = format!("{}/{}", item.key.plan, item.key.item);
    if item.schema_version > SCHEMA_VERSION {
        return Err(CallError::new(
            CallErrorKind::Refused,
            format!(
                "item {name} has schema version {}; this code reads up to {SCHEMA_VERSION}; nothing was changed; deploy the newer version everywhere",
                item.schema_version
            ),
        ));
    }
    V::deserialize(&item.body).map_err(|error| {
        CallError::new(
            CallErrorKind::Refused,
            format!("item {name} can not be read: {error}; nothing was changed; somebody wrote it by hand?"),
        )
    })
}

/// How many bytes a body has as JSON, without writing it anywhere.
pub fn json_bytes(body: &serde_json::Value) -> usize {
    struct Counter(usize);
    impl std::io::Write for Counter {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0 += bytes.len();
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let mut counter = Counter(0);
    // A counter takes everything, and a JSON value has only string keys.
    match serde_json::to_writer(&mut counter, body) {
        Ok(()) => counter.0,
        Err(_) => usize::MAX,
    }
}

/// The stored form of a value.
///
/// # Errors
/// It has none: a bug.
pub fn to_body(key: &Key, value: &impl Serialize) -> Result<serde_json::Value, CallError> {
    serde_json::to_value(value).map_err(|error| {
        CallError::new(
            CallErrorKind::Refused,
            format!(
                "item {}/{} can not be written: {error}; nothing was changed",
                key.plan, key.item
            ),
        )
    })
}

fn contended(key: &Key) -> CallError {
    CallError::new(
        CallErrorKind::Retryable,
        format!(
            "writing item {}/{}: {MAX_ATTEMPTS} tries lost against other writers; nothing was written; try again",
            key.plan, key.item
        ),
    )
}
