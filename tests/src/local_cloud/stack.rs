//! CloudFormation stacks beside the deployed one: what a plan fails over comes from templates too.
//!
//! Each emulator has a CloudFormation of its own, which makes things in that emulator only. So a stack is made
//! where its resources live, past the proxy: a call's signature can say `cloudformation`, but not whose.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use super::error::CloudError;
use super::{LocalCloud, REGION, checkout, raw};

/// The API version of CloudFormation's Query protocol.
const VERSION: &str = "2010-05-15";

/// How long a stack may take on a busy machine. On an idle one it is below a second.
const STACK_DEADLINE: Duration = Duration::from_secs(60);

/// Key to value, as `Outputs` of the template names them.
pub type Outputs = BTreeMap<String, String>;

/// Whose CloudFormation makes a stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StackHome {
    /// moto: load balancers, instances, networks, databases.
    Moto,
    /// ministack: everything else.
    Ministack,
}

impl LocalCloud {
    /// Makes a stack of a template of this checkout, waits until it is there, and returns its outputs.
    ///
    /// # Errors
    /// When the template can not be read, or the stack is refused or does not come to `CREATE_COMPLETE`; the error
    /// says which resource failed and why. What was made of it stays until the cloud is stopped.
    pub async fn create_stack(
        &self,
        home: StackHome,
        stack: &str,
        template: &str,
        parameters: &[(&str, &str)],
    ) -> Result<Outputs, CloudError> {
        let endpoint = match home {
            StackHome::Moto => self.moto_endpoint(),
            StackHome::Ministack => self.ministack_endpoint(),
        };
        let body = read(&checkout().join(template))?;
        let mut call = vec![
            ("StackName".to_owned(), stack),
            ("TemplateBody".to_owned(), body.as_str()),
            // For the role of a function; asked for by who checks it, and of no harm to the others.
            ("Capabilities.member.1".to_owned(), "CAPABILITY_IAM"),
        ];
        for (position, (key, value)) in parameters.iter().enumerate() {
            let member = format!("Parameters.member.{}", position + 1);
            call.push((format!("{member}.ParameterKey"), key));
            call.push((format!("{member}.ParameterValue"), value));
        }
        let call: Vec<(&str, &str)> = call.iter().map(|(name, value)| (name.as_str(), *value)).collect();
        raw::query(endpoint, "cloudformation", VERSION, "CreateStack", &call).await?;
        wait_until_complete(endpoint, stack, template).await?;
        outputs(endpoint, REGION, stack).await
    }
}

/// The outputs of a stack that is there.
pub(super) async fn outputs(endpoint: &str, region: &str, stack: &str) -> Result<Outputs, CloudError> {
    let xml = ask(endpoint, region, "DescribeStacks", stack).await?;
    let values = raw::texts(&xml, "OutputValue");
    Ok(raw::texts(&xml, "OutputKey").into_iter().zip(values).collect())
}

/// Logical id to (type, physical id) of every resource of a stack.
pub(super) async fn resources(
    endpoint: &str,
    region: &str,
    stack: &str,
) -> Result<BTreeMap<String, (String, String)>, CloudError> {
    let xml = ask(endpoint, region, "DescribeStackResources", stack).await?;
    let kinds = raw::texts(&xml, "ResourceType");
    let physical = raw::texts(&xml, "PhysicalResourceId");
    Ok(raw::texts(&xml, "LogicalResourceId")
        .into_iter()
        .zip(kinds.into_iter().zip(physical))
        .collect())
}

/// One output, by its name.
///
/// # Errors
/// When there is none of that name; lists those that there are.
pub fn output<'a>(outputs: &'a Outputs, stack: &str, name: &str) -> Result<&'a str, CloudError> {
    outputs.get(name).map(String::as_str).ok_or_else(|| {
        let known: Vec<&str> = outputs.keys().map(String::as_str).collect();
        CloudError::missing(
            format!("the output {name} of stack {stack}"),
            format!("not there; it has {}", known.join(", ")),
        )
    })
}

async fn wait_until_complete(endpoint: &str, stack: &str, template: &str) -> Result<(), CloudError> {
    let begun = Instant::now();
    loop {
        let xml = ask(endpoint, REGION, "DescribeStacks", stack).await?;
        let status = raw::texts(&xml, "StackStatus").into_iter().next().unwrap_or_default();
        let under_way = status.ends_with("IN_PROGRESS") && begun.elapsed() < STACK_DEADLINE;
        if status == "CREATE_COMPLETE" {
            return Ok(());
        }
        if !under_way {
            let mut reasons = raw::texts(&xml, "StackStatusReason");
            let events = ask(endpoint, REGION, "DescribeStackEvents", stack).await?;
            reasons.extend(raw::texts(&events, "ResourceStatusReason"));
            return Err(CloudError::missing(
                format!("the stack {stack} of {template}"),
                format!("{status}: {}", reasons.join("; ")),
            ));
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn ask(endpoint: &str, region: &str, action: &str, stack: &str) -> Result<String, CloudError> {
    let named = [("StackName", stack)];
    raw::query_in(region, endpoint, "cloudformation", VERSION, action, &named).await
}

fn read(path: &Path) -> Result<String, CloudError> {
    std::fs::read_to_string(path).map_err(CloudError::system(format!("reading the template {}", path.display())))
}
