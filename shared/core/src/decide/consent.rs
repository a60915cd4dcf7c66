//! Consent: a move that can lose data needs a policy that allows it, or a person's word.
//!
//! What would be lost is the lag of the copy, as it was measured last *while the source was well*, plus the time since:
//! a lag that is measured on a dying source flatters. Lag that is not known, or that is too old, blocks.

use crate::control::later;
use crate::execution::Style;
use crate::guard::{Guard, Verdict};
use crate::mutant::{Mutant, active};
use crate::plan::{Consent, Plan};
use crate::report::clock;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// By how much the clock of whoever measured may be ahead of ours: the minute by which CloudWatch counts.
const CLOCKS_DIFFER: SignedDuration = SignedDuration::from_secs(60);

/// How far the copy was behind, the last time that it was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LagRecord {
    /// By how much.
    pub seconds: u32,
    /// When that was measured.
    pub measured_at: Timestamp,
    /// The source was healthy then.
    pub source_healthy: bool,
}

impl LagRecord {
    /// Which of two to remember: the newest that was measured while the source was well. One from the future does not
    /// keep out those of today.
    pub fn remember(self, before: Option<Self>, now: Timestamp) -> Option<Self> {
        let before = before.filter(|before| !before.is_ahead(now));
        match before {
            Some(before) if !self.source_healthy || before.measured_at >= self.measured_at => Some(before),
            _ => Some(self).filter(|new| new.source_healthy),
        }
    }

    /// Whether it claims to be of a time that has not come: a clock is wrong, and nobody knows how old it is.
    pub fn is_ahead(&self, now: Timestamp) -> bool {
        self.measured_at > later(now, CLOCKS_DIFFER)
    }

    /// How much would be lost if the source were lost for good now.
    pub fn loss_estimate(&self, now: Timestamp) -> SignedDuration {
        let since = now.duration_since(self.measured_at).max(SignedDuration::ZERO);
        since.saturating_add(SignedDuration::from_secs(i64::from(self.seconds)))
    }

    /// The same in whole seconds; none if it was measured while the source was ill, and says nothing.
    pub(super) fn loss_seconds(&self, now: Timestamp) -> Option<u32> {
        let known = self.source_healthy.then(|| self.loss_estimate(now))?;
        u32::try_from(known.as_secs()).ok()
    }
}

/// How far the copies of a plan's data are behind, by the site of the copy.
pub type Lags = BTreeMap<String, LagRecord>;

/// What a person has said about consequences, with the command.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Accepted {
    /// `accept_data_loss`: goes over every guard of this module, on the record.
    #[serde(default)]
    pub data_loss: bool,
    /// `accept_irreversible`.
    #[serde(default)]
    pub irreversible: bool,
}

impl Accepted {
    /// Nothing was said.
    pub fn is_nothing(&self) -> bool {
        *self == Self::default()
    }
}

/// Whether a move of this style to `to` may start, as far as its consequences go: nothing to ask where it loses nothing
/// and can be taken back.
pub fn consequences(
    now: Timestamp,
    plan: &Plan,
    (styles, to): (&[Style], &str),
    lags: &Lags,
    accepted: Accepted,
) -> Vec<Verdict> {
    let policy = &plan.policy.consent;
    let mut verdicts = Vec::new();
    if styles.iter().any(|style| plan.is_lossy(*style)) && !active(Mutant::ConsentIgnored) {
        verdicts.extend(consent(now, policy, lags.get(to), accepted.data_loss));
    }
    let irreversible: BTreeSet<&str> = styles
        .iter()
        .flat_map(|style| plan.irreversible_steps(*style))
        .collect();
    if !irreversible.is_empty() {
        let names: Vec<&str> = irreversible.into_iter().collect();
        let verdict = Verdict::when(
            Guard::IrreversibleAllowed,
            policy.allow_irreversible,
            format!(
                "step {} can not be taken back; policy.consent.allow_irreversible is {}",
                names.join(", "),
                policy.allow_irreversible
            ),
            "say `\"accept_irreversible\": true` with the command, or allow it in the policy",
        );
        verdicts.push(verdict.override_if(accepted.irreversible || accepted.data_loss));
    }
    verdicts
}

/// How much would be lost by a move of this style to `to`, in seconds; none where it loses nothing, or nobody knows.
pub fn loss_estimate(now: Timestamp, plan: &Plan, style: Style, to: &str, lags: &Lags) -> Option<u32> {
    lags.get(to).filter(|_| plan.is_lossy(style))?.loss_seconds(now)
}

/// Whether a move that can lose data may start. `accepted`: a person has said `accept_data_loss`, which goes over all
/// three guards, on the record.
pub fn consent(now: Timestamp, policy: &Consent, lag: Option<&LagRecord>, accepted: bool) -> Vec<Verdict> {
    let known = lag.filter(|lag| lag.source_healthy);
    let limit = SignedDuration::from_secs(i64::from(policy.max_lag_age_seconds));
    let young = known.filter(|lag| now.duration_since(lag.measured_at) <= limit && !lag.is_ahead(now));
    let facts = match (lag, known) {
        (_, Some(lag)) => format!(
            "the copy was {} s behind at {}; about {} s of data would be lost",
            lag.seconds,
            clock(lag.measured_at),
            lag.loss_estimate(now).as_secs()
        ),
        (Some(_), None) => "the lag was only measured while the source was not well".to_owned(),
        (None, None) => "the lag has never been measured".to_owned(),
    };
    let age = format!("{facts}; a measurement counts for {} s", limit.as_secs());
    let limit = format!("{facts}; the policy allows a lag of {} s", policy.max_lag_seconds);
    vec![
        Verdict::when(
            Guard::DataLossAllowed,
            policy.allow_data_loss,
            format!("policy.consent.allow_data_loss is {}", policy.allow_data_loss),
            "say `\"accept_data_loss\": true` with the command, or allow it in the policy",
        ),
        Verdict::when(
            Guard::LagKnown,
            young.is_some(),
            age,
            "find out how far the copy is behind, then say `\"accept_data_loss\": true`",
        ),
        Verdict::when(
            Guard::LagWithinLimit,
            young.is_some_and(|lag| lag.seconds <= policy.max_lag_seconds),
            limit,
            "wait until the copy has caught up, if its source still lives, or say `\"accept_data_loss\": true`",
        ),
    ]
    .into_iter()
    .map(|verdict| verdict.override_if(accepted))
    .collect()
}
