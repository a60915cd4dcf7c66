//! Storing, forgetting and checking plans.
//!
//! A revision is a write-once item of its own; the control item points to the one that counts. Two
//! `put-plan` at once write two items, and the compare-and-set on the pointer lets one of them win: the
//! other is told, and its item is never read.

use super::{DecisionMaker, answers};
use crate::executor::question::{Question, answer};
use crate::ports::{CallError, Key};
use crate::store::{LAG, OBSERVATION, PREFLIGHT, REVISION, SETUP};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use understudy_core::command::{PutPlan, WordOnPlan};
use understudy_core::control::{Control, Wake, later};
use understudy_core::event::excerpt;
use understudy_core::mutant::{self, Mutant};
use understudy_core::plan::{Plan, PlanError, parse, parse_text};
use understudy_core::preflight::Weight;
use understudy_core::report::{EventKind, about_plan};

/// How long after a revision was stored its preflight has been made, if the day is quiet.
const PREFLIGHT_TAKES: SignedDuration = SignedDuration::from_mins(1);

/// Why a revision is not stored that came second.
const ANOTHER: &str = "another one was stored";

impl DecisionMaker {
    pub(super) async fn put_plan(&self, asked: PutPlan) -> Result<Value, CallError> {
        let plan = match read(asked.plan) {
            Ok(plan) => plan,
            Err(error) => return Ok(invalid(&error)),
        };
        let known = self.store.control(&plan.name).await?;
        let revision = known.as_ref().map_or(0, |control| control.plan_revision);
        if let Some(expected) = asked.expected_revision.filter(|expected| *expected != revision) {
            return Ok(answers::refused(&format!(
                "the plan {} is at revision {revision}, not {expected}: somebody else put one meanwhile; look at it, and put yours again",
                plan.name
            )));
        }
        let active = match (&known, &asked.active_site) {
            (Some(control), Some(site)) if *site != control.active_site => {
                return Ok(answers::refused(&format!(
                    "`active_site` is only for a new plan; {} carries this one: move it with `failover`",
                    control.active_site
                )));
            }
            (Some(control), _) => control.active_site.clone(),
            (None, Some(site)) => site.clone(),
            (None, None) => plan.primary().map(|site| site.name.clone()).unwrap_or_default(),
        };
        if plan.site(&active).is_none() {
            return Ok(answers::refused(&not_a_site(&active)));
        }
        if let Some(why) = known.as_ref().and_then(|control| loses_its_place(control, &plan)) {
            return Ok(answers::refused(&why));
        }
        let mut changes = match &known {
            Some(control) => differences(&self.store.plan_of(control).await?, &plan),
            None => vec!["everything: the plan is new".to_owned()],
        };
        if plan.is_home(&active) && known.as_ref().is_some_and(|control| control.away.is_some()) {
            changes.push(format!(
                "{active}, where the plan is, is its home from now on: nothing brings it back to where it was before"
            ));
        }
        if asked.dry_run {
            return Ok(json!({
                "ok": true, "dry_run": true, "changed": "nothing", "plan": plan.name, "revision": revision,
                "would_be_revision": revision + 1, "differences": changes, "active_site": active,
            }));
        }
        let now = self.ports.clock.now();
        let item = self.store.put_revision(&plan, revision + 1, now).await?;
        let stored = match known {
            None => {
                let mut control = Control::new(&plan.name, &active, &item);
                self.announce_plan(&mut control, &asked.operator, &asked.reason, &changes, &item);
                self.store.put_control(&mut control).await?.is_none()
            }
            Some(_) => {
                let changed = self
                    .store
                    .change(&plan.name, |control| {
                        if control.plan_revision != revision {
                            return Err(ANOTHER.to_owned());
                        }
                        // A move may have begun or ended since the look above.
                        if let Some(why) = loses_its_place(control, &plan) {
                            return Err(why);
                        }
                        // Where it is may be home by the new revision.
                        if plan.is_home(&control.active_site) {
                            control.away = None;
                        }
                        control.plan_revision = revision + 1;
                        control.plan_item = item.clone();
                        if let Some(running) = control
                            .execution
                            .as_mut()
                            .filter(|_| mutant::active(Mutant::EditReachesExecution))
                        {
                            running.plan = plan.clone();
                        }
                        // What the old revision held back, the new one may allow. On the way home the new one goes
                        // through preflight first.
                        let first = if control.away.is_some() {
                            PREFLIGHT_TAKES
                        } else {
                            SignedDuration::ZERO
                        };
                        control.look_by(later(now, first));
                        self.announce_plan(control, &asked.operator, &asked.reason, &changes, &item);
                        Ok(())
                    })
                    .await;
                match changed {
                    Ok(_) => true,
                    Err(crate::store::ChangeError::Table(error)) => return Err(error),
                    Err(crate::store::ChangeError::Refused(why)) if why != ANOTHER => {
                        return Ok(answers::refused(&why));
                    }
                    Err(_) => false,
                }
            }
        };
        if !stored {
            return Ok(answers::refused(&format!(
                "another `put-plan` of {} was stored at the same time; yours was not; look at the plan, and put yours again",
                plan.name
            )));
        }
        tracing::info!(
            plan = plan.name,
            revision = revision + 1,
            operator = asked.operator,
            "plan stored"
        );
        // Whether it could move is worth knowing at once; if this is lost, the probe asks for it within a minute.
        if let Err(error) = self.ports.functions.nudge(Wake::Executor, &plan.name).await {
            tracing::warn!(
                plan = plan.name,
                error = error.message,
                "preflight comes with the next minute"
            );
        }
        Ok(json!({
            "ok": true, "plan": plan.name, "revision": revision + 1, "active_site": active, "differences": changes,
            "warnings": plan.warnings_in(&self.stack),
            "summary": format!("revision {} of plan {} is stored; it counts from the next execution on", revision + 1, plan.name),
        }))
    }

    fn announce_plan(&self, control: &mut Control, operator: &str, reason: &str, changes: &[String], item: &str) {
        let now = self.ports.clock.now();
        let mut details = vec![reason.to_owned()];
        details.extend(changes.iter().cloned());
        let headline = format!("revision {} stored by {operator}", control.plan_revision);
        let plan = control.plan.clone();
        control.announce(about_plan(
            EventKind::Operator,
            &plan,
            &format!("plan:{item}"),
            &headline,
            &details,
            now,
        ));
        control.wake(now, Wake::Executor);
    }

    pub(super) async fn delete_plan(&self, asked: &WordOnPlan) -> Result<Value, CallError> {
        let until = later(self.ports.clock.now(), SignedDuration::from_secs(10));
        self.delete_until(asked, until).await
    }

    async fn delete_until(&self, asked: &WordOnPlan, until: Timestamp) -> Result<Value, CallError> {
        let Some(control) = self.store.control(&asked.plan).await? else {
            return Ok(answers::no_plan(&asked.plan));
        };
        if let Some(running) = &control.execution {
            return Ok(answers::refused(&format!(
                "execution {} ({} {}) of plan {} is {}; wait for its end, or `cancel` it, then delete the plan",
                running.id,
                running.kind,
                running.route(),
                asked.plan,
                running.status
            )));
        }
        if let Some(set_up) = &control.set_up {
            return Ok(answers::refused(&format!(
                "{} item(s) that setup made or adjusted are remembered with plan {}, and what was there before would be \
                 forgotten with it; send `teardown`, then delete the plan",
                set_up.items, asked.plan
            )));
        }
        if asked.dry_run {
            return Ok(json!({
                "ok": true, "dry_run": true, "changed": "nothing", "plan": asked.plan,
                "would": "forget the plan and its observations; its history stays",
            }));
        }
        // A lease that is just given back, an announcement that was just sent: read again, and look again whether it runs.
        if !self.store.delete_control(&control).await? {
            let now = self.ports.clock.now();
            if now < until {
                self.ports.clock.sleep(SignedDuration::from_millis(200)).await;
                return Box::pin(self.delete_until(asked, until)).await;
            }
            return Ok(answers::refused(&format!(
                "plan {} is being changed by others all the time; it was not deleted; try again",
                asked.plan
            )));
        }
        // Without its control item nothing reads these any more: whatever is left over does no harm.
        for prefix in [OBSERVATION, REVISION, LAG, PREFLIGHT, SETUP] {
            for item in self.store.table().query(&asked.plan, prefix, 500, false).await? {
                self.store.table().delete(&item.key, item.version).await?;
            }
        }
        tracing::warn!(
            plan = asked.plan,
            operator = asked.operator,
            reason = asked.reason,
            "plan deleted"
        );
        // With the plan goes what was still to be told: the person who deletes it is the last who can be.
        let unsent: Vec<&str> = control
            .announcements
            .iter()
            .map(|unsent| unsent.subject.as_str())
            .collect();
        let mut summary = "the plan and its observations are forgotten; its history stays".to_owned();
        if !unsent.is_empty() {
            summary.push_str(&format!(
                "; {} announcement(s) had not been sent, and are not any more: {}",
                unsent.len(),
                unsent.join("; ")
            ));
        }
        Ok(json!({"ok": true, "plan": asked.plan, "summary": summary, "unsent_announcements": unsent}))
    }

    pub(super) async fn validate(&self, value: Value) -> Result<Value, CallError> {
        let plan = match self.stored_plan(&value).await? {
            Some(plan) => plan,
            None => match read(value) {
                Ok(plan) => plan,
                Err(error) => return Ok(invalid(&error)),
            },
        };
        let question = Question::Validate {
            plan: Box::new(plan.clone()),
        };
        let problems = match self.ask(&question, answer::problems).await {
            Ok(problems) => problems,
            Err(error) => {
                return Ok(json!({
                    "ok": false, "plan": plan.name, "changed": "nothing",
                    "error": format!("the plan's form is right, but its resources could not be checked: {}", error.message),
                }));
            }
        };
        let summary = if problems.is_empty() {
            format!("the plan {} is right, and all that it names is there", plan.name)
        } else {
            format!(
                "the plan's form is right, but {} resource(s) that it names can not be used",
                problems.len()
            )
        };
        Ok(json!({
            "ok": problems.is_empty(), "plan": plan.name, "changed": "nothing", "summary": summary,
            "problems": problems, "warnings": plan.warnings_in(&self.stack),
        }))
    }

    /// Reads a stored plan through now.
    pub(super) async fn preflight(&self, name: &str) -> Result<Value, CallError> {
        let Some(control) = self.store.control(name).await? else {
            return Ok(answers::no_plan(name));
        };
        let question = Question::Preflight { plan: name.to_owned() };
        let Some(found) = self.ask(&question, answer::preflight).await? else {
            let why = match &control.execution {
                Some(running) => format!("{} {} is {}", running.kind, running.route(), running.status),
                None => format!(
                    "the active site {} is not well, and what is found on a bad day would be held against the standby",
                    control.active_site
                ),
            };
            return Ok(answers::refused(&format!(
                "no preflight of plan {name} was made: {why}; what was found before stands"
            )));
        };
        Ok(json!({
            "ok": found.concerns.iter().all(|concern| concern.weight == Weight::Warns),
            "plan": name, "summary": format!("preflight: {}", found.sentence()), "preflight": found,
        }))
    }

    // A short text without a line break may be the name of a stored plan.
    async fn stored_plan(&self, value: &Value) -> Result<Option<Plan>, CallError> {
        let Some(name) = value
            .as_str()
            .filter(|text| text.len() <= 63 && !text.contains([':', '\n', '{']))
        else {
            return Ok(None);
        };
        match self.store.control(name).await? {
            Some(control) => self.store.plan_of(&control).await.map(Some),
            None => {
                let key = Key {
                    plan: name.to_owned(),
                    item: crate::store::CONTROL.into(),
                };
                tracing::debug!(plan = key.plan, "no such plan");
                Ok(None)
            }
        }
    }
}

fn not_a_site(site: &str) -> String {
    format!(
        "the active site {} is not a site of this plan; keep the site that carries it until it has moved",
        excerpt(site)
    )
}

// Why the plan would not know where it is: the site that carries it, or that a running move may leave it at, is not in it.
fn loses_its_place(control: &Control, plan: &Plan) -> Option<String> {
    if plan.site(&control.active_site).is_none() {
        return Some(not_a_site(&control.active_site));
    }
    let running = control.execution.as_ref().filter(|running| running.kind.is_move())?;
    let lost = [&running.from, &running.to]
        .into_iter()
        .find(|site| plan.site(site).is_none())?;
    Some(format!(
        "execution {} ({} {}) is {}, and {} is not a site of this plan; nothing would look after the plan there. Keep it until \
         the move is over",
        running.id,
        running.kind,
        running.route(),
        running.status,
        excerpt(lost)
    ))
}

fn read(value: Value) -> Result<Plan, PlanError> {
    match value {
        Value::String(text) => parse_text(&text),
        value => parse(value),
    }
}

fn invalid(error: &PlanError) -> Value {
    json!({
        "ok": false, "error": "the plan is not right; nothing was stored", "changed": "nothing",
        "problems": error.problems(),
    })
}

// Which parts differ, by their names: enough for a person to see that it is the change that was meant.
fn differences(old: &Plan, new: &Plan) -> Vec<String> {
    let as_map = |plan: &Plan| serde_json::to_value(plan).unwrap_or_default();
    let (old, new) = (as_map(old), as_map(new));
    let mut found = Vec::new();
    let empty = serde_json::Map::new();
    let (old, new) = (old.as_object().unwrap_or(&empty), new.as_object().unwrap_or(&empty));
    for key in old.keys().chain(new.keys().filter(|key| !old.contains_key(*key))) {
        match (old.get(key), new.get(key)) {
            (left, right) if left == right => {}
            (Some(Value::Array(left)), Some(Value::Array(right))) => {
                let name = |item: &Value| {
                    item.get("name")
                        .or(item.get("alarm_name"))
                        .and_then(Value::as_str)
                        .unwrap_or("?")
                        .to_owned()
                };
                let added = right
                    .iter()
                    .filter(|item| !left.iter().any(|other| name(other) == name(item)));
                let removed = left
                    .iter()
                    .filter(|item| !right.iter().any(|other| name(other) == name(item)));
                let changed = right
                    .iter()
                    .filter(|item| left.iter().any(|other| name(other) == name(item) && other != *item));
                found.extend(added.map(|item| format!("{key}: {} added", name(item))));
                found.extend(removed.map(|item| format!("{key}: {} removed", name(item))));
                found.extend(changed.map(|item| format!("{key}: {} changed", name(item))));
            }
            _ => found.push(format!("{key} changed")),
        }
    }
    if found.is_empty() {
        found.push("nothing".to_owned());
    }
    found
}
