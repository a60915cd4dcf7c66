//! What each kind of step and of probe is and calls, as a table for people and for checks.
//!
//! Nothing in it is written by hand but the samples: plane and actions are the drivers' own ([`Facts`]), what an action can
//! be granted on and which codes are tried again is the engine's ([`understudy_engine::actions`]), reversibility is the
//! plan's ([`StepKind`]), and where its calls were tried is what the tests say of themselves ([`tried`]). `docs/RESOURCES.md`
//! is this table. Tests keep it current, and compare it with the roles in `template.yaml` and with the calls in `shared/aws`.
//!
//! [`StepKind`]: understudy_core::plan::StepKind

mod own;
mod page;
mod samples;
pub mod tried;

pub use crate::sim::Function;
pub use own::{OWN, Own};
pub use page::page;

use crate::world::World;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use understudy_core::execution::Style;
use understudy_core::plan::{Plan, Reversibility, Step, json_schema, parse};
use understudy_engine::ports::{Permission, Permissions};
use understudy_engine::probe::facts::{ProbeFacts, facts};
use understudy_engine::steps::{Facts, Goal, driver};

/// One kind of step.
pub struct Resource {
    /// The kind, as plan files spell it.
    pub kind: &'static str,
    /// Its plane and its actions.
    pub facts: Facts,
    /// Whether it can be taken back.
    pub reversibility: Reversibility,
    /// Whether it can lose data.
    pub lossy: bool,
    /// Whether it may stand in a plan's `setup`.
    pub is_setup: bool,
    /// What preflight asks the policy simulator about, for a planned and for an unplanned move.
    pub asked: Vec<Permission>,
}

/// One kind of probe.
pub struct ProbeResource {
    /// The kind, as plan files spell it.
    pub kind: &'static str,
    /// Its plane and its actions.
    pub facts: ProbeFacts,
}

fn plan() -> Result<Plan, String> {
    let named = |prefix: &str, mut sample: Value, index: usize| {
        sample["name"] = json!(format!("{prefix}-{index}"));
        sample
    };
    let steps = samples::steps().into_iter().enumerate();
    let steps: Vec<Value> = steps.map(|(index, step)| named("step", step, index)).collect();
    let probes = samples::probes().into_iter().enumerate();
    let mut probes: Vec<Value> = probes.map(|(index, probe)| named("probe", probe, index)).collect();
    for probe in &mut probes {
        probe["site"] = json!("blue");
    }
    probes.push(json!({"kind": "endpoint", "name": "green-web", "site": "green", "host": "green.example.com"}));
    let plan = json!({
        "schema_version": 1, "name": "every-kind", "region": "eu-west-1",
        "sites": [{"name": "blue", "priority": 1}, {"name": "green", "priority": 2}],
        "probes": probes, "steps": steps, "policy": {"max_duration_seconds": 7200},
    });
    parse(plan).map_err(|error| error.to_string())
}

// Whether each kind that the schema knows is shown.
fn complete(of: &str, shown: &BTreeSet<&str>) -> Result<(), String> {
    let schema = json_schema();
    let kinds = schema["$defs"][of]["oneOf"].as_array().cloned().unwrap_or_default();
    let missing: Vec<&str> = kinds
        .iter()
        .filter_map(|kind| kind.pointer("/properties/kind/const")?.as_str())
        .filter(|kind| !shown.contains(kind))
        .collect();
    match (kinds.is_empty(), missing.is_empty()) {
        (true, _) => Err(format!("the schema knows no kind of {of}")),
        (false, true) => Ok(()),
        (false, false) => Err(format!("no sample of {}", missing.join(", "))),
    }
}

/// Every kind of step, in the order of the table.
///
/// # Errors
/// A sample is no valid step any more, or a kind of the schema has no sample.
pub fn resources() -> Result<Vec<Resource>, String> {
    let plan = plan()?;
    let world = World::new(1);
    let ports = world.step_ports();
    let goals = [Style::Unplanned, Style::Planned].map(|style| Goal {
        from: "blue".into(),
        to: "green".into(),
        style,
        started_at: None,
        doing: None,
    });
    let asked = |step: &Step, goal: &Goal| driver(&ports, &plan, step, goal).permissions(goal, world.cloud.account());
    let resource = |step: &Step| Resource {
        kind: step.kind(),
        facts: driver(&ports, &plan, step, &goals[0]).facts(),
        asked: goals.iter().flat_map(|goal| asked(step, goal)).collect(),
        reversibility: step.as_kind().reversibility(),
        lossy: step.is_lossy(Style::Unplanned),
        is_setup: step.as_kind().is_setup(),
    };
    let found: Vec<Resource> = plan.steps.iter().map(resource).collect();
    complete("Step", &found.iter().map(|resource| resource.kind).collect())?;
    Ok(found)
}

/// Every kind of probe, in the order of the table.
///
/// # Errors
/// As for [`resources`].
pub fn probes() -> Result<Vec<ProbeResource>, String> {
    let plan = plan()?;
    let mut found: Vec<ProbeResource> = Vec::new();
    for probe in &plan.probes {
        if found.iter().all(|known| known.kind != probe.kind()) {
            found.push(ProbeResource {
                kind: probe.kind(),
                facts: facts(probe),
            });
        }
    }
    complete("Probe", &found.iter().map(|probe| probe.kind).collect())?;
    Ok(found)
}

/// Whether a pattern with stars is true of a text.
pub fn matches(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((start, rest)) => text
            .strip_prefix(start)
            .is_some_and(|text| (0..=text.len()).any(|at| text.is_char_boundary(at) && matches(rest, &text[at..]))),
    }
}
