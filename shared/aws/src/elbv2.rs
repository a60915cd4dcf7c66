//! Traffic on Elastic Load Balancing: the weights of one forward action, and the targets of one group.
//!
//! The API replaces a listener's or a rule's whole list of actions, and has no version to compare. So
//! [`Traffic::set_weights`] reads the list, compares the weights with those that its caller expects, edits
//! the one forward action and writes all the others back as they were read. Two things would be lost that
//! way, and are not:
//!
//! - the client secret of an `authenticate-oidc` action, which the API never tells: it is told to keep the
//!   one it has;
//! - an action of a kind that this SDK does not know: its configuration can not be written back, so nothing
//!   is written at all.

mod health_check;

use crate::config::{AwsConfig, Regional, Usage, attempts_alone};
use crate::failure::{Codes, Effect, explain, within_one_call};
use async_trait::async_trait;
use aws_sdk_elasticloadbalancingv2::Client;
use aws_sdk_elasticloadbalancingv2::config::Builder;
use aws_sdk_elasticloadbalancingv2::types::{
    Action, ActionTypeEnum, ForwardActionConfig, TargetDescription, TargetGroupTuple,
};
use std::collections::BTreeMap;
use understudy_core::event::excerpt;
use understudy_core::plan::TargetId;
use understudy_core::state::{HealthCheck, TargetWeight};
use understudy_engine::ports::{Balanced, CallError, CallErrorKind, ForwardTarget, Target, Traffic};

const CODES: Codes = Codes {
    not_found: &[
        "ListenerNotFound",
        "RuleNotFound",
        "TargetGroupNotFound",
        "LoadBalancerNotFound",
    ],
    retryable: &[],
};

/// The attribute of a target group that says for how long a deregistered target drains.
const DRAINS_SECONDS: &str = "deregistration_delay.timeout_seconds";

/// Load balancers.
pub struct ElbTraffic {
    reading: Regional<Client>,
    changing: Regional<Client>,
}

impl ElbTraffic {
    /// Load balancers of every Region that this configuration reaches.
    pub fn new(config: &AwsConfig) -> Self {
        Self {
            reading: Regional::new(config, Usage::Reads, |sdk| {
                Client::from_conf(Builder::from(sdk).retry_partition(attempts_alone()).build())
            }),
            changing: Regional::new(config, Usage::Changes, Client::new),
        }
    }

    /// The whole list of actions, as it is now.
    async fn actions(
        &self,
        region: Option<&str>,
        target: &ForwardTarget,
        doing: &str,
    ) -> Result<Vec<Action>, CallError> {
        let client = self.reading.client(region);
        let actions = match target {
            ForwardTarget::Listener(arn) => client
                .describe_listeners()
                .listener_arns(arn)
                .send()
                .await
                .map_err(|error| explain(doing, Effect::Reads, CODES, &error))?
                .listeners
                .unwrap_or_default()
                .pop()
                .map(|listener| listener.default_actions.unwrap_or_default()),
            ForwardTarget::Rule(arn) => client
                .describe_rules()
                .rule_arns(arn)
                .send()
                .await
                .map_err(|error| explain(doing, Effect::Reads, CODES, &error))?
                .rules
                .unwrap_or_default()
                .pop()
                .map(|rule| rule.actions.unwrap_or_default()),
        };
        actions.ok_or_else(|| {
            CallError::new(
                CallErrorKind::NotFound,
                format!("{doing}: there is no such resource; nothing was changed"),
            )
        })
    }

    /// Replaces the whole list of actions. Sent once.
    async fn write_actions(
        &self,
        region: Option<&str>,
        target: &ForwardTarget,
        actions: Vec<Action>,
        doing: &str,
    ) -> Result<(), CallError> {
        let client = self.changing.client(region);
        match target {
            ForwardTarget::Listener(arn) => client
                .modify_listener()
                .listener_arn(arn)
                .set_default_actions(Some(actions))
                .send()
                .await
                .map(drop)
                .map_err(|error| explain(doing, Effect::Changes, CODES, &error)),
            ForwardTarget::Rule(arn) => client
                .modify_rule()
                .rule_arn(arn)
                .set_actions(Some(actions))
                .send()
                .await
                .map(drop)
                .map_err(|error| explain(doing, Effect::Changes, CODES, &error)),
        }
    }
}

#[async_trait]
impl Traffic for ElbTraffic {
    async fn weights(&self, region: Option<&str>, target: &ForwardTarget) -> Result<Vec<TargetWeight>, CallError> {
        let doing = format!("reading the weights of {}", name(target));
        let actions = self.actions(region, target, &doing).await?;
        Ok(weights_of(&actions[forward(&actions, &doing)?]))
    }

    async fn group_stickiness(&self, region: Option<&str>, target: &ForwardTarget) -> Result<Option<u32>, CallError> {
        let doing = format!("reading the stickiness of {}", name(target));
        let actions = self.actions(region, target, &doing).await?;
        let config = actions[forward(&actions, &doing)?].forward_config();
        let sticky = config.and_then(ForwardActionConfig::target_group_stickiness_config);
        let sticky = sticky.filter(|sticky| sticky.enabled() == Some(true));
        let seconds = sticky.map(|sticky| sticky.duration_seconds().unwrap_or_default());
        Ok(seconds.map(|seconds| u32::try_from(seconds).unwrap_or_default()))
    }

    async fn set_weights(
        &self,
        region: Option<&str>,
        target: &ForwardTarget,
        expected: &[TargetWeight],
        wanted: &[TargetWeight],
    ) -> Result<(), CallError> {
        let doing = format!("setting the weights of {} to {}", name(target), sentence(wanted));
        within_one_call(&doing, async {
            let actions = edited(self.actions(region, target, &doing).await?, expected, wanted, &doing)?;
            self.write_actions(region, target, actions, &doing).await
        })
        .await
    }

    async fn targets(&self, region: Option<&str>, target_group_arn: &str) -> Result<Vec<Target>, CallError> {
        let doing = format!("reading the targets of {target_group_arn}");
        let answer = self
            .reading
            .client(region)
            .describe_target_health()
            .target_group_arn(target_group_arn)
            .send()
            .await
            .map_err(|error| explain(&doing, Effect::Reads, CODES, &error))?;
        Ok(answer
            .target_health_descriptions()
            .iter()
            .map(|described| {
                let health = described.target_health();
                Target {
                    id: described
                        .target()
                        .and_then(|target| target.id())
                        .unwrap_or_default()
                        .to_owned(),
                    port: described
                        .target()
                        .and_then(|target| target.port())
                        .and_then(|port| u16::try_from(port).ok()),
                    state: health
                        .and_then(|health| health.state())
                        .map_or("unavailable", |state| state.as_str())
                        .to_owned(),
                    reason: health
                        .and_then(|health| health.reason())
                        .map(|reason| reason.as_str().to_owned())
                        .unwrap_or_default(),
                }
            })
            .collect())
    }

    async fn deregistration_delay(&self, region: Option<&str>, target_group_arn: &str) -> Result<u32, CallError> {
        let doing = format!("reading the deregistration delay of {target_group_arn}");
        let answer = self
            .reading
            .client(region)
            .describe_target_group_attributes()
            .target_group_arn(target_group_arn)
            .send()
            .await
            .map_err(|error| explain(&doing, Effect::Reads, CODES, &error))?;
        let told = answer
            .attributes()
            .iter()
            .find(|attribute| attribute.key() == Some(DRAINS_SECONDS));
        let told = told.and_then(|attribute| attribute.value());
        // Not told of groups that have no such thing (those of Lambda functions): theirs do not drain.
        told.map_or(Ok(0), |told| {
            seconds(told).map_err(|why| {
                let message = format!("{doing}: {why}; nothing was changed");
                CallError::new(CallErrorKind::Refused, message)
            })
        })
    }

    async fn tags(&self, region: Option<&str>, arn: &str) -> Result<BTreeMap<String, String>, CallError> {
        let doing = format!("reading the tags of {arn}");
        let answer = self
            .reading
            .client(region)
            .describe_tags()
            .resource_arns(arn)
            .send()
            .await
            .map_err(|error| explain(&doing, Effect::Reads, CODES, &error))?;
        let found = answer.tag_descriptions().iter();
        let tags = found
            .filter(|found| found.resource_arn() == Some(arn))
            .flat_map(|found| found.tags());
        Ok(tags
            .map(|tag| {
                (
                    tag.key().unwrap_or_default().to_owned(),
                    tag.value().unwrap_or_default().to_owned(),
                )
            })
            .collect())
    }

    async fn register(
        &self,
        region: Option<&str>,
        target_group_arn: &str,
        targets: &[TargetId],
    ) -> Result<(), CallError> {
        let doing = format!("registering {} in {target_group_arn}", listed(targets));
        self.changing
            .client(region)
            .register_targets()
            .target_group_arn(target_group_arn)
            .set_targets(Some(targets.iter().map(description).collect()))
            .send()
            .await
            .map(drop)
            .map_err(|error| explain(&doing, Effect::Changes, CODES, &error))
    }

    async fn deregister(
        &self,
        region: Option<&str>,
        target_group_arn: &str,
        targets: &[TargetId],
    ) -> Result<(), CallError> {
        let doing = format!("deregistering {} from {target_group_arn}", listed(targets));
        self.changing
            .client(region)
            .deregister_targets()
            .target_group_arn(target_group_arn)
            .set_targets(Some(targets.iter().map(description).collect()))
            .send()
            .await
            .map(drop)
            .map_err(|error| explain(&doing, Effect::Changes, CODES, &error))
    }

    async fn balanced(&self, region: Option<&str>, name: &str) -> Result<Option<Balanced>, CallError> {
        let doing = format!("reading which load balancers forward to target group {name}");
        let answer = self
            .reading
            .client(region)
            .describe_target_groups()
            .names(name)
            .send()
            .await;
        let found = match answer.map_err(|error| explain(&doing, Effect::Reads, CODES, &error)) {
            Ok(found) => found.target_groups.unwrap_or_default().pop(),
            Err(error) if error.kind == CallErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        Ok(found.map(|group| Balanced {
            load_balancer_arns: group.load_balancer_arns().to_vec(),
            target_group_arn: group.target_group_arn.unwrap_or_default(),
        }))
    }

    async fn health_check(&self, region: Option<&str>, target_group_arn: &str) -> Result<HealthCheck, CallError> {
        let doing = format!("reading the health check of {target_group_arn}");
        self.read_health_check(region, target_group_arn, &doing).await
    }

    async fn set_health_check(
        &self,
        region: Option<&str>,
        target_group_arn: &str,
        expected: &HealthCheck,
        wanted: &HealthCheck,
    ) -> Result<(), CallError> {
        self.change_health_check(region, target_group_arn, expected, wanted)
            .await
    }
}

fn description(target: &TargetId) -> TargetDescription {
    TargetDescription::builder()
        .id(&target.id)
        .port(i32::from(target.port))
        .build()
}

fn listed(targets: &[TargetId]) -> String {
    let words: Vec<String> = targets
        .iter()
        .map(|target| format!("{}:{}", target.id, target.port))
        .collect();
    words.join(", ")
}

/// The list with its forward action edited, if it is as expected.
fn edited(
    mut actions: Vec<Action>,
    expected: &[TargetWeight],
    wanted: &[TargetWeight],
    doing: &str,
) -> Result<Vec<Action>, CallError> {
    let refused = |problem: String| {
        CallError::new(
            CallErrorKind::Refused,
            format!("{doing}: {problem}; nothing was changed"),
        )
    };
    if let Some(unknown) = actions.iter().find(|action| !is_known(action)) {
        let kind = unknown.r#type().map_or("none", |kind| kind.as_str());
        return Err(refused(format!(
            "one of its actions is of the kind {kind}, which this version of Understudy can not write back; change the \
             weights by hand or deploy a newer version"
        )));
    }
    let index = forward(&actions, doing)?;
    let found = weights_of(&actions[index]);
    if !same(&found, expected) {
        return Err(CallError::new(
            CallErrorKind::Conflict,
            format!(
                "{doing}: found {} where {} was expected, so somebody else changed it; nothing was changed",
                sentence(&found),
                sentence(expected)
            ),
        ));
    }
    let mut groups = Vec::new();
    let kept = found
        .iter()
        .filter_map(|old| wanted.iter().find(|new| new.target_group_arn == old.target_group_arn));
    let added = wanted
        .iter()
        .filter(|new| !found.iter().any(|old| old.target_group_arn == new.target_group_arn));
    for group in kept.chain(added) {
        let weight = i32::try_from(group.weight).ok().filter(|weight| *weight <= 999);
        let weight = weight.ok_or_else(|| refused(format!("a weight is 0 to 999, not {}", group.weight)))?;
        groups.push(
            TargetGroupTuple::builder()
                .target_group_arn(&group.target_group_arn)
                .weight(weight)
                .build(),
        );
    }
    let action = &mut actions[index];
    // Beside a configuration with several groups a single group is invalid.
    action.target_group_arn = None;
    let stickiness = action
        .forward_config
        .take()
        .and_then(|config| config.target_group_stickiness_config);
    action.forward_config = Some(
        ForwardActionConfig::builder()
            .set_target_groups(Some(groups))
            .set_target_group_stickiness_config(stickiness)
            .build(),
    );
    for oidc in actions
        .iter_mut()
        .filter_map(|action| action.authenticate_oidc_config.as_mut())
    {
        if oidc.client_secret.is_none() {
            oidc.use_existing_client_secret = Some(true);
        }
    }
    Ok(actions)
}

fn is_known(action: &Action) -> bool {
    action
        .r#type()
        .is_some_and(|kind| ActionTypeEnum::values().contains(&kind.as_str()))
}

/// The index of the one forward action.
fn forward(actions: &[Action], doing: &str) -> Result<usize, CallError> {
    let mut found = actions
        .iter()
        .enumerate()
        .filter(|(_, action)| action.r#type() == Some(&ActionTypeEnum::Forward));
    match (found.next(), found.next()) {
        (Some((index, _)), None) => Ok(index),
        (first, _) => {
            let count = if first.is_some() {
                "several forward actions"
            } else {
                "no forward action"
            };
            Err(CallError::new(
                CallErrorKind::Refused,
                format!(
                    "{doing}: it has {count} and must have one; nothing was changed; name a listener or rule that forwards"
                ),
            ))
        }
    }
}

fn weights_of(action: &Action) -> Vec<TargetWeight> {
    let groups = action
        .forward_config()
        .map(ForwardActionConfig::target_groups)
        .unwrap_or_default();
    if groups.is_empty() {
        let single = action.target_group_arn().map(|arn| TargetWeight {
            target_group_arn: arn.to_owned(),
            weight: 1,
        });
        return single.into_iter().collect();
    }
    groups
        .iter()
        .map(|group| TargetWeight {
            target_group_arn: group.target_group_arn().unwrap_or_default().to_owned(),
            // A group without a weight has the weight 1.
            weight: group
                .weight()
                .and_then(|weight| u32::try_from(weight).ok())
                .unwrap_or(1),
        })
        .collect()
}

fn same(left: &[TargetWeight], right: &[TargetWeight]) -> bool {
    let sorted = |weights: &[TargetWeight]| {
        let mut weights = weights.to_vec();
        weights.sort();
        weights
    };
    sorted(left) == sorted(right)
}

fn name(target: &ForwardTarget) -> String {
    match target {
        ForwardTarget::Listener(arn) => format!("listener {arn}"),
        ForwardTarget::Rule(arn) => format!("rule {arn}"),
    }
}

fn sentence(weights: &[TargetWeight]) -> String {
    let parts: Vec<String> = weights
        .iter()
        .map(|group| format!("{}={}", short(&group.target_group_arn), group.weight))
        .collect();
    if parts.is_empty() {
        "no target group".to_owned()
    } else {
        parts.join(" ")
    }
}

fn short(arn: &str) -> &str {
    arn.split_once(":targetgroup/")
        .and_then(|(_, rest)| rest.split('/').next())
        .unwrap_or(arn)
}

/// An attribute that is a number of seconds.
///
/// # Errors
/// A sentence, if it is none.
pub fn seconds(told: &str) -> Result<u32, String> {
    let unread = |_| format!("it is no number of seconds: `{}`", excerpt(told));
    told.parse().map_err(unread)
}
