//! The end of an execution, and the end of a turn.

use super::super::CALL_TIMEOUT;
use super::{Flow, Stop, Turn, has_work};
use jiff::SignedDuration;
use understudy_core::control::{ANNOUNCE_RETRY, Away, Control, Ended, Wake, later};
use understudy_core::execution::{Execution, Kind, Status, StepState, TriggerKind};
use understudy_core::mutant::{Mutant, active};
use understudy_core::report::{EventKind, about_execution};

impl Turn<'_> {
    pub(super) async fn finish(&self, control: &mut Control, status: Status) -> Result<Flow, Stop> {
        let set_up = match control.execution.as_ref().filter(|_| status == Status::Completed) {
            Some(execution) if !execution.kind.is_move() => self.remember(execution).await?,
            _ => None,
        };
        *control = self
            .commit(|control, now| {
                let (plan, epoch) = (control.plan.clone(), control.epoch);
                let Some(execution) = &mut control.execution else {
                    return Ok(());
                };
                execution.finish(now, status)?;
                let event = if status == Status::Completed {
                    EventKind::Completed
                } else {
                    EventKind::Failed
                };
                let announcement = about_execution(event, &plan, epoch, execution, now);
                if status == Status::Completed && !execution.kind.is_move() {
                    control.set_up = set_up.clone();
                } else if status == Status::Completed {
                    let home = execution.plan.is_home(&execution.to);
                    let return_at = execution
                        .return_after_seconds
                        .map(|seconds| later(now, SignedDuration::from_secs(i64::from(seconds))));
                    let before = control.away.take();
                    // A move that nobody asked for takes back nobody's word on when it comes home.
                    let promised = before.as_ref().filter(|_| execution.trigger == TriggerKind::Automatic);
                    let raised = before.as_ref().map(|away| away.raised.as_slice()).unwrap_or_default();
                    control.away = (!home).then(|| Away {
                        since: now,
                        trigger: execution.trigger,
                        execution: execution.id.clone(),
                        return_at: return_at.or(promised.and_then(|away| away.return_at)),
                        kept: promised.and_then(|away| away.kept.clone()),
                        raised: execution.raised(raised),
                    });
                    control.active_site = execution.to.clone();
                }
                if !active(Mutant::AnnouncementOutsideWrite) {
                    control.announce(announcement);
                }
                Ok(())
            })
            .await?;
        // No labels: the controller's own alarms watch metrics without dimensions.
        let name = if status == Status::Completed {
            "ExecutionsCompleted"
        } else {
            "ExecutionsNotCompleted"
        };
        metrics::counter!(name).increment(1);
        Ok(Flow::On)
    }

    // The write-once copy first, then out of the control item; decision hears of it, for what comes next.
    pub(super) async fn archive(&self, control: &mut Control) -> Result<Flow, Stop> {
        let Some(execution) = control.execution.clone() else {
            return Ok(Flow::Leave);
        };
        if !active(Mutant::HistoryNotWritten) {
            self.executor.store.archive(&self.plan, &execution).await?;
        }
        *control = self
            .commit(|control, now| {
                if let Some(execution) = control.execution.take_if(|running| running.id == execution.id) {
                    control.last_execution = Some(Ended {
                        summary: summary(&execution),
                        id: execution.id,
                        status: execution.status,
                        from: execution.from,
                        to: execution.to,
                        ended_at: execution.ended_at.unwrap_or(now),
                    });
                    control.look_by(now);
                    control.wake(now, Wake::Decision);
                }
                Ok(())
            })
            .await?;
        Ok(Flow::On)
    }

    // Publishes what is due, then gives the lease back in one write.
    pub(super) async fn tell_and_release(&self) -> Result<(), Stop> {
        let control = self.commit(|_, _| Ok(())).await?;
        let topic = match &control.execution {
            Some(execution) => execution.plan.topic_arn.clone(),
            None if control.announcements.is_empty() => None,
            None => self
                .executor
                .store
                .plan_of(&control)
                .await
                .ok()
                .and_then(|plan| plan.topic_arn),
        };
        let mut sent = Vec::new();
        let mut failed = false;
        for announcement in &control.announcements {
            let now = self.now();
            let fits = control
                .lease
                .as_ref()
                .is_some_and(|lease| lease.fits(now, CALL_TIMEOUT));
            if announcement.retry_at > now || failed || !fits {
                continue;
            }
            match self
                .executor
                .ports
                .notifier
                .publish(topic.as_deref(), &self.plan, announcement)
                .await
            {
                Ok(()) => sent.push(announcement.id.clone()),
                Err(_) if active(Mutant::PublishedUnseen) => sent.push(announcement.id.clone()),
                Err(error) => {
                    failed = true;
                    metrics::counter!("AnnouncementsFailed").increment(1);
                    tracing::error!(
                        plan = self.plan,
                        announcement = announcement.id,
                        error = error.message,
                        "not published; it is tried again"
                    );
                }
            }
        }
        self.commit(|control, now| {
            control
                .announcements
                .retain(|announcement| !sent.contains(&announcement.id));
            for announcement in &mut control.announcements {
                if failed && announcement.retry_at <= now {
                    announcement.retry_at = later(now, ANNOUNCE_RETRY);
                }
            }
            if !active(Mutant::LeaseNotReleased) {
                control.release_lease(now);
            }
            // A turn that ran out of time asks for the next one; a recorded wait is the probe's.
            let more = has_work(control, now);
            match (&control.wake, more) {
                (_, true) => control.wake(now, Wake::Executor),
                (Some(wake), false) if wake.function == Wake::Executor => control.wake = None,
                _ => {}
            }
            Ok(())
        })
        .await?;
        Ok(())
    }
}

fn summary(execution: &Execution) -> String {
    let done = execution
        .steps
        .iter()
        .filter(|run| match execution.kind {
            Kind::Teardown => run.state == StepState::Undone,
            _ => matches!(run.state, StepState::Done | StepState::Satisfied),
        })
        .count();
    let mut text = format!(
        "{} {} {}: {done} of {} steps done",
        execution.kind,
        execution.route(),
        execution.status,
        execution.steps.len()
    );
    if let Some(failure) = &execution.failure {
        text.push_str(&format!("; {failure}"));
    }
    text
}
