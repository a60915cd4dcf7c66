//! `rds_event_subscription`: RDS tells the plan's topic what happens to databases.
//!
//! A call makes a subscription, or changes its topic and its events; its sources would be changed one by one, so one that
//! tells of other databases is left as it is. RDS looks at the topic once a subscription is made, and says in its status if
//! it may not publish there.

use super::super::{
    Driver, Facts, Goal, Plane, Reading, StepPorts, foreign_state, own_topic, setup_tags, tagged_as_others,
};
use crate::actions::TAG;
use crate::ports::{Account, CallError, DatabaseSetup, Permission, SubscriptionFound};
use async_trait::async_trait;
use std::collections::BTreeMap;
use std::sync::Arc;
use understudy_core::plan::{Plan, RdsEventSubscription};
use understudy_core::state::{EventSubscription, ResourceState, wanted_events};

pub(in super::super) struct EventsDriver {
    setup: Arc<dyn DatabaseSetup>,
    plan: String,
    topic: Option<String>,
    step: RdsEventSubscription,
    region: Option<String>,
}

impl EventsDriver {
    pub(in super::super) fn new(
        ports: &StepPorts,
        plan: &Plan,
        step: RdsEventSubscription,
        region: Option<String>,
    ) -> Self {
        Self {
            setup: ports.database_setup.clone(),
            plan: plan.name.clone(),
            topic: own_topic(ports, plan, region.as_deref()),
            step,
            region,
        }
    }

    fn tags(&self) -> BTreeMap<String, String> {
        setup_tags(&self.plan, &self.step.common.name).into_iter().collect()
    }

    fn refusal(&self, found: &SubscriptionFound, wanted: &EventSubscription) -> Option<String> {
        let field = found.subscription.unchangeable(wanted)?;
        let name = &self.step.subscription_name;
        Some(format!(
            "event subscription {name} {}: other {field} than the plan states, which could not be changed in one call; it was \
             left as it is. Tear it down first, or give the step's subscription another name",
            found.subscription.sentence()
        ))
    }
}

fn subscriptions<'a>(
    from: &'a ResourceState,
    into: &'a ResourceState,
) -> Option<(Option<&'a EventSubscription>, Option<&'a EventSubscription>)> {
    match (from, into) {
        (
            ResourceState::RdsEventSubscription { subscription: from },
            ResourceState::RdsEventSubscription { subscription: into },
        ) => Some((from.as_ref(), into.as_ref())),
        _ => None,
    }
}

#[async_trait]
impl Driver for EventsDriver {
    fn facts(&self) -> Facts {
        Facts {
            plane: Plane::Control,
            reads: &["rds:DescribeEventSubscriptions", "rds:ListTagsForResource"],
            changes: &[
                "rds:CreateEventSubscription",
                "rds:AddTagsToResource",
                "rds:ModifyEventSubscription",
                "rds:DeleteEventSubscription",
            ],
        }
    }

    async fn read(&self, _goal: &Goal) -> Result<Reading, CallError> {
        let name = &self.step.subscription_name;
        let found = self.setup.subscription(self.region.as_deref(), name).await?;
        let wanted = self.topic.as_ref().map(|topic| wanted_events(&self.step, topic));
        let no_topic = wanted.is_none().then(|| {
            format!(
                "event subscription {name}: there is no topic in its Region to tell: the plan names none, and the stack's own \
                 is elsewhere; nothing was changed. Give the plan a topic_arn there, or leave the step out"
            )
        });
        let other = found
            .as_ref()
            .zip(wanted.as_ref())
            .and_then(|(found, wanted)| self.refusal(found, wanted));
        let current = found.as_ref().map(|found| found.subscription.clone());
        let wanted = wanted.or_else(|| current.clone());
        let state = |subscription| ResourceState::RdsEventSubscription { subscription };
        let reading = Reading::of_change(state(current), state(wanted)).blocked_by(no_topic.or(other));
        let Some(found) = found else {
            return Ok(reading);
        };
        let said = format!("event subscription {name} is {}", found.status);
        Ok(match found.status.as_str() {
            "active" => reading,
            "creating" | "modifying" | "deleting" => {
                reading.held_by(Some(format!("{said}; waiting until that is over")))
            }
            _ => {
                let note = format!("{said}: RDS can not publish to {}", found.subscription.topic_arn);
                reading.opened(false, note)
            }
        })
    }

    async fn change(
        &self,
        from: &ResourceState,
        into: &ResourceState,
        _comment: &str,
    ) -> Result<Option<String>, CallError> {
        let (region, name) = (self.region.as_deref(), &self.step.subscription_name);
        match subscriptions(from, into) {
            Some((from, Some(into))) => {
                self.setup
                    .put_subscription(region, name, from, into, &self.tags())
                    .await?
            }
            Some((Some(from), None)) => self.setup.delete_subscription(region, name, from).await?,
            Some((None, None)) => {}
            None => return Err(foreign_state("rds_event_subscription")),
        }
        Ok(None)
    }

    fn not_ours(&self, current: &ResourceState, into: &ResourceState) -> Option<String> {
        let (Some(found), None) = subscriptions(current, into)? else {
            return None;
        };
        tagged_as_others("the event subscription", &self.plan, found.made_by.as_deref())
    }

    fn permissions(&self, _goal: &Goal, account: &Account) -> Vec<Permission> {
        let resource = format!("es:{}", self.step.subscription_name);
        let arn = account.arn("rds", self.region.as_deref(), &resource);
        let ask = |action: &'static &'static str| {
            let key = match *action {
                "rds:CreateEventSubscription" | "rds:AddTagsToResource" => "aws:RequestTag",
                _ => "aws:ResourceTag",
            };
            Permission::new(action, &arn).with(format!("{key}/{TAG}"), &self.plan)
        };
        self.facts().changes.iter().map(ask).collect()
    }

    fn calls(&self, from: &ResourceState, into: &ResourceState) -> Vec<String> {
        let name = &self.step.subscription_name;
        match subscriptions(from, into) {
            Some((None, Some(into))) => vec![format!(
                "rds:CreateEventSubscription {name}: {}, Tags={:?}",
                into.parameters(),
                self.tags()
            )],
            // Of the sources it is told the type, and that they are the same is a condition of making it.
            Some((Some(_), Some(into))) => {
                let told = EventSubscription {
                    source_ids: Vec::new(),
                    ..into.clone()
                };
                vec![format!("rds:ModifyEventSubscription {name}: {}", told.parameters())]
            }
            _ => vec![format!("rds:DeleteEventSubscription {name}")],
        }
    }
}
