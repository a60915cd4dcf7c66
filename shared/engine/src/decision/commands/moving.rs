//! Commands that move a plan, by its name or by the names of its resources.

use super::super::{DecisionMaker, answers};
use super::reading::brief;
use crate::executor::question::{Question, answer};
use crate::ports::{CallError, CallErrorKind, Invocation, Key};
use crate::store::EXECUTION;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use understudy_core::command::{Command, Failover, ResourceRequest, SettingUp};
use understudy_core::control::later;
use understudy_core::decide::{Trigger, decide};
use understudy_core::event::{excerpt, excerpt_long};
use understudy_core::execution::{Execution, Kind, Status};

/// How often a waiting `failover` looks whether the execution has ended.
const LOOK_EVERY: SignedDuration = SignedDuration::from_millis(500);

impl DecisionMaker {
    /// The request form that names resources: finds the plan and the sites that own them.
    pub(in crate::decision) async fn resource_request(&self, value: Value, invocation: &Invocation) -> Value {
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
                        accept_data_loss: false,
                        accept_irreversible: false,
                        escalate_after_seconds: None,
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

    pub(super) async fn move_plan(
        &self,
        asked: Failover,
        kind: Kind,
        invocation: &Invocation,
    ) -> Result<Value, CallError> {
        let (plan, wait_seconds) = (asked.plan.clone(), asked.wait_seconds);
        let dry_run = asked.dry_run;
        let trigger = Trigger::Operator { asked, move_kind: kind };
        if dry_run {
            return self.dry_run(&plan, &trigger).await;
        }
        self.start(&plan, &trigger, wait_seconds, invocation).await
    }

    /// `setup` and `teardown`: through the same door, and told in the same words.
    pub(super) async fn set_up(
        &self,
        asked: SettingUp,
        kind: Kind,
        invocation: &Invocation,
    ) -> Result<Value, CallError> {
        let (plan, wait_seconds, dry_run) = (asked.plan.clone(), asked.wait_seconds, asked.dry_run);
        let trigger = Trigger::Setup {
            asked,
            setup_kind: kind,
        };
        if dry_run {
            return self.dry_run(&plan, &trigger).await;
        }
        self.start(&plan, &trigger, wait_seconds, invocation).await
    }

    // Has it judged, and waits for the end of what was opened as long as the person wants.
    async fn start(
        &self,
        plan: &str,
        trigger: &Trigger,
        wait_seconds: u32,
        invocation: &Invocation,
    ) -> Result<Value, CallError> {
        let Some(judged) = self.judge(plan, trigger).await? else {
            return Ok(answers::no_plan(plan));
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
            self.wait_for(plan, &id, until).await
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

    // The execution, as it stands when it has ended or the time is over. It has been started, so that a table which can
    // not be read for a while is no answer: it is looked at again.
    async fn wait_for(&self, plan: &str, id: &str, until: Timestamp) -> Option<Execution> {
        let mut newest = None;
        loop {
            match self.find(plan, id).await {
                Ok(Some((execution, settled))) => {
                    newest = Some(execution);
                    if settled {
                        return newest;
                    }
                }
                Ok(None) => return newest,
                Err(error) => tracing::warn!(plan, execution = id, error = error.message, "waiting, unseen"),
            }
            if self.ports.clock.now() >= until {
                return newest;
            }
            self.ports.clock.sleep(LOOK_EVERY).await;
        }
    }

    // An execution, and whether nothing more comes of it by itself; none if the table does not know it any more.
    pub(in crate::decision) async fn find(&self, plan: &str, id: &str) -> Result<Option<(Execution, bool)>, CallError> {
        let control = self.store.control(plan).await?;
        if let Some(execution) = control.and_then(|control| control.execution).filter(|it| it.id == id) {
            let stuck = execution.status == Status::Stuck;
            return Ok(Some((execution, stuck)));
        }
        let key = Key {
            plan: plan.to_owned(),
            item: format!("{EXECUTION}{id}"),
        };
        Ok(self.store.read(&key).await?.map(|ended| (ended, true)))
    }

    pub(super) async fn dry_run(&self, name: &str, trigger: &Trigger) -> Result<Value, CallError> {
        let Some(control) = self.store.control(name).await? else {
            return Ok(answers::no_plan(name));
        };
        let seen = self.look(&control).await?;
        let now = self.ports.clock.now();
        let mut decision = decide(now, trigger, seen.situation(&control));
        self.ask_fleet(name, "dry run", now, &mut decision, true).await?;
        let steps = match &decision.start {
            None => Value::Null,
            Some(chosen) => {
                let question = if chosen.kind == Kind::Teardown {
                    Question::Teardown {
                        plan: Box::new(seen.plan.clone()),
                        site: chosen.from.clone(),
                        record: seen.setup.clone(),
                    }
                } else {
                    Question::DryRun {
                        plan: Box::new(seen.plan_of_move(&control, chosen).of_execution(chosen.kind)),
                        from: chosen.from.clone(),
                        to: chosen.to.clone(),
                        style: chosen.style,
                    }
                };
                match self.ask(&question, answer::steps).await {
                    Ok(steps) => json!(steps),
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

    // Asks the executor, and reads its answer as this question's.
    pub(in crate::decision) async fn ask<T>(
        &self,
        question: &Question,
        read: fn(&Value) -> Result<T, String>,
    ) -> Result<T, CallError> {
        let body = crate::store::to_body(
            &Key {
                plan: "_question".into(),
                item: "executor".into(),
            },
            question,
        )?;
        let answer = self.ports.functions.ask_executor(&body).await?;
        read(&answer).map_err(|why| {
            let message = format!("asking the executor: {why}; nothing was changed");
            CallError::new(CallErrorKind::Refused, message)
        })
    }
}
