//! Executions: what they were opened on, and what they left behind.

use super::calls::reaches;
use super::{Oracle, evidence};
use crate::cloud::FakeCloud;
use crate::sim::sandbox::{Origin, Running};
use crate::sim::setup::{EVENT_AGE_SECONDS, STABILITY_SECONDS};
use jiff::{SignedDuration, Timestamp};
use understudy_core::control::{Control, later};
use understudy_core::execution::{Execution, Kind, PreState, Status, StepState, TriggerKind};
use understudy_core::plan::Step;
use understudy_core::state::{ResourceState, TargetWeight};

/// What two clocks may make of a second.
const ABOUT: SignedDuration = SignedDuration::from_secs(6);
/// How much later than it was decided a slow write may land. Cooldown and budget count from the decision.
const LANDS_LATE: SignedDuration = SignedDuration::from_secs(15);

impl Oracle {
    pub(super) fn opened(&mut self, running: &Running, before: &Control, opened: &Execution, now: Timestamp) {
        self.executions += 1;
        let known = self.known.entry(running.request_id.clone()).or_default();
        let again = std::mem::replace(&mut known.opened, true);
        let evidence = known.evidence.clone();
        let what = format!(
            "{} {} {} of {}",
            opened.trigger,
            opened.kind,
            opened.route(),
            before.plan
        );
        if again {
            self.violate(13, format!("{} opened a second execution: {what}", running.request_id));
        }
        if opened.from != before.active_site {
            self.violate(1, format!("{what} does not start where the plan is"));
        }
        let plan = opened.plan.clone();
        self.opened_at.insert(opened.id.clone(), now);
        self.both_bad.take_if(|plan| *plan == before.plan);
        self.opened_under_words(running, before, opened, &what);
        let lossy = matches!(running.origin, Origin::Person { lossy: true, .. });
        self.watched.entry(opened.id.clone()).or_default().lossy_word = lossy;
        match opened.trigger {
            TriggerKind::Manual => {
                if !matches!(
                    &running.origin,
                    Origin::Person {
                        word: "failover" | "failback" | "setup" | "teardown",
                        dry_run: false,
                        ..
                    }
                ) {
                    self.violate(13, format!("{what} was opened although nobody asked"));
                }
                self.consented(running, opened, now, &what);
                return;
            }
            TriggerKind::Automatic => {}
        }
        if before.paused.is_some() {
            self.violate(7, format!("{what} although the plan is paused"));
        }
        if let Origin::Knock { told: Some(told), .. } = &running.origin {
            let limit = SignedDuration::from_secs(i64::from(EVENT_AGE_SECONDS)) + ABOUT;
            if now.duration_since(told.at) > limit {
                self.violate(13, format!("{what} by an event of {}", told.at));
            }
        }
        let Some((items, looked_at)) = evidence else {
            return self.violate(5, format!("{what} without looking at the observations"));
        };
        let source = evidence::word(&items, &plan, &opened.from, looked_at, self.quorum);
        let target = evidence::word(&items, &plan, &opened.to, looked_at, self.quorum);
        self.within_blast_radius(running, opened, &what);
        self.consented(running, opened, now, &what);
        if !target.healthy {
            self.violate(
                4,
                format!("{what} towards a site that is not freshly seen to be healthy"),
            );
        }
        match opened.kind {
            Kind::Failover => {
                let hold = SignedDuration::from_secs(i64::from(plan.policy.hold_seconds));
                if !source.unhealthy {
                    self.violate(
                        5,
                        format!("{what} away from a site that is not freshly seen to be unhealthy"),
                    );
                } else if source
                    .since
                    .is_none_or(|since| later(since, hold) > later(opened.created_at, SignedDuration::from_secs(1)))
                {
                    self.violate(5, format!("{what} before it had been so for {} s", hold.as_secs()));
                }
                let decided_at = opened.created_at.max(later(now, -LANDS_LATE));
                self.counted(before, &plan, &what, decided_at);
            }
            Kind::Setup | Kind::Teardown => self.violate(7, format!("{what}, which only people ask for")),
            Kind::Failback => {
                let away = before.away.as_ref();
                if let Some(asked) = away.and_then(|away| away.return_at) {
                    if asked > later(now, ABOUT) {
                        self.violate(4, format!("{what} before the time that was asked for"));
                    }
                    return;
                }
                self.within_hours(opened, now, &what);
                let window = SignedDuration::from_secs(i64::from(STABILITY_SECONDS));
                let since = target.since.max(away.map(|away| away.since));
                if since.is_none_or(|since| later(since, window) > later(now, ABOUT)) {
                    self.violate(4, format!("{what} before home had been well for {STABILITY_SECONDS} s"));
                }
            }
        }
    }

    // The plan's own counts are what is being judged: these are the oracle's.
    fn counted(&mut self, before: &Control, plan: &understudy_core::plan::Plan, what: &str, now: Timestamp) {
        let hour_ago = later(now, ABOUT - SignedDuration::from_hours(1));
        let excused = self.acknowledged.get(&before.plan).copied().unwrap_or(Timestamp::MIN);
        let mine: Vec<(Timestamp, i64)> = self
            .automatic
            .iter()
            .filter(|(name, at, _)| *name == before.plan && *at > excused)
            .map(|(_, at, cooldown)| (*at, *cooldown))
            .collect();
        let within = mine.iter().filter(|(at, _)| *at > hour_ago).count();
        let budget = plan.policy.automatic_failovers_per_hour as usize;
        if within >= budget {
            self.violate(7, format!("{what} is beyond the budget of {budget} an hour"));
        }
        if mine
            .iter()
            .any(|(at, cooldown)| later(*at, SignedDuration::from_secs(*cooldown) - ABOUT) > now)
        {
            self.violate(7, format!("{what} although the latch of the last one is closed"));
        }
        let fleet = self.automatic.iter().filter(|(_, at, _)| *at > hour_ago).count();
        if fleet >= self.fleet_limit {
            self.violate(
                7,
                format!("{what} is beyond the fleet's limit of {} an hour", self.fleet_limit),
            );
        }
        self.automatic
            .push((before.plan.clone(), now, i64::from(plan.policy.cooldown_seconds)));
    }

    pub(super) fn finished(&mut self, before: &Control, after: &Control, execution: &Execution, cloud: &FakeCloud) {
        let what = format!("execution {} of {}", execution.id, after.plan);
        let teardown = execution.kind == Kind::Teardown;
        let undone = teardown || matches!(execution.status, Status::RolledBack | Status::Cancelled);
        match execution.status {
            Status::Completed if after.active_site != execution.to => {
                self.violate(
                    1,
                    format!("{what} has completed, and {} carries the plan", after.active_site),
                );
            }
            Status::RolledBack | Status::Cancelled if after.active_site != before.active_site => {
                self.violate(
                    12,
                    format!("{what} was undone, and {} carries the plan", after.active_site),
                );
            }
            _ => {}
        }
        for (index, run) in execution.steps.iter().enumerate() {
            let Some((step, goal)) = execution.step(index).zip(if undone {
                run.pre_state.as_ref().and_then(PreState::inline)
            } else {
                run.wanted.as_ref()
            }) else {
                continue;
            };
            let resource = step
                .as_kind()
                .shared_resources()
                .first()
                .map(|name| (*name).to_owned())
                .unwrap_or_default();
            // What was skipped or left is as it is.
            let left = (!undone && run.state == StepState::Skipped) || (teardown && run.state != StepState::Undone);
            if left
                || *goal == ResourceState::Gate
                || execution.status == Status::Failed
                || self.touched_by_others(&resource, later(execution.created_at, -ABOUT))
            {
                continue;
            }
            let found = real(cloud, step, &resource);
            if !reaches(&found, goal) {
                self.violate(
                    12,
                    format!(
                        "{what} is {}, and step {} left {} instead of {}",
                        execution.status,
                        run.name,
                        found.sentence(),
                        goal.sentence()
                    ),
                );
            }
        }
    }
}

// The resource as it really is.
fn real(cloud: &FakeCloud, step: &Step, resource: &str) -> ResourceState {
    match step {
        Step::ElbWeights(_) => ResourceState::ElbWeights {
            weights: cloud
                .weights_of(resource)
                .into_iter()
                .map(|(target_group_arn, weight)| TargetWeight {
                    target_group_arn,
                    weight,
                })
                .collect(),
        },
        Step::DnsRecords(_) => ResourceState::DnsRecords {
            records: cloud.zone(resource),
        },
        Step::TargetGroupHealth(_) => cloud
            .health_check_of(resource)
            .map_or(ResourceState::Gate, |check| ResourceState::TargetGroupHealth { check }),
        Step::RdsGlobal(_) => ResourceState::DbWriter {
            writer: cloud.db_writer(resource),
        },
        _ => ResourceState::Gate,
    }
}
