//! Whose account the resources of a plan are in.
//!
//! Understudy works in one account: neither does a role of one account reach into another by itself, nor do load balancers,
//! databases and alarms of two belong together. So an ARN of another account in a plan is a slip of the hand, and what AWS
//! answers to it (access denied, or not found) does not say so.

use super::Plan;
use serde_json::Value;

/// An ARN of another account, in a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForeignArn {
    /// Where the plan names it: `steps[0].listener_arn`.
    pub path: String,
    /// The name of the step or probe that does.
    pub owner: String,
    /// The ARN.
    pub arn: String,
    /// The account that is in it.
    pub account: String,
}

impl ForeignArn {
    /// What people are told, of the account that they meant.
    pub fn sentence(&self, own: &str) -> String {
        format!(
            "{} is in account {}, and Understudy works in {own} alone, where its roles are; correct the ARN, or deploy \
             Understudy into that account",
            self.arn, self.account
        )
    }
}

impl Plan {
    /// Every ARN of another account that its steps, its setup or its probes name.
    ///
    /// Functions and keys are left out: those of other accounts may be shared with this one.
    pub fn of_other_accounts(&self, own: &str) -> Vec<ForeignArn> {
        let written = serde_json::to_value(self).unwrap_or_default();
        let mut found = Vec::new();
        for list in ["steps", "setup", "probes"] {
            let elements = written.get(list).and_then(Value::as_array).into_iter().flatten();
            for (index, element) in elements.enumerate() {
                let text = |key: &str| element.get(key).and_then(Value::as_str).unwrap_or_default();
                if text("kind") != "invoke" {
                    look(element, &format!("{list}[{index}]"), text("name"), own, &mut found);
                }
            }
        }
        found
    }
}

fn look(value: &Value, path: &str, owner: &str, own: &str, found: &mut Vec<ForeignArn>) {
    match value {
        Value::String(text) => {
            if let Some(account) = account_of(text).filter(|account| *account != own) {
                found.push(ForeignArn {
                    path: path.to_owned(),
                    owner: owner.to_owned(),
                    arn: text.clone(),
                    account: account.to_owned(),
                });
            }
        }
        Value::Array(elements) => {
            for (index, element) in elements.iter().enumerate() {
                look(element, &format!("{path}[{index}]"), owner, own, found);
            }
        }
        Value::Object(fields) => {
            // A mapping's key may be an ARN, too: an endpoint of an accelerator's group.
            for (key, value) in fields.iter().filter(|(key, _)| *key != "kms_key_id") {
                let path = format!("{path}.{key}");
                look(&Value::String(key.clone()), &path, owner, own, found);
                look(value, &path, owner, own, found);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

// The account in an ARN: its fifth part, where there is one.
fn account_of(text: &str) -> Option<&str> {
    let account = text.strip_prefix("arn:")?.split(':').nth(3)?;
    let is_account = account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit());
    is_account.then_some(account)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_has_an_account_is_of_one() {
        assert_eq!(
            account_of("arn:aws:rds:eu-west-1:123456789012:db:shop"),
            Some("123456789012")
        );
        for none in [
            "arn:aws:route53:::hostedzone/Z1",
            "shop",
            "arn:",
            "arn:aws:rds:eu-west-1:me:db:shop",
        ] {
            assert_eq!(account_of(none), None, "{none}");
        }
    }
}
