//! IAM's policy simulator: what the executor's own role would be refused.
//!
//! It evaluates policies without making the call, and does not look at resources: what conditions ask about (tags, a
//! namespace) it has to be told. What it was not told it names as missing keys, and that is passed on (IAM API Reference,
//! "SimulatePrincipalPolicy").

use crate::config::{AwsConfig, Regional, Usage};
use crate::failure::{Codes, Effect, explain};
use async_trait::async_trait;
use aws_sdk_iam::Client;
use aws_sdk_iam::types::{ContextEntry, ContextKeyTypeEnum, EvaluationResult, PolicyEvaluationDecisionType};
use std::collections::BTreeMap;
use understudy_core::event::excerpt;
use understudy_engine::actions::repeated;
use understudy_engine::ports::{Account, CallError, CallErrorKind, Permission, Permissions, Refused};

const CODES: Codes = Codes {
    not_found: &["NoSuchEntity"],
    retryable: repeated::IAM,
};

/// The policy simulator, asked about one role.
pub struct PolicySimulator {
    clients: Regional<Client>,
    role_arn: String,
    account: Account,
}

impl PolicySimulator {
    /// Asks about this role; `region` is Understudy's own.
    ///
    /// # Errors
    /// A sentence, if that is not the ARN of a role.
    pub fn new(config: &AwsConfig, role_arn: String, region: String) -> Result<Self, String> {
        let account = account_of(&role_arn, region)?;
        Ok(Self {
            clients: Regional::new(config, Usage::Reads, Client::new),
            role_arn,
            account,
        })
    }

    // All actions of one resource, of which the same is known: what the answer says of an action is then about that alone.
    async fn ask(&self, calls: &[&Permission]) -> Result<Vec<Refused>, CallError> {
        let Some(first) = calls.first() else {
            return Ok(Vec::new());
        };
        let resource = &first.resource;
        let entries = first.context.iter().map(|(key, value)| {
            ContextEntry::builder()
                .context_key_name(key)
                .context_key_type(ContextKeyTypeEnum::String)
                .context_key_values(value)
                .build()
        });
        let entries: Vec<ContextEntry> = entries.collect();
        let doing = format!("asking what {} may do to {resource}", self.role_arn);
        let answer = self
            .clients
            .client(None)
            .simulate_principal_policy()
            .policy_source_arn(&self.role_arn)
            .set_action_names(Some(calls.iter().map(|call| call.action.to_owned()).collect()))
            .resource_arns(resource)
            .set_context_entries((!entries.is_empty()).then_some(entries))
            .send()
            .await
            .map_err(|error| explain(&doing, Effect::Reads, CODES, &error))?;
        if answer.is_truncated() {
            let message = format!("{doing}: the answer is longer than one page; nothing was concluded");
            return Err(CallError::new(CallErrorKind::Retryable, message));
        }
        let results = answer.evaluation_results();
        let judged = calls.iter().filter_map(|call| {
            let result = results.iter().find(|result| result.eval_action_name() == call.action);
            let depends_on = refusal(result?)?;
            Some(Refused {
                permission: (*call).clone(),
                depends_on,
            })
        });
        Ok(judged.collect())
    }
}

// Nothing if it is allowed; else the condition keys on which it hangs.
fn refusal(result: &EvaluationResult) -> Option<Vec<String>> {
    if *result.eval_decision() == PolicyEvaluationDecisionType::Allowed {
        return None;
    }
    let specific = result.resource_specific_results().iter();
    let missing = specific.flat_map(|specific| specific.missing_context_values());
    let mut keys: Vec<String> = result.missing_context_values().iter().chain(missing).cloned().collect();
    keys.sort();
    keys.dedup();
    Some(keys)
}

/// The account that a role is of.
///
/// # Errors
/// A sentence, if that is not the ARN of a role.
pub fn account_of(role_arn: &str, region: String) -> Result<Account, String> {
    let parts: Vec<&str> = role_arn.splitn(6, ':').collect();
    match parts.as_slice() {
        ["arn", partition, "iam", "", id, role] if role.starts_with("role/") => Ok(Account {
            partition: (*partition).to_owned(),
            id: (*id).to_owned(),
            region,
        }),
        _ => Err(format!("`{}` is not the ARN of a role", excerpt(role_arn))),
    }
}

#[async_trait]
impl Permissions for PolicySimulator {
    fn account(&self) -> &Account {
        &self.account
    }

    async fn refused(&self, calls: &[Permission]) -> Result<Vec<Refused>, CallError> {
        let mut by_resource: BTreeMap<_, Vec<&Permission>> = BTreeMap::new();
        for call in calls {
            by_resource
                .entry((&call.resource, &call.context))
                .or_default()
                .push(call);
        }
        let mut refused = Vec::new();
        // One after another: IAM allows few calls a second, and nobody waits for this.
        for calls in by_resource.values() {
            refused.extend(self.ask(calls).await?);
        }
        Ok(refused)
    }
}
