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
use understudy_core::control::{Control, LastRefusal, Latch, Wake, later};
use understudy_core::decide::{Closed, Decision, Lags, Move, Proposal, ProposalChange, Situation, Trigger, decide};
use understudy_core::event::AlarmEvent;
use understudy_core::execution::{Execution, Kind, TriggerKind};
use understudy_core::fleet::FleetState;
use understudy_core::guard::{Guard, Verdict, reasons};
use understudy_core::health::SiteHealth;
use understudy_core::plan::Plan;
use understudy_core::preflight::Preflight;
use understudy_core::report::{EventKind, about_plan};
use understudy_core::setup::SetupRecord;

/// How often a judgement is made again because somebody else wrote first.
const MAX_JUDGEMENTS: u32 = 40;

/// When sufficient alarms are asked again. One that could not be read, or that CloudWatch showed in another state than
/// the event told, may show by then; and an event that was lost would leave nobody else to look.
const ASK_AGAIN: SignedDuration = SignedDuration::from_mins(1);

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

/// A refusal that is told and remembered, because nothing has been refused like this before.
struct News {
    refusal: LastRefusal,
    headline: String,
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
            if seen.plan.sufficient_alarms().next().is_some() {
                let soon = later(now, ASK_AGAIN);
                decision.look_again_at = Some(decision.look_again_at.map_or(soon, |at| at.min(soon)));
            }
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
        control.expire(now);
        if execution.trigger == TriggerKind::Automatic && execution.kind == Kind::Failover {
            let cooldown = SignedDuration::from_secs(i64::from(execution.plan.policy.cooldown_seconds));
            control.latch = Some(Latch {
                until: later(now, cooldown),
                execution: execution.id.clone(),
            });
            control.automatic_failovers.push(now);
        }
        // A promised return is the person's, and takes nothing from what may happen by itself.
        let promised = control.away.as_ref().is_some_and(|away| away.return_at.is_some());
        if execution.trigger == TriggerKind::Automatic && execution.kind == Kind::Failback && !promised {
            control.automatic_failbacks.push(now);
        }
        // What moves nothing answers no proposal, and does not make an answer forgotten.
        if execution.kind.is_move() {
            control.proposal = None;
        }
        control.look_again_at = None;
        control.last_refusals.clear();
        control.execution = Some(execution);
        control.clear_decision_wake();
        control.wake(now, Wake::Executor);
        Ok(self.store.put_control(&mut control).await?.is_none())
    }

    // Records why not. The same refusal again counts up one record and tells nobody twice.
    //
    // The record comes after the write that judges: a try that was lost to another writer leaves none. If this invocation
    // ends in between, an event or a change makes another look, which finds the refusal known and its record missing; of
    // what a timer proposed or told, the announcement is what is left.
    async fn refuse(
        &self,
        control: Control,
        trigger: &Trigger,
        decision: &Decision,
        why_not: DecisionRecord,
    ) -> Result<bool, CallError> {
        let now = why_not.first_at;
        let plan = control.plan.clone();
        let proposes = decision.proposal != ProposalChange::Keep;
        let source = why_not.sites.get(&control.active_site).map(|site| site.health);
        let fingerprint = decision.fingerprint(trigger, source);
        let concerned = decision
            .concerns
            .as_ref()
            .is_some_and(|concerns| control.is_news(concerns));
        let known = control
            .repeated(&fingerprint)
            .filter(|_| !proposes && !concerned)
            .map(|last| last.decision_id.clone());
        // A timer that finds all as before says nothing new; one that finds a move held back says by what, once.
        let mut stops = decision.verdicts.iter().filter(|verdict| !verdict.allows);
        let held_back = known.is_none() && stops.any(|verdict| verdict.guard != Guard::SourceUnhealthy);
        let worth_a_record = decision.alert || proposes || held_back || !matches!(trigger, Trigger::Timer);
        let news = (known.is_none() && worth_a_record).then(|| News {
            refusal: LastRefusal {
                source: trigger.source(),
                fingerprint,
                decision_id: self.store.new_id(now),
            },
            headline: match (&decision.would, &decision.concerns) {
                (Some(would), _) => format!("observed only: would {} {} to {}", would.kind, would.from, would.to),
                (None, Some(concerns)) if concerned => format!("look at this: {}", concerns.join(", ")),
                (None, _) => format!("nothing moved: {}", trigger.sentence()),
            },
        });
        let record_id = known.or_else(|| news.as_ref().map(|news| news.refusal.decision_id.clone()));
        // A person has the answer; the control item need not know.
        if !trigger.is_a_persons() && !self.write_refusal(control, trigger, decision, news, now).await? {
            return Ok(false);
        }
        if let Some(id) = record_id.filter(|_| worth_a_record) {
            self.record(&plan, &id, why_not).await?;
        }
        Ok(true)
    }

    async fn write_refusal(
        &self,
        mut control: Control,
        trigger: &Trigger,
        decision: &Decision,
        news: Option<News>,
        now: Timestamp,
    ) -> Result<bool, CallError> {
        let before = control.clone();
        control.expire(now);
        control.clear_decision_wake();
        control.look_again_at = decision.look_again_at;
        if let Some(concerns) = &decision.concerns {
            control.concerns.clone_from(concerns);
        }
        self.follow_proposal(&mut control, decision, now);
        if let Some(News { refusal, headline }) = news {
            let id = format!("decision:{}", refusal.decision_id);
            let of_alarm = matches!(trigger, Trigger::Alarm { .. });
            control.remember_refusal(refusal, !of_alarm && !decision.alert);
            if decision.alert {
                let mut details = vec![decision.summary.clone()];
                details.extend(reasons(&decision.verdicts));
                let plan = control.plan.clone();
                control.announce(about_plan(EventKind::Alert, &plan, &id, &headline, &details, now));
                control.wake(now, Wake::Executor);
                metrics::counter!("Alerts").increment(1);
            }
        }
        if control == before {
            return Ok(true);
        }
        Ok(self.store.put_control(&mut control).await?.is_none())
    }

    // What waits for a person's yes is told in the same write that makes it.
    fn follow_proposal(&self, control: &mut Control, decision: &Decision, now: Timestamp) {
        let plan = control.plan.clone();
        let tell = |control: &mut Control, event: EventKind, id: String, headline: String, details: &[String]| {
            control.announce(about_plan(event, &plan, &id, &headline, details, now));
            control.wake(now, Wake::Executor);
        };
        match &decision.proposal {
            ProposalChange::Keep => {}
            ProposalChange::Make {
                chosen,
                expires_at,
                on_expiry,
            } => {
                let proposal = Proposal {
                    id: self.store.new_id(now),
                    chosen: chosen.as_ref().clone(),
                    verdicts: decision.verdicts.clone(),
                    made_at: now,
                    expires_at: *expires_at,
                    on_expiry: *on_expiry,
                    closed: None,
                };
                let id = format!("proposal:{}", proposal.id);
                let details = proposal.asking(&plan);
                let headline = format!("a yes is needed: {}", proposal.sentence());
                control.proposal = Some(proposal);
                tell(control, EventKind::Waiting, id, headline, &details);
            }
            ProposalChange::Close { why, held } => {
                if let Some(known) = &mut control.proposal {
                    known.closed = Some(Closed {
                        at: now,
                        why: why.clone(),
                        held: *held,
                    });
                    let headline = format!("not moved: {}", known.sentence());
                    let id = format!("proposal:{}:closed", known.id);
                    tell(control, EventKind::Operator, id, headline, std::slice::from_ref(why));
                }
            }
            ProposalChange::Withdraw { why } => {
                if let Some(known) = control.proposal.take().filter(Proposal::is_open) {
                    let headline = format!("no answer is needed any more: {}", known.sentence());
                    let id = format!("proposal:{}:withdrawn", known.id);
                    tell(control, EventKind::Operator, id, headline, std::slice::from_ref(why));
                }
            }
        }
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
