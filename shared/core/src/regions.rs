//! Executors in several Regions: which of them may take the lease.
//!
//! Each Region that carries Understudy over one strongly consistent table has an executor, and each is woken. Any of
//! them may act; two rules keep a Region in trouble from being the one that does:
//!
//! 1. An executor in the Region that an execution leaves stands back until the lease has lain unclaimed for one
//!    lease time. If no other Region takes it, it acts after all: late is better than never.
//! 2. A holder that gets no answer of a service [`MAX_CONNECTION_ERRORS`] times in a row gives the lease back, and its
//!    Region sits out one lease time. Being throttled is an answer.
//!
//! With one Region both rules only cost time, and the first applies only to sites that name their Region.

use crate::control::{Control, LEASE, TAKEOVER_MARGIN, later};
use crate::execution::Execution;
use crate::mutant::{Mutant, active};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// After this many connection errors in a row a holder lets another Region try.
pub const MAX_CONNECTION_ERRORS: u32 = 2;

/// A Region whose executors may not take the lease for a while.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SittingOut {
    /// The Region.
    pub region: String,
    /// When it may again.
    pub until: Timestamp,
}

/// Why an executor leaves the lease to those of other Regions.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the executor in {region} leaves plan {plan} to other Regions until {until}: {why}")]
pub struct StandsBack {
    /// The plan.
    pub plan: String,
    /// The executor's Region.
    pub region: String,
    /// When it may take the lease, if nobody else has.
    pub until: Timestamp,
    /// Why.
    pub why: &'static str,
}

impl Control {
    /// Why an executor in `region` does not take the lease now, if it does not.
    pub fn stands_back(&self, now: Timestamp, region: &str) -> Option<StandsBack> {
        let stands_back = |until: Timestamp, why| {
            (until > now).then(|| StandsBack {
                plan: self.plan.clone(),
                region: region.to_owned(),
                until,
                why,
            })
        };
        let sits_out = self
            .sitting_out
            .as_ref()
            .filter(|out| out.region == region && !active(Mutant::SitOutIgnored))
            .and_then(|out| stands_back(out.until, "it got no answer from the services that it called"));
        let is_left = self
            .execution
            .as_ref()
            .filter(|execution| execution.region_being_left() == Some(region) && !active(Mutant::LeftRegionFirst))
            .and_then(|execution| {
                stands_back(
                    later(self.unclaimed_since(execution), LEASE),
                    "the plan is leaving this Region",
                )
            });
        sits_out.or(is_left)
    }

    /// The holder in `region` got no answer too often: from now on its Region sits out one lease time.
    pub fn sit_out(&mut self, now: Timestamp, region: &str) {
        self.sitting_out = Some(SittingOut {
            region: region.to_owned(),
            until: later(now, LEASE),
        });
        if let Some(execution) = &mut self.execution {
            execution.connection_errors = 0;
        }
    }

    /// The holder gives the lease back.
    pub fn release_lease(&mut self, now: Timestamp) {
        self.lease = None;
        self.released_at = Some(now);
    }

    // Since when any executor could have taken the lease and had something to do.
    fn unclaimed_since(&self, execution: &Execution) -> Timestamp {
        let free = match &self.lease {
            Some(lease) => Some(later(lease.expires_at, TAKEOVER_MARGIN)),
            None => self.released_at,
        };
        let ready = execution.wake_at.unwrap_or(execution.created_at);
        free.map_or(ready, |free| free.max(ready))
    }
}

impl Execution {
    /// The Region of the site that the plan leaves, if the plan names it and the destination is not in it too.
    pub fn region_being_left(&self) -> Option<&str> {
        let region_of = |site: &str| self.plan.site(site).and_then(|site| site.region.as_deref());
        region_of(&self.from).filter(|left| region_of(&self.to) != Some(left))
    }
}
