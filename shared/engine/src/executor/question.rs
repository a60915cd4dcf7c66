//! Questions that decision asks: they read every service and take no lease.
//!
//! A dry run is the steps' own reading with the calls held back; validating looks whether everything that a
//! plan names is there; a preflight of a stored plan is remembered, and is the only one that writes.

pub mod answer;
mod probes;

use super::Executor;
use crate::ports::{CallError, CallErrorKind};
use crate::steps::{Goal, Plane, Reading, driver};
use futures_util::future::join_all;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use understudy_core::execution::Style;
use understudy_core::plan::{Plan, Step};
use understudy_core::setup::SetupRecord;

/// What can be asked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "read_only", rename_all = "snake_case", deny_unknown_fields)]
pub enum Question {
    /// What would each step do if the plan moved to this site?
    DryRun {
        /// The plan.
        plan: Box<Plan>,
        /// The site that carries it.
        from: String,
        /// The site.
        to: String,
        /// Whether the source still works.
        style: Style,
    },
    /// Could the stored plan move?
    Preflight {
        /// Its name.
        plan: String,
    },
    /// What would a teardown do to what setup has made?
    Teardown {
        /// The plan.
        plan: Box<Plan>,
        /// The site that carries it.
        site: String,
        /// What setup has made.
        record: SetupRecord,
    },
    /// Is everything there that the plan names?
    Validate {
        /// The plan.
        plan: Box<Plan>,
    },
}

/// Something that a plan names and that can not be used.
pub(super) struct Missing {
    /// Where the plan names it.
    pub(super) path: String,
    /// The name of the step, probe or alarm.
    pub(super) name: String,
    /// What is the matter.
    pub(super) error: CallError,
}

impl Missing {
    fn new(path: String, name: &str, error: CallError) -> Self {
        let name = name.to_owned();
        Self { path, name, error }
    }
}

impl Executor {
    pub(super) async fn answer(&self, question: Value) -> Value {
        match serde_json::from_value(question) {
            Ok(Question::DryRun { plan, from, to, style }) => {
                let goal = Goal {
                    from,
                    to,
                    style,
                    started_at: None,
                    doing: None,
                };
                json!({"ok": true, "steps": self.dry_run(&plan, &goal).await})
            }
            Ok(Question::Preflight { plan }) => match self.preflight(&plan, true).await {
                Ok(found) => json!({"ok": true, "preflight": found}),
                Err(error) => super::refuse(&error.message),
            },
            Ok(Question::Teardown { plan, site, record }) => {
                json!({"ok": true, "steps": self.dry_teardown(&plan, &at(&site), &record).await})
            }
            Ok(Question::Validate { plan }) => {
                json!({"ok": true, "problems": self.missing(&plan).await, "warnings": plan.warnings_in(&self.stack)})
            }
            Err(error) => super::refuse(&format!("the question can not be read: {error}")),
        }
    }

    async fn dry_run(&self, plan: &Plan, goal: &Goal) -> Vec<Value> {
        join_all(plan.steps.iter().enumerate().map(|(index, step)| async move {
            let driver = driver(&self.steps, plan, step, goal);
            let facts = driver.facts();
            let mut head = json!({
                "name": step.name(), "kind": step.kind(), "plane": facts.plane, "reversibility": step.as_kind().reversibility(), "when": step.common().when,
                "timeout_seconds": step.common().timeout_seconds, "on_failure": step.common().on_failure,
            });
            if let Some((_, warning)) = step.as_kind().warning() {
                head["warning"] = json!(warning);
            }
            if !step.common().when.includes(goal.style) {
                return merge(head, json!({"would": format!("nothing: this move is {}", goal.style), "calls": []}));
            }
            // What earlier steps make counts as made.
            let made = |name: &String| plan.steps.iter().take(index).any(|step| step.name() == name);
            let is_made = |reading: &Reading| !reading.rests_on.is_empty() && reading.rests_on.iter().all(made);
            let read = driver.read(goal).await;
            // What setup makes is looked at by nobody but who asks: moves have their preflight.
            if let Some(reading) = read.as_ref().ok().filter(|_| step.as_kind().is_setup()) {
                let warnings = match driver.rehearse(goal, reading).await {
                    Ok(found) => found.into_iter().map(|finding| finding.message).collect(),
                    Err(error) => vec![error.message],
                };
                if !warnings.is_empty() {
                    head["warnings"] = json!(warnings);
                }
            }
            let found = match read {
                Ok(reading) if reading.blocked.is_some() && !is_made(&reading) => {
                    json!({"current": reading.note, "error": reading.blocked, "would": "fail here"})
                }
                Ok(reading) if reading.is_satisfied() => {
                    json!({"current": reading.note, "would": "nothing: it is as wanted", "calls": []})
                }
                Ok(reading) if facts.plane == Plane::None => {
                    json!({"current": reading.note, "would": "wait until it is so, within the timeout", "calls": []})
                }
                Ok(reading) => json!({
                    "current": reading.current.sentence(), "wanted": reading.wanted.sentence(),
                    "differences": reading.current.differences(&reading.wanted),
                    "calls": driver.calls(&reading.current, &reading.wanted),
                }),
                Err(error) => json!({"error": error.message, "would": "fail here"}),
            };
            merge(head, found)
        }))
        .await
    }

    // What undo would do with each item, the newest first.
    async fn dry_teardown(&self, plan: &Plan, goal: &Goal, record: &SetupRecord) -> Vec<Value> {
        join_all(record.items.iter().rev().map(|item| async move {
            let driver = driver(&self.steps, plan, &item.step, goal);
            let head = json!({
                "name": item.name(), "kind": item.step.kind(), "plane": driver.facts().plane, "made_at": item.made_at,
            });
            let pre_state = super::pre_state::recall(&self.store, &plan.name, &item.pre_state).await;
            let found = match (pre_state, driver.read(goal).await) {
                (Err(error), _) => json!({"error": error.message, "would": "fail here"}),
                (_, Err(error)) if error.kind == CallErrorKind::NotFound => {
                    json!({"current": error.message, "would": "nothing: it is gone", "calls": []})
                }
                (_, Err(error)) => json!({"error": error.message, "would": "fail here"}),
                (Ok(pre_state), Ok(reading)) => {
                    let words = json!({"current": reading.current.sentence(), "wanted": pre_state.sentence()});
                    let ours = reading.current.same_as(&item.wanted)
                        || driver.is_between(&pre_state, &reading.current, &item.wanted);
                    let would = if reading.current.same_as(&pre_state) {
                        json!({"would": "nothing: it is as before the setup", "calls": []})
                    } else if let Some(why) = driver.not_ours(&reading.current, &pre_state).filter(|_| ours) {
                        json!({"would": format!("leave it alone: {why}"), "calls": []})
                    } else if ours {
                        json!({
                            "differences": reading.current.differences(&pre_state),
                            "calls": driver.calls(&reading.current, &pre_state),
                        })
                    } else {
                        json!({"would": "leave it alone: somebody else has changed it since the setup", "calls": []})
                    };
                    merge(words, would)
                }
            };
            merge(head, found)
        }))
        .await
    }

    // Every resource that the plan names and that can not be found or read, or is another account's, with its path in the plan.
    async fn missing(&self, plan: &Plan) -> Vec<Value> {
        let steps = ("steps", &plan.steps);
        let named = [steps, ("setup", &plan.setup)]
            .into_iter()
            .flat_map(|(list, steps)| steps.iter().enumerate().map(move |(index, step)| (list, index, step)));
        let steps = named.map(|(list, index, step)| async move {
            let missing = |error| Missing::new(format!("{list}[{index}]"), step.name(), error);
            self.step_resources(plan, step).await.err().map(missing)
        });
        let (beside, steps) = futures_util::join!(self.missing_beside_steps(plan), join_all(steps));
        let missing = beside.into_iter().chain(steps.into_iter().flatten());
        let account = &self.ports.permissions.account().id;
        let foreign = plan.of_other_accounts(account).into_iter();
        let foreign =
            foreign.map(|found| json!({"message": found.sentence(account), "path": found.path, "name": found.owner}));
        missing
            .map(|found| json!({"path": found.path, "name": found.name, "message": found.error.message}))
            .chain(foreign)
            .collect()
    }

    // The same of probes and alarms.
    pub(super) async fn missing_beside_steps(&self, plan: &Plan) -> Vec<Missing> {
        let probes = plan.probes.iter().enumerate().map(|(index, probe)| async move {
            let missing = |error| Missing::new(format!("probes[{index}]"), probe.name(), error);
            self.probe_resource(plan, probe).await.err().map(missing)
        });
        let alarms = plan.alarms.iter().enumerate().map(|(index, alarm)| async move {
            let region = alarm.region.as_deref().or(plan.region.as_deref());
            let missing = |error| Missing::new(format!("alarms[{index}].alarm_name"), &alarm.alarm_name, error);
            let found = self.alarm_exists(plan, region, &alarm.alarm_name).await;
            found.err().map(missing)
        });
        let (probes, alarms) = futures_util::join!(join_all(probes), join_all(alarms));
        probes.into_iter().chain(alarms).flatten().collect()
    }

    // Reading the step for its first site reads all that it names; target groups are asked for one by one.
    async fn step_resources(&self, plan: &Plan, step: &Step) -> Result<(), CallError> {
        if let Step::ElbWeights(weights) = step {
            let region = step.common().region.as_deref().or(plan.region.as_deref());
            for target_group in weights.target_groups.values() {
                self.ports.traffic.targets(region, target_group).await?;
            }
        }
        let Some(site) = plan.sites.first() else { return Ok(()) };
        let goal = at(&site.name);
        driver(&self.steps, plan, step, &goal).read(&goal).await.map(|_| ())
    }
}

// The goal of what moves nothing.
pub(super) fn at(site: &str) -> Goal {
    Goal {
        from: site.to_owned(),
        to: site.to_owned(),
        style: Style::Planned,
        started_at: None,
        doing: None,
    }
}

fn merge(mut head: Value, tail: Value) -> Value {
    if let (Some(head), Value::Object(tail)) = (head.as_object_mut(), tail) {
        head.extend(tail);
    }
    head
}
