//! The clock's other half: what is due is touched, and what nobody takes is invoked directly.
//!
//! Timers, expired leases, approvals and unsent announcements need no clock of their own: the control item
//! says when it is due, the sparse index lists it, and a touch writes its wake again, which *is* the message.
//! If the bus itself is down, the touches pile up and the function is invoked without it.

use super::Probe;
use super::check::Done;
use crate::store::ChangeError;
use jiff::{SignedDuration, Timestamp};
use std::convert::Infallible;
use understudy_core::control::later;

/// After this many touches without a taker the function is invoked directly.
const TOUCHES_BEFORE_NUDGE: u32 = 2;

impl Probe {
    pub(super) async fn touch_due(&self, now: Timestamp) -> Done {
        let mut done = Done::default();
        // A little ahead: what is due before the next round is touched in this one.
        let until = later(now, SignedDuration::from_secs(1));
        let due = match self.store.table().due(Some(until)).await {
            Ok(due) => due,
            Err(error) => {
                done.errors += 1;
                tracing::error!(
                    error = error.message,
                    "the due items can not be listed; the next round tries again"
                );
                return done;
            }
        };
        for entry in due {
            let touched = self
                .store
                .change(&entry.plan, |control| {
                    Ok::<_, Infallible>(control.touch(self.ports.clock.now()))
                })
                .await;
            match touched {
                Ok((_, Some(woken))) => {
                    done.touches += 1;
                    if woken.touches > TOUCHES_BEFORE_NUDGE {
                        done.nudges += 1;
                        tracing::warn!(
                            plan = entry.plan,
                            function = woken.function.as_str(),
                            touches = woken.touches,
                            "nobody took the wake; invoking directly"
                        );
                        if let Err(error) = self.ports.functions.nudge(woken.function, &entry.plan).await {
                            done.errors += 1;
                            tracing::error!(plan = entry.plan, error = error.message, "the direct invocation failed");
                        }
                    }
                }
                Ok((_, None)) | Err(ChangeError::NoPlan(_)) => {}
                Err(ChangeError::Table(error)) => {
                    done.errors += 1;
                    tracing::error!(plan = entry.plan, error = error.message, "the due item was not touched");
                }
                Err(ChangeError::Refused(never)) => match never {},
            }
        }
        done
    }
}
