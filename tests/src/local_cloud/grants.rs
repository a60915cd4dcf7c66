//! Were the functions allowed to do what they did?
//!
//! ministack refuses what a role does not grant; moto lets everything through. So each call of a
//! deployed role that went to moto is taken from the proxy's record, mapped to the permission
//! that AWS would ask for, and put to ministack's policy simulator with the deployed role.

use std::collections::BTreeSet;

use understudy_testkit::proxy::CallRecord;

use super::error::CloudError;
use super::{ACCOUNT, Deployment, LocalCloud, REGION, raw};

/// A permission that a function used and that its deployed role does not grant.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Denied {
    /// The role.
    pub role_name: String,
    /// The IAM action, for example `elasticloadbalancing:ModifyListener`.
    pub action: String,
    /// The resource's ARN, or `*`.
    pub resource: String,
}

/// The result of a check.
#[derive(Clone, Debug, Default)]
pub struct GrantCheck {
    /// How many different (role, action, resource) were asked about. None is not a success.
    pub checked: usize,
    /// Those that the deployed roles do not grant.
    pub denied: Vec<Denied>,
}

impl LocalCloud {
    /// Checks every recorded call of the deployment's functions to moto against their roles.
    ///
    /// # Errors
    /// When the policy simulator does not answer.
    pub async fn check_grants(&self, deployment: &Deployment) -> Result<GrantCheck, CloudError> {
        let mut used = BTreeSet::new();
        for call in self.proxy().calls() {
            if call.upstream == "moto" {
                for (action, resource) in permissions(&call) {
                    let role_name = call.caller.clone().unwrap_or_default();
                    used.insert(Denied {
                        role_name,
                        action,
                        resource,
                    });
                }
            }
        }
        let mut check = GrantCheck::default();
        for permission in used {
            let mut functions = deployment.functions.values();
            let Some(function) = functions.find(|f| f.role_name == permission.role_name) else {
                // The operator's own calls, and those of other stacks.
                continue;
            };
            check.checked += 1;
            if !self
                .simulate(&function.role_arn, &permission.action, &permission.resource)
                .await?
            {
                check.denied.push(permission);
            }
        }
        Ok(check)
    }

    /// Asks the policy simulator whether a role may do something.
    ///
    /// # Errors
    /// When the simulator does not answer.
    pub async fn simulate(&self, role_arn: &str, action: &str, resource: &str) -> Result<bool, CloudError> {
        let parameters = [
            ("PolicySourceArn", role_arn),
            ("ActionNames.member.1", action),
            ("ResourceArns.member.1", resource),
        ];
        let endpoint = self.ministack_endpoint();
        let operation = "SimulatePrincipalPolicy";
        let xml = raw::query(endpoint, "iam", "2010-05-08", operation, &parameters).await?;
        Ok(raw::texts(&xml, "EvalDecision")
            .first()
            .is_some_and(|decision| decision == "allowed"))
    }

    /// Every recorded call, of anybody, that was refused for want of a permission.
    pub fn access_denied_calls(&self) -> Vec<CallRecord> {
        let denied = |call: &CallRecord| {
            call.error_code().is_some_and(|code| {
                code.starts_with("AccessDenied")
                    || [
                        "UnauthorizedOperation",
                        "AuthorizationError",
                        "AuthorizationErrorException",
                    ]
                    .contains(&code)
            })
        };
        self.proxy().calls().into_iter().filter(denied).collect()
    }
}

/// The permissions that AWS asks for before it carries out a call: action and resource.
fn permissions(call: &CallRecord) -> Vec<(String, String)> {
    // The signing names of the services that moto answers for are their IAM prefixes too.
    let action = format!("{}:{}", call.service.as_deref().unwrap_or("unknown"), call.operation);
    let resources: Vec<String> = match (call.service.as_deref(), call.operation.as_str()) {
        // No resource-level permissions for these reads.
        (Some("ec2" | "elasticloadbalancing" | "autoscaling"), operation) if operation.starts_with("Describe") => {
            Vec::new()
        }
        (Some("rds"), _) => {
            let prefix = format!("arn:aws:rds:{REGION}:{ACCOUNT}");
            if call.resources.is_empty() {
                vec![format!("{prefix}:db:*")]
            } else {
                call.resources
                    .iter()
                    .map(|name| format!("{prefix}:db:{name}"))
                    .collect()
            }
        }
        _ => call
            .resources
            .iter()
            .filter(|name| name.starts_with("arn:"))
            .cloned()
            .collect(),
    };
    if resources.is_empty() {
        return vec![(action, "*".to_owned())];
    }
    resources
        .into_iter()
        .map(|resource| (action.clone(), resource))
        .collect()
}
