//! Rules of `metric_alarm`: an alarm that CloudWatch takes, on a metric that exists, telling a topic that it can reach and
//! setting off a policy that is there by then.

use super::super::parse::{Path, Problems};
use super::super::{MetricAlarm, Step};
use super::{Draft, by_one_step, sound_everywhere, text};
use serde_json::Value;
use std::collections::BTreeMap;

/// The longest that all periods of an alarm may take together: a day, and seven days where a period is an hour or more.
const LONGEST_SECONDS: (u64, u64) = (86_400, 604_800);

/// Metrics of load balancers that have data only under both of these dimensions.
const BY_TARGET_GROUP: [&str; 2] = ["UnHealthyHostCount", "HealthyHostCount"];
const BOTH: [&str; 2] = ["TargetGroup", "LoadBalancer"];

/// Adds the problems of all steps of this kind.
pub(super) fn check(draft: &Draft<'_>, problems: &mut Problems) {
    for (list, steps) in sound_everywhere(draft) {
        let mut changed = BTreeMap::new();
        for (path, step) in steps {
            let Step::MetricAlarm(step) = step else { continue };
            // In `setup` this is a rule for all kinds.
            if list == "steps" {
                let place = draft.region_of(step.common.region.as_deref()).unwrap_or_default();
                let named = (format!("{} {place}", step.alarm_name), path.key("alarm_name"));
                by_one_step(&mut changed, [named], &path, problems);
            }
            one(draft, step, &path, problems);
            made_later(draft, list, step, &path, problems);
        }
    }
}

fn one(draft: &Draft<'_>, step: &MetricAlarm, path: &Path, problems: &mut Problems) {
    let texts = [
        ("alarm_name", Some(&step.alarm_name)),
        ("description", step.description.as_ref()),
        ("namespace", Some(&step.namespace)),
        ("metric_name", Some(&step.metric_name)),
    ];
    let policy = step.scaling_policy.iter();
    for (field, stated) in policy.flat_map(|policy| {
        [
            ("auto_scaling_group_name", &policy.auto_scaling_group_name),
            ("policy_name", &policy.policy_name),
        ]
    }) {
        text::no_control(stated, path.key("scaling_policy").key(field), problems);
    }
    for (field, stated) in texts.into_iter().filter_map(|(field, stated)| Some((field, stated?))) {
        text::no_control(stated, path.key(field), problems);
    }
    for (name, value) in &step.dimensions {
        text::no_control(value, path.key("dimensions").key(name), problems);
    }
    periods(step, path, problems);
    dimensions(step, &path.key("dimensions"), problems);
    topic(draft, step, path, problems);
}

fn periods(step: &MetricAlarm, path: &Path, problems: &mut Problems) {
    let period = step.period_seconds;
    if !matches!(period, 10 | 20 | 30) && !period.is_multiple_of(60) {
        let message =
            format!("must be 10, 20, 30 or a multiple of 60: CloudWatch takes no other period; found {period}");
        problems.add(path.key("period_seconds"), message);
    }
    if let Some(points) = step
        .datapoints_to_alarm
        .filter(|points| *points > step.evaluation_periods)
    {
        let message = format!(
            "must be at most evaluation_periods ({}), or the alarm could never fire; found {points}",
            step.evaluation_periods
        );
        problems.add(path.key("datapoints_to_alarm"), message);
    }
    let whole = u64::from(period) * u64::from(step.evaluation_periods);
    let longest = if period >= 3600 {
        LONGEST_SECONDS.1
    } else {
        LONGEST_SECONDS.0
    };
    if whole > longest {
        let message = format!(
            "{} periods of {period} s are {whole} s, and CloudWatch looks back at most {longest} s",
            step.evaluation_periods
        );
        problems.add(path.key("evaluation_periods"), message);
    }
    if !step.threshold.is_finite() {
        problems.add(path.key("threshold"), "must be a finite number");
    }
}

// A metric is its name with all of its dimensions: with one too few it is another one, without data, and an alarm on it
// never fires.
fn dimensions(step: &MetricAlarm, path: &Path, problems: &mut Problems) {
    let of_balancer = matches!(
        step.namespace.as_str(),
        "AWS/ApplicationELB" | "AWS/NetworkELB" | "AWS/GatewayELB"
    );
    if !of_balancer || !BY_TARGET_GROUP.contains(&step.metric_name.as_str()) {
        return;
    }
    for name in BOTH {
        match step.dimensions.get(name) {
            None => {
                let message = format!(
                    "is missing: {} has data only by TargetGroup and LoadBalancer together, so an alarm without one of them \
                     never fires",
                    step.metric_name
                );
                problems.add(path.key(name), message);
            }
            Some(value) if value.starts_with("arn:") => {
                let message = "is an ARN; the dimension is only its last part (targetgroup/<name>/<id>, app/<name>/<id>), and \
                               an alarm on an ARN never fires";
                problems.add(path.key(name), message);
            }
            Some(_) => {}
        }
    }
}

// CloudWatch calls topics of the alarm's own Region only.
fn topic(draft: &Draft<'_>, step: &MetricAlarm, path: &Path, problems: &mut Problems) {
    let topic = draft
        .raw
        .get("topic_arn")
        .and_then(Value::as_str)
        .filter(|_| step.notify);
    let region = draft.region_of(step.common.region.as_deref());
    if let (Some(found), Some(region)) = (topic.and_then(|topic| text::arn_part(topic, 3)), region)
        && found != region
    {
        let message = format!(
            "the plan's topic is in {found}, and an alarm in {region} can tell topics of its own Region only; say notify: \
             false, and bind the alarm in `alarms`: Understudy tells the topic then"
        );
        problems.add(path.key("notify"), message);
    }
}

// An alarm names a policy by its ARN, which a policy has once it is made.
fn made_later(draft: &Draft<'_>, list: &str, step: &MetricAlarm, path: &Path, problems: &mut Problems) {
    let Some(policy) = &step.scaling_policy else { return };
    let region = draft.region_of(step.common.region.as_deref());
    let (mut seen, mut later) = (false, None);
    for (_, steps) in sound_everywhere(draft).into_iter().filter(|(name, _)| *name == list) {
        for (place, other) in steps {
            match other {
                Step::MetricAlarm(other) if other.common.name == step.common.name => seen = true,
                Step::AsgScalingPolicy(other)
                    if other.auto_scaling_group_name == policy.auto_scaling_group_name
                        && other.policy_name == policy.policy_name
                        && draft.region_of(other.common.region.as_deref()) == region =>
                {
                    later = seen.then_some(place);
                }
                _ => {}
            }
        }
    }
    if let Some(place) = later {
        let message = format!("{place} makes this policy only after the alarm, which then finds none; put it before");
        problems.add(path.key("scaling_policy"), message);
    }
}
