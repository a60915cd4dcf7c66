//! `zonal_shift`: a load balancer or an Auto Scaling group keeps its traffic away from one zone.
//!
//! Starting, extending and ending a shift are data plane: ARC's developer guide recommends data planes for failing over
//! ("Data and control planes for zonal shift"), and starts a shift by marking the zone unhealthy, without reconfiguring
//! the resource.
//!
//! 1. A shift is this plan's if its comment says so: `Understudy`, and the plan's name. Everybody else's (a person's, a
//!    practice run's, another plan's) is left alone, and the step does not begin while there is one: only one counts at a
//!    time, and the service says which.
//! 2. A shift that ends too early is extended, in one call. One away from another zone is cancelled and then a new one is
//!    started: between the two, traffic goes everywhere.
//! 3. It has worked when the resource's applied weights say so: nothing goes into the zone that is left, and where no zone
//!    is left, something goes into each.
//! 4. One that has ended by itself reads as none. Undo starts a shift that was cancelled anew, to end when it would have,
//!    and sets one that was extended back to its old end; to the minute, as the service takes it.

use super::{Driver, Facts, Goal, Plane, Reading, StepPorts, balancing_permission, foreign_state};
use crate::ports::{Account, ActiveShift, CallError, Clock, Permission, ShiftedResource, ZonalShifts};
use async_trait::async_trait;
use std::sync::Arc;
use understudy_core::plan::{Plan, ZonalShift};
use understudy_core::state::{ResourceState, Shift, wanted_shift};

pub(super) struct ZonalShiftDriver {
    shifts: Arc<dyn ZonalShifts>,
    clock: Arc<dyn Clock>,
    step: ZonalShift,
    /// How the comments of this plan's shifts begin. The executor's comments do.
    signature: String,
    region: Option<String>,
}

impl ZonalShiftDriver {
    pub(super) fn new(ports: &StepPorts, plan: &Plan, step: ZonalShift, region: Option<String>) -> Self {
        Self {
            shifts: ports.shifts.clone(),
            clock: ports.clock.clone(),
            step,
            signature: format!("Understudy {} ", plan.name),
            region,
        }
    }

    fn is_ours(&self, shift: &ActiveShift) -> bool {
        shift.shift_type == "ZONAL_SHIFT" && shift.comment.starts_with(&self.signature)
    }

    // The shift that counts: somebody else's before ours, so that it is seen.
    fn current(&self, found: &ShiftedResource) -> Option<Shift> {
        let now = self.clock.now();
        let active = || found.shifts.iter().filter(|shift| shift.ends_at > now);
        let foreign = active().find(|shift| !self.is_ours(shift));
        let shift = foreign.or_else(|| active().next())?;
        Some(Shift {
            away_from: shift.away_from.clone(),
            ends_at: shift.ends_at,
            id: Some(shift.id.clone()),
            foreign: foreign.is_some(),
        })
    }

    fn blocked(&self, found: &ShiftedResource, wanted: Option<&str>) -> Option<String> {
        let arn = &self.step.resource_identifier;
        let now = self.clock.now();
        let mut active = found.shifts.iter().filter(|shift| shift.ends_at > now);
        if let Some(shift) = active.find(|shift| !self.is_ours(shift)) {
            return Some(format!(
                "{arn}: somebody else keeps traffic away from {} until {:.0} ({} {}, {:?}), and that is not overridden; nothing was \
                 changed. Cancel it, or wait until it ends",
                shift.away_from, shift.ends_at, shift.shift_type, shift.id, shift.comment
            ));
        }
        // A shift of ours would take precedence, and send traffic back into the zone that AWS has left.
        if let Some(zone) = found.autoshifts.iter().find(|zone| Some(zone.as_str()) != wanted) {
            return Some(format!(
                "{arn}: AWS itself keeps traffic away from {zone} at the moment (an autoshift), and that is not overridden; nothing \
                 was changed. Wait until it ends"
            ));
        }
        let zone = wanted?;
        if !found.zones.contains_key(zone) {
            let known: Vec<&str> = found.zones.keys().map(String::as_str).collect();
            return Some(format!(
                "{arn} is not in zone {zone}, but in {}; nothing was changed; correct the plan",
                known.join(", ")
            ));
        }
        if found.zones.len() == 1 {
            return Some(format!(
                "{arn} is in zone {zone} alone: nobody would get its traffic; nothing was changed"
            ));
        }
        None
    }
}

#[async_trait]
impl Driver for ZonalShiftDriver {
    fn facts(&self) -> Facts {
        Facts {
            plane: Plane::Data,
            // The tags in preflight: whether the role may shift a load balancer hangs on one.
            reads: &[
                "arc-zonal-shift:GetManagedResource",
                "elasticloadbalancing:DescribeTags",
            ],
            changes: &[
                "arc-zonal-shift:StartZonalShift",
                "arc-zonal-shift:UpdateZonalShift",
                "arc-zonal-shift:CancelZonalShift",
            ],
        }
    }

    async fn read(&self, goal: &Goal) -> Result<Reading, CallError> {
        let arn = &self.step.resource_identifier;
        let found = self.shifts.resource(self.region.as_deref(), arn).await?;
        let wanted = wanted_shift(&self.step, &goal.to, self.clock.now());
        let zone = wanted.as_ref().map(|shift| shift.away_from.as_str());
        let blocked = self.blocked(&found, zone);
        let open = match zone {
            Some(zone) => found.zones.get(zone) == Some(&false),
            None => found.zones.values().all(|carries| *carries),
        };
        let current = ResourceState::ZonalShift {
            shift: self.current(&found),
        };
        let carrying = found.zones.iter().filter(|(_, carries)| **carries);
        let carrying: Vec<&str> = carrying.map(|(zone, _)| zone.as_str()).collect();
        let note = format!("{}; traffic goes to {}", current.sentence(), carrying.join(", "));
        let wanted = ResourceState::ZonalShift { shift: wanted };
        Ok(Reading::of_change(current, wanted)
            .opened(open, note)
            .blocked_by(blocked))
    }

    async fn change(
        &self,
        from: &ResourceState,
        into: &ResourceState,
        comment: &str,
    ) -> Result<Option<String>, CallError> {
        let (Some(from), Some(into)) = (shift_of(from), shift_of(into)) else {
            return Err(foreign_state("zonal_shift"));
        };
        let (region, arn) = (self.region.as_deref(), &self.step.resource_identifier);
        let minutes = |shift: &Shift| shift.lasts_minutes(self.step.expires_in_hours, self.clock.now());
        match (from, into) {
            (None, Some(wanted)) => {
                let zone = &wanted.away_from;
                self.shifts.start(region, arn, zone, minutes(wanted), comment).await?;
            }
            (Some(found), wanted) => {
                let id = found.id.as_deref().ok_or_else(|| foreign_state("zonal_shift"))?;
                match wanted {
                    Some(wanted) if wanted.away_from == found.away_from => {
                        self.shifts.extend(region, id, minutes(wanted), comment).await?;
                    }
                    _ => self.shifts.cancel(region, id).await?,
                }
            }
            (None, None) => {}
        }
        Ok(None)
    }

    fn is_between(&self, from: &ResourceState, now: &ResourceState, into: &ResourceState) -> bool {
        shift_of(now) == Some(None) && takes_two(from, into)
    }

    fn is_restored(&self, current: &ResourceState, pre_state: &ResourceState) -> bool {
        match (shift_of(current), shift_of(pre_state)) {
            (Some(current), Some(Some(found))) => Shift::restores(current, found, self.clock.now()),
            _ => current.same_as(pre_state),
        }
    }

    fn is_last_call(&self, from: &ResourceState, into: &ResourceState) -> bool {
        !takes_two(from, into)
    }

    // Of a group, ARC compares the ARN by a key of its own.
    fn permissions(&self, _goal: &Goal, _account: &Account) -> Vec<Permission> {
        let (region, arn) = (self.region.as_deref(), &self.step.resource_identifier);
        let ask = |action: &'static &'static str| {
            let call = if arn.contains(":loadbalancer/") {
                balancing_permission(action, region, arn)
            } else {
                Permission::new(action, "*")
            };
            call.with("arc-zonal-shift:ResourceIdentifier", arn)
        };
        self.facts().changes.iter().map(ask).collect()
    }

    fn calls(&self, from: &ResourceState, into: &ResourceState) -> Vec<String> {
        let (Some(from), Some(into)) = (shift_of(from), shift_of(into)) else {
            return Vec::new();
        };
        let arn = &self.step.resource_identifier;
        let hours = self.step.expires_in_hours;
        let id = |shift: &Shift| shift.id.clone().unwrap_or_default();
        match (from, into) {
            (Some(found), Some(wanted)) if found.away_from == wanted.away_from => {
                let until = match wanted.id {
                    Some(_) => format!("until {:.0}", wanted.ends_at),
                    None => format!("for {hours} h"),
                };
                vec![format!("arc-zonal-shift:UpdateZonalShift {} {until}", id(found))]
            }
            _ => {
                let cancel = from.map(|found| format!("arc-zonal-shift:CancelZonalShift {}", id(found)));
                let start = into.map(|wanted| {
                    let zone = &wanted.away_from;
                    format!("arc-zonal-shift:StartZonalShift {arn} away from {zone} for {hours} h")
                });
                cancel.into_iter().chain(start).collect()
            }
        }
    }
}

fn shift_of(state: &ResourceState) -> Option<Option<&Shift>> {
    match state {
        ResourceState::ZonalShift { shift } => Some(shift.as_ref()),
        _ => None,
    }
}

// From one zone to another: the old shift is cancelled, then the new one started.
fn takes_two(from: &ResourceState, into: &ResourceState) -> bool {
    matches!(
        (shift_of(from), shift_of(into)),
        (Some(Some(from)), Some(Some(into))) if from.away_from != into.away_from
    )
}
