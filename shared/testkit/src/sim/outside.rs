//! The world around: sites that die, return and lie; other people's hands; alarms; operators.

use super::history::Action;
use super::report::{BOTH_BAD, STORM};
use super::sandbox::{Function, Origin, Told};
use super::setup::{alarm, cluster, group, host, listener, other_site, zone};
use super::wide::at_home_elsewhere;
use super::world::Sim;
use crate::world::World;
use crate::world_plan::a_record;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use understudy_core::control::later;
use understudy_core::health::{AlarmState, Health};
use understudy_engine::ports::Clock;

/// The number by which an alarm that no plan is bound to is chosen.
pub(crate) const OF_NOBODY: u16 = 10;

impl Sim {
    pub(super) fn plan_name(&self, number: u16) -> &'static str {
        let count = self.setup.plans.max(1);
        self.setup
            .names()
            .nth((u32::from(number) % count) as usize)
            .unwrap_or("shop")
    }

    pub(crate) fn site(&mut self, action: Action, a: u16, b: u16) -> bool {
        let plan = self.plan_name(a);
        // Mostly the primary: a failover needs it dead and the other one well.
        let site = if b.is_multiple_of(4) { "green" } else { "blue" };
        let (health, reason) = match action {
            Action::SiteDies => (Health::Unhealthy, "connection refused"),
            Action::SiteReturns => (Health::Healthy, "HTTP 200"),
            _ => match b % 5 {
                0 | 1 => (Health::Unknown, "the check itself failed"),
                2 => (Health::Degraded, "HTTP 200, slow"),
                3 => (Health::Unhealthy, "HTTP 503, it says"),
                _ => (Health::Healthy, "HTTP 200, it says"),
            },
        };
        self.set_site(plan, site, health, reason);
        true
    }

    pub(crate) fn set_site(&mut self, plan: &str, site: &str, health: Health, reason: &str) {
        self.trace.note(self.clock.now(), || {
            format!("{site} of {plan} answers from now on: {health} ({reason})")
        });
        self.cloud.answer(&host(plan, site), health, reason);
        let ill = (plan.to_owned(), site.to_owned());
        if health == Health::Healthy {
            self.ill_since.remove(&ill);
        } else {
            let other = (plan.to_owned(), other_site(site).to_owned());
            let is_second = self.ill_since.contains_key(&other);
            if is_second && !self.ill_since.contains_key(&ill) {
                self.counts.happens(BOTH_BAD);
            }
            self.ill_since.entry(ill).or_insert_with(|| self.clock.now());
        }
        self.oracle.both_bad.take_if(|bad| *bad == plan);
        if site == "blue" {
            let state = if health == Health::Unhealthy {
                AlarmState::Alarm
            } else {
                AlarmState::Ok
            };
            self.cloud.put_alarm(&alarm(plan), state);
        }
    }

    pub(crate) fn outside_weights(&mut self, a: u16, b: u16) -> bool {
        let plan = self.plan_name(a);
        let weights = match b % 4 {
            0 => [100, 0, 7],
            1 => [0, 100, 7],
            2 => [50, 50, 7],
            _ => [100, 0, 8],
        };
        let arn = listener(plan);
        let names = ["blue", "green", "other"].map(|site| group(plan, site));
        let weights: Vec<(&str, u32)> = names.iter().map(String::as_str).zip(weights).collect();
        self.cloud.put_weights(&arn, &weights);
        self.oracle.outside(&arn, self.clock.now());
        self.trace.note(self.clock.now(), || {
            format!(
                "somebody sets the weights of {plan} to {:?}",
                weights.iter().map(|(_, weight)| weight).collect::<Vec<_>>()
            )
        });
        true
    }

    pub(crate) fn outside_record(&mut self, a: u16, b: u16) -> bool {
        let plan = self.plan_name(a);
        let address = ["192.0.2.1", "192.0.2.2", "203.0.113.5"]
            .get(b as usize % 3)
            .copied()
            .unwrap_or("192.0.2.1");
        let records = vec![
            a_record("www.example.com.", address),
            a_record("other.example.com.", "198.51.100.9"),
        ];
        self.cloud.put_zone(zone(plan), records);
        self.oracle.outside(zone(plan), self.clock.now());
        self.trace.note(self.clock.now(), || {
            format!("somebody sets the record of {plan} to {address}")
        });
        true
    }

    /// CloudWatch has a figure of every lag of this time. A source that dies sends nothing more, which is no lag to a copy.
    pub(crate) fn show_lags(&mut self, at: Timestamp) {
        if self.setup.data.is_none() {
            return;
        }
        for name in self.setup.names() {
            for (from, to) in [("blue", "green"), ("green", "blue")] {
                let ill_since = self.ill_since.get(&(name.to_owned(), from.to_owned())).copied();
                let seconds = if ill_since.is_none() { self.setup.lag_seconds } else { 0 };
                self.cloud
                    .put_lag(at, &cluster(name, from), &cluster(name, to), seconds);
                self.oracle.lag_shown(name, at, seconds, ill_since);
            }
        }
    }

    /// An alarm's event: one, a storm of those of all plans, late, or of yesterday; true to the alarm, or not.
    pub(crate) fn alarm(&mut self, a: u16, b: u16, c: u16) -> bool {
        let of_nobody = b % 11 == OF_NOBODY;
        let is_alarm = b % 4 != 3;
        let age = match c % 8 {
            0 => SignedDuration::from_hours(24),
            1 => SignedDuration::from_secs(200),
            _ => SignedDuration::from_secs(i64::from(c % 60)),
        };
        let at = later(self.clock.now(), -age);
        let events: u16 = if b % 5 == 4 { 5 } else { 1 };
        if events > 1 {
            self.counts.happens(STORM);
        }
        for nth in 0..events {
            let alarm = if of_nobody {
                "an-alarm-of-nobody".to_owned()
            } else {
                alarm(self.plan_name(a.wrapping_add(nth)))
            };
            self.trace.note(self.clock.now(), || {
                format!(
                    "an event of alarm {alarm}, {} s old, is_alarm: {is_alarm}",
                    age.as_secs()
                )
            });
            let event = World::alarm_event(&alarm, if is_alarm { "ALARM" } else { "OK" }, at);
            let delay = SignedDuration::from_secs(i64::from(nth * (c % 3)));
            self.send(Function::Decision, event, delay, Some(Told { alarm, at }));
        }
        true
    }

    /// An operator's command.
    pub(crate) fn command(&mut self, a: u16, b: u16, c: u16) -> bool {
        let plan = self.plan_name(a);
        let dry_run = c % 6 == 5;
        let (word, more): (&'static str, Value) = match b % 16 {
            0..=3 => {
                let wait_seconds = if c.is_multiple_of(4) { 20 } else { 0 };
                let mut more = json!({"force": c.is_multiple_of(3), "wait_seconds": wait_seconds});
                if let (true, Some(more)) = (self.setup.data.is_some() && c % 5 == 1, more.as_object_mut()) {
                    more.insert("style".into(), json!("unplanned"));
                    more.insert("accept_data_loss".into(), json!(c.is_multiple_of(2)));
                }
                if let (true, Some(more)) = (c % 5 == 4, more.as_object_mut()) {
                    more.insert("to".into(), json!("blue"));
                }
                if let (true, Some(more)) = (self.setup.wide.is_wide && c % 5 == 2, more.as_object_mut()) {
                    more.insert("escalate_after_seconds".into(), json!(c % 40));
                    more.insert("accept_data_loss".into(), json!(c.is_multiple_of(2)));
                }
                if let (true, Some(more)) = (c % 7 == 6, more.as_object_mut()) {
                    more.insert(
                        "rollback_plan".into(),
                        json!({"auto_rollback": true, "rollback_delay": 20}),
                    );
                }
                ("failover", more)
            }
            4 | 5 => ("failback", json!({"force": c.is_multiple_of(2)})),
            6 | 7 => ("cancel", json!({})),
            8 | 9 => {
                let action = ["retry", "rollback", "abandon"]
                    .get(c as usize % 3)
                    .copied()
                    .unwrap_or("retry");
                ("resolve", json!({"action": action}))
            }
            10 => ("pause", json!({})),
            11 => ("resume", json!({})),
            12 | 13 => ("acknowledge", json!({})),
            14 => {
                let mut file = self.setup.plan_file(plan, c.is_multiple_of(2));
                if self.setup.wide.is_wide && c % 4 == 2 {
                    at_home_elsewhere(&mut file);
                }
                ("put-plan", json!({"plan": file}))
            }
            _ => ("status", json!({})),
        };
        self.say(plan, word, more, dry_run && word != "status");
        true
    }

    /// Says a command to decision.
    pub(crate) fn say(&mut self, plan: &str, word: &'static str, more: Value, dry_run: bool) {
        let mut command = json!({"command": word});
        if let (Some(command), Value::Object(more)) = (command.as_object_mut(), more) {
            if !matches!(word, "put-plan" | "stop-all" | "start-all") {
                command.insert("plan".into(), json!(plan));
            }
            if word != "status" {
                command.insert("operator".into(), json!("mia"));
                command.insert("reason".into(), json!("the simulation"));
                command.insert("dry_run".into(), json!(dry_run));
            }
            command.extend(more);
        }
        self.trace.note(self.clock.now(), || {
            format!("mia says {word} {plan}{}", if dry_run { ", dry" } else { "" })
        });
        let lossy = command["accept_data_loss"] == true;
        let meant = command["proposal"].as_str().map(str::to_owned);
        // People ask where there is somebody to ask.
        let places = self.setup.wide.places();
        let first = self.requests as usize % places;
        let gone = self.is_gone(Function::Decision, first);
        let place = if gone { (first + 1) % places } else { first };
        let origin = Origin::Person {
            word,
            dry_run,
            lossy,
            meant,
        };
        self.invoke((Function::Decision, place), command, origin);
    }
}
