//! Rules of probes: what can be asked, how often, and with what.

mod metric;

use super::super::parse::{Path, Problems};
use super::super::{EndpointProbe, Method, Probe, Protocol, StatusRange};
use super::{Draft, text};

/// Adds the problems of one probe.
pub(super) fn check(draft: &Draft<'_>, probe: &Probe, path: &Path, problems: &mut Problems) {
    let least = probe.minimum_interval_seconds();
    if probe.interval_seconds() < least {
        let message = format!(
            "must be at least {least} for a probe of kind {}: more often throttles the account; found {}",
            probe.kind(),
            probe.interval_seconds()
        );
        problems.add(path.key("interval_seconds"), message);
    }
    match probe {
        Probe::Endpoint(endpoint) => self::endpoint(endpoint, probe.interval_seconds(), path, problems),
        Probe::TargetGroup(group) => {
            let region = draft.region_of(group.common.region.as_deref());
            text::arn_region(&group.target_group_arn, region, path.key("target_group_arn"), problems);
            text::no_control(&group.target_group_arn, path.key("target_group_arn"), problems);
        }
        Probe::AutoScalingGroup(group) => {
            let path = path.key("auto_scaling_group_name");
            text::no_control(&group.auto_scaling_group_name, path, problems);
        }
        Probe::Alarm(alarm) => text::no_control(&alarm.alarm_name, path.key("alarm_name"), problems),
        Probe::Metric(metric) => metric::check(metric, path, problems),
        Probe::DnsHealthCheck(check) => metric::health_check(check, path, problems),
        Probe::Ec2(_) | Probe::RdsInstance(_) | Probe::RdsCluster(_) => {}
    }
}

fn endpoint(probe: &EndpointProbe, interval_seconds: u32, path: &Path, problems: &mut Problems) {
    if let Some(refusal) = text::host_refusal(&probe.host) {
        problems.add(
            path.key("host"),
            format!("{refusal}; found {}", text::quoted(&probe.host)),
        );
    }
    if probe.path.chars().any(|c| c.is_control() || c.is_whitespace()) {
        let message = format!(
            "must have no spaces or control characters (write %20 for a space); found {}",
            text::quoted(&probe.path)
        );
        problems.add(path.key("path"), message);
    }
    if probe.path.contains('#') {
        problems.add(
            path.key("path"),
            "must have no fragment (`#…`): it is never sent to a server",
        );
    }
    if let Some(wanted) = &probe.body_contains {
        text::no_control(wanted, path.key("body_contains"), problems);
    }
    if probe.timeout_seconds >= interval_seconds {
        let message = format!(
            "must be less than the interval ({interval_seconds} seconds), or one try would overrun the next; found {}",
            probe.timeout_seconds
        );
        problems.add(path.key("timeout_seconds"), message);
    }
    if probe.expected_status.from > probe.expected_status.to {
        let StatusRange { from, to } = probe.expected_status;
        problems.add(
            path.key("expected_status"),
            format!("no status is from {from} to {to}: `from` is the lower one"),
        );
    }
    if probe.protocol == Protocol::Tcp {
        tcp(probe, path, problems);
    } else if probe.method == Method::Head && probe.body_contains.is_some() {
        problems.add(
            path.key("body_contains"),
            "an answer to HEAD has no body to look into; use GET",
        );
    }
}

/// A TCP probe only connects: what speaks of HTTP would be ignored, and nothing is ignored silently.
fn tcp(probe: &EndpointProbe, path: &Path, problems: &mut Problems) {
    if probe.port.is_none() {
        problems.add(path.key("port"), "is missing: TCP has no usual port");
    }
    let unused = [
        ("path", probe.path != "/"),
        ("method", probe.method != Method::default()),
        ("expected_status", probe.expected_status != StatusRange::default()),
        ("body_contains", probe.body_contains.is_some()),
    ];
    for (field, _) in unused.into_iter().filter(|(_, given)| *given) {
        problems.add(
            path.key(field),
            "means nothing to a TCP probe, which only connects; leave it out, or use http or https",
        );
    }
}
