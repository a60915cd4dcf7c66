//! What the people of the story say to the decision function, in fair weather and in foul.
//!
//! In foul weather, when the calls of the functions are refused and lost, an answer may be an error, and an order may
//! have been carried out although its answer says nothing of it. Then people do what they do: they ask again, and
//! they look.

use super::{Narrator, Stage, text};
use crate::local_cloud::{Answer, CloudError};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// How often somebody who waits looks again.
const LOOK_EVERY: Duration = Duration::from_millis(700);

/// How the calls of the deployed functions fare.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Weather {
    /// They are answered. So is every word to the decision function, the first time.
    #[default]
    Fair,
    /// Many of them fail. A word is repeated until somebody has understood it.
    Foul,
}

impl Weather {
    /// The longest that any wait takes on a busy machine. In foul weather that is several takeovers of a lease,
    /// the rounds between them, and observations that come late.
    pub fn patience(self) -> Duration {
        match self {
            Self::Fair => Duration::from_secs(240),
            Self::Foul => Duration::from_secs(600),
        }
    }

    /// A plan's text with enough time for its steps. In foul weather a call may be refused often, and a step that is not
    /// done in the time that is usual is undone, which ends right too, but elsewhere.
    pub fn time_for(self, plan: &str) -> String {
        if self == Self::Fair {
            return plan.to_owned();
        }
        let mut text = plan.to_owned();
        for seconds in [60, 300] {
            text = text.replace(
                &format!("    timeout_seconds: {seconds}\n"),
                "    timeout_seconds: 600\n",
            );
        }
        for kind in ["elb_weights", "dns_records"] {
            text = text.replace(
                &format!("    kind: {kind}\n"),
                &format!("    kind: {kind}\n    timeout_seconds: 600\n"),
            );
        }
        for seconds in [600, 1200] {
            text = text.replace(
                &format!("max_duration_seconds: {seconds}\n"),
                "max_duration_seconds: 3600\n",
            );
        }
        text
    }
}

impl Stage {
    /// Sends the decision function a command and returns its answer. In foul weather it is sent until the answer is
    /// one: neither a failed function, nor that the table is out of reach.
    ///
    /// # Errors
    /// The function failed instead of answering, in foul weather until patience ended.
    pub async fn command(&self, command: Value) -> Result<Value, CloudError> {
        self.command_to(&self.deployment.function("decision")?.name, command)
            .await
    }

    /// The same to the decision function of this name or ARN: another stack's, in another Region.
    ///
    /// # Errors
    /// As for [`Stage::command`].
    pub async fn command_to(&self, function: &str, command: Value) -> Result<Value, CloudError> {
        let begun = Instant::now();
        loop {
            let answer = self.command_once(function, &command).await;
            let heard = answer.as_ref().is_ok_and(|answer| answer["retryable"] != true);
            if heard || self.weather == Weather::Fair || begun.elapsed() > self.weather.patience() {
                return answer;
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    async fn command_once(&self, function: &str, command: &Value) -> Result<Value, CloudError> {
        let Answer {
            payload,
            function_error,
        } = self.cloud.invoke(function, command).await?;
        match function_error {
            None => Ok(payload),
            Some(error) => Err(CloudError::missing(
                format!("the answer of `{}`", text(command, "/command")),
                format!("{error}: {payload}"),
            )),
        }
    }

    /// Sends a command that is to be granted, in foul weather until it is; returns the answer that grants it.
    ///
    /// # Errors
    /// It was refused; the error shows the answer.
    pub async fn granted(&self, command: Value) -> Result<Value, CloudError> {
        let begun = Instant::now();
        loop {
            let answer = self.command(command.clone()).await?;
            let patient = self.weather == Weather::Foul && begun.elapsed() < self.weather.patience();
            if answer["ok"] == true || !patient {
                let what = format!("the answer of `{}`", text(&command, "/command"));
                self.expect(&answer, "/ok", &json!(true), &what)?;
                return Ok(answer);
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Orders a `failover` or `failback` and waits until it has ended as completed; returns the execution as
    /// `history` tells it.
    ///
    /// # Errors
    /// It was refused, or did not end as completed.
    pub async fn move_by_hand(&self, order: Value) -> Result<Value, CloudError> {
        let what = format!("the {} of {}", text(&order, "/command"), text(&order, "/plan"));
        let execution = self.carried_out(&order).await?;
        self.expect(&execution, "/kind", &order["command"], &what)?;
        self.expect(&execution, "/status", &json!("completed"), &what)?;
        Ok(execution)
    }

    /// The same, however it ends. In foul weather an order may stand although nobody said so: it is repeated until one
    /// does.
    ///
    /// # Errors
    /// It was refused, or did not end.
    pub async fn carried_out(&self, order: &Value) -> Result<Value, CloudError> {
        let plan = text(order, "/plan").to_owned();
        let kind = text(order, "/command").to_owned();
        let begun = Instant::now();
        let before = ended_last(&self.status_of(&plan).await?);
        loop {
            let answer = self.command(order.clone()).await?;
            let status = self.status_of(&plan).await?;
            if answer["ok"] == true || !status["execution"].is_null() || ended_last(&status) != before {
                break;
            }
            if self.weather == Weather::Fair || begun.elapsed() > self.weather.patience() {
                self.expect(&answer, "/ok", &json!(true), &format!("the answer of `{kind}`"))?;
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        let ended = |status: &Value| status["execution"].is_null() && ended_last(status) != before;
        while !ended(&self.status_of(&plan).await?) {
            if begun.elapsed() > self.weather.patience() {
                let status = self.status_of(&plan).await?;
                return Err(CloudError::missing(
                    format!("the end of the {kind} of {plan}"),
                    format!("{status:#}"),
                ));
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        self.ended_execution(&plan).await
    }

    /// The execution of a plan that ended last, as `history` tells it.
    ///
    /// # Errors
    /// There is none, or as for [`Stage::command`].
    pub async fn ended_execution(&self, plan: &str) -> Result<Value, CloudError> {
        let id = ended_last(&self.status_of(plan).await?);
        let history = self
            .command(json!({"command": "history", "plan": plan, "limit": 5}))
            .await?;
        let executions = history.pointer("/executions").and_then(Value::as_array);
        executions
            .into_iter()
            .flatten()
            .find(|execution| execution["id"] == id)
            .cloned()
            .ok_or_else(|| {
                CloudError::missing(
                    format!("execution {id} in the history of {plan}"),
                    format!("{history:#}"),
                )
            })
    }

    /// The status of a plan.
    ///
    /// # Errors
    /// As for [`Stage::command`].
    pub async fn status_of(&self, plan: &str) -> Result<Value, CloudError> {
        self.command(json!({"command": "status", "plan": plan})).await
    }

    /// Looks at the status of a plan about once a second until `done` says so.
    ///
    /// # Errors
    /// It does not come to it within the patience of the weather; the error shows the last status.
    pub async fn wait_until(
        &self,
        plan: &str,
        for_what: &str,
        narrator: &mut dyn Narrator,
        mut done: impl FnMut(&Value, &mut dyn Narrator) -> bool + Send,
    ) -> Result<Value, CloudError> {
        let begun = Instant::now();
        loop {
            let status = self.status_of(plan).await?;
            if done(&status, narrator) {
                return Ok(status);
            }
            if begun.elapsed() > self.weather.patience() {
                let found = serde_json::to_string_pretty(&status).unwrap_or_default();
                let what = format!(
                    "{for_what} (waited for {} s; logs in {})",
                    begun.elapsed().as_secs(),
                    self.cloud.folder().display()
                );
                return Err(CloudError::missing(what, found));
            }
            narrator.waiting(for_what, begun.elapsed().as_secs());
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// A claim about an answer.
    ///
    /// # Errors
    /// It does not hold.
    pub fn expect(&self, answer: &Value, pointer: &str, expected: &Value, what: &str) -> Result<(), CloudError> {
        if answer.pointer(pointer) == Some(expected) {
            return Ok(());
        }
        let answer = serde_json::to_string_pretty(answer).unwrap_or_default();
        Err(CloudError::missing(
            format!("{what}: {pointer}"),
            format!("{expected} was expected in {answer}"),
        ))
    }
}

// The id of the execution that ended last; null if none has.
fn ended_last(status: &Value) -> Value {
    status["last_execution"]["id"].clone()
}
