//! What each kind of step is and calls, as a table for people and for checks.
//!
//! Nothing in it is written by hand but the samples and the last column: plane and actions are the drivers' own
//! ([`Facts`]), reversibility is the plan's ([`StepKind`]). `docs/RESOURCES.md` is this table, and a test keeps it
//! current; another compares its actions with what the executor's role grants.
//!
//! [`StepKind`]: understudy_core::plan::StepKind

use crate::world::World;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use understudy_core::execution::Style;
use understudy_core::plan::{Plan, Reversibility, Step, json_schema, parse};
use understudy_engine::steps::{Facts, Goal, Plane, driver};

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
    /// Where its proof is run, besides the fake cloud.
    pub verified_by: &'static str,
}

const ARN: &str = "arn:aws:elasticloadbalancing:eu-west-1:000000000000:";

// One step of each kind, and what its calls were tried against.
fn samples() -> Vec<(Value, &'static str)> {
    let group = |name: &str| format!("{ARN}targetgroup/{name}/0123456789abcdef");
    let endpoint_group = |name: &str| {
        format!(
            "arn:aws:globalaccelerator::000000000000:accelerator/01234567-89ab-cdef-0123-456789abcdef/listener/0123abcd/endpoint-group/{name}"
        )
    };
    let database = |name: &str| {
        json!({"db_instance_identifier": name, "security_groups": ["sg-0123456789abcdef0"],
               "fence_group": "sg-0fedcba9876543210"})
    };
    let databases = json!({"blue": database("blue"), "green": database("green")});
    vec![
        (
            json!({"kind": "elb_weights", "listener_arn": format!("{ARN}listener/app/shop/0123456789abcdef/0123456789abcdef"),
                   "target_groups": {"blue": group("blue"), "green": group("green")}}),
            "deployed on an emulator, scripted answers",
        ),
        (
            json!({"kind": "elb_targets", "target_group_arn": group("shop"),
                   "targets": {"blue": [{"id": "i-0123456789abcdef0", "port": 80}], "green": [{"id": "i-0123456789abcdef1", "port": 80}]}}),
            "emulator, scripted answers",
        ),
        (
            json!({"kind": "dns_records", "hosted_zone_id": "Z0123456789ABC", "records": [
                {"name": "www.example.com", "type": "A", "ttl_seconds": 60,
                 "sites": {"blue": {"values": ["192.0.2.1"]}, "green": {"values": ["192.0.2.2"]}}}]}),
            "deployed on an emulator, scripted answers",
        ),
        (
            json!({"kind": "dns_signal", "namespace": "Understudy/shop", "metric_name": "Active", "signals": {
                "blue": {"dimensions": {"Site": "blue"}, "alarm_name": "shop-blue-inactive"},
                "green": {"dimensions": {"Site": "green"}, "alarm_name": "shop-green-inactive"}}}),
            "scripted answers",
        ),
        (
            json!({"kind": "zonal_shift", "resource_identifier": format!("{ARN}loadbalancer/app/shop/0123456789abcdef"),
                   "away_from": {"green": "euw1-az1"}, "expires_in_hours": 24}),
            "scripted answers",
        ),
        (
            json!({"kind": "accelerator_dial", "sites": {"blue": {"endpoint_group_arn": endpoint_group("blue")},
                                                         "green": {"endpoint_group_arn": endpoint_group("green")}}}),
            "scripted answers",
        ),
        (
            json!({"kind": "asg_capacity", "groups": {"blue": "shop-blue", "green": "shop-green"}}),
            "emulator, scripted answers",
        ),
        (
            json!({"kind": "asg_zones", "auto_scaling_group_name": "shop",
                   "subnets": {"blue": ["subnet-0123456789abcdef0"], "green": ["subnet-0123456789abcdef1"]}}),
            "emulator, scripted answers",
        ),
        (
            json!({"kind": "ec2_instance", "action": "start",
                   "instances": {"blue": ["i-0123456789abcdef0"], "green": ["i-0123456789abcdef1"]}}),
            "emulator, scripted answers",
        ),
        (
            json!({"kind": "elastic_ip", "allocation_id": "eipalloc-0123456789abcdef0",
                   "targets": {"blue": "i-0123456789abcdef0", "green": "i-0123456789abcdef1"}}),
            "emulator, scripted answers",
        ),
        (
            json!({"kind": "fence_source", "databases": databases}),
            "scripted answers",
        ),
        (
            json!({"kind": "open_destination", "databases": databases}),
            "scripted answers",
        ),
        (
            json!({"kind": "rds_reboot_failover", "db_instance_identifier": "shop",
                   "zones": {"blue": "eu-west-1a", "green": "eu-west-1b"}}),
            "scripted answers",
        ),
        (
            json!({"kind": "rds_cluster_failover", "db_cluster_identifier": "shop",
                   "writers": {"blue": "shop-1", "green": "shop-2"}}),
            "scripted answers",
        ),
        (
            json!({"kind": "rds_global", "global_cluster_identifier": "shop",
                   "clusters": {"blue": "arn:aws:rds:eu-west-1:000000000000:cluster:blue",
                                "green": "arn:aws:rds:eu-central-1:000000000000:cluster:green"}}),
            "scripted answers",
        ),
        (
            json!({"kind": "rds_promote_replica",
                   "instances": {"blue": {"db_instance_identifier": "blue"}, "green": {"db_instance_identifier": "green"}}}),
            "scripted answers",
        ),
        (
            json!({"kind": "rds_read_replica", "replica": {"db_instance_identifier": "copy", "source": "blue"}}),
            "scripted answers",
        ),
        (
            json!({"kind": "rds_multi_az", "db_instance_identifier": "shop", "apply_immediately": true}),
            "scripted answers",
        ),
        (
            json!({"kind": "rds_event_subscription", "subscription_name": "shop-events", "source_ids": ["shop"]}),
            "scripted answers",
        ),
        (
            json!({"kind": "asg_settings", "auto_scaling_group_name": "shop", "health_check_type": "elb"}),
            "emulator, scripted answers",
        ),
        (
            json!({"kind": "asg_scaling_policy", "auto_scaling_group_name": "shop", "policy_name": "failover", "adjustment": 2}),
            "emulator, scripted answers",
        ),
        (
            json!({"kind": "dns_health_check", "host": "blue.example.com"}),
            "emulator, scripted answers",
        ),
        (
            json!({"kind": "dns_failover_records", "hosted_zone_id": "Z0123456789ABC", "record_name": "api.example.com",
                   "type": "A", "ttl_seconds": 60,
                   "primary": {"values": ["192.0.2.1"], "health_check_id": "01234567-89ab-cdef-0123-456789abcdef"},
                   "secondary": {"values": ["192.0.2.2"], "health_check_id": "01234567-89ab-cdef-0123-456789abcde0"}}),
            "scripted answers",
        ),
        (
            json!({"kind": "target_group_health", "target_group_arn": group("shop"), "path": "/health"}),
            "emulator, scripted answers",
        ),
        (
            json!({"kind": "metric_alarm", "alarm_name": "shop-unhealthy", "namespace": "AWS/ApplicationELB",
                   "metric_name": "UnHealthyHostCount", "statistic": "Maximum", "threshold": 0,
                   "comparison": "GreaterThanThreshold", "dimensions": {
                       "TargetGroup": "targetgroup/shop/0123456789abcdef", "LoadBalancer": "app/shop/0123456789abcdef"}}),
            "scripted answers",
        ),
        (
            json!({"kind": "invoke", "function": "shop-hook", "undo": "invoke"}),
            "scripted answers",
        ),
        (json!({"kind": "wait_healthy"}), "deployed on an emulator"),
        (json!({"kind": "wait", "seconds": 60}), "nothing: it calls none"),
        (json!({"kind": "approval"}), "nothing: it calls none"),
    ]
}

fn plan() -> Result<(Plan, Vec<&'static str>), String> {
    let (mut steps, mut verified_by) = (Vec::new(), Vec::new());
    for (index, (mut step, by)) in samples().into_iter().enumerate() {
        step["name"] = json!(format!("step-{index}"));
        steps.push(step);
        verified_by.push(by);
    }
    let plan = json!({
        "schema_version": 1, "name": "every-kind", "region": "eu-west-1",
        "sites": [{"name": "blue", "priority": 1}, {"name": "green", "priority": 2}],
        "probes": [
            {"kind": "endpoint", "name": "blue-web", "site": "blue", "host": "blue.example.com"},
            {"kind": "endpoint", "name": "green-web", "site": "green", "host": "green.example.com"},
        ],
        "steps": steps, "policy": {"max_duration_seconds": 7200},
    });
    let plan = parse(plan).map_err(|error| error.to_string())?;
    Ok((plan, verified_by))
}

/// Every kind of step, in the order of the table.
///
/// # Errors
/// A sample is no valid step any more, or a kind of the schema has no sample.
pub fn resources() -> Result<Vec<Resource>, String> {
    let (plan, verified_by) = plan()?;
    let world = World::new(1);
    let ports = world.step_ports();
    let goal = Goal {
        from: "blue".into(),
        to: "green".into(),
        style: Style::Unplanned,
        started_at: None,
        doing: None,
    };
    let resource = |(step, verified_by): (&Step, &'static str)| Resource {
        kind: step.kind(),
        facts: driver(&ports, &plan, step, &goal).facts(),
        reversibility: step.as_kind().reversibility(),
        lossy: step.is_lossy(Style::Unplanned),
        is_setup: step.as_kind().is_setup(),
        verified_by,
    };
    let found: Vec<Resource> = plan.steps.iter().zip(verified_by).map(resource).collect();
    let shown: BTreeSet<&str> = found.iter().map(|resource| resource.kind).collect();
    let schema = json_schema();
    let kinds = schema["$defs"]["Step"]["oneOf"].as_array().cloned().unwrap_or_default();
    let missing: Vec<&str> = kinds
        .iter()
        .filter_map(|kind| kind.pointer("/properties/kind/const")?.as_str())
        .filter(|kind| !shown.contains(kind))
        .collect();
    if missing.is_empty() {
        Ok(found)
    } else {
        Err(format!("no sample of {}", missing.join(", ")))
    }
}

/// The table, as `docs/RESOURCES.md` has it.
///
/// # Errors
/// As for [`resources`].
pub fn page() -> Result<String, String> {
    let mut page = String::from(
        "# Resources\n\n\
         Each kind of step: what it calls, and what becomes of it. Generated from the code by `make schema`; a test keeps this\n\
         page current, and another compares its actions with the executor's role in `template.yaml`. Those marked *setup* may\n\
         stand in a plan's `setup`; what only they change is granted where the stack's parameter `AllowSetup` is \"true\".\n\n\
         | kind | plane | reads with | changes with | taken back | may lose data | its calls were tried on |\n\
         |---|---|---|---|---|---|---|\n",
    );
    for resource in resources()? {
        let actions = |actions: &[&str]| {
            let actions: Vec<String> = actions.iter().map(|action| format!("`{action}`")).collect();
            actions.join(", ")
        };
        page.push_str(&format!(
            "| `{}`{} | {} | {} | {} | {} | {} | {} |\n",
            resource.kind,
            if resource.is_setup { " (setup)" } else { "" },
            match resource.facts.plane {
                Plane::Control => "control",
                Plane::Data => "data",
                Plane::None => "none",
            },
            actions(resource.facts.reads),
            actions(resource.facts.changes),
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
            resource.verified_by,
        ));
    }
    page.push_str(
        "\nEvery kind stands the same proof in memory (`shared/testkit/tests/steps`): it works, it is run twice, it fails or loses\n\
         its reply at each call, its executor dies, it is undone exactly, and somebody else is quicker (but for `dns_signal`: a\n\
         metric has no version, and the newest word counts; for `rds_promote_replica`, which is not undone; and for\n\
         `fence_source`, which restarts what is fenced already). \"Deployed on an emulator\" means the deployed functions with roles\n\
         enforced (`tests/tests/deployed`), \"emulator\" the AWS room alone (`shared/aws/tests/moto*.rs`), \"scripted answers\" its\n\
         requests and what it makes of each answer (`shared/aws/tests`). No call has been made on AWS itself.\n",
    );
    Ok(page)
}
