//! What each kind of probe calls.

use crate::steps::Plane;
use understudy_core::plan::Probe as PlanProbe;

/// What a kind of probe is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProbeFacts {
    /// The plane of its calls.
    pub plane: Plane,
    /// The IAM actions that it reads with.
    pub reads: &'static [&'static str],
}

/// What the probe reads beside what its probes ask: how far copies of data are behind.
pub const LAG_READS: &[&str] = &["cloudwatch:GetMetricData"];

/// What this probe calls.
pub fn facts(probe: &PlanProbe) -> ProbeFacts {
    let (plane, reads): (_, &[&str]) = match probe {
        PlanProbe::Endpoint(_) => (Plane::None, &[]),
        PlanProbe::Ec2(_) => (Plane::Control, &["ec2:DescribeInstanceStatus"]),
        PlanProbe::TargetGroup(_) => (Plane::Control, &["elasticloadbalancing:DescribeTargetHealth"]),
        PlanProbe::RdsInstance(_) => (Plane::Control, &["rds:DescribeDBInstances"]),
        // The status of the writer, too.
        PlanProbe::RdsCluster(_) => (Plane::Control, &["rds:DescribeDBClusters", "rds:DescribeDBInstances"]),
        PlanProbe::AutoScalingGroup(_) => (Plane::Control, &["autoscaling:DescribeAutoScalingGroups"]),
        PlanProbe::Alarm(_) => (Plane::Control, &["cloudwatch:DescribeAlarms"]),
        PlanProbe::Metric(_) | PlanProbe::DnsHealthCheck(_) => (Plane::Data, &["cloudwatch:GetMetricData"]),
    };
    ProbeFacts { plane, reads }
}
