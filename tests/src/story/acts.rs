//! The acts of the story.

use super::telling::{dry_run_text, tell_message, tell_reasons, tell_steps};
use super::timeline::seconds_between;
use super::{Narrator, Stage, text};
use crate::local_cloud::CloudError;
use jiff::Timestamp;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// The name of the plan that the story is about.
const PLAN: &str = "shop";

/// The seconds of one move.
#[derive(Clone, Copy, Debug)]
pub struct Told {
    /// From the cause to the first settled evidence.
    pub detection_seconds: f64,
    /// From there to the decision.
    pub decision_seconds: f64,
    /// From the decision to the last step.
    pub execution_seconds: f64,
    /// From the cause to the last step.
    pub recovery_seconds: f64,
}

impl Stage {
    /// Waits until both sites are seen to be healthy.
    ///
    /// # Errors
    /// They are not, within the story's patience.
    pub async fn everything_is_well(&mut self, narrator: &mut dyn Narrator) -> Result<(), CloudError> {
        narrator.act("Everything is well");
        self.kick_probe().await?;
        let status = self
            .wait_until(PLAN, "the probe to see both sites healthy", narrator, |status, _| {
                ["blue", "green"]
                    .iter()
                    .all(|site| text(status, &format!("/sites/{site}/health")) == "healthy")
            })
            .await?;
        self.seen.tell(&status, false, narrator);
        narrator.event(&format!("read back: {}", self.expect_everything_at("blue").await?));
        self.timeline.now("both sites are seen to be healthy");
        self.world.take_messages(&self.cloud, 0).await?;
        Ok(())
    }

    /// The primary dies, and the work moves to its standby by itself.
    ///
    /// # Errors
    /// With the claim that does not hold.
    pub async fn primary_dies(&mut self, narrator: &mut dyn Narrator) -> Result<Told, CloudError> {
        narrator.act("The primary dies");
        self.blue.die().await;
        let died = self.timeline.now("blue's server is killed");
        narrator.event(&format!(
            "blue's server at {} is killed; nobody tells Understudy",
            self.blue.address()
        ));
        let (told, execution) = self.follow_move(died, "failover", narrator).await?;
        narrator.event(&format!("read back: {}", self.expect_everything_at("green").await?));
        self.timeline.now("read back: traffic and name point to green");
        self.expect(&execution, "/trigger", &json!("automatic"), "the failover")?;
        self.hear(&execution, &["started", "completed"], narrator).await?;
        Ok(told)
    }

    /// The primary returns, and the work comes home by itself after the stability window.
    ///
    /// # Errors
    /// With the claim that does not hold.
    pub async fn primary_returns(&mut self, narrator: &mut dyn Narrator) -> Result<Told, CloudError> {
        narrator.act("The primary returns");
        self.blue.come_back().await?;
        let returned = self.timeline.now("blue's server is back");
        narrator.event("blue's server is back; Understudy waits until it has been well for a while");
        let (told, execution) = self.follow_move(returned, "failback", narrator).await?;
        narrator.event(&format!("read back: {}", self.expect_everything_at("blue").await?));
        self.timeline.now("read back: traffic and name point to blue");
        self.hear(&execution, &["started", "completed"], narrator).await?;
        Ok(told)
    }

    /// A planned move by hand: a dry run that changes nothing, the move itself, and home again.
    ///
    /// # Errors
    /// With the claim that does not hold.
    pub async fn planned_move(&mut self, narrator: &mut dyn Narrator) -> Result<(), CloudError> {
        narrator.act("A planned failover by hand, first as a dry run");
        let mut asked = json!({"command": "failover", "plan": PLAN, "to": "green", "operator": "mia", "reason": "kernel update on blue", "dry_run": true});
        let before = self.really().await?;
        narrator.show(&format!("  to the decision function:\n    {asked}"));
        let dry = self.granted(asked.clone()).await?;
        narrator.show(&dry_run_text(&dry));
        if self.really().await? != before || text(&dry, "/changed") != "nothing" {
            return Err(CloudError::missing("the dry run", "it has changed something"));
        }
        narrator.event("read back: nothing has changed");
        narrator.act("The same for real");
        if let Some(fields) = asked.as_object_mut() {
            fields.remove("dry_run");
            fields.insert("wait_seconds".into(), json!(45));
        }
        self.timeline.now("mia asks for a planned failover to green");
        let moved = self.move_by_hand(asked).await?;
        tell_steps(&moved, narrator);
        narrator.event(&format!("read back: {}", self.expect_everything_at("green").await?));
        self.timeline.now("read back: traffic and name point to green");
        self.hear(&moved, &["started", "completed"], narrator).await?;
        narrator.event("mia asks for the way home");
        let home = self
            .move_by_hand(json!({"command": "failback", "plan": PLAN, "operator": "mia", "reason": "blue is updated", "wait_seconds": 45}))
            .await?;
        narrator.event(&format!("read back: {}", self.expect_everything_at("blue").await?));
        self.timeline.now("home again, by hand");
        self.hear(&home, &["started", "completed"], narrator).await
    }

    // Watches the status until a move of this kind has completed, telling what changes on the way.
    async fn follow_move(
        &mut self,
        cause: Timestamp,
        kind: &str,
        narrator: &mut dyn Narrator,
    ) -> Result<(Told, Value), CloudError> {
        let mut seen = std::mem::take(&mut self.seen);
        let last = text(&self.status_of(PLAN).await?, "/last_execution/id").to_owned();
        let waiting = if kind == "failover" {
            "the rounds, the hold time and the move"
        } else {
            "the rounds, the stability window and the move"
        };
        self.wait_until(PLAN, waiting, narrator, |status, narrator| {
            let ended = text(status, "/last_execution/id");
            let ended = ended != last && !ended.is_empty();
            seen.tell(status, ended, narrator);
            ended
        })
        .await?;
        self.seen = seen;
        let execution = self.ended_execution(PLAN).await?;
        self.expect(&execution, "/kind", &json!(kind), "the move")?;
        self.expect(&execution, "/status", &json!("completed"), "the move")?;
        tell_reasons(&execution, narrator);
        tell_steps(&execution, narrator);
        let told = self.times(cause, &execution)?;
        Ok((told, execution))
    }

    fn times(&mut self, cause: Timestamp, execution: &Value) -> Result<Told, CloudError> {
        let at = |pointer: &str| {
            let found = text(execution, pointer);
            found.parse::<Timestamp>().map_err(|error| {
                CloudError::missing(format!("{pointer} of the execution"), format!("{error}: {found}"))
            })
        };
        let (created, ended) = (at("/created_at")?, at("/ended_at")?);
        let detected = at("/detected_at").unwrap_or(created);
        let route = format!(
            "{} {} to {}",
            text(execution, "/kind"),
            text(execution, "/from"),
            text(execution, "/to")
        );
        self.timeline.at(
            detected,
            format!("the evidence is settled ({})", text(execution, "/kind")),
        );
        self.timeline.at(created, format!("decision: {route}"));
        self.timeline.at(ended, format!("{route} has completed"));
        Ok(Told {
            detection_seconds: seconds_between(cause, detected),
            decision_seconds: seconds_between(detected, created),
            execution_seconds: seconds_between(created, ended),
            recovery_seconds: seconds_between(cause, ended),
        })
    }

    // The messages about an execution, as the subscriber got them.
    pub(super) async fn hear(
        &mut self,
        execution: &Value,
        events: &[&str],
        narrator: &mut dyn Narrator,
    ) -> Result<(), CloudError> {
        let id = text(execution, "/id").to_owned();
        let mut heard: BTreeSet<String> = BTreeSet::new();
        let begun = std::time::Instant::now();
        while !events.iter().all(|event| heard.contains(*event)) {
            if begun.elapsed() > self.weather.patience() {
                return Err(CloudError::missing(
                    format!("the messages {} about execution {id}", events.join(", ")),
                    format!("the subscriber has got {heard:?}"),
                ));
            }
            for message in self.world.take_messages(&self.cloud, 2).await? {
                if message.attributes.get("execution").map(String::as_str) == Some(id.as_str()) {
                    let event = message.attributes.get("event").cloned().unwrap_or_default();
                    tell_message(&message, narrator);
                    let kind = text(execution, "/kind");
                    self.timeline.now(format!("the subscriber was told: {kind} {event}"));
                    heard.insert(event);
                }
            }
        }
        Ok(())
    }
}
