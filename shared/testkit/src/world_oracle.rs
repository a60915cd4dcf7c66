//! What must hold in every world, whatever happened in it.
//!
//! Each check returns the violations that it found, as sentences; a test asserts that there are none.

use crate::world::World;
use std::collections::{BTreeMap, BTreeSet};
use understudy_core::control::Control;
use understudy_core::execution::{Direction, Execution, StepRun, StepState};
use understudy_core::report::EventKind;
use understudy_engine::store::{CONTROL, EXECUTION};

/// All of them.
pub fn violations(world: &World) -> Vec<String> {
    let mut found = writes(world);
    found.extend(intents(world));
    found.extend(one_execution(world));
    found.extend(announced(world));
    found
}

/// Every write was conditional and grew the version; no epoch ever fell.
pub fn writes(world: &World) -> Vec<String> {
    let mut found = Vec::new();
    let mut epochs: BTreeMap<String, u64> = BTreeMap::new();
    let mut versions: BTreeMap<(String, String), u64> = BTreeMap::new();
    for write in world.table.writes().iter().filter(|write| write.accepted) {
        let key = (write.key.plan.clone(), write.key.item.clone());
        let Some(item) = &write.item else {
            versions.remove(&key);
            continue;
        };
        let before = versions.insert(key.clone(), item.version).unwrap_or(0);
        if write.expected != before || item.version != before + 1 {
            found.push(format!(
                "{key:?} went from version {before} to {}, expecting {}",
                item.version, write.expected
            ));
        }
        if write.key.item == CONTROL {
            match serde_json::from_value::<Control>(item.body.clone()) {
                Ok(control) => {
                    let epoch = epochs.insert(control.plan.clone(), control.epoch).unwrap_or(0);
                    if control.epoch < epoch {
                        found.push(format!(
                            "the epoch of {} fell from {epoch} to {}",
                            control.plan, control.epoch
                        ));
                    }
                    if control.version != item.version {
                        found.push(format!(
                            "control {} says version {}, its item {}",
                            control.plan, control.version, item.version
                        ));
                    }
                }
                Err(error) => found.push(format!("the control item of {} can not be read: {error}", key.0)),
            }
        }
    }
    found
}

/// Every mutating call was preceded by its durable intent and pre-state, under a lease that was not over.
pub fn intents(world: &World) -> Vec<String> {
    let mut found = Vec::new();
    for change in world.cloud.changes() {
        let intended = change.controls.iter().any(|control| {
            let leased = control
                .lease
                .as_ref()
                .is_some_and(|lease| lease.expires_at >= change.at);
            leased
                && control.execution.as_ref().is_some_and(|execution| {
                    execution.steps.iter().enumerate().any(|(index, run)| {
                        execution
                            .step(index)
                            .is_some_and(|step| step.names(&change.resource, &execution.plan.sites))
                            && is_ready(execution, run)
                    })
                })
        });
        if !intended {
            found.push(format!(
                "{} on {} at {} had no durable intent under a lease",
                change.operation, change.resource, change.at
            ));
        }
    }
    found
}

fn is_ready(execution: &Execution, run: &StepRun) -> bool {
    let recorded = run.pre_state.is_some() && run.attempts > 0;
    match execution.direction {
        Direction::Forward => recorded && run.state == StepState::Intended,
        Direction::Back => recorded && run.undo_attempts > 0,
    }
}

/// No execution gave way to another one before it had ended.
pub fn one_execution(world: &World) -> Vec<String> {
    let mut found = Vec::new();
    let mut running: BTreeMap<String, (String, bool)> = BTreeMap::new();
    for write in world
        .table
        .writes()
        .iter()
        .filter(|write| write.accepted && write.key.item == CONTROL)
    {
        let Some(control) = write
            .item
            .as_ref()
            .and_then(|item| serde_json::from_value::<Control>(item.body.clone()).ok())
        else {
            continue;
        };
        match &control.execution {
            Some(execution) => {
                let next = (execution.id.clone(), execution.status.is_final());
                if let Some((id, ended)) = running.insert(control.plan.clone(), next)
                    && id != execution.id
                {
                    found.push(format!(
                        "execution {id} of {} (ended: {ended}) gave way to {}",
                        control.plan, execution.id
                    ));
                }
            }
            None => {
                if let Some((id, false)) = running.remove(&control.plan) {
                    found.push(format!(
                        "execution {id} of {} was dropped before it had ended",
                        control.plan
                    ));
                }
            }
        }
    }
    found
}

/// Every execution in the history was told: its start (unless it never began) and its end.
pub fn announced(world: &World) -> Vec<String> {
    let mut told: BTreeMap<String, BTreeSet<&'static str>> = BTreeMap::new();
    for published in world.cloud.published() {
        if let Some(id) = published.announcement.body["execution"].as_str() {
            told.entry(id.to_owned())
                .or_default()
                .insert(published.announcement.event.as_str());
        }
    }
    let unsent: BTreeSet<String> = world
        .table
        .controls()
        .into_iter()
        .flat_map(|control| control.announcements)
        .map(|waiting| waiting.id)
        .collect();
    let mut found = Vec::new();
    for item in world
        .table
        .items()
        .into_iter()
        .filter(|item| item.key.item.starts_with(EXECUTION))
    {
        let Ok(execution) = serde_json::from_value::<Execution>(item.body) else {
            found.push(format!("the history item {:?} can not be read", item.key));
            continue;
        };
        let heard = told.get(&execution.id).cloned().unwrap_or_default();
        let pending = |word: &str| unsent.contains(&format!("{}:{word}", execution.id));
        if execution.started_at.is_some() && !heard.contains(EventKind::Started.as_str()) && !pending("started") {
            found.push(format!("the start of {} was never told", execution.id));
        }
        let ended = heard.contains(EventKind::Completed.as_str()) || heard.contains(EventKind::Failed.as_str());
        if !ended && !pending(execution.status.as_str()) {
            found.push(format!(
                "the end of {} ({}) was never told",
                execution.id, execution.status
            ));
        }
    }
    found
}
