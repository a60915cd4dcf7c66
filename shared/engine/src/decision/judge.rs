//! Read, judge, write: one compare-and-set from what was seen to what was decided.
//!
//! The control item that was judged is the one that is written over. If anybody wrote in between, the
//! judgement is thrown away and made again on what stands there now, so two events at once, or one event
//! five times, open one execution at most.

use super::DecisionMaker;
use super::commands::SaidCommand;
use crate::ports::{CallError, CallErrorKind, Key};
use crate::sites;
use crate::store::DECISION;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use understudy_core::control::Control;
use understudy_core::decide::{Decision, Lags, Move, Record, Situation, Trigger, decide};
use understudy_core::event::AlarmEvent;
use understudy_core::execution::{Execution, Kind};
use understudy_core::fleet::FleetState;
use understudy_core::guard::Verdict;
use understudy_core::health::SiteHealth;
use understudy_core::plan::Plan;
use understudy_core::preflight::Preflight;
use understudy_core::setup::SetupRecord;

/// How often a judgement is made again because somebody else wrote first.
const MAX_JUDGEMENTS: u32 = 40;

/// What was judged and what came of it.
pub(super) struct Judged {
    pub(super) plan: String,
    pub(super) decision: Decision,
    pub(super) sites: BTreeMap<String, SiteHealth>,
    /// The execution that was opened.
    pub(super) execution: Option<String>,
}

impl Judged {
    pub(super) fn answer(&self) -> Value {
        json!({
            "ok": true,
            "plan": self.plan,
            "decision": if self.execution.is_some() { "start" } else { "nothing" },
            "execution": self.execution,
            "summary": self.decision.summary,
            "verdicts": self.decision.verdicts,
            "sites": self.sites,
            "look_again_at": self.decision.look_again_at,
        })
    }
}

/// What came: something to judge, or a person's word that is done or refused as it stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Came {
    /// Something to judge.
    Judged(Box<Trigger>),
    /// A person's word.
    Said(SaidCommand),
}

/// One record of why, or why not. A repetition counts up.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DecisionRecord {
    /// What made decision look.
    pub trigger: Came,
    /// The same in a few words.
    pub trigger_text: String,
    /// What was decided, in one sentence.
    pub summary: String,
    /// What each guard said.
    pub verdicts: Vec<Verdict>,
    /// The health of the sites as it was seen.
    pub sites: BTreeMap<String, SiteHealth>,
    /// The execution that was opened.
    pub execution: Option<String>,
    /// When it was decided so first.
    pub first_at: Timestamp,
    /// When it was decided so last.
    pub last_at: Timestamp,
    /// How often.
    pub count: u64,
}

/// What is known when judging, all read now.
pub(super) struct Seen {
    pub(super) plan: Plan,
    pub(super) sites: BTreeMap<String, SiteHealth>,
    pub(super) fleet: FleetState,
    pub(super) lags: Lags,
    pub(super) preflight: Option<Preflight>,
    pub(super) setup: SetupRecord,
}

impl Seen {
    pub(super) fn situation<'a>(&'a self, control: &'a Control) -> Situation<'a> {
        Situation {
            plan: &self.plan,
            control,
            sites: &self.sites,
            fleet: &self.fleet,
            lags: &self.lags,
            preflight: self.preflight.as_ref(),
            setup: &self.setup,
        }
    }

    /// The plan as the execution of a move takes it: one that comes home gives back what was raised for the way out.
    pub(super) fn plan_of_move(&self, control: &Control, chosen: &Move) -> Plan {
        let plan = self.plan.clone();
        if matches!(chosen.kind, Kind::Setup | Kind::Teardown) {
            return plan;
        }
        let home = plan.is_home(&chosen.to);
        match control.away.as_ref().filter(|_| home) {
            Some(away) => plan.giving_back(&away.raised),
            None => plan,
        }
    }
}

impl DecisionMaker {
    /// Reads what the judgement of this control item needs.
    pub(super) async fn look(&self, control: &Control) -> Result<Seen, CallError> {
        let plan = self.store.plan_of(control).await?;
        let (alarms, clock) = (self.ports.alarms.as_ref(), self.ports.clock.as_ref());
        let sites = sites::look(&self.store, alarms, clock, &plan).await?;
        let fleet = self.store.fleet_state().await?;
        let lags = self.store.lags_from(&plan, control).await?;
        let preflight = self.store.preflight(&control.plan).await?;
        let setup = match control.set_up {
            Some(_) => self.store.setup(&control.plan).await?,
            None => SetupRecord::default(),
        };
        Ok(Seen {
            plan,
            sites,
            fleet,
            lags,
            preflight,
            setup,
        })
    }

    /// Judges a plan and writes what was decided. `None`: there is no such plan.
    pub(super) async fn judge(&self, name: &str, trigger: &Trigger) -> Result<Option<Judged>, CallError> {
        // One id for all tries: the fleet's entry, made before the execution, must name the one that is opened.
        let execution_id = self.store.new_id(self.ports.clock.now());
        for _ in 0..MAX_JUDGEMENTS {
            let Some(control) = self.store.control(name).await? else {
                return Ok(None);
            };
            let seen = self.look(&control).await?;
            let now = self.ports.clock.now();
            let mut decision = decide(now, trigger, seen.situation(&control));
            self.ask_fleet(name, &execution_id, now, &mut decision, false).await?;
            let written = match decision.start.clone() {
                Some(chosen) => {
                    let teardown = chosen.kind == Kind::Teardown;
                    let plan = seen.plan_of_move(&control, &chosen);
                    let execution = Execution::open(
                        execution_id.clone(),
                        chosen,
                        decision.verdicts.clone(),
                        &plan,
                        control.plan_revision,
                        now,
                    )
                    .accepting(trigger.accepted());
                    let execution = if teardown {
                        execution.take_back(&seen.setup)
                    } else {
                        execution
                    };
                    // A write whose reply was lost is recognised by the item that it made. If others have written since,
                    // even carried the execution to its end, only its id tells: without this look a person would be told
                    // that nothing was begun.
                    self.open(control, execution, now).await? || self.find(name, &execution_id).await?.is_some()
                }
                None => {
                    let why_not = new_record(trigger, &decision, &seen, None, now);
                    self.refuse(control, trigger, &decision, why_not).await?
                }
            };
            if !written {
                // Somebody wrote first: give the clock a moment and judge what stands there now.
                let pause = 20.0 + 80.0 * self.store.jitter();
                self.ports.clock.sleep(SignedDuration::from_millis(pause as i64)).await;
                continue;
            }
            let execution = decision.start.as_ref().map(|_| execution_id.clone());
            if execution.is_some() {
                metrics::counter!("ExecutionsOpened").increment(1);
                let record = new_record(trigger, &decision, &seen, execution.clone(), now);
                // The execution itself carries its reasons: a record that is lost here loses nothing.
                if let Err(error) = self.record(name, &self.store.new_id(now), record).await {
                    tracing::warn!(
                        plan = name,
                        error = error.message,
                        "the decision record was not written"
                    );
                }
            }
            tracing::info!(
                plan = name,
                trigger = trigger.sentence(),
                decision = decision.summary,
                execution,
                "judged"
            );
            return Ok(Some(Judged {
                plan: name.to_owned(),
                decision,
                sites: seen.sites,
                execution,
            }));
        }
        Err(CallError::new(
            CallErrorKind::Retryable,
            format!(
                "judging plan {name}: {MAX_JUDGEMENTS} tries lost against other writers; nothing was written; try again"
            ),
        ))
    }

    // Opens an execution over exactly the control item that was judged.
    async fn open(&self, mut control: Control, execution: Execution, now: Timestamp) -> Result<bool, CallError> {
        control.open(now, execution);
        Ok(self.store.put_control(&mut control).await?.is_none())
    }

    // Records why not, behind the write that judges: a try that was lost to another writer leaves no record. If this
    // invocation ends in between, the next look finds the record missing, and writes what it sees itself.
    async fn refuse(
        &self,
        mut control: Control,
        trigger: &Trigger,
        decision: &Decision,
        why_not: DecisionRecord,
    ) -> Result<bool, CallError> {
        let now = why_not.first_at;
        let plan = control.plan.clone();
        let source = why_not.sites.get(&control.active_site).map(|site| site.health);
        let before = control.clone();
        let followed = control.follow(now, trigger, decision, source, || self.store.new_id(now));
        if control != before && self.store.put_control(&mut control).await?.is_some() {
            return Ok(false);
        }
        metrics::counter!("Alerts").increment(u64::from(followed.alerts));
        match followed.record {
            Record::Nothing => {}
            Record::New(id) | Record::Again(id) => self.record(&plan, &id, why_not).await?,
            Record::IfMissing(id) => {
                let key = decision_key(&plan, &id);
                if self.store.table().get(&key).await?.is_none() {
                    self.store.put_once(key, &why_not).await?;
                }
            }
        }
        Ok(true)
    }

    // Writes a record, or counts up the one that is there.
    async fn record(&self, plan: &str, id: &str, record: DecisionRecord) -> Result<(), CallError> {
        self.store
            .upsert(&decision_key(plan, id), |known: Option<DecisionRecord>| {
                let counted = known.map(|known| DecisionRecord {
                    count: known.count.saturating_add(1),
                    last_at: record.last_at,
                    ..known
                });
                (Some(counted.unwrap_or_else(|| record.clone())), ())
            })
            .await
    }

    /// An alarm that no plan is bound to is recorded all the same: nothing is dropped silently.
    pub(super) async fn record_unbound(&self, key: &Key, event: &AlarmEvent) -> Result<(), CallError> {
        let now = self.ports.clock.now();
        self.store
            .upsert(key, |record: Option<Value>| {
                let count = record.as_ref().and_then(|record| record.get("count")).and_then(Value::as_u64).unwrap_or(0) + 1;
                (Some(json!({"event": event, "why_not": "no plan is bound to this alarm", "last_at": now, "count": count})), ())
            })
            .await
    }
}

pub(super) fn decision_key(plan: &str, id: &str) -> Key {
    Key {
        plan: plan.to_owned(),
        item: format!("{DECISION}{id}"),
    }
}

fn new_record(
    trigger: &Trigger,
    decision: &Decision,
    seen: &Seen,
    execution: Option<String>,
    now: Timestamp,
) -> DecisionRecord {
    DecisionRecord {
        trigger: Came::Judged(Box::new(trigger.clone())),
        trigger_text: trigger.sentence(),
        summary: decision.summary.clone(),
        verdicts: decision.verdicts.clone(),
        sites: seen.sites.clone(),
        execution,
        first_at: now,
        last_at: now,
        count: 1,
    }
}
