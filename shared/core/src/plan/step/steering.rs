//! Steps that steer traffic from outside: a signal that health checks follow, a zone that is left, a dial.
//!
//! None of them touches what carries the traffic. The first two call data planes only, which are made to work while
//! control planes are down.

use super::{StepCommon, StepKind};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The shortest time for a `dns_signal` step that waits for health checks, in seconds. Route 53 publishes
/// `HealthCheckStatus` once a minute, and a minute that was healthy in part counts as healthy: the one that goes on,
/// the next one, and one until it can be read.
pub const HEALTH_CHECK_TIMEOUT_SECONDS: u32 = 180;

/// A metric that says which site is active, and that Route 53's health checks follow: the switch that needs no control
/// plane.
///
/// Each site has a metric that is 1 while the site is active and 0 while it is not. An alarm watches it, with
/// `TreatMissingData` set to `ignore`, so that one datapoint is enough; a health check of type `CLOUDWATCH_METRIC`
/// follows the alarm, and a failover record follows the health check. One site may go without, such as the primary of
/// two where only the standby has a switch. Metrics and alarms belong into a Region that does not fail with a site.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct DnsSignal {
    /// What every step has.
    #[serde(flatten)]
    pub common: StepCommon,
    /// The namespace of the metrics. The executor may publish to those that the stack's parameter names.
    #[schemars(regex(pattern = r"^[A-Za-z0-9._/#-][A-Za-z0-9._/#: -]{0,254}$"))]
    pub namespace: String,
    /// The name of the metrics.
    #[schemars(length(min = 1, max = 255))]
    pub metric_name: String,
    /// The dimensions that all of them share.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 30, "additionalProperties" = {"type": "string", "minLength": 1, "maxLength": 1024}))]
    pub dimensions: BTreeMap<String, String>,
    /// The metric of each site, and who follows it.
    #[schemars(extend("minProperties" = 1))]
    pub signals: BTreeMap<String, Signal>,
}

/// The metric of one site, and who follows it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Signal {
    /// The dimensions that only this site's metric has.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 30, "additionalProperties" = {"type": "string", "minLength": 1, "maxLength": 1024}))]
    pub dimensions: BTreeMap<String, String>,
    /// The alarm that watches it.
    #[schemars(length(min = 1, max = 255))]
    pub alarm_name: String,
    /// When that alarm goes off.
    #[serde(default)]
    pub alarm_when: AlarmWhen,
    /// The health check that follows the alarm, not inverted: then the step also waits until Route 53 itself shows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"))]
    pub health_check_id: Option<String>,
}

/// When the alarm of a signal goes off.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AlarmWhen {
    /// While the site is not active: the health check of this site's own record follows it.
    #[default]
    Inactive,
    /// While the site is active: the health check of the other site's record follows it.
    Active,
}

impl DnsSignal {
    /// All dimensions of a site's metric, by name.
    pub fn dimensions_of(&self, signal: &Signal) -> BTreeMap<String, String> {
        let shared = self.dimensions.iter().chain(&signal.dimensions);
        shared.map(|(name, value)| (name.clone(), value.clone())).collect()
    }
}

/// A zone from which a load balancer or an Auto Scaling group keeps its traffic away while a site is active.
///
/// A zonal shift is temporary: it ends by itself when its time is over. One that this plan did not start is never touched.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct ZonalShift {
    /// What every step has.
    #[serde(flatten)]
    pub common: StepCommon,
    /// The load balancer (`loadbalancer/app/…` or `loadbalancer/net/…`) or the Auto Scaling group, with zonal shift enabled.
    #[schemars(regex(
        pattern = r"^arn:aws[a-z-]*:(elasticloadbalancing:[a-z0-9-]+:[0-9]{12}:loadbalancer/(app|net)/.+|autoscaling:[a-z0-9-]+:[0-9]{12}:autoScalingGroup:.+)$"
    ))]
    pub resource_identifier: String,
    /// The zone that is left while a site is active, by its id. While a site is active that is not listed, all zones
    /// carry traffic: usually the primary is not.
    #[schemars(extend("minProperties" = 1, "additionalProperties" = {
        "type": "string", "pattern": r"^[a-z]{3,5}[0-9]-az[0-9]{1,2}$"
    }))]
    pub away_from: BTreeMap<String, String>,
    /// After how many hours the shift ends by itself. One of this plan that has less than half of that left is extended.
    #[schemars(range(min = 1, max = 72))]
    pub expires_in_hours: u32,
}

/// The dials of Global Accelerator's endpoint groups, or the weights of endpoints within one.
///
/// Sites with groups of their own: the destination's dial goes up to its percentage, and when the accelerator has
/// deployed that, those of the others go down to 0. Sites that share a group: the destination's endpoints get their
/// weights, those of the others 0, and the dial stays as it is. Endpoints that the plan does not name stay too.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct AcceleratorDial {
    /// What every step has.
    #[serde(flatten)]
    pub common: StepCommon,
    /// The endpoint group of each site, all of one listener.
    #[schemars(extend("minProperties" = 2))]
    pub sites: BTreeMap<String, DialSite>,
}

/// What belongs to one site at Global Accelerator.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct DialSite {
    /// The endpoint group.
    #[schemars(regex(
        pattern = r"^arn:aws[a-z-]*:globalaccelerator::[0-9]{12}:accelerator/[0-9a-zA-Z-]+/listener/[0-9a-zA-Z]+/endpoint-group/[0-9a-zA-Z]+$"
    ))]
    pub endpoint_group_arn: String,
    /// The group's traffic dial while the site is active, for a group of its own. Without it: 100.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 100))]
    pub percent: Option<u32>,
    /// The site's endpoints in a group that it shares, each with its weight while the site is active.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("additionalProperties" = {"type": "integer", "minimum": 1, "maximum": 255}))]
    pub endpoints: BTreeMap<String, u32>,
}

impl StepKind for DnsSignal {
    fn warning(&self) -> Option<(&'static str, String)> {
        let seconds = self.common.timeout_seconds;
        let waits = self.signals.values().any(|signal| signal.health_check_id.is_some());
        let message = || {
            format!(
                "{seconds} seconds may be too few for Route 53 to show its health checks, whose status it publishes once a \
                 minute: a switch that worked would count as failed. Give it at least {HEALTH_CHECK_TIMEOUT_SECONDS}"
            )
        };
        (waits && seconds < HEALTH_CHECK_TIMEOUT_SECONDS).then(|| ("timeout_seconds", message()))
    }

    fn resources_of(&self, site: &str) -> Vec<&str> {
        let signal = self.signals.get(site).into_iter();
        signal
            .flat_map(|signal| signal.health_check_id.iter().chain([&signal.alarm_name]))
            .map(String::as_str)
            .collect()
    }

    fn shared_resources(&self) -> Vec<&str> {
        vec![&self.namespace]
    }
}

impl StepKind for ZonalShift {
    fn warning(&self) -> Option<(&'static str, String)> {
        let hours = self.expires_in_hours;
        let message = format!(
            "the shift ends by itself {hours} hour(s) after it was begun, and traffic comes back into the zone whether that is \
             well or not. Move home before, or extend it by hand"
        );
        Some(("expires_in_hours", message))
    }

    fn shared_resources(&self) -> Vec<&str> {
        vec![&self.resource_identifier]
    }
}

impl StepKind for AcceleratorDial {
    fn resources_of(&self, site: &str) -> Vec<&str> {
        let site = self.sites.get(site).into_iter();
        site.flat_map(|site| site.endpoints.keys().chain([&site.endpoint_group_arn]))
            .map(String::as_str)
            .collect()
    }
}
