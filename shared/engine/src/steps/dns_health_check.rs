//! `dns_health_check`: a health check of Route 53 is made, or adjusted.
//!
//! Route 53 gives a check its id, so the step knows its check by the *caller reference* that it made it with: the same
//! for every call of one execution, so that a repeat of a call whose reply was lost answers with the check that it made.
//! A reference can not be used again once its check was deleted (API reference of `CreateHealthCheck`), so its end is when
//! the step was begun; its beginning, by which the check is found, is of plan and step alone.
//!
//! Making takes two calls: the check, and its tags. Protocol, interval and whether there is an address can not be changed
//! afterwards; then the step says so and changes nothing. Undo deletes only what was found by that reference, and nothing
//! that somebody has changed meanwhile. A teardown leaves one alone, too, whose tag names another plan by then.

use super::{Driver, Facts, Goal, Plane, Reading, StepPorts, foreign_state, setup_tags, tagged_as_others};
use crate::actions::TAG;
use crate::ports::{Account, CallError, HealthCheckFound, HealthChecks, Permission};
use async_trait::async_trait;
use jiff::Timestamp;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Arc;
use understudy_core::plan::{DnsHealthCheck, Plan};
use understudy_core::state::{HealthCheckMade, ResourceState, wanted_health_check};

/// How much of the hash a reference holds, in bytes: a reference has at most 64 characters.
const HASHED: usize = 16;

pub(super) struct DnsHealthCheckDriver {
    checks: Arc<dyn HealthChecks>,
    step: DnsHealthCheck,
    plan: String,
    began: Option<Timestamp>,
}

/// How the reference of the check begins that a step of a plan makes.
pub(super) fn reference_prefix(plan: &str, step: &str) -> String {
    let hash = Sha256::digest(format!("{plan}/{step}"));
    let mut prefix = String::from("understudy:");
    for byte in hash.iter().take(HASHED) {
        // Writing into a text does not fail.
        let _ = write!(prefix, "{byte:02x}");
    }
    prefix.push(':');
    prefix
}

impl DnsHealthCheckDriver {
    pub(super) fn new(ports: &StepPorts, plan: &Plan, step: DnsHealthCheck, goal: &Goal) -> Self {
        Self {
            checks: ports.health_checks.clone(),
            step,
            plan: plan.name.clone(),
            began: goal.started_at,
        }
    }

    fn prefix(&self) -> String {
        reference_prefix(&self.plan, &self.step.common.name)
    }

    fn reference(&self) -> String {
        let began = self.began.map_or(0, Timestamp::as_second);
        format!("{}{began}", self.prefix())
    }

    fn tags(&self) -> BTreeMap<String, String> {
        let name = &self.step.common.name;
        let shown = ("Name".to_owned(), format!("{} {name}", self.plan));
        setup_tags(&self.plan, name).into_iter().chain([shown]).collect()
    }

    fn made(&self, found: HealthCheckFound) -> HealthCheckMade {
        let tags = self.tags();
        HealthCheckMade {
            id: Some(found.id),
            settings: found.settings,
            is_tagged: tags.iter().all(|(key, value)| found.tags.get(key) == Some(value)),
            made_by: found.tags.get(TAG).cloned(),
        }
    }
}

fn checks<'a>(
    from: &'a ResourceState,
    into: &'a ResourceState,
) -> Option<(Option<&'a HealthCheckMade>, Option<&'a HealthCheckMade>)> {
    match (from, into) {
        (ResourceState::DnsHealthCheck { check: from }, ResourceState::DnsHealthCheck { check: into }) => {
            Some((from.as_ref(), into.as_ref()))
        }
        _ => None,
    }
}

#[async_trait]
impl Driver for DnsHealthCheckDriver {
    fn facts(&self) -> Facts {
        Facts {
            plane: Plane::Control,
            reads: &[
                "route53:ListHealthChecks",
                "route53:GetHealthCheck",
                "route53:ListTagsForResource",
            ],
            changes: &[
                "route53:CreateHealthCheck",
                "route53:ChangeTagsForResource",
                "route53:UpdateHealthCheck",
                "route53:DeleteHealthCheck",
            ],
        }
    }

    async fn read(&self, _goal: &Goal) -> Result<Reading, CallError> {
        let found = self.checks.find(&self.prefix()).await?;
        let settings = wanted_health_check(&self.step);
        let blocked = found.as_ref().and_then(|found| {
            let fields = found.settings.unchangeable(&settings);
            (!fields.is_empty()).then(|| {
                format!(
                    "health check {} was made with another {}, which Route 53 can not change: it was left as it is. Tear it \
                     down first, or give the step another name",
                    found.id,
                    fields.join(" and ")
                )
            })
        });
        let wanted = HealthCheckMade {
            id: None,
            settings,
            is_tagged: true,
            made_by: None,
        };
        let check = found.map(|found| self.made(found));
        Ok(Reading::of_change(
            ResourceState::DnsHealthCheck { check },
            ResourceState::DnsHealthCheck { check: Some(wanted) },
        )
        .blocked_by(blocked))
    }

    async fn change(
        &self,
        from: &ResourceState,
        into: &ResourceState,
        _comment: &str,
    ) -> Result<Option<String>, CallError> {
        let Some(pair) = checks(from, into) else {
            return Err(foreign_state("dns_health_check"));
        };
        match pair {
            (None, Some(into)) => self.checks.create(&self.reference(), &into.settings).await?,
            (Some(from), into) => {
                let id = from.id.as_deref().unwrap_or_default();
                match into {
                    None => self.checks.delete(id, &from.settings).await?,
                    Some(into) if into.settings != from.settings => {
                        self.checks.update(id, &from.settings, &into.settings).await?;
                    }
                    Some(into) => self.checks.tag(id, &self.tags(), into.is_tagged).await?,
                }
            }
            (None, None) => {}
        }
        Ok(None)
    }

    // Made and not tagged, or changed and not tagged.
    fn is_between(&self, from: &ResourceState, now: &ResourceState, into: &ResourceState) -> bool {
        let (Some((from, into)), Some((Some(now), _))) = (checks(from, into), checks(now, into)) else {
            return false;
        };
        let ends = [from, into];
        let same_id = |end: &&HealthCheckMade| end.id.is_none() || end.id == now.id;
        let mut known = ends.iter().flatten();
        ends.iter().flatten().all(same_id) && known.any(|end| end.settings == now.settings)
    }

    fn is_last_call(&self, from: &ResourceState, into: &ResourceState) -> bool {
        match checks(from, into) {
            Some((None, Some(into))) => !into.is_tagged,
            Some((Some(from), Some(into))) => from.settings == into.settings || from.is_tagged == into.is_tagged,
            _ => true,
        }
    }

    // One without the tag was made and never tagged: the reference says whose it is.
    fn not_ours(&self, current: &ResourceState, into: &ResourceState) -> Option<String> {
        let (Some(found), None) = checks(current, into)? else {
            return None;
        };
        let named = found.made_by.as_deref()?;
        tagged_as_others("the health check", &self.plan, Some(named))
    }

    // Its id is known once it is made, and nothing that a policy could know: any will do.
    fn permissions(&self, _goal: &Goal, account: &Account) -> Vec<Permission> {
        let unique = "00000000-0000-0000-0000-000000000000";
        let arn = account.global_arn("route53", &format!("healthcheck/{unique}"));
        let ask = |action: &'static &'static str| match *action {
            "route53:CreateHealthCheck" => Permission::new(action, "*"),
            action => Permission::new(action, &arn),
        };
        self.facts().changes.iter().map(ask).collect()
    }

    fn calls(&self, from: &ResourceState, into: &ResourceState) -> Vec<String> {
        let Some(pair) = checks(from, into) else {
            return Vec::new();
        };
        let tags = |id: &str| format!("route53:ChangeTagsForResource of health check {id}: {:?}", self.tags());
        match pair {
            (None, Some(into)) => vec![
                format!(
                    "route53:CreateHealthCheck {}, with a CallerReference that begins with {}",
                    into.settings.sentence(),
                    self.prefix()
                ),
                tags("as made"),
            ],
            (Some(from), Some(into)) => {
                let id = from.id.as_deref().unwrap_or_default();
                let mut calls = Vec::new();
                if from.settings != into.settings {
                    calls.push(format!("route53:UpdateHealthCheck {id}: {}", into.settings.sentence()));
                }
                if from.is_tagged != into.is_tagged {
                    calls.push(tags(id));
                }
                calls
            }
            (Some(from), None) => vec![format!(
                "route53:DeleteHealthCheck {}",
                from.id.as_deref().unwrap_or_default()
            )],
            (None, None) => Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_fits_and_is_of_one_plan_and_one_step() {
        let prefix = reference_prefix(&"p".repeat(63), &"s".repeat(63));
        let longest = format!("{prefix}{}", Timestamp::MAX.as_second());
        assert!(longest.len() <= 64, "{longest}");
        assert_ne!(prefix, reference_prefix("shop", "blue"));
        assert_ne!(reference_prefix("a-b", "c"), reference_prefix("a", "b-c"));
    }
}
