//! What people ask for, and what they are answered.
//!
//! Every change is one compare-and-set on the control item, announced in the same write and told in the
//! answer. `dry_run` takes the same path up to the write.

use super::{DecisionMaker, answers};
use crate::executor::question::Question;
use crate::ports::{CallError, Invocation, Key};
use crate::store::{DECISION, EXECUTION};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use understudy_core::command::{Command, Failover, History, Resolution, Resolve, ResourceRequest, WordOnPlan, parse};
use understudy_core::control::{Control, Ended, Wake, Word, later};
use understudy_core::decide::{Situation, Trigger, decide};
use understudy_core::event::{excerpt, excerpt_long};
use understudy_core::execution::{Direction, Execution, Kind, Status};
use understudy_core::report::{EventKind, about_execution, about_plan, clock};

/// How often a waiting `failover` looks whether the execution has ended.
const LOOK_EVERY: SignedDuration = SignedDuration::from_millis(500);

impl DecisionMaker {
    /// Answers a command. Never fails: a person gets a sentence, whatever happens.
    pub(super) async fn command(&self, value: Value, invocation: &Invocation) -> Value {
        let command = match parse(value) {
            Ok(command) => command,
            Err(why) => return answers::refused(&why),
        };
        let word = command.word();
        tracing::info!(command = word, "a person asks");
        let answer = match command {
            Command::Failover(asked) => self.move_plan(asked, Kind::Failover, invocation).await,
            Command::Failback(asked) => self.move_plan(asked, Kind::Failback, invocation).await,
            Command::Status(asked) => self.status(&asked.plan).await,
            Command::List(_) => self.list().await,
            Command::History(asked) => self.history(&asked).await,
            Command::Pause(asked) => self.pause(&asked).await,
            Command::Resume(asked) => self.resume(&asked).await,
            Command::Acknowledge(asked) => self.acknowledge(&asked).await,
            Command::Cancel(asked) => self.cancel(&asked).await,
            Command::Resolve(asked) => self.resolve(&asked).await,
            Command::PutPlan(asked) => self.put_plan(asked).await,
            Command::DeletePlan(asked) => self.delete_plan(&asked).await,
            Command::Validate(asked) => self.validate(asked.plan).await,
        };
        answer.unwrap_or_else(|error| answers::out_of_reach(&error.message))
    }

    /// The request form that names resources: finds the plan and the sites that own them.
    pub(super) async fn resource_request(&self, value: Value, invocation: &Invocation) -> Value {
        let request: ResourceRequest = match serde_json::from_value(value) {
            Ok(request) => request,
            Err(error) => {
                return answers::refused(&format!(
                    "the request can not be read: {}",
                    excerpt_long(&error.to_string())
                ));
            }
        };
        match self.owners(&request).await {
            Err(error) => answers::out_of_reach(&error.message),
            Ok(found) => match found.as_slice() {
                [(plan, to)] => {
                    let asked = Failover {
                        plan: plan.clone(),
                        to: Some(to.clone()),
                        operator: request.operator.clone(),
                        reason: request.reason.clone(),
                        style: understudy_core::execution::Style::Planned,
                        force: false,
                        wait_seconds: request.wait_seconds,
                        dry_run: request.dry_run,
                        rollback_plan: request.rollback_plan,
                    };
                    // The same door as for the command, its checks included.
                    match serde_json::to_value(Command::Failover(asked)) {
                        Ok(command) => self.command(command, invocation).await,
                        Err(error) => answers::refused(&error.to_string()),
                    }
                }
                [] => answers::refused(&format!(
                    "no plan moves work from {} to {}; list both among the `resources` of two sites of a plan, or use \
                     {{\"command\": \"failover\", \"plan\": …, \"to\": …}}",
                    excerpt(&request.source_resource),
                    excerpt(&request.target_resource)
                )),
                several => answers::refused(&format!(
                    "several plans own these resources ({}); say which with {{\"command\": \"failover\", \"plan\": …, \"to\": …}}",
                    several
                        .iter()
                        .map(|(plan, _)| plan.as_str())
                        .collect::<Vec<_>>()
                        .join(", ")
                )),
            },
        }
    }

    // The plans that own both resources, the source at the active site, with the target's site.
    async fn owners(&self, request: &ResourceRequest) -> Result<Vec<(String, String)>, CallError> {
        let mut found = BTreeSet::new();
        for due in self.store.table().due(None).await? {
            let Some(control) = self.store.control(&due.plan).await? else {
                continue;
            };
            let plan = self.store.plan_of(&control).await?;
            let sources = plan.sites_owning(&request.source_resource);
            if !sources.contains(control.active_site.as_str()) {
                continue;
            }
            let targets = plan.sites_owning(&request.target_resource);
            if let Some(to) = targets.into_iter().find(|site| *site != control.active_site) {
                found.insert((due.plan.clone(), to.to_owned()));
            }
        }
        Ok(found.into_iter().collect())
    }

    async fn move_plan(&self, asked: Failover, kind: Kind, invocation: &Invocation) -> Result<Value, CallError> {
        let (plan, wait_seconds) = (asked.plan.clone(), asked.wait_seconds);
        let dry_run = asked.dry_run;
        let trigger = Trigger::Operator { asked, move_kind: kind };
        if dry_run {
            return self.dry_run(&plan, &trigger).await;
        }
        let Some(judged) = self.judge(&plan, &trigger).await? else {
            return Ok(answers::no_plan(&plan));
        };
        let Some(id) = judged.execution.clone() else {
            return Ok(json!({
                "ok": false, "error": judged.decision.summary, "changed": "nothing",
                "plan": plan, "verdicts": judged.decision.verdicts, "sites": judged.sites,
            }));
        };
        let mut answer = judged.answer();
        // Leave Lambda a few seconds to carry the answer.
        let last = later(invocation.deadline, -SignedDuration::from_secs(3));
        let until = later(
            self.ports.clock.now(),
            SignedDuration::from_secs(i64::from(wait_seconds)),
        )
        .min(last);
        let outcome = if wait_seconds == 0 {
            None
        } else {
            self.wait_for(&plan, &id, until).await?
        };
        if let Some(fields) = answer.as_object_mut() {
            fields.insert(
                "status".into(),
                json!(outcome.as_ref().map_or(Status::Pending, |execution| execution.status)),
            );
            fields.insert("waited_for".into(), outcome.as_ref().map_or(Value::Null, brief));
            fields.insert(
                "next".into(),
                json!(format!(
                    "{{\"command\": \"status\", \"plan\": \"{plan}\"}} tells how it goes on"
                )),
            );
        }
        Ok(answer)
    }

    // The execution, as it stands when it has ended or the time is over.
    async fn wait_for(&self, plan: &str, id: &str, until: Timestamp) -> Result<Option<Execution>, CallError> {
        let mut newest = None;
        loop {
            let Some(control) = self.store.control(plan).await? else {
                return Ok(newest);
            };
            match control.execution {
                Some(execution) if execution.id == id => {
                    let stuck = execution.status == Status::Stuck;
                    newest = Some(execution);
                    if stuck {
                        return Ok(newest);
                    }
                }
                _ => {
                    let key = Key {
                        plan: plan.to_owned(),
                        item: format!("{EXECUTION}{id}"),
                    };
                    return Ok(self.store.read(&key).await?.or(newest));
                }
            }
            if self.ports.clock.now() >= until {
                return Ok(newest);
            }
            self.ports.clock.sleep(LOOK_EVERY).await;
        }
    }

    async fn dry_run(&self, name: &str, trigger: &Trigger) -> Result<Value, CallError> {
        let Some(control) = self.store.control(name).await? else {
            return Ok(answers::no_plan(name));
        };
        let seen = self.look(&control).await?;
        let now = self.ports.clock.now();
        let decision = decide(
            now,
            trigger,
            Situation {
                plan: &seen.plan,
                control: &control,
                sites: &seen.sites,
            },
        );
        let steps = match &decision.start {
            None => Value::Null,
            Some(chosen) => {
                let question = Question::DryRun {
                    plan: Box::new(seen.plan.clone()),
                    to: chosen.to.clone(),
                };
                match self.ask(&question).await {
                    Ok(answer) => answer.get("steps").cloned().unwrap_or(answer),
                    Err(error) => json!({"error": error.message}),
                }
            }
        };
        Ok(json!({
            "ok": decision.start.is_some(), "dry_run": true, "changed": "nothing", "plan": name,
            "would": decision.start, "summary": decision.summary, "verdicts": decision.verdicts,
            "sites": seen.sites, "steps": steps,
        }))
    }

    pub(super) async fn ask(&self, question: &Question) -> Result<Value, CallError> {
        let body = crate::store::to_body(
            &Key {
                plan: "_question".into(),
                item: "executor".into(),
            },
            question,
        )?;
        self.ports.functions.ask_executor(&body).await
    }

    async fn status(&self, name: &str) -> Result<Value, CallError> {
        let Some(control) = self.store.control(name).await? else {
            return Ok(answers::no_plan(name));
        };
        let seen = self.look(&control).await?;
        let now = self.ports.clock.now();
        let situation = Situation {
            plan: &seen.plan,
            control: &control,
            sites: &seen.sites,
        };
        let next = decide(now, &Trigger::Timer, situation);
        Ok(json!({
            "ok": true,
            "plan": name,
            "plan_revision": control.plan_revision,
            "summary": headline(&control, &next.summary),
            "active_site": control.active_site,
            "primary": seen.plan.primary().map(|site| &site.name),
            "away": control.away,
            "mode": seen.plan.policy.mode,
            "paused": control.paused,
            "latch": control.latch.as_ref().filter(|latch| latch.until > now),
            "sites": seen.sites,
            "execution": control.execution.as_ref().map(brief),
            "last_execution": control.last_execution,
            "next": next.summary,
            "look_again_at": control.look_again_at,
            "epoch": control.epoch,
            "unsent_announcements": control.announcements.len(),
            "how_to_stop_it": how_to_stop(&control),
        }))
    }

    async fn list(&self) -> Result<Value, CallError> {
        let mut plans = Vec::new();
        for due in self.store.table().due(None).await? {
            // One that can not be read must not hide the others.
            let control = match self.store.control(&due.plan).await {
                Ok(Some(control)) => control,
                Ok(None) => continue,
                Err(error) => {
                    plans.push(json!({"plan": due.plan, "error": error.message}));
                    continue;
                }
            };
            plans.push(json!({
                "plan": control.plan,
                "active_site": control.active_site,
                "away": control.away.is_some(),
                "paused": control.paused.is_some(),
                "execution": control.execution.as_ref().map(|running| format!("{} {} {}", running.kind, running.route(), running.status)),
                "last": control.last_execution.as_ref().map(|ended| &ended.summary),
            }));
        }
        let count = plans.len();
        Ok(json!({"ok": true, "plans": plans, "count": count}))
    }

    async fn history(&self, asked: &History) -> Result<Value, CallError> {
        let limit = asked.limit.clamp(1, 50) as usize;
        let executions = self.store.table().query(&asked.plan, EXECUTION, limit, true).await?;
        let decisions = self.store.table().query(&asked.plan, DECISION, limit, true).await?;
        let executions: Vec<Execution> = executions
            .iter()
            .map(crate::store::from_item)
            .collect::<Result<_, _>>()?;
        let decisions: Vec<super::judge::DecisionRecord> = decisions
            .iter()
            .map(crate::store::from_item)
            .collect::<Result<_, _>>()?;
        if executions.is_empty() && decisions.is_empty() && self.store.control(&asked.plan).await?.is_none() {
            return Ok(answers::no_plan(&asked.plan));
        }
        Ok(json!({
            "ok": true, "plan": asked.plan,
            "executions": executions.iter().map(brief).collect::<Vec<_>>(),
            "decisions": decisions,
        }))
    }

    // One change of the control item by a person's word, announced in the same write.
    async fn by_word(
        &self,
        asked: &WordOnPlan,
        headline: &str,
        change: impl Fn(&mut Control, &Word, Timestamp) -> Result<String, String>,
    ) -> Result<Value, CallError> {
        let id = self.store.new_id(self.ports.clock.now());
        let apply = |control: &mut Control| {
            let now = self.ports.clock.now();
            let word = Word {
                operator: asked.operator.clone(),
                reason: asked.reason.clone(),
                at: now,
            };
            let said = change(control, &word, now)?;
            let title = format!("{headline} by {}", asked.operator);
            control.announce(about_plan(
                EventKind::Operator,
                &asked.plan,
                &format!("operator:{id}"),
                &title,
                &[asked.reason.clone(), said.clone()],
                now,
            ));
            control.wake(now, Wake::Executor);
            Ok::<String, String>(said)
        };
        if asked.dry_run {
            let Some(mut control) = self.store.control(&asked.plan).await? else {
                return Ok(answers::no_plan(&asked.plan));
            };
            return Ok(match apply(&mut control) {
                Ok(said) => {
                    json!({"ok": true, "dry_run": true, "changed": "nothing", "plan": asked.plan, "would": said})
                }
                Err(why) => answers::refused(&why),
            });
        }
        Ok(match self.store.change(&asked.plan, apply).await {
            Ok((_, said)) => json!({"ok": true, "plan": asked.plan, "summary": said}),
            Err(error) => answers::not_changed(&error),
        })
    }

    async fn pause(&self, asked: &WordOnPlan) -> Result<Value, CallError> {
        self.by_word(asked, "paused", |control, word, _| {
            if let Some(known) = &control.paused {
                return Err(format!(
                    "it is paused already, by {} since {}: {}",
                    known.operator,
                    clock(known.at),
                    known.reason
                ));
            }
            control.paused = Some(word.clone());
            Ok(
                "no automatic move starts until `resume`; a running execution goes on, and people can move the plan"
                    .into(),
            )
        })
        .await
    }

    async fn resume(&self, asked: &WordOnPlan) -> Result<Value, CallError> {
        let answer = self
            .by_word(asked, "resumed", |control, _, _| {
                control
                    .paused
                    .take()
                    .map(|_| "automatic moves may start again".into())
                    .ok_or_else(|| "it is not paused".into())
            })
            .await?;
        self.look_at_once(asked).await?;
        Ok(answer)
    }

    async fn acknowledge(&self, asked: &WordOnPlan) -> Result<Value, CallError> {
        let answer = self
            .by_word(asked, "acknowledged", |control, _, now| {
                control.expire(now);
                let latch = control
                    .latch
                    .take()
                    .ok_or("it is not latched: there is nothing to acknowledge")?;
                control.automatic_failovers.clear();
                Ok(format!(
                    "the latch of execution {} is open; an automatic failover may start again",
                    latch.execution
                ))
            })
            .await?;
        self.look_at_once(asked).await?;
        Ok(answer)
    }

    // What was held back by a pause or a latch is judged now, not at the next change.
    async fn look_at_once(&self, asked: &WordOnPlan) -> Result<(), CallError> {
        if !asked.dry_run {
            self.judge(&asked.plan, &Trigger::Timer).await?;
        }
        Ok(())
    }

    async fn cancel(&self, asked: &WordOnPlan) -> Result<Value, CallError> {
        self.by_word(asked, "cancelled", |control, word, _| {
            let execution = control
                .execution
                .as_mut()
                .ok_or("no execution is in progress: there is nothing to cancel")?;
            if execution.status == Status::Stuck {
                return Err(format!(
                    "execution {} is stuck; say how it goes on with `resolve`",
                    execution.id
                ));
            }
            if execution.status.is_final() || execution.direction == Direction::Back {
                return Err(format!(
                    "execution {} is {} and goes back already",
                    execution.id, execution.status
                ));
            }
            execution.cancel = Some(word.clone());
            execution.wake_at = None;
            Ok(format!(
                "execution {} stops after the step it is at, and is undone",
                execution.id
            ))
        })
        .await
    }

    async fn resolve(&self, asked: &Resolve) -> Result<Value, CallError> {
        let word = WordOnPlan {
            plan: asked.plan.clone(),
            operator: asked.operator.clone(),
            reason: asked.reason.clone(),
            dry_run: asked.dry_run,
        };
        self.by_word(&word, "resolved", |control, word, now| {
            let epoch = control.epoch;
            let plan = control.plan.clone();
            let execution = control.execution.as_mut().ok_or("no execution is in progress: there is nothing to resolve")?;
            if execution.status != Status::Stuck {
                return Err(format!("execution {} is {}, not stuck; use `cancel` to stop it", execution.id, execution.status));
            }
            match asked.action {
                Resolution::Retry => {
                    let direction = execution.direction;
                    execution.unstick(now, direction).map_err(|error| error.to_string())?;
                    Ok(format!("execution {} is tried on from where it stands", execution.id))
                }
                Resolution::Rollback => {
                    execution.unstick(now, Direction::Back).map_err(|error| error.to_string())?;
                    Ok(format!("execution {} is undone", execution.id))
                }
                Resolution::Abandon => {
                    let active = asked.active_site.clone().unwrap_or_else(|| execution.from.clone());
                    if execution.plan.site(&active).is_none() {
                        return Err(format!("`active_site` {} is not a site of the plan", excerpt(&active)));
                    }
                    execution.failure = Some(format!(
                        "{}; abandoned by {}: {}",
                        execution.failure.clone().unwrap_or_default(),
                        word.operator,
                        word.reason
                    ));
                    execution.finish(now, Status::Failed).map_err(|error| error.to_string())?;
                    let told = about_execution(EventKind::Failed, &plan, epoch, execution, now);
                    let id = execution.id.clone();
                    let home = execution.plan.primary().is_some_and(|primary| primary.name == active);
                    let trigger = execution.trigger;
                    if home {
                        control.away = None;
                    } else if control.active_site != active {
                        control.away =
                            Some(understudy_core::control::Away { since: now, trigger, execution: id.clone(), return_at: None });
                    }
                    control.active_site = active.clone();
                    control.announce(told);
                    Ok(format!("execution {id} has ended as failed; its resources are left as they are; the active site is {active}"))
                }
            }
        })
        .await
    }
}

fn brief(execution: &Execution) -> Value {
    json!({
        "id": execution.id, "kind": execution.kind, "trigger": execution.trigger, "style": execution.style,
        "status": execution.status, "direction": execution.direction, "from": execution.from, "to": execution.to,
        "reason": execution.reason, "operator": execution.operator, "failure": execution.failure,
        "detected_at": execution.detected_at, "created_at": execution.created_at, "started_at": execution.started_at,
        "ended_at": execution.ended_at, "deadline": execution.deadline, "wake_at": execution.wake_at,
        "verdicts": execution.verdicts,
        "steps": execution.steps.iter().map(|run| json!({
            "name": run.name, "kind": run.kind, "state": run.state, "detail": run.detail, "attempts": run.attempts,
            "started_at": run.started_at, "ended_at": run.ended_at,
        })).collect::<Vec<_>>(),
    })
}

fn headline(control: &Control, next: &str) -> String {
    match (&control.execution, &control.last_execution) {
        (Some(running), _) => {
            let at = running
                .steps
                .iter()
                .find(|run| run.ended_at.is_none())
                .map(|run| format!(", at step {}: {}", run.name, run.detail));
            format!(
                "{} {} is {}{}",
                running.kind,
                running.route(),
                running.status,
                at.unwrap_or_default()
            )
        }
        (None, Some(Ended { summary, ended_at, .. })) => {
            format!(
                "{} carries the plan; {next}; last: {summary} at {}",
                control.active_site,
                clock(*ended_at)
            )
        }
        (None, None) => format!("{} carries the plan; {next}", control.active_site),
    }
}

fn how_to_stop(control: &Control) -> String {
    match &control.execution {
        Some(running) if running.status == Status::Stuck => {
            format!(
                "{{\"command\": \"resolve\", \"plan\": \"{}\", \"operator\": …, \"reason\": …, \"action\": \"retry\" | \"rollback\" | \"abandon\"}}",
                control.plan
            )
        }
        Some(_) => format!(
            "{{\"command\": \"cancel\", \"plan\": \"{}\", \"operator\": …, \"reason\": …}}",
            control.plan
        ),
        None if control.paused.is_none() => format!(
            "nothing runs; {{\"command\": \"pause\", \"plan\": \"{}\", \"operator\": …, \"reason\": …}} keeps it so",
            control.plan
        ),
        None => "nothing runs, and the plan is paused".into(),
    }
}
