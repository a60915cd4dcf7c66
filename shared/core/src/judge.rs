//! What an answer of AWS means for health.
//!
//! The tables below are the whole judgement. What is not in them is unknown, and unknown is never
//! unhealthy: a state that AWS adds next year moves nothing.

mod database;
mod metric;

pub use database::{ClusterReading, database, database_cluster};
pub use metric::{Datapoint, Window, dns_health_check, metric};

use crate::health::{AlarmReading, AlarmState, Health, Sample};
use crate::state::GroupSize;

/// An EC2 instance by its state and its two status checks (`DescribeInstanceStatus`).
pub fn instance(state: &str, instance_check: &str, system_check: &str) -> Sample {
    let reason = format!("{state}, instance check {instance_check}, system check {system_check}");
    if state != "running" {
        let health = match state {
            "pending" | "stopping" | "stopped" | "shutting-down" | "terminated" => Health::Unhealthy,
            _ => Health::Unknown,
        };
        return Sample::new(health, format!("the instance is {state}"));
    }
    let checks = [instance_check, system_check];
    let health = if checks.contains(&"impaired") {
        Health::Unhealthy
    } else if checks.contains(&"initializing") {
        Health::Degraded
    } else if checks == ["ok", "ok"] {
        Health::Healthy
    } else {
        Health::Unknown
    };
    Sample::new(health, reason)
}

/// A target group by the states of its targets against a minimum of healthy ones.
///
/// `unavailable` (health checks are off, or Elastic Load Balancing can not say) and `unused` (the group is
/// not attached to a listener) are unknown: if the minimum could be met by them, nobody can say.
pub fn target_group<'a>(states: impl IntoIterator<Item = &'a str>, minimum_healthy: u32) -> Sample {
    let (mut healthy, mut unsure, mut all, mut unused) = (0_u32, 0_u32, 0_u32, 0_u32);
    for state in states {
        all += 1;
        match state {
            "healthy" => healthy += 1,
            "unhealthy" | "draining" | "unhealthy.draining" => {}
            "unused" => {
                unused += 1;
                unsure += 1;
            }
            _ => unsure += 1,
        }
    }
    let counts = format!("{healthy} of {all} target(s) healthy, {minimum_healthy} needed");
    if healthy >= minimum_healthy {
        Sample::new(Health::Healthy, counts)
    } else if healthy + unsure >= minimum_healthy && unsure > 0 {
        let hint = if unused > 0 {
            "; unused targets: attach the group to its listener, at weight 0"
        } else {
            ""
        };
        Sample::new(Health::Unknown, format!("{counts}, {unsure} unknown{hint}"))
    } else {
        Sample::new(Health::Unhealthy, counts)
    }
}

/// An Auto Scaling group by its instances in service, against the size that it shall have and the fewest that carry its
/// work: the plan's number, or else the group's own minimum, and never none.
pub fn auto_scaling_group(in_service: u32, size: GroupSize, minimum_in_service: Option<u32>) -> Sample {
    let needed = minimum_in_service.unwrap_or(size.minimum).max(1);
    let health = if in_service < needed {
        Health::Unhealthy
    } else if in_service < size.desired {
        Health::Degraded
    } else {
        Health::Healthy
    };
    let reason = format!(
        "{in_service} of {} instance(s) in service, {needed} needed",
        size.desired
    );
    Sample::new(health, reason)
}

/// A CloudWatch alarm by its state. No data is unknown, whatever the alarm treats it as.
pub fn alarm(reading: &AlarmReading) -> Sample {
    let health = match reading.state {
        AlarmState::Ok => Health::Healthy,
        AlarmState::Alarm => Health::Unhealthy,
        AlarmState::InsufficientData => Health::Unknown,
    };
    Sample::new(
        health,
        format!("alarm {:?}: {}", reading.state, crate::event::excerpt(&reading.reason)),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_is_judged_by_its_own_size_or_the_plans_number() {
        let size = |minimum, desired| GroupSize {
            minimum,
            desired,
            maximum: 9,
        };
        for (in_service, size, needed, health) in [
            (4, size(2, 4), None, Health::Healthy),
            (5, size(2, 4), None, Health::Healthy),
            (3, size(2, 4), None, Health::Degraded),
            (1, size(2, 4), None, Health::Unhealthy),
            (3, size(2, 4), Some(4), Health::Unhealthy),
            (1, size(2, 4), Some(1), Health::Degraded),
            (0, size(0, 0), None, Health::Unhealthy),
            (1, size(0, 1), None, Health::Healthy),
        ] {
            let sample = auto_scaling_group(in_service, size, needed);
            assert_eq!(sample.health, health, "{in_service} of {size:?}, {needed:?}");
        }
    }

    #[test]
    fn words_that_nobody_knows_are_unknown() {
        assert_eq!(instance("levitating", "ok", "ok").health, Health::Unknown);
        assert_eq!(instance("running", "levitating", "ok").health, Health::Unknown);
        assert_eq!(target_group(["levitating"], 1).health, Health::Unknown);
    }

    #[test]
    fn an_instance_is_judged_by_both_checks() {
        assert_eq!(instance("running", "ok", "ok").health, Health::Healthy);
        assert_eq!(instance("running", "ok", "impaired").health, Health::Unhealthy);
        assert_eq!(instance("running", "initializing", "ok").health, Health::Degraded);
        assert_eq!(instance("running", "insufficient-data", "ok").health, Health::Unknown);
        assert_eq!(
            instance("stopped", "not-applicable", "not-applicable").health,
            Health::Unhealthy
        );
    }

    #[test]
    fn unavailable_targets_are_unknown_only_where_they_could_matter() {
        assert_eq!(target_group(["healthy", "unavailable"], 1).health, Health::Healthy);
        assert_eq!(target_group(["healthy", "unavailable"], 2).health, Health::Unknown);
        assert_eq!(target_group(["unhealthy", "unavailable"], 2).health, Health::Unhealthy);
        assert_eq!(target_group(["unused"], 1).health, Health::Unknown);
        assert_eq!(target_group([], 1).health, Health::Unhealthy);
    }
}
