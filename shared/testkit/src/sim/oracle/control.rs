//! Every accepted write of a control item, against the one before.

use super::{MOST_SKEW, Oracle};
use crate::cloud::FakeCloud;
use crate::sim::sandbox::{Function, Running};
use crate::sim::trace::Trace;
use jiff::{SignedDuration, Timestamp};
use understudy_core::control::{Control, LEASE, TAKEOVER_MARGIN, Wake, later};
use understudy_core::decide::Proposal;
use understudy_core::execution::{Execution, Kind, Status, StepRun};

/// How long after its deadline an execution may be worked on: a turn that began before.
const OVERDUE: SignedDuration = SignedDuration::from_secs(45);

impl Oracle {
    pub(super) fn control_written(
        &mut self,
        running: &Running,
        after: Control,
        now: Timestamp,
        cloud: &FakeCloud,
        trace: &mut Trace,
    ) {
        let Some(before) = self.controls.remove(&after.plan) else {
            self.controls.insert(after.plan.clone(), after);
            return;
        };
        trace.note(now, || format!("  {}", difference(&before, &after)));
        if after.epoch < before.epoch {
            self.violate(
                2,
                format!(
                    "the epoch of {} fell from {} to {}",
                    after.plan, before.epoch, after.epoch
                ),
            );
        }
        match running.function {
            Function::Probe => self.written_by_probe(&before, &after),
            Function::Decision => self.written_by_decision(&before, &after),
            Function::Executor => self.written_by_executor(running, &before, &after, now),
        }
        self.executions_follow(&before, &after);
        self.stays_where_it_is(&before, &after);
        self.words_heeded(running, &before, &after, trace);
        self.told(&before, &after);
        if let (None, Some(opened)) | (Some(_), Some(opened)) = (&before.execution, &after.execution)
            && before.execution.as_ref().is_none_or(|old| old.id != opened.id)
        {
            self.opened(running, &before, opened, now);
        }
        if let Some(execution) = &after.execution {
            let was = before.execution.as_ref().filter(|old| old.id == execution.id);
            if ended(&before, &after).is_some() {
                self.finished(&before, &after, execution, cloud);
            }
            // A lease is taken first, or what was held let go, and then it is seen that the time is over; who sees that gives
            // it back.
            let untouched = before.execution.as_ref() == Some(execution);
            let let_go = was.is_some_and(|old| old.held.is_some()) && execution.held.is_none();
            let taking = after.epoch != before.epoch || untouched || let_go;
            self.has_deadlines(running, execution, now, taking);
        }
        if before.latch.is_some()
            && after.latch.is_none()
            && matches!(
                running.origin,
                super::Origin::Person {
                    word: "acknowledge",
                    ..
                }
            )
        {
            self.acknowledged.insert(after.plan.clone(), now);
        }
        self.controls.insert(after.plan.clone(), after);
    }

    // The probe touches, brings decision's next look forward, and does nothing else.
    fn written_by_probe(&mut self, before: &Control, after: &Control) {
        let mut touched = before.clone();
        touched.wake.clone_from(&after.wake);
        touched.version = after.version;
        let sooner = after
            .look_again_at
            .is_some_and(|at| before.look_again_at.is_none_or(|before| at <= before));
        if sooner {
            touched.look_again_at = after.look_again_at;
        }
        if touched != *after {
            self.violate(
                2,
                format!(
                    "the probe changed more of {} than its wake and decision's next look",
                    after.plan
                ),
            );
        }
    }

    fn written_by_decision(&mut self, before: &Control, after: &Control) {
        if before.lease != after.lease || before.epoch != after.epoch {
            self.violate(2, format!("decision changed lease or epoch of {}", after.plan));
        }
    }

    fn written_by_executor(&mut self, running: &Running, before: &Control, after: &Control, now: Timestamp) {
        let mine = |control: &Control| {
            let lease = control.lease.as_ref();
            lease.is_some_and(|lease| lease.holder.split('/').next() == Some(&running.request_id))
        };
        if after.epoch == before.epoch {
            let mut cleared = before.clone();
            cleared.wake.clone_from(&after.wake);
            cleared.version = after.version;
            if !mine(before) && cleared != *after {
                self.violate(
                    2,
                    format!(
                        "{} wrote {} in epoch {} without its lease",
                        running.request_id, after.plan, before.epoch
                    ),
                );
            }
            return;
        }
        if after.epoch != before.epoch + 1 || !mine(after) {
            self.violate(
                2,
                format!("{} took {} without a lease of its own", running.request_id, after.plan),
            );
        }
        self.lets_others_go_first(running, before, now);
        if let Some(old) = &before.lease {
            // The taker's clock may be ahead, the holder's behind.
            if now < later(old.expires_at, TAKEOVER_MARGIN - MOST_SKEW) {
                self.violate(
                    2,
                    format!(
                        "{} took over {} at {now}, whose lease lasts until {}",
                        running.request_id, after.plan, old.expires_at
                    ),
                );
            }
            let takeovers = |control: &Control| {
                control
                    .execution
                    .as_ref()
                    .map_or(0, |execution| execution.takeovers_without_progress)
            };
            if before.execution.is_some() && takeovers(after) != takeovers(before) + 1 {
                self.violate(8, format!("a takeover of {} was not counted", after.plan));
            }
        }
        if after.wake.as_ref().is_some_and(|wake| wake.function == Wake::Executor) {
            self.violate(
                8,
                format!("{} took {} and left its wake", running.request_id, after.plan),
            );
        }
        // Its clock may have jumped since it was read.
        let longest = later(running.gate.now(), LEASE + MOST_SKEW * 2);
        if after.lease.as_ref().is_some_and(|lease| lease.expires_at > longest) {
            self.violate(
                8,
                format!("the lease of {} lasts longer than {} s", after.plan, LEASE.as_secs()),
            );
        }
    }

    fn executions_follow(&mut self, before: &Control, after: &Control) {
        let Some(old) = &before.execution else { return };
        let dropped = after.execution.as_ref().is_none_or(|new| new.id != old.id);
        if dropped && !old.status.is_final() {
            self.violate(
                1,
                format!(
                    "execution {} of {} ({}) gave way before it had ended",
                    old.id, after.plan, old.status
                ),
            );
        }
        let copied = self
            .versions
            .keys()
            .any(|key| key.plan == after.plan && key.item.ends_with(&old.id));
        if dropped && !copied {
            self.violate(
                10,
                format!("execution {} of {} left no copy in the history", old.id, after.plan),
            );
        }
        if old.status.is_final()
            && after
                .execution
                .as_ref()
                .is_some_and(|new| new.id == old.id && new.status != old.status)
        {
            self.violate(1, format!("execution {} of {} ended twice", old.id, after.plan));
        }
    }

    // The site that carries a plan is another one by the write that ends a move, and by no other.
    fn stays_where_it_is(&mut self, before: &Control, after: &Control) {
        let ends = ended(before, after).is_some_and(|execution| execution.kind.is_move());
        if before.active_site != after.active_site && !ends {
            self.violate(
                1,
                format!(
                    "{} was carried by {} and is carried by {}, and no move has ended",
                    after.plan, before.active_site, after.active_site
                ),
            );
        }
    }

    // What happened to an execution is told by the write that it happened in; what was to be told stays until it was.
    fn told(&mut self, before: &Control, after: &Control) {
        if let Some(new) = &after.execution {
            let same = before.execution.as_ref().filter(|old| old.id == new.id);
            let old = same.map(|old| old.status);
            let started = new.started_at.is_some() && same.is_none_or(|old| old.started_at.is_none());
            let mut words = Vec::new();
            if started {
                words.push("started".to_owned());
            }
            if new.status.is_final() && old != Some(new.status) {
                words.push(new.status.to_string());
            }
            if new.status == Status::Stuck && old != Some(Status::Stuck) {
                words.push("stuck".to_owned());
            }
            let waits = |(index, run): (usize, &StepRun)| {
                let before = same.and_then(|old| old.steps.get(index));
                run.wait_told && !before.is_some_and(|old| old.wait_told)
            };
            if new.steps.iter().enumerate().any(waits) {
                words.push("waiting".to_owned());
            }
            for word in words {
                let id = format!("{}:{word}", new.id);
                let told = after.announcements.iter().any(|told| told.id.starts_with(&id));
                if !told {
                    self.violate(
                        10,
                        format!(
                            "execution {} of {} is {word}, and the write does not announce it",
                            new.id, after.plan
                        ),
                    );
                }
            }
        }
        let asked = after.proposal.as_ref().filter(|proposal| proposal.is_open());
        let is_new = |asked: &&Proposal| before.proposal.as_ref().is_none_or(|old| old.id != asked.id);
        if let Some(asked) = asked.filter(is_new) {
            let id = format!("proposal:{}", asked.id);
            if !after.announcements.iter().any(|told| told.id == id) {
                self.violate(
                    10,
                    format!(
                        "a yes is asked for at {}, and the write does not announce it",
                        after.plan
                    ),
                );
            }
        }
        for announcement in &before.announcements {
            let kept = after.announcements.iter().any(|kept| kept.id == announcement.id);
            if !kept && !self.published.contains(&announcement.id) && before.announcements.len() < 50 {
                self.violate(
                    10,
                    format!("the announcement {} was dropped unpublished", announcement.id),
                );
            }
        }
    }

    fn has_deadlines(&mut self, running: &Running, execution: &Execution, now: Timestamp, taking: bool) {
        // The clocks of one that is held stand still.
        let working = !execution.status.is_final() && execution.status != Status::Stuck && execution.held.is_none();
        // What thaws may still write what it had decided in time; a call it makes no more.
        let late =
            running.function == Function::Executor && !running.was_frozen && now > later(execution.deadline, OVERDUE);
        if working && !taking && late {
            self.violate(
                8,
                format!(
                    "execution {} goes on after its deadline {}",
                    execution.id, execution.deadline
                ),
            );
        }
        for run in &execution.steps {
            // What a teardown takes back was begun by the setup that made it.
            let begun = run.pre_state.is_some() && execution.kind != Kind::Teardown;
            if begun && run.deadline.is_none() {
                self.violate(
                    8,
                    format!(
                        "step {} of execution {} has begun without a deadline",
                        run.name, execution.id
                    ),
                );
            }
        }
    }
}

// What a write changed, in a line.
fn difference(before: &Control, after: &Control) -> String {
    let mut found = vec![format!("{} v{}", after.plan, after.version)];
    if before.epoch != after.epoch {
        found.push(format!("epoch {}", after.epoch));
    }
    if before.lease != after.lease {
        found.push(match &after.lease {
            Some(lease) => format!(
                "lease of {} until {}",
                lease.holder.split('/').next().unwrap_or("?"),
                lease.expires_at.strftime("%H:%M:%S%.3f")
            ),
            None => "no lease".into(),
        });
    }
    if before.wake != after.wake {
        found.push(after.wake.as_ref().map_or("no wake".into(), |wake| {
            format!("wakes {} (touch {})", wake.function.as_str(), wake.touches)
        }));
    }
    if before.active_site != after.active_site {
        found.push(format!("active site {}", after.active_site));
    }
    if before.announcements.len() != after.announcements.len() {
        found.push(format!("{} to tell", after.announcements.len()));
    }
    if before.look_again_at != after.look_again_at {
        found.push(after.look_again_at.map_or("no look".into(), |at| {
            format!("looks again at {}", at.strftime("%H:%M:%S"))
        }));
    }
    match (&before.execution, &after.execution) {
        (_, None) if before.execution.is_some() => found.push("execution archived".into()),
        (old, Some(new)) if *old != after.execution => {
            let steps: Vec<String> = new
                .steps
                .iter()
                .map(|run| {
                    format!(
                        "{} {}{}",
                        run.name,
                        run.state,
                        if run.attempts > 0 {
                            format!(" ({} calls)", run.attempts)
                        } else {
                            String::new()
                        }
                    )
                })
                .collect();
            found.push(format!(
                "{} {} {:?} {}: {}",
                new.trigger,
                new.kind,
                new.direction,
                new.status,
                steps.join(", ")
            ));
            if let Some(at) = new.wake_at {
                found.push(format!("waits until {}", at.strftime("%H:%M:%S%.3f")));
            }
            if let Some(failure) = &new.failure {
                found.push(failure.clone());
            }
        }
        _ => {}
    }
    found.join("; ")
}

// The execution that a write ends.
fn ended<'a>(before: &Control, after: &'a Control) -> Option<&'a Execution> {
    let goes_on = before.execution.as_ref().filter(|old| !old.status.is_final())?;
    let new = after.execution.as_ref();
    new.filter(|new| new.id == goes_on.id && new.status.is_final())
}
