//! Were the functions allowed to do what they did?
//!
//! ministack refuses what a role does not grant; moto lets everything through. So each call of a
//! deployed role that went to moto is taken from the proxy's record, mapped to the permission
//! that AWS would ask for, and put to ministack's policy simulator with the deployed role.
//!
//! The simulator looks at no resource, and so grants nothing that hangs on a tag. What it refuses is therefore asked
//! once more where the resource in moto does carry the tag: about the deployed policies without that condition.

use std::collections::BTreeSet;

use understudy_testkit::proxy::CallRecord;

use serde_json::{Value, json};

use super::error::CloudError;
use super::{ACCOUNT, Deployment, Function, LocalCloud, REGION, raw};

/// The API version of IAM's Query protocol.
const IAM_VERSION: &str = "2010-05-08";

/// What must be on a resource before the executor may change it, whatever its value.
const TAG: &str = "understudy";

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
            let Denied { action, resource, .. } = &permission;
            let granted = self.simulate(&function.role_arn, action, resource).await?
                || (self.is_tagged(resource).await?
                    && self.simulate_tagged(&function.role_name, action, resource).await?);
            if !granted {
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
        Ok(is_allowed(&self.iam("SimulatePrincipalPolicy", &parameters).await?))
    }

    /// Lets a function do on `*` what its deployed role grants on `resource`. ministack asks policies about `*` where it does
    /// not know how a call names its resource, and would refuse what AWS grants.
    ///
    /// # Errors
    /// When the deployed role does not grant one of the actions on that resource; nothing is widened then.
    pub async fn widen(&self, function: &Function, actions: &[&str], resource: &str) -> Result<(), CloudError> {
        for action in actions {
            if !self.simulate(&function.role_arn, action, resource).await? {
                let role = &function.role_name;
                return Err(CloudError::missing(
                    format!("the grant of {action} on {resource}"),
                    format!("{role} has none; nothing was widened"),
                ));
            }
        }
        let statement = json!({"Effect": "Allow", "Action": actions, "Resource": "*"});
        let document = json!({"Version": "2012-10-17", "Statement": [statement]}).to_string();
        let policy = [
            ("RoleName", function.role_name.as_str()),
            ("PolicyName", "where-the-emulator-knows-no-resource"),
            ("PolicyDocument", &document),
        ];
        self.iam("PutRolePolicy", &policy).await?;
        Ok(())
    }

    // Asks about the role's policies as if the resource had the tag: without that condition.
    async fn simulate_tagged(&self, role_name: &str, action: &str, resource: &str) -> Result<bool, CloudError> {
        let role = ("RoleName", role_name);
        let names = raw::texts(&self.iam("ListRolePolicies", &[role]).await?, "member");
        for name in names {
            let xml = self.iam("GetRolePolicy", &[role, ("PolicyName", &name)]).await?;
            let encoded = raw::texts(&xml, "PolicyDocument")
                .into_iter()
                .next()
                .unwrap_or_default();
            let policy = without_tag_condition(&encoded)
                .map_err(|error| CloudError::missing(format!("policy {name} of {role_name}"), error))?;
            let parameters = [
                ("PolicyInputList.member.1", policy.as_str()),
                ("ActionNames.member.1", action),
                ("ResourceArns.member.1", resource),
            ];
            if is_allowed(&self.iam("SimulateCustomPolicy", &parameters).await?) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    // Whether a group or a target group of moto carries the tag; of nothing else does a grant ask it here.
    async fn is_tagged(&self, resource: &str) -> Result<bool, CloudError> {
        let what = format!("the tags of {resource}");
        if let Some((_, name)) = resource.split_once(":autoScalingGroupName/") {
            let call = self.clients().autoscaling.describe_auto_scaling_groups();
            let found = call.auto_scaling_group_names(name).send().await;
            let found = found.map_err(CloudError::call(what))?;
            let mut tags = found.auto_scaling_groups().iter().flat_map(|group| group.tags());
            return Ok(tags.any(|tag| tag.key() == Some(TAG)));
        }
        if resource.contains(":targetgroup/") {
            let call = self.clients().elb.describe_tags().resource_arns(resource);
            let found = call.send().await.map_err(CloudError::call(what))?;
            let mut tags = found.tag_descriptions().iter().flat_map(|described| described.tags());
            return Ok(tags.any(|tag| tag.key() == Some(TAG)));
        }
        Ok(false)
    }

    async fn iam(&self, operation: &str, parameters: &[(&str, &str)]) -> Result<String, CloudError> {
        raw::query(self.ministack_endpoint(), "iam", IAM_VERSION, operation, parameters).await
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
        (Some("rds"), operation) => {
            let kind = if operation.contains("DBCluster") {
                "cluster"
            } else {
                "db"
            };
            let prefix = format!("arn:aws:rds:{REGION}:{ACCOUNT}:{kind}");
            if call.resources.is_empty() {
                vec![format!("{prefix}:*")]
            } else {
                call.resources.iter().map(|name| format!("{prefix}:{name}")).collect()
            }
        }
        // The unique part of a group's ARN is nothing that a policy could know.
        (Some("autoscaling"), _) => {
            let prefix = format!("arn:aws:autoscaling:{REGION}:{ACCOUNT}:autoScalingGroup");
            let names = call.resources.iter();
            names
                .map(|name| format!("{prefix}:00000000-0000-0000-0000-000000000000:autoScalingGroupName/{name}"))
                .collect()
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

fn is_allowed(xml: &str) -> bool {
    let decisions = raw::texts(xml, "EvalDecision");
    decisions.first().is_some_and(|decision| decision == "allowed")
}

// A policy, given as IAM gives it, without the condition that a tagged resource fulfils.
fn without_tag_condition(encoded: &str) -> Result<String, String> {
    // IAM encodes a document as a part of a URL, in which a plus is a plus.
    let escaped = encoded.replace('+', "%2B");
    let document = form_urlencoded::parse(escaped.as_bytes()).next();
    let document = document.map(|(name, _)| name.into_owned()).unwrap_or_default();
    let mut policy: Value = serde_json::from_str(&document).map_err(|error| format!("{error}: {document}"))?;
    let statements = policy["Statement"].as_array_mut().into_iter().flatten();
    for statement in statements.filter_map(Value::as_object_mut) {
        let holds = json!({"StringLike": {format!("aws:ResourceTag/{TAG}"): "*"}});
        if statement.get("Condition") == Some(&holds) {
            statement.remove("Condition");
        }
    }
    Ok(policy.to_string())
}
