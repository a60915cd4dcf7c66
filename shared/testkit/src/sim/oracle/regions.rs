//! Rule 11 of the protocol: which Region's executor goes first, worked out apart from `core::regions`.

use super::{MOST_SKEW, Oracle};
use crate::sim::sandbox::{Running, region};
use jiff::Timestamp;
use understudy_core::control::{Control, LEASE, TAKEOVER_MARGIN, later};

impl Oracle {
    /// An executor takes a lease, that is, others of other Regions could have and did not.
    pub(super) fn lets_others_go_first(&mut self, running: &Running, before: &Control, now: Timestamp) {
        let mine = region(running.place);
        // Two clocks: that of whoever wrote the time, and that of the taker.
        let about = MOST_SKEW * 2;
        if let Some(out) = before.sitting_out.as_ref().filter(|out| out.region == mine)
            && later(now, about) < out.until
        {
            self.rule(
                "regions",
                format!(
                    "{} in {mine} took {} at {now}, although its Region sits out until {}",
                    running.request_id, before.plan, out.until
                ),
            );
        }
        let Some(execution) = &before.execution else { return };
        let of_site = |name: &str| {
            let site = execution.plan.sites.iter().find(|site| site.name == name);
            site.and_then(|site| site.region.as_deref())
        };
        if of_site(&execution.from) != Some(mine) || of_site(&execution.to) == Some(mine) {
            return;
        }
        let free = match &before.lease {
            Some(lease) => later(lease.expires_at, TAKEOVER_MARGIN),
            None => before.released_at.unwrap_or(Timestamp::MIN),
        };
        let ready = execution.wake_at.unwrap_or(execution.created_at);
        let turn = later(free.max(ready), LEASE);
        if later(now, about) < turn {
            self.rule(
                "regions",
                format!(
                    "{} in {mine}, which {} is leaving, took it at {now}; others go first until {turn}",
                    running.request_id, before.plan
                ),
            );
        }
    }
}
