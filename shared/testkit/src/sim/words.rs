//! What people say in wide histories: on all plans, on a plan, on what waits for an answer; and what else is only there.

use super::wide::REFERENCE_HOST;
use super::world::Sim;
use serde_json::{Value, json};
use understudy_core::command::ALL_PLANS;
use understudy_core::health::Health;
use understudy_engine::ports::Clock;

impl Sim {
    /// A word on all plans at once. As often on as off, so that a stop does not stay for good.
    pub(crate) fn fleet_word(&mut self, a: u16, b: u16, c: u16) -> bool {
        let dry_run = c % 8 == 7;
        let (word, more): (&'static str, Value) = match b % 8 {
            0 | 1 => ("stop-all", json!({})),
            2..=4 => ("start-all", json!({})),
            5 => ("pause", json!({})),
            6 => ("resume", json!({})),
            _ => ("maintenance", json!({"for_seconds": window(a)})),
        };
        self.say(ALL_PLANS, word, more, dry_run);
        true
    }

    /// A word on one plan, or on its execution.
    pub(crate) fn plan_word(&mut self, a: u16, b: u16, c: u16) -> bool {
        let plan = self.plan_name(a);
        let dry_run = c % 8 == 7;
        let standing = self.oracle.control(plan).and_then(|control| {
            let (_, run) = control.execution.as_ref()?.front().next()?;
            Some(run.name.clone())
        });
        let (word, more): (&'static str, Value) = match b % 10 {
            0 | 1 => ("pause", json!({"execution": true})),
            2..=4 => ("resume", json!({"execution": true})),
            5 | 6 => {
                let step = standing.filter(|_| !c.is_multiple_of(5));
                ("skip", json!({"step": step.unwrap_or_else(|| "weights".into())}))
            }
            7 => ("escalate", json!({"accept_data_loss": c.is_multiple_of(2)})),
            8 => ("maintenance", json!({"for_seconds": window(c)})),
            _ => ("resume", json!({})),
        };
        self.say(plan, word, more, dry_run);
        true
    }

    /// A yes or a no: to the proposal or the gate that waits, by its name or without.
    pub(crate) fn answer_what_waits(&mut self, a: u16, b: u16, c: u16) -> bool {
        let plan = self.plan_name(a);
        let word = if b % 4 == 3 { "reject" } else { "approve" };
        let control = self.oracle.control(plan);
        let proposal = control.and_then(|control| Some(control.proposal.as_ref()?.id.clone()));
        let execution = control.and_then(|control| Some(control.execution.as_ref()?.id.clone()));
        let more = match (c % 3, proposal, execution) {
            (1, Some(proposal), _) => json!({"proposal": proposal}),
            (1, None, Some(execution)) => json!({"execution": execution}),
            _ => json!({}),
        };
        // Some take their time, until nobody waits for them any more.
        let expires_at = self
            .oracle
            .control(plan)
            .and_then(|control| Some(control.proposal.as_ref()?.expires_at));
        if let Some(at) = expires_at.filter(|at| b % 4 == 2 && *at > self.now()) {
            self.late = Some((at, plan, more));
            return true;
        }
        self.say(plan, word, more, c % 8 == 7);
        true
    }

    /// A setup or a teardown.
    pub(crate) fn sets_up(&mut self, a: u16, b: u16, c: u16) -> bool {
        if !self.setup.wide.sets_up {
            return false;
        }
        let word = if b % 3 == 2 { "teardown" } else { "setup" };
        let wait_seconds = if c.is_multiple_of(4) { 20 } else { 0 };
        self.say(
            self.plan_name(a),
            word,
            json!({"wait_seconds": wait_seconds}),
            c % 8 == 7,
        );
        true
    }

    /// The endpoint by which observers judge themselves falls silent, or answers again.
    pub(crate) fn reference_dies(&mut self, a: u16) -> bool {
        if !self.setup.wide.reference {
            return false;
        }
        let (health, reason) = if a.is_multiple_of(4) {
            (Health::Unhealthy, "no route to host")
        } else if a.is_multiple_of(2) {
            (Health::Unknown, "its name can not be looked up")
        } else {
            (Health::Healthy, "it takes connections")
        };
        let now = self.clock.now();
        self.cloud.answer(REFERENCE_HOST, health, reason);
        self.oracle.reference_answers(health == Health::Healthy, now);
        self.trace.note(now, || {
            format!("the reference endpoint answers from now on: {health} ({reason})")
        });
        true
    }

    /// People take back their stops, pauses and windows, and what they have set up.
    pub(crate) fn lift(&mut self) {
        self.say(ALL_PLANS, "start-all", json!({}), false);
        self.say(ALL_PLANS, "resume", json!({}), false);
        let names: Vec<&'static str> = self.setup.names().collect();
        for plan in names {
            self.say(plan, "resume", json!({}), false);
            self.say(plan, "resume", json!({"execution": true}), false);
            if self.setup.wide.sets_up {
                self.say(plan, "teardown", json!({}), false);
            }
        }
    }
}

// How long a window lasts, in seconds.
fn window(number: u16) -> u32 {
    [30, 120, 600].get(number as usize % 3).copied().unwrap_or(30)
}
