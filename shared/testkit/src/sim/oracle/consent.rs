//! Invariant 6: data loss needs consent, worked out apart from `core::decide`.
//!
//! The oracle keeps every figure that CloudWatch has ever shown of the lag. A person's lossy move needs the person's
//! word; an automatic one needs a policy that allows it and a figure within its limit, neither too old nor of a source
//! that was ill in truth, whether or not anybody had noticed.

use super::Oracle;
use crate::sim::sandbox::{Origin, Running};
use crate::sim::setup::{MAX_LAG_AGE_SECONDS, MAX_LAG_SECONDS};
use jiff::{SignedDuration, Timestamp};
use understudy_core::control::later;
use understudy_core::execution::{Execution, Style, TriggerKind};

/// What two clocks may make of a second.
const ABOUT: SignedDuration = SignedDuration::from_secs(6);

/// One figure of the lag.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Figure {
    at: Timestamp,
    seconds: u32,
    /// Its source was ill: it flatters.
    flatters: bool,
}

impl Oracle {
    /// CloudWatch shows a figure of a plan's lag, whose source has been ill since then, if it is.
    pub(crate) fn lag_shown(&mut self, plan: &str, at: Timestamp, seconds: u32, ill_since: Option<Timestamp>) {
        self.lags.entry(plan.to_owned()).or_default().push(Figure {
            at,
            seconds,
            flatters: ill_since.is_some_and(|since| later(since, ABOUT) < at),
        });
    }

    /// An execution was opened.
    pub(super) fn consented(&mut self, running: &Running, opened: &Execution, now: Timestamp, what: &str) {
        if !opened.plan.is_lossy(opened.style) {
            return;
        }
        if opened.trigger == TriggerKind::Manual {
            if !matches!(running.origin, Origin::Person { lossy: true, .. })
                && !opened.plan.policy.consent.allow_data_loss
            {
                self.violate(6, format!("{what} can lose data, and nobody allowed it"));
            }
            return;
        }
        if opened.style == Style::Unplanned && !opened.plan.policy.consent.allow_data_loss {
            self.violate(6, format!("{what} can lose data, and its policy does not allow that"));
        }
        let oldest = later(now, -SignedDuration::from_secs(i64::from(MAX_LAG_AGE_SECONDS)) - ABOUT);
        let figures = self.lags.get(&opened.plan.name);
        let within = figures
            .into_iter()
            .flatten()
            .any(|figure| figure.at >= oldest && !figure.flatters && figure.seconds <= MAX_LAG_SECONDS);
        if !within {
            self.violate(
                6,
                format!("{what} can lose data, and its lag was not within the limit while the source was well"),
            );
        }
    }
}
