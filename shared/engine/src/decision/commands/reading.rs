//! Commands that only read.

use super::super::fleet::fleet_words;
use super::super::judge::DecisionRecord;
use super::super::{DecisionMaker, answers};
use crate::ports::CallError;
use crate::store::{DECISION, EXECUTION};
use serde_json::{Value, json};
use understudy_core::command::History;
use understudy_core::control::{Control, Ended};
use understudy_core::decide::{Trigger, decide};
use understudy_core::execution::Execution;
use understudy_core::report::{Timeline, clock, execution_line, how_to_stop, status_lines};

impl DecisionMaker {
    pub(super) async fn status(&self, name: &str) -> Result<Value, CallError> {
        let Some(control) = self.store.control(name).await? else {
            return Ok(answers::no_plan(name));
        };
        let seen = self.look(&control).await?;
        let now = self.ports.clock.now();
        let next = decide(now, &Trigger::Timer, seen.situation(&control));
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
            "maintenance": control.maintenance.as_ref().filter(|window| window.until > now),
            "proposal": control.proposal.as_ref().filter(|known| known.is_open()),
            "all_plans": fleet_words(&seen.fleet, now),
            "latch": control.latch.as_ref().filter(|latch| latch.until > now),
            "sites": seen.sites,
            "execution": control.execution.as_ref().map(brief),
            "last_execution": control.last_execution,
            "setup": control.set_up.as_ref().map(|known| json!({
                "items": known.items, "at": known.at, "execution": known.execution,
                "made": seen.setup.items.iter().map(|item| json!({
                    "name": item.name(), "kind": item.step.kind(), "made_at": item.made_at, "execution": item.execution,
                    "made": item.wanted.sentence(),
                    "before": item.pre_state.inline().map(understudy_core::state::ResourceState::sentence),
                })).collect::<Vec<_>>(),
            })),
            "next": next.summary,
            "look_again_at": control.look_again_at,
            "epoch": control.epoch,
            "unsent_announcements": control.announcements.len(),
            "how_to_stop_it": how_to_stop(&control),
            "text": status_lines(now, seen.situation(&control), &next),
        }))
    }

    pub(super) async fn list(&self) -> Result<Value, CallError> {
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
        let fleet = self.store.fleet_state().await?;
        let all = fleet_words(&fleet, self.ports.clock.now());
        Ok(json!({"ok": true, "plans": plans, "count": count, "all_plans": all}))
    }

    pub(super) async fn history(&self, asked: &History) -> Result<Value, CallError> {
        let limit = asked.limit.clamp(1, 50) as usize;
        let executions = self.store.table().query(&asked.plan, EXECUTION, limit, true).await?;
        let decisions = self.store.table().query(&asked.plan, DECISION, limit, true).await?;
        let executions: Vec<Execution> = executions
            .iter()
            .map(crate::store::from_item)
            .collect::<Result<_, _>>()?;
        let decisions: Vec<DecisionRecord> = decisions
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
            "text": told(&executions, &decisions),
        }))
    }
}

// Moves and decisions, the newest first, a line each.
fn told(executions: &[Execution], decisions: &[DecisionRecord]) -> Vec<String> {
    let moves = executions
        .iter()
        .map(|execution| (execution.created_at, execution_line(execution)));
    // What was started is told by its execution.
    let refused = decisions
        .iter()
        .filter(|record| record.execution.is_none())
        .map(|record| {
            let at = record.last_at.strftime("%Y-%m-%d %H:%M:%SZ");
            let times = if record.count > 1 {
                format!(" ({} times since {})", record.count, clock(record.first_at))
            } else {
                String::new()
            };
            (
                record.last_at,
                format!("{at} {}: {}{times}", record.trigger_text, record.summary),
            )
        });
    let mut lines: Vec<_> = moves.chain(refused).collect();
    lines.sort_by_key(|(at, _)| std::cmp::Reverse(*at));
    lines.into_iter().map(|(_, line)| line).collect()
}

pub(super) fn brief(execution: &Execution) -> Value {
    json!({
        "id": execution.id, "kind": execution.kind, "trigger": execution.trigger, "style": execution.style,
        "status": execution.status, "direction": execution.direction, "from": execution.from, "to": execution.to,
        "reason": execution.reason, "operator": execution.operator, "failure": execution.failure,
        "detected_at": execution.detected_at, "created_at": execution.created_at, "started_at": execution.started_at,
        "ended_at": execution.ended_at, "deadline": execution.deadline, "wake_at": execution.wake_at,
        "asking": execution.asking(), "held": execution.held, "words": execution.words, "skip": execution.skip, "escalate_at": execution.escalate_at,
        "began_at": execution.began_at, "timeline": Timeline::of(execution),
        "loss_estimate_seconds": execution.loss_estimate_seconds, "verdicts": execution.verdicts,
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
