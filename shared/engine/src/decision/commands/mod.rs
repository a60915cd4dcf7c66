//! What people ask for, and what they are answered.
//!
//! Every change is one compare-and-set on the control item, announced in the same write and told in the
//! answer. `dry_run` takes the same path up to the write. What a word changes is a function of core
//! ([`understudy_core::words`]); what is judged first is core's too ([`understudy_core::decide`]).
//!
//! `moving` moves plans and sets up what moves need, `running` is about an execution that goes on, `words` about what may start by itself, `reading`
//! only reads. `record` is what a word leaves in the history.

mod moving;
mod reading;
mod record;
mod running;
mod words;

use super::{DecisionMaker, answers};
use crate::ports::{CallError, Invocation};
use crate::store::ChangeError;
pub(super) use record::SaidCommand;
use serde_json::{Value, json};
use understudy_core::command::{Command, WordOnPlan, parse};
use understudy_core::control::{Control, Word};
use understudy_core::execution::Kind;
use understudy_core::report::EventKind;
use understudy_core::words::Said;

// The answer with what the guards said that were asked.
fn with_verdicts(mut answer: Value, said: &Said) -> Value {
    if let Some(fields) = answer.as_object_mut().filter(|_| !said.verdicts.is_empty()) {
        fields.insert("verdicts".into(), json!(said.verdicts));
    }
    answer
}

impl DecisionMaker {
    /// Answers a command. Never fails: a person gets a sentence, whatever happens.
    pub(super) async fn command(&self, value: Value, invocation: &Invocation) -> Value {
        let command = match parse(value) {
            Ok(command) => command,
            Err(why) => return answers::refused(&why),
        };
        let word = command.word();
        tracing::info!(command = word, "a person asks");
        let said = SaidCommand::of(&command);
        let answer = match command {
            Command::Failover(asked) => self.move_plan(asked, Kind::Failover, invocation).await,
            Command::Failback(asked) => self.move_plan(asked, Kind::Failback, invocation).await,
            Command::Setup(asked) => self.set_up(asked, Kind::Setup, invocation).await,
            Command::Teardown(asked) => self.set_up(asked, Kind::Teardown, invocation).await,
            Command::Status(asked) => self.status(&asked.plan).await,
            Command::List(_) => self.list().await,
            Command::History(asked) => self.history(&asked).await,
            Command::Pause(asked) => self.pause(&asked).await,
            Command::Resume(asked) => self.resume(&asked).await,
            Command::Maintenance(asked) => self.maintenance(&asked).await,
            Command::Mode(asked) => self.mode(&asked).await,
            Command::StopAll(asked) => self.stop_all(&asked).await,
            Command::StartAll(asked) => self.start_all(&asked).await,
            Command::Approve(asked) => self.approve(asked).await,
            Command::Reject(asked) => self.reject(&asked).await,
            Command::Skip(asked) => self.skip(&asked).await,
            Command::Escalate(asked) => self.escalate(&asked).await,
            Command::Acknowledge(asked) => self.acknowledge(&asked).await,
            Command::Keep(asked) => self.keep(&asked).await,
            Command::Cancel(asked) => self.cancel(&asked).await,
            Command::Resolve(asked) => self.resolve(&asked).await,
            Command::Preflight(asked) => self.preflight(&asked.plan).await,
            Command::PutPlan(asked) => self.put_plan(asked).await,
            Command::DeletePlan(asked) => self.delete_plan(&asked).await,
            Command::Validate(asked) => self.validate(asked.plan).await,
        };
        let answer = answer.unwrap_or_else(|error| answers::out_of_reach(&error.message));
        if let Some(said) = said {
            self.record_word(&said, &answer).await;
        }
        answer
    }

    // One change of the control item by a person's word, announced in the same write.
    async fn by_word(
        &self,
        asked: &WordOnPlan,
        headline: &str,
        change: impl Fn(&mut Control, &Word) -> Result<String, String>,
    ) -> Result<Value, CallError> {
        self.by_judged_word(asked, headline, |control, word| {
            change(control, word).map(Said::from).map_err(Said::from)
        })
        .await
    }

    // The same where guards are asked first: what they said is in the answer, whether they let go or not.
    async fn by_judged_word(
        &self,
        asked: &WordOnPlan,
        headline: &str,
        change: impl Fn(&mut Control, &Word) -> Result<Said, Said>,
    ) -> Result<Value, CallError> {
        let id = self.store.new_id(self.ports.clock.now());
        let apply = |control: &mut Control| {
            let now = self.ports.clock.now();
            let word = Word {
                operator: asked.operator.clone(),
                reason: asked.reason.clone(),
                at: now,
            };
            let said = change(control, &word)?;
            let title = format!("{headline} by {}", asked.operator);
            let details = [asked.reason.clone(), said.sentence.clone()];
            control.tell(now, EventKind::Operator, &format!("operator:{id}"), &title, &details);
            Ok::<Said, Said>(said)
        };
        if asked.dry_run {
            let Some(mut control) = self.store.control(&asked.plan).await? else {
                return Ok(answers::no_plan(&asked.plan));
            };
            return Ok(match apply(&mut control) {
                Ok(said) => {
                    let answer = json!({
                        "ok": true, "dry_run": true, "changed": "nothing", "plan": asked.plan, "would": said.sentence,
                    });
                    with_verdicts(answer, &said)
                }
                Err(why) => with_verdicts(answers::refused(&why.sentence), &why),
            });
        }
        Ok(match self.store.change(&asked.plan, apply).await {
            Ok((_, said)) => {
                let answer = json!({"ok": true, "plan": asked.plan, "summary": said.sentence});
                with_verdicts(answer, &said)
            }
            Err(ChangeError::Refused(why)) => with_verdicts(answers::refused(&why.sentence), &why),
            Err(error) => answers::not_changed(&error),
        })
    }
}
