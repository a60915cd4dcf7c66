//! Probes: one question about one site, asked at an interval, judged by thresholds.

pub mod expression;
mod metric;

pub use metric::{Comparison, DnsHealthCheckProbe, Metric, MetricProbe, MetricSeries, Missing};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One question about one site.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Probe {
    /// A real connection to the site: HTTP, HTTPS or TCP.
    Endpoint(EndpointProbe),
    /// The status checks of an EC2 instance.
    Ec2(Ec2Probe),
    /// The number of healthy targets in a target group.
    TargetGroup(TargetGroupProbe),
    /// The status of an RDS instance.
    RdsInstance(RdsInstanceProbe),
    /// The status of a DB cluster and of the instance that takes its writes.
    RdsCluster(RdsClusterProbe),
    /// The instances in service of an Auto Scaling group.
    AutoScalingGroup(AutoScalingGroupProbe),
    /// The state of a CloudWatch alarm.
    Alarm(AlarmProbe),
    /// A CloudWatch metric, or an expression over several, against a threshold.
    Metric(MetricProbe),
    /// The state of a Route 53 health check.
    DnsHealthCheck(DnsHealthCheckProbe),
}

/// What every probe has.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ProbeCommon {
    /// The probe's name, unique in the plan.
    #[schemars(regex(pattern = r"^[a-z0-9][a-z0-9-]{0,62}$"))]
    pub name: String,
    /// The site that it speaks about.
    pub site: String,
    /// How often it is asked. At least 5 (endpoint), 30 (describes) or 60 (alarms and metrics) seconds; without it the
    /// default of the kind: 10, 30 or 60.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 5, max = 3600))]
    pub interval_seconds: Option<u32>,
    /// How many slots in a row must answer well before it counts as healthy.
    #[serde(default = "two")]
    #[schemars(range(min = 1, max = 20))]
    pub healthy_threshold: u32,
    /// How many slots in a row must answer badly before it counts as unhealthy.
    #[serde(default = "three")]
    #[schemars(range(min = 1, max = 20))]
    pub unhealthy_threshold: u32,
    /// The resource's Region, if it is not the plan's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = r"^[a-z]{2}(-[a-z]+)+-[0-9]$"))]
    pub region: Option<String>,
}

/// A real connection to the site. Redirects are not followed; TLS certificates are verified.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct EndpointProbe {
    /// What every probe has.
    #[serde(flatten)]
    pub common: ProbeCommon,
    /// Host name or IP address. For HTTPS it must be a name that the certificate carries.
    #[schemars(length(min = 1, max = 253))]
    pub host: String,
    /// The protocol.
    #[serde(default)]
    pub protocol: Protocol,
    /// The port; without it 80 (HTTP) or 443 (HTTPS). TCP needs one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 65535))]
    pub port: Option<u16>,
    /// The path and query that are asked for, starting with `/`.
    #[serde(default = "slash")]
    #[schemars(length(max = 2000), regex(pattern = r"^/"))]
    pub path: String,
    /// The HTTP method.
    #[serde(default)]
    pub method: Method,
    /// The HTTP statuses that count as well.
    #[serde(default)]
    pub expected_status: StatusRange,
    /// A text that the first 64 KiB of the body must contain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 1000))]
    pub body_contains: Option<String>,
    /// How long one try may take, from connecting to the last byte that is looked at.
    #[serde(default = "two")]
    #[schemars(range(min = 1, max = 30))]
    pub timeout_seconds: u32,
}

/// The status checks of an EC2 instance (`DescribeInstanceStatus`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Ec2Probe {
    /// What every probe has.
    #[serde(flatten)]
    pub common: ProbeCommon,
    /// The instance.
    #[schemars(regex(pattern = r"^i-[0-9a-f]{8,17}$"))]
    pub instance_id: String,
}

/// The healthy targets of a target group (`DescribeTargetHealth`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct TargetGroupProbe {
    /// What every probe has.
    #[serde(flatten)]
    pub common: ProbeCommon,
    /// The target group.
    #[schemars(regex(pattern = r"^arn:aws[a-z-]*:elasticloadbalancing:[a-z0-9-]+:[0-9]{12}:targetgroup/.+$"))]
    pub target_group_arn: String,
    /// How many targets must be healthy.
    #[serde(default = "one")]
    #[schemars(range(min = 1, max = 1000))]
    pub minimum_healthy: u32,
}

/// The status of an RDS instance (`DescribeDBInstances`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct RdsInstanceProbe {
    /// What every probe has.
    #[serde(flatten)]
    pub common: ProbeCommon,
    /// The instance's identifier.
    #[schemars(regex(pattern = r"^[a-zA-Z][a-zA-Z0-9-]{0,62}$"))]
    pub db_instance_identifier: String,
}

/// The status of a DB cluster, Aurora or Multi-AZ, and of the instance that takes its writes (`DescribeDBClusters`,
/// `DescribeDBInstances`). A cluster that copies another one, the secondary of a global database, takes no writes: there
/// one instance that serves is enough.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct RdsClusterProbe {
    /// What every probe has.
    #[serde(flatten)]
    pub common: ProbeCommon,
    /// The cluster's identifier.
    #[schemars(regex(pattern = r"^[a-zA-Z][a-zA-Z0-9-]{0,62}$"))]
    pub db_cluster_identifier: String,
}

/// The instances in service of an Auto Scaling group (`DescribeAutoScalingGroups`): healthy with as many as it shall have,
/// degraded with fewer, unhealthy below the minimum.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct AutoScalingGroupProbe {
    /// What every probe has.
    #[serde(flatten)]
    pub common: ProbeCommon,
    /// The group's name.
    #[schemars(length(min = 1, max = 255))]
    pub auto_scaling_group_name: String,
    /// How many instances must be in service; without it the group's own minimum, at least one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 10000))]
    pub minimum_in_service: Option<u32>,
}

/// The state of a CloudWatch alarm (`DescribeAlarms`): OK is healthy, ALARM unhealthy, no data unknown.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct AlarmProbe {
    /// What every probe has.
    #[serde(flatten)]
    pub common: ProbeCommon,
    /// The alarm's name.
    #[schemars(length(min = 1, max = 255))]
    pub alarm_name: String,
}

/// How an endpoint is spoken to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Protocol {
    /// Plain HTTP/1.1.
    Http,
    /// HTTP/1.1 over TLS, certificate and name verified.
    #[default]
    Https,
    /// A TCP connection that opens.
    Tcp,
}

/// The HTTP method of an endpoint probe.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum Method {
    /// GET.
    #[default]
    Get,
    /// HEAD. It has no body to match.
    Head,
}

/// The HTTP statuses that count as well, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct StatusRange {
    /// The lowest.
    #[schemars(range(min = 100, max = 599))]
    pub from: u16,
    /// The highest.
    #[schemars(range(min = 100, max = 599))]
    pub to: u16,
}

impl Default for StatusRange {
    fn default() -> Self {
        Self { from: 200, to: 299 }
    }
}

fn one() -> u32 {
    1
}
fn two() -> u32 {
    2
}
fn three() -> u32 {
    3
}
fn slash() -> String {
    "/".into()
}

impl Probe {
    /// A TCP connection to a reference endpoint of the observer ([`crate::health::REFERENCE_SITE`]).
    pub(super) fn reference(index: usize, host: &str, port: u16) -> Self {
        Self::Endpoint(EndpointProbe {
            common: ProbeCommon {
                name: format!("reference-{index}"),
                site: crate::health::REFERENCE_SITE.to_owned(),
                interval_seconds: None,
                healthy_threshold: one(),
                unhealthy_threshold: crate::health::REFERENCE_LOOKS,
                region: None,
            },
            host: host.to_owned(),
            protocol: Protocol::Tcp,
            port: Some(port),
            path: slash(),
            method: Method::default(),
            expected_status: StatusRange::default(),
            body_contains: None,
            timeout_seconds: two(),
        })
    }

    /// What every probe has.
    pub fn common(&self) -> &ProbeCommon {
        match self {
            Self::Endpoint(probe) => &probe.common,
            Self::Ec2(probe) => &probe.common,
            Self::TargetGroup(probe) => &probe.common,
            Self::RdsInstance(probe) => &probe.common,
            Self::AutoScalingGroup(probe) => &probe.common,
            Self::Alarm(probe) => &probe.common,
            Self::RdsCluster(probe) => &probe.common,
            Self::Metric(probe) => &probe.common,
            Self::DnsHealthCheck(probe) => &probe.common,
        }
    }

    /// The probe's name, unique in its plan.
    pub fn name(&self) -> &str {
        &self.common().name
    }

    /// The kind, as plan files spell it.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Endpoint(_) => "endpoint",
            Self::Ec2(_) => "ec2",
            Self::TargetGroup(_) => "target_group",
            Self::RdsInstance(_) => "rds_instance",
            Self::AutoScalingGroup(_) => "auto_scaling_group",
            Self::Alarm(_) => "alarm",
            Self::RdsCluster(_) => "rds_cluster",
            Self::Metric(_) => "metric",
            Self::DnsHealthCheck(_) => "dns_health_check",
        }
    }

    /// The shortest interval that the kind allows, in seconds: describes are billed to the account's request
    /// rate, alarms and metrics have nothing new more often than once a minute.
    pub fn minimum_interval_seconds(&self) -> u32 {
        match self {
            Self::Endpoint(_) => 5,
            Self::Ec2(_)
            | Self::TargetGroup(_)
            | Self::RdsInstance(_)
            | Self::RdsCluster(_)
            | Self::AutoScalingGroup(_) => 30,
            Self::Alarm(_) | Self::Metric(_) | Self::DnsHealthCheck(_) => 60,
        }
    }

    /// The interval: the plan's, or the default of the kind.
    pub fn interval_seconds(&self) -> u32 {
        self.common().interval_seconds.unwrap_or(match self {
            Self::Endpoint(_) => 10,
            _ => self.minimum_interval_seconds(),
        })
    }

    /// The Region that is asked, if the probe or its plan says one.
    pub fn region<'a>(&'a self, of_plan: Option<&'a str>) -> Option<&'a str> {
        match self {
            Self::DnsHealthCheck(_) => Some(DnsHealthCheckProbe::REGION),
            _ => self.common().region.as_deref().or(of_plan),
        }
    }

    /// The AWS resource (or the host) that is asked about. A metric is none: it may be about any number of them.
    pub fn resource(&self) -> Option<&str> {
        Some(match self {
            Self::Endpoint(probe) => &probe.host,
            Self::Ec2(probe) => &probe.instance_id,
            Self::TargetGroup(probe) => &probe.target_group_arn,
            Self::RdsInstance(probe) => &probe.db_instance_identifier,
            Self::AutoScalingGroup(probe) => &probe.auto_scaling_group_name,
            Self::Alarm(probe) => &probe.alarm_name,
            Self::RdsCluster(probe) => &probe.db_cluster_identifier,
            Self::DnsHealthCheck(probe) => &probe.health_check_id,
            Self::Metric(_) => return None,
        })
    }
}
