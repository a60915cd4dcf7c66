//! The sizes and zones of Auto Scaling groups, the power of instances, the place of an address.

use crate::execution::Style;
use crate::plan::{AsgCapacity, AsgZones, Ec2Instance, ElasticIp, InstanceAction};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// The size of an Auto Scaling group, in instances.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupSize {
    /// `MinSize`: no policy scales in below it.
    pub minimum: u32,
    /// `DesiredCapacity`.
    pub desired: u32,
    /// `MaxSize`: no policy scales out beyond it.
    pub maximum: u32,
}

/// What the source's group had when it was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SourceCount {
    /// How many of its instances are in service.
    pub in_service: u32,
    /// How many it shall have.
    pub desired: u32,
}

/// A group that a move away from home made larger, and how it was before: what the move home gives back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RaisedGroup {
    /// The step that did it.
    pub step: String,
    /// The site whose group it is.
    pub site: String,
    /// Its name.
    pub group: String,
    /// Its Region, if it is not the plan's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// What was found.
    pub found: GroupSize,
    /// What was made of it; a scaling policy may have gone beyond.
    pub made: GroupSize,
}

/// Whether an instance runs. One that is on its way counts as where it goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Power {
    /// `running` or `pending`.
    Running,
    /// `stopped` or `stopping`.
    Stopped,
}

/// What an address is associated with. A wanted association says only what the plan says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Association {
    /// The instance.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance_id: Option<String>,
    /// The network interface.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network_interface_id: Option<String>,
    /// The private address of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub private_ip_address: Option<String>,
}

impl GroupSize {
    pub(super) fn sentence(self, at_least: bool) -> String {
        let Self {
            minimum,
            desired,
            maximum,
        } = self;
        let more = if at_least { " or more" } else { "" };
        format!("{desired}{more} of {minimum} to {maximum} instance(s)")
    }

    /// Whether only a scaling policy could have made the one of the other: the bounds are the same.
    pub fn has_bounds_of(self, other: Self) -> bool {
        self.minimum == other.minimum && self.maximum == other.maximum
    }
}

impl Power {
    /// From the state of an instance; `None` where it neither runs nor will again.
    pub fn of(state: &str) -> Option<Self> {
        match state {
            "running" | "pending" => Some(Self::Running),
            "stopped" | "stopping" => Some(Self::Stopped),
            _ => None,
        }
    }

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Stopped => "stopped",
        }
    }
}

impl Association {
    /// The association with an instance (`i-…`) or a network interface (`eni-…`).
    pub fn with(target: &str) -> Self {
        let target = target.to_owned();
        if target.starts_with("eni-") {
            return Self {
                network_interface_id: Some(target),
                ..Self::default()
            };
        }
        Self {
            instance_id: Some(target),
            ..Self::default()
        }
    }

    /// Whether both mean the same: what only one of them says may be anything.
    pub fn same_as(&self, other: &Self) -> bool {
        let pairs = [
            (&self.instance_id, &other.instance_id),
            (&self.network_interface_id, &other.network_interface_id),
            (&self.private_ip_address, &other.private_ip_address),
        ];
        let told = pairs
            .iter()
            .take(2)
            .any(|(left, right)| left.is_some() && right.is_some());
        told && pairs
            .iter()
            .all(|(left, right)| left.is_none() || right.is_none() || left == right)
    }

    /// What it is with, in a word.
    pub fn sentence(&self) -> String {
        let target = self.instance_id.as_ref().or(self.network_interface_id.as_ref());
        target.cloned().unwrap_or_else(|| "something unnamed".into())
    }
}

/// What a move wants of the destination's group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WantedSize {
    /// The size; more instances are as good.
    pub size: GroupSize,
    /// How many instances must be in service before traffic comes.
    pub in_service: u32,
    /// Why it must not be asked for, if so.
    pub refused: Option<String>,
}

/// What a move wants of the destination's group.
///
/// `source` is `None` where the source's group could not be read. Nothing is ever scaled down, and the minimum rises
/// with the desired capacity: a policy would scale in again before traffic has come.
pub fn wanted_size(step: &AsgCapacity, current: GroupSize, source: Option<SourceCount>, style: Style) -> WantedSize {
    let counted = source.map_or(0, |source| match style {
        Style::Planned => source.in_service,
        // What fails is no measure of what is needed.
        Style::Unplanned => source.in_service.max(source.desired),
    });
    let share = (u64::from(counted) * u64::from(step.percent)).div_ceil(100);
    let needed = u32::try_from(share).unwrap_or(u32::MAX).max(step.minimum);
    let size = GroupSize {
        minimum: current.minimum.max(needed),
        desired: current.desired.max(needed),
        maximum: current.maximum.max(needed),
    };
    let refused = (needed > current.maximum && !step.raise_max).then(|| {
        format!(
            "{needed} instance(s) are needed ({} % of {counted}, at least {}), and its maximum is {}; raise the group's maximum, \
             or set raise_max in the step",
            step.percent, step.minimum, current.maximum
        )
    });
    WantedSize {
        size,
        in_service: needed,
        refused,
    }
}

/// The size that a group goes back to when its site carries the plan no longer.
///
/// It is the very size that was found before it was raised, if its bounds are as they were left. If they are as they were
/// found, somebody was quicker, and what a policy made of it since stays.
///
/// # Errors
/// A sentence that says what was found: bounds that are neither are somebody else's, and stay.
pub fn wanted_back(raised: &RaisedGroup, current: GroupSize) -> Result<GroupSize, String> {
    if current.has_bounds_of(raised.found) {
        return Ok(current);
    }
    if current.has_bounds_of(raised.made) {
        return Ok(raised.found);
    }
    Err(format!(
        "somebody else has changed its size since: it was raised from {} to {}, and is {}; it is left so",
        raised.found.sentence(false),
        raised.made.sentence(true),
        current.sentence(false)
    ))
}

/// The group's subnets while `to` is active, in order: its own are there, those of the other sites are not, and what the
/// plan does not name stays.
pub fn wanted_subnets(step: &AsgZones, to: &str, current: &[String]) -> Vec<String> {
    let own: BTreeSet<&String> = step.subnets.get(to).into_iter().flatten().collect();
    let others: BTreeSet<&String> = step.subnets.values().flatten().collect();
    let kept = current.iter().filter(|subnet| !others.contains(subnet));
    let wanted: BTreeSet<&String> = kept.chain(own).collect();
    wanted.into_iter().cloned().collect()
}

/// The instances that the step is about in a move, and what becomes of them.
pub fn wanted_power(step: &Ec2Instance, from: &str, to: &str) -> BTreeMap<String, Power> {
    let (site, power) = match step.action {
        InstanceAction::Start => (to, Power::Running),
        InstanceAction::Stop => (from, Power::Stopped),
    };
    let instances = step.instances.get(site).into_iter().flatten();
    instances.map(|id| (id.clone(), power)).collect()
}

/// What the address is associated with while `to` is active.
///
/// # Errors
/// A sentence that says whose it is: it is taken only from what the plan names.
pub fn wanted_association(step: &ElasticIp, to: &str, current: Option<&Association>) -> Result<Association, String> {
    let wanted = step.targets.get(to).map(|target| Association::with(target));
    let wanted = wanted.ok_or_else(|| format!("the plan has no target for site {to}"))?;
    let known = |current: &Association| {
        let mut targets = step.targets.values();
        targets.any(|target| current.same_as(&Association::with(target)))
    };
    match current {
        Some(current) if !known(current) => Err(format!(
            "it is associated with {}, which the plan does not name, and is not taken from there; disassociate it, or \
             correct the plan",
            current.sentence()
        )),
        _ => Ok(wanted),
    }
}
