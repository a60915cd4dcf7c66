//! Questions that decision asks: they read every service and write nothing, not even a lease.
//!
//! A dry run is the steps' own reading with the calls held back; validating looks whether everything that a
//! plan names is there.

use super::Executor;
use crate::ports::{CallError, CallErrorKind};
use crate::steps::{Goal, Plane, driver};
use futures_util::future::join_all;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use understudy_core::execution::Style;
use understudy_core::plan::{Plan, Probe, Step};

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
    /// Is everything there that the plan names?
    Validate {
        /// The plan.
        plan: Box<Plan>,
    },
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
            Ok(Question::Validate { plan }) => {
                json!({"ok": true, "problems": self.missing(&plan).await, "warnings": plan.warnings()})
            }
            Err(error) => super::refuse(&format!("the question can not be read: {error}")),
        }
    }

    async fn dry_run(&self, plan: &Plan, goal: &Goal) -> Vec<Value> {
        join_all(plan.steps.iter().map(|step| async move {
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
            let found = match driver.read(goal).await {
                Ok(reading) if reading.blocked.is_some() => {
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
                    "calls": driver.calls(&reading.current, &reading.wanted),
                }),
                Err(error) => json!({"error": error.message, "would": "fail here"}),
            };
            merge(head, found)
        }))
        .await
    }

    // Every resource that the plan names and that can not be found or read, with its path in the plan.
    async fn missing(&self, plan: &Plan) -> Vec<Value> {
        let probes = plan.probes.iter().enumerate().map(|(index, probe)| async move {
            self.probe_resource(plan, probe)
                .await
                .err()
                .map(|error| (format!("probes[{index}]"), probe.name(), error))
        });
        let steps = plan.steps.iter().enumerate().map(|(index, step)| async move {
            self.step_resources(plan, step)
                .await
                .err()
                .map(|error| (format!("steps[{index}]"), step.name(), error))
        });
        let alarms = plan.alarms.iter().enumerate().map(|(index, alarm)| async move {
            let region = alarm.region.as_deref().or(plan.region.as_deref());
            let found = self.alarm_exists(region, &alarm.alarm_name).await;
            found
                .err()
                .map(|error| (format!("alarms[{index}].alarm_name"), alarm.alarm_name.as_str(), error))
        });
        let (probes, steps, alarms) = futures_util::join!(join_all(probes), join_all(steps), join_all(alarms));
        probes
            .into_iter()
            .chain(steps)
            .chain(alarms)
            .flatten()
            .map(|(path, name, error)| json!({"path": path, "name": name, "message": error.message}))
            .collect()
    }

    async fn probe_resource(&self, plan: &Plan, probe: &Probe) -> Result<(), CallError> {
        let region = probe.common().region.as_deref().or(plan.region.as_deref());
        match probe {
            Probe::Endpoint(_) => Ok(()),
            Probe::Ec2(probe) => {
                let ids = [probe.instance_id.clone()];
                let found = self.ports.compute.instance_statuses(region, &ids).await?;
                present(!found.is_empty(), "instance", &probe.instance_id)
            }
            Probe::TargetGroup(probe) => self
                .ports
                .traffic
                .targets(region, &probe.target_group_arn)
                .await
                .map(|_| ()),
            Probe::RdsInstance(probe) => {
                let ids = [probe.db_instance_identifier.clone()];
                let found = self.ports.database.instance_statuses(region, &ids).await?;
                present(!found.is_empty(), "DB instance", &probe.db_instance_identifier)
            }
            Probe::AutoScalingGroup(probe) => {
                let names = [probe.auto_scaling_group_name.clone()];
                let found = self.ports.groups.groups(region, &names).await?;
                present(!found.is_empty(), "Auto Scaling group", &probe.auto_scaling_group_name)
            }
            Probe::Alarm(probe) => self.alarm_exists(region, &probe.alarm_name).await,
        }
    }

    async fn alarm_exists(&self, region: Option<&str>, name: &str) -> Result<(), CallError> {
        let found = self.ports.alarms.readings(region, &[name.to_owned()]).await?;
        present(!found.is_empty(), "alarm", name)
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
        let goal = Goal {
            from: site.name.clone(),
            to: site.name.clone(),
            style: Style::Planned,
            started_at: None,
            doing: None,
        };
        driver(&self.steps, plan, step, &goal).read(&goal).await.map(|_| ())
    }
}

fn present(found: bool, what: &str, name: &str) -> Result<(), CallError> {
    if found {
        return Ok(());
    }
    Err(CallError::new(
        CallErrorKind::NotFound,
        format!("there is no {what} {name} in this account and Region"),
    ))
}

fn merge(mut head: Value, tail: Value) -> Value {
    if let (Some(head), Value::Object(tail)) = (head.as_object_mut(), tail) {
        head.extend(tail);
    }
    head
}
