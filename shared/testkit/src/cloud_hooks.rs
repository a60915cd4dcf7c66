//! Users' functions in memory: they know an idempotency key again, and do what it stands for once.

use crate::clock::lock;
use crate::cloud::{FakeCloud, not_found};
use async_trait::async_trait;
use serde_json::Value;
use std::collections::{BTreeSet, VecDeque};
use understudy_core::state::ResourceState;
use understudy_engine::ports::{CallError, HookAnswer, HookFunction, Hooks};

/// One function.
#[derive(Clone, Debug, Default)]
pub(crate) struct Hook {
    done: bool,
    known: BTreeSet<String>,
    answers: VecDeque<HookAnswer>,
    events: Vec<Value>,
}

impl FakeCloud {
    /// Puts a function there that does as it is asked.
    pub fn put_hook(&self, name: &str) {
        lock(&self.state).hooks.insert(name.to_owned(), Hook::default());
    }

    /// What the function answers next, without doing anything, before it does as it is asked again.
    pub fn hook_answers(&self, name: &str, answers: impl IntoIterator<Item = HookAnswer>) {
        if let Some(hook) = lock(&self.state).hooks.get_mut(name) {
            hook.answers.extend(answers);
        }
    }

    /// Whether what the function does is done, and not taken back.
    pub fn hook_done(&self, name: &str) -> bool {
        lock(&self.state).hooks.get(name).is_some_and(|hook| hook.done)
    }

    /// Everything that the function was sent.
    pub fn hook_events(&self, name: &str) -> Vec<Value> {
        let state = lock(&self.state);
        state
            .hooks
            .get(name)
            .map(|hook| hook.events.clone())
            .unwrap_or_default()
    }
}

#[async_trait]
impl Hooks for FakeCloud {
    async fn ask(&self, _: Option<&str>, function: &HookFunction, event: &Value) -> Result<HookAnswer, CallError> {
        let reply = self.reach("hooks.ask").await?;
        let (answer, before, after) = {
            let mut state = lock(&self.state);
            let hook = state.hooks.get_mut(&function.name);
            let hook = hook.ok_or_else(|| not_found("function", &function.name))?;
            hook.events.push(event.clone());
            let before = hook.done;
            let answer = match hook.answers.pop_front() {
                Some(answer) => answer,
                None => {
                    let key = event["idempotency_key"].as_str().unwrap_or_default().to_owned();
                    if hook.known.insert(key) {
                        hook.done = event["direction"] == "forward";
                    }
                    HookAnswer::Done {
                        detail: Some("as asked".into()),
                    }
                }
            };
            (answer, before, hook.done)
        };
        let state = |done| ResourceState::Hook { done };
        self.record("hooks.ask", &function.name, state(before), state(after), true);
        reply.give("hooks.ask", answer)
    }
}
