//! Fences: which steps of a plan cut the writes to a database before its replica is promoted, so that nothing is lost.
//!
//! A fence counts where it has been *verified* before the promotion is called. So it stands before it and not beside it in
//! one group, where both are begun together; and it is a fence around the very database whose replica is promoted.

use super::{DbInstanceRef, FencedDatabase, OnFailure, Plan, RdsPromoteReplica, Step, StepCommon};
use crate::execution::Style;

impl Plan {
    /// Whether a move of this style can lose data: a step says so, or a replica is promoted whose source was not fenced
    /// before.
    pub fn is_lossy(&self, style: Style) -> bool {
        self.steps.iter().any(|step| {
            let promotes = matches!(step, Step::RdsPromoteReplica(_)) && step.common().when.includes(style);
            step.is_lossy(style) || (promotes && !self.is_fenced_before(step.name(), style))
        })
    }

    /// Whether a move of this style that comes to the step of this name has verifiably cut the writes to the source,
    /// unless a person went on without the fence ([`crate::execution::Execution::is_fenced_before`]).
    pub fn is_fenced_before(&self, name: &str, style: Style) -> bool {
        let mut fences = self.fences_before(name, style);
        fences.any(|(_, fence)| fence.common().on_failure != OnFailure::Continue)
    }

    /// The steps of such a move, with their indices, each of which cuts the writes to the source once it is done, and is
    /// done before the step of this name begins.
    pub fn fences_before<'a>(&'a self, name: &'a str, style: Style) -> impl Iterator<Item = (usize, &'a Step)> {
        let behind = self.steps.iter().find(|step| step.name() == name);
        let group = behind.and_then(|step| step.common().group.as_deref());
        let before = self.steps.iter().enumerate();
        before
            .take_while(move |(_, step)| step.name() != name)
            .filter(move |(_, step)| group.is_none() || step.common().group.as_deref() != group)
            .filter(move |(_, step)| step.common().when.includes(style) && step.fences_source())
            .filter(move |(_, step)| match (step, behind) {
                (Step::FenceSource(fence), Some(Step::RdsPromoteReplica(promotion))) => {
                    self.is_around(&fence.common, |site| fence.databases.get(site), promotion)
                }
                _ => true,
            })
    }

    // Whether the fence is around the instance that is the source, whichever of the promotion's sites that is.
    fn is_around<'a>(
        &self,
        fence: &StepCommon,
        fenced: impl Fn(&str) -> Option<&'a FencedDatabase>,
        promotion: &RdsPromoteReplica,
    ) -> bool {
        let region = |own: Option<&String>, step: &StepCommon| {
            let region = own.or(step.region.as_ref()).or(self.region.as_ref());
            region.cloned()
        };
        promotion.instances.iter().all(|(site, instance)| {
            let DbInstanceRef {
                db_instance_identifier,
                region: own,
            } = instance;
            fenced(site).is_some_and(|database| {
                database
                    .db_instance_identifier
                    .eq_ignore_ascii_case(db_instance_identifier)
                    && region(database.region.as_ref(), fence) == region(own.as_ref(), &promotion.common)
            })
        })
    }
}
