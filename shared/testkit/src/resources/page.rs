//! The table, as `docs/RESOURCES.md` has it.

use super::tried::{Kinds, tried};
use super::{Function, OWN, ProbeResource, Resource, probes, resources};
use std::collections::BTreeMap;
use std::fmt::Write;
use understudy_core::plan::Reversibility;
use understudy_engine::actions::{Scope, THROTTLED, repeated_codes, scope_of};
use understudy_engine::steps::Plane;

fn code<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    let words: Vec<String> = words.into_iter().map(|word| format!("`{word}`")).collect();
    words.join(", ")
}

fn plane(plane: Plane) -> &'static str {
    match plane {
        Plane::Control => "control",
        Plane::Data => "data",
        Plane::None => "none",
    }
}

// Against what the calls of a kind were tried.
fn against(kinds: &Kinds, kind: &str, calls: bool) -> String {
    let words = kinds.get(kind).into_iter().flatten();
    let words: Vec<&str> = words.map(|against| against.words()).collect();
    match (words.is_empty(), calls) {
        (false, _) => words.join(", "),
        (true, true) => "nothing yet".to_owned(),
        (true, false) => "nothing: it calls none".to_owned(),
    }
}

fn step_row(resource: &Resource, kinds: &Kinds) -> String {
    let facts = resource.facts;
    let mut codes: Vec<&str> = Vec::new();
    for found in facts
        .reads
        .iter()
        .chain(facts.changes)
        .flat_map(|action| repeated_codes(action))
    {
        if !codes.contains(found) {
            codes.push(found);
        }
    }
    format!(
        "| `{}`{} | {} | {} | {} | {} | {} | {} | {} |",
        resource.kind,
        if resource.is_setup { " (setup)" } else { "" },
        plane(facts.plane),
        code(facts.reads.iter().copied()),
        code(facts.changes.iter().copied()),
        code(codes),
        match resource.reversibility {
            Reversibility::Reversible => "exactly",
            Reversibility::Compensable => "by the opposite, an interruption of its own",
            Reversibility::Irreversible => "**not**",
            Reversibility::Nothing => "nothing to take back",
        },
        if resource.lossy {
            "where the move is unplanned"
        } else {
            "no"
        },
        against(
            kinds,
            resource.kind,
            !facts.reads.is_empty() || !facts.changes.is_empty()
        ),
    )
}

fn probe_row(probe: &ProbeResource, kinds: &Kinds) -> String {
    format!(
        "| `{}` | {} | {} | {} |",
        probe.kind,
        plane(probe.facts.plane),
        code(probe.facts.reads.iter().copied()),
        against(kinds, probe.kind, true),
    )
}

fn scope_words(scope: Scope) -> (String, String) {
    let arns = match (scope.arns.is_empty(), scope.key.or(scope.why)) {
        (true, _) => "`*`".to_owned(),
        (false, Some(_)) if scope.arns.iter().any(|arn| arn.contains(":loadbalancer/")) => {
            format!("{}, or `*` by the key", code(scope.arns.iter().copied()))
        }
        (false, _) => code(scope.arns.iter().copied()),
    };
    let condition = match (scope.tag, scope.key, scope.why) {
        (_, _, Some(why)) => why.to_owned(),
        (Some(tag), Some(key), None) => format!("the tag `{tag}`, or `{key}`"),
        (Some(tag), None, None) => format!("the tag `{tag}`"),
        (None, Some(key), None) => format!("`{key}`"),
        (None, None, None) => String::new(),
    };
    (arns, condition)
}

// Each action with the kinds that call it, in order.
fn callers(steps: &[Resource], probes: &[ProbeResource]) -> BTreeMap<&'static str, Vec<String>> {
    let mut callers: BTreeMap<&'static str, Vec<String>> = BTreeMap::new();
    for resource in steps {
        for action in resource.facts.reads.iter().chain(resource.facts.changes) {
            callers.entry(action).or_default().push(format!("`{}`", resource.kind));
        }
    }
    for probe in probes {
        for action in probe.facts.reads {
            callers
                .entry(action)
                .or_default()
                .push(format!("probe `{}`", probe.kind));
        }
    }
    callers
}

const HEAD: &str = "# Resources

Each kind of step and of probe: what it calls, and what becomes of it. Generated from the code by `make schema`. `make check`
fails where this page is not current, where a role in `template.yaml` grants what is not here or does not grant what is, and
where `shared/aws` calls anything else. Those marked *setup* may stand in a plan's `setup`; what only they change is granted
where the stack's parameter `AllowSetup` is \"true\".

## Steps

| kind | plane | reads with | changes with | tries again after | taken back | may lose data | its calls were tried on |
|---|---|---|---|---|---|---|---|
";

const BEHIND_STEPS: &str = "
Every kind stands the same proof in memory (`shared/testkit/tests/steps`): it works, it is run twice, it fails or loses
its reply at each call, its executor dies, it is undone exactly, and somebody else is quicker (but for `dns_signal`: a
metric has no version, and the newest word counts; for `rds_promote_replica`, which is not undone; and for `fence_source`,
which restarts what is fenced already). \"Deployed on an emulator\" means the deployed functions with roles
enforced (`tests/tests/deployed`), \"emulator\" the AWS room alone, \"scripted answers\" its requests and what it makes of
each answer (`shared/aws/tests`); each test says at its head which kinds it tries. No call has been made on AWS itself.
";

const PROBES: &str = "
## Probes

A probe reads, and changes nothing. Whatever fails is asked again in its next slot.

| kind | plane | reads with | its calls were tried on |
|---|---|---|---|
";

const PERMISSIONS: &str = "
## Permissions

On what each of these actions is granted. Words in capitals stand for anything; the stack's parameters narrow listeners,
rules, zones, endpoint groups, databases, functions, namespaces and alarms further. Which action can be granted on what is
AWS's to say (Service Authorization Reference).

| action | granted on | where it carries, or because | called by |
|---|---|---|---|
";

const OF_ITSELF: &str = "
## What the functions call for themselves

| function | actions | what for |
|---|---|---|
";

/// The table, as `docs/RESOURCES.md` has it.
///
/// # Errors
/// As for [`resources`], or the tests can not be read.
pub fn page() -> Result<String, String> {
    let (steps, probes, tried) = (resources()?, probes()?, tried()?);
    let mut page = String::from(HEAD);
    // Writing into a text does not fail.
    for resource in &steps {
        let _ = writeln!(page, "{}", step_row(resource, &tried.steps));
    }
    let throttled = code(THROTTLED.iter().copied());
    let _ = write!(
        page,
        "\nEvery kind tries again, too, after no answer (having read first), after HTTP 429 and 5xx, and after {throttled}.\n"
    );
    page.push_str(BEHIND_STEPS);
    page.push_str(PROBES);
    for probe in &probes {
        let _ = writeln!(page, "{}", probe_row(probe, &tried.probes));
    }
    page.push_str(PERMISSIONS);
    for (action, callers) in callers(&steps, &probes) {
        let scope = scope_of(action).ok_or_else(|| format!("nothing is known of what {action} is granted on"))?;
        let (arns, condition) = scope_words(scope);
        let _ = writeln!(page, "| `{action}` | {arns} | {condition} | {} |", callers.join(", "));
    }
    page.push_str(OF_ITSELF);
    for own in OWN {
        let by: Vec<&str> = own.by.iter().copied().map(Function::as_str).collect();
        let actions = code(own.actions.iter().copied());
        let _ = writeln!(page, "| {} | {actions} | {} |", by.join(", "), own.what_for);
    }
    Ok(page)
}
