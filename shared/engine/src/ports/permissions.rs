//! IAM: what the executor's own role allows.

use super::CallError;
use async_trait::async_trait;
use std::collections::BTreeMap;

/// The account that Understudy runs in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// `aws`, `aws-cn`, …
    pub partition: String,
    /// Its twelve digits.
    pub id: String,
    /// Understudy's own Region.
    pub region: String,
}

impl Account {
    /// The ARN of a resource of this account; without a Region, in Understudy's own.
    pub fn arn(&self, service: &str, region: Option<&str>, resource: &str) -> String {
        let region = region.unwrap_or(&self.region);
        format!("arn:{}:{service}:{region}:{}:{resource}", self.partition, self.id)
    }

    /// The ARN of a resource that belongs to no account's Region: a hosted zone.
    pub fn global_arn(&self, service: &str, resource: &str) -> String {
        format!("arn:{}:{service}:::{resource}", self.partition)
    }
}

/// One call that must be allowed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Permission {
    /// The action: `route53:ChangeResourceRecordSets`.
    pub action: &'static str,
    /// The resource's ARN, or `*` where AWS knows none.
    pub resource: String,
    /// The condition keys whose values are known, with them: `cloudwatch:namespace`.
    pub context: BTreeMap<String, String>,
    /// Whose tags the policies may ask for, where somebody can look.
    pub tags_of: Option<TagsOf>,
}

/// Something whose tags can be read.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TagsOf {
    /// A load balancer or a target group, by its ARN, in a Region.
    Balancing(Option<String>, String),
    /// An Auto Scaling group, by its name, in a Region.
    Group(Option<String>, String),
}

impl Permission {
    /// To make this call at this resource.
    pub fn new(action: &'static str, resource: impl Into<String>) -> Self {
        Self {
            action,
            resource: resource.into(),
            context: BTreeMap::new(),
            tags_of: None,
        }
    }

    /// The same, where this condition key has this value.
    #[must_use]
    pub fn with(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.context.insert(key.into(), value.into());
        self
    }

    /// The same, which may be granted by a tag of this.
    #[must_use]
    pub fn tagged(mut self, tags_of: TagsOf) -> Self {
        self.tags_of = Some(tags_of);
        self
    }
}

/// One call that is not allowed, or only under a condition that nobody looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// The call.
    pub permission: Permission,
    /// The condition keys whose value was not known, `aws:ResourceTag/understudy` for one. With none it is refused for sure.
    pub depends_on: Vec<String>,
}

/// The policy simulator of IAM.
#[async_trait]
pub trait Permissions: Send + Sync {
    /// The account.
    fn account(&self) -> &Account;
    /// Those of these calls that the executor's role would be refused.
    async fn refused(&self, calls: &[Permission]) -> Result<Vec<Refused>, CallError>;
}
