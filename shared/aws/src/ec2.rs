//! EC2: status checks, starting and stopping, and the place of an address.
//!
//! `AssociateAddress` takes an address from wherever it is unless `AllowReassociation` is false, which it always is
//! here: the service itself refuses what somebody else has associated meanwhile. It says nothing about another address at
//! the destination, and disassociates that one to make room: so the call is preceded by a look. `DisassociateAddress` names
//! one association, so it can not end another one.

use crate::config::{AwsConfig, Regional, Usage};
use crate::failure::{Codes, Effect, explain, within_one_call};
use async_trait::async_trait;
use aws_sdk_ec2::Client;
use aws_sdk_ec2::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_ec2::types::{Address, Filter, InstanceStatusSummary};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use understudy_core::state::Association;
use understudy_engine::actions::repeated;
use understudy_engine::ports::{CallError, CallErrorKind, Compute, InstanceStatus, Rehearsal};

const CODES: Codes = Codes {
    not_found: &[
        "InvalidInstanceID.NotFound",
        "InvalidInstanceID.Malformed",
        "InvalidAllocationID.NotFound",
        "InvalidNetworkInterfaceID.NotFound",
    ],
    retryable: repeated::EC2,
};

/// What the service answers where somebody else was quicker.
const CONFLICTS: [&str; 2] = ["Resource.AlreadyAssociated", "InvalidAssociationID.NotFound"];

/// EC2 instances and addresses.
pub struct Ec2Compute {
    clients: Regional<Client>,
    changing: Regional<Client>,
}

impl Ec2Compute {
    /// Instances of every Region that this configuration reaches.
    pub fn new(config: &AwsConfig) -> Self {
        Self {
            clients: Regional::new(config, Usage::Reads, Client::new),
            changing: Regional::new(config, Usage::Changes, Client::new),
        }
    }

    async fn address(&self, region: Option<&str>, allocation_id: &str, doing: &str) -> Result<Address, CallError> {
        let answer = self
            .clients
            .client(region)
            .describe_addresses()
            .allocation_ids(allocation_id)
            .send()
            .await
            .map_err(|error| explain(doing, Effect::Reads, CODES, &error))?;
        answer.addresses.unwrap_or_default().pop().ok_or_else(|| {
            CallError::new(
                CallErrorKind::NotFound,
                format!("{doing}: there is no such address; nothing was changed"),
            )
        })
    }
}

// Whether `address` would have to go if another one came to `wanted`. Several private addresses of one interface may have
// an address each; without one named, the first is meant, and which that is is not told.
fn is_in_the_way(address: &Address, wanted: &Association) -> bool {
    let place = (&wanted.private_ip_address, address.private_ip_address());
    address.association_id().is_some() && !matches!(place, (Some(wanted), Some(found)) if wanted != found)
}

fn association_of(address: &Address) -> Option<Association> {
    address.association_id()?;
    Some(Association {
        instance_id: address.instance_id().filter(|id| !id.is_empty()).map(str::to_owned),
        network_interface_id: address.network_interface_id().map(str::to_owned),
        private_ip_address: address.private_ip_address().map(str::to_owned),
    })
}

/// What a call with `DryRun` is answered that would have been allowed.
const ALLOWED: &str = "DryRunOperation";

fn rehearsed<T, E>(doing: &str, answer: Result<T, SdkError<E, HttpResponse>>) -> Result<(), CallError>
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    match answer {
        Err(error) if error.code() == Some(ALLOWED) => Ok(()),
        Err(error) => Err(explain(doing, Effect::Reads, CODES, &error)),
        // Nobody should ever see this: the service has ignored `DryRun`.
        Ok(_) => Err(CallError::new(
            CallErrorKind::Refused,
            format!("{doing}: the service took it for the call itself; look at the resource"),
        )),
    }
}

// The service's word that the resource is not as it was read.
fn conflict_or<E: ProvideErrorMetadata>(error: &E, other: CallError) -> CallError {
    if error.code().is_some_and(|code| CONFLICTS.contains(&code)) {
        return CallError {
            kind: CallErrorKind::Conflict,
            ..other
        };
    }
    other
}

#[async_trait]
impl Compute for Ec2Compute {
    async fn instance_statuses(&self, region: Option<&str>, ids: &[String]) -> Result<Vec<InstanceStatus>, CallError> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let answer = self
            .clients
            .client(region)
            .describe_instance_status()
            .set_instance_ids(Some(ids.to_vec()))
            // Without it a stopped instance is not in the answer at all.
            .include_all_instances(true)
            .send()
            .await
            .map_err(|error| {
                explain(
                    &format!("reading the status of instance(s) {}", ids.join(", ")),
                    Effect::Reads,
                    CODES,
                    &error,
                )
            })?;
        let word = |summary: Option<&InstanceStatusSummary>| {
            summary
                .and_then(InstanceStatusSummary::status)
                .map_or("unknown", |status| status.as_str())
                .to_owned()
        };
        Ok(answer
            .instance_statuses()
            .iter()
            .map(|status| InstanceStatus {
                instance_id: status.instance_id().unwrap_or_default().to_owned(),
                state: status
                    .instance_state()
                    .and_then(|state| state.name())
                    .map_or("unknown", |name| name.as_str())
                    .to_owned(),
                instance_check: word(status.instance_status()),
                system_check: word(status.system_status()),
            })
            .collect())
    }

    // `DryRun` answers with an error in either case: which one says whether the call would have been allowed (Amazon EC2
    // API Reference, "Common query parameters").
    async fn rehearse(&self, region: Option<&str>, call: &Rehearsal) -> Result<(), CallError> {
        let client = self.clients.client(region);
        match call {
            Rehearsal::Start(ids) => {
                let tried = client
                    .start_instances()
                    .set_instance_ids(Some(ids.clone()))
                    .dry_run(true);
                rehearsed(
                    &format!("rehearsing the start of {}", ids.join(", ")),
                    tried.send().await,
                )
            }
            Rehearsal::Stop(ids) => {
                let tried = client
                    .stop_instances()
                    .set_instance_ids(Some(ids.clone()))
                    .dry_run(true);
                rehearsed(
                    &format!("rehearsing the stop of {}", ids.join(", ")),
                    tried.send().await,
                )
            }
            Rehearsal::Disassociate(allocation_id, expected) => {
                let doing = format!("rehearsing the disassociation of {allocation_id}");
                let address = self.address(region, allocation_id, &doing).await?;
                let found = association_of(&address).filter(|found| found.same_as(expected));
                let (Some(_), Some(association_id)) = (found, address.association_id()) else {
                    // Somebody is moving it just now: there is nothing to rehearse any more.
                    return Ok(());
                };
                let tried = client
                    .disassociate_address()
                    .association_id(association_id)
                    .dry_run(true);
                rehearsed(&doing, tried.send().await)
            }
            Rehearsal::Associate(allocation_id, wanted) => {
                let tried = client
                    .associate_address()
                    .allocation_id(allocation_id)
                    .set_instance_id(wanted.instance_id.clone())
                    .set_network_interface_id(wanted.network_interface_id.clone())
                    .set_private_ip_address(wanted.private_ip_address.clone())
                    // As in the call itself; else the answer would be about another one.
                    .allow_reassociation(false)
                    .dry_run(true);
                let doing = format!("rehearsing the association of {allocation_id}");
                rehearsed(&doing, tried.send().await)
            }
        }
    }

    async fn start(&self, region: Option<&str>, ids: &[String]) -> Result<(), CallError> {
        let doing = format!("starting instance(s) {}", ids.join(", "));
        self.changing
            .client(region)
            .start_instances()
            .set_instance_ids(Some(ids.to_vec()))
            .send()
            .await
            .map(drop)
            .map_err(|error| explain(&doing, Effect::Changes, CODES, &error))
    }

    async fn stop(&self, region: Option<&str>, ids: &[String]) -> Result<(), CallError> {
        let doing = format!("stopping instance(s) {}", ids.join(", "));
        self.changing
            .client(region)
            .stop_instances()
            .set_instance_ids(Some(ids.to_vec()))
            .send()
            .await
            .map(drop)
            .map_err(|error| explain(&doing, Effect::Changes, CODES, &error))
    }

    async fn association(&self, region: Option<&str>, allocation_id: &str) -> Result<Option<Association>, CallError> {
        let doing = format!("reading address {allocation_id}");
        self.address(region, allocation_id, &doing)
            .await
            .map(|address| association_of(&address))
    }

    async fn addresses_in_the_way(
        &self,
        region: Option<&str>,
        allocation_id: &str,
        wanted: &Association,
    ) -> Result<Vec<String>, CallError> {
        let doing = format!("looking for other addresses of {}", wanted.sentence());
        let (by, id) = match (&wanted.network_interface_id, &wanted.instance_id) {
            (Some(interface), _) => ("network-interface-id", interface),
            (None, Some(instance)) => ("instance-id", instance),
            (None, None) => return Ok(Vec::new()),
        };
        let answer = self
            .clients
            .client(region)
            .describe_addresses()
            .filters(Filter::builder().name(by).values(id).build())
            .send()
            .await
            .map_err(|error| explain(&doing, Effect::Reads, CODES, &error))?;
        let others = answer
            .addresses()
            .iter()
            .filter(|address| is_in_the_way(address, wanted));
        let others = others.filter_map(|address| address.allocation_id().or(address.public_ip()));
        Ok(others
            .filter(|other| *other != allocation_id)
            .map(str::to_owned)
            .collect())
    }

    async fn associate(
        &self,
        region: Option<&str>,
        allocation_id: &str,
        wanted: &Association,
    ) -> Result<(), CallError> {
        let doing = format!("associating address {allocation_id} with {}", wanted.sentence());
        within_one_call(&doing, async {
            let others = self.addresses_in_the_way(region, allocation_id, wanted).await?;
            if !others.is_empty() {
                let message = format!(
                    "{doing}: {} is there, which AWS would disassociate to make room; nothing was changed; disassociate it, or \
                     name a network interface of its own in the plan",
                    others.join(", ")
                );
                return Err(CallError::new(CallErrorKind::Refused, message));
            }
            let call = self
                .changing
                .client(region)
                .associate_address()
                .allocation_id(allocation_id)
                .allow_reassociation(false);
            // Either an interface, with its private address, or an instance: both at once are refused.
            let call = match &wanted.network_interface_id {
                Some(interface) => call
                    .network_interface_id(interface)
                    .set_private_ip_address(wanted.private_ip_address.clone()),
                None => call.set_instance_id(wanted.instance_id.clone()),
            };
            call.send()
                .await
                .map(drop)
                .map_err(|error| conflict_or(&error, explain(&doing, Effect::Changes, CODES, &error)))
        })
        .await
    }

    async fn disassociate(
        &self,
        region: Option<&str>,
        allocation_id: &str,
        expected: &Association,
    ) -> Result<(), CallError> {
        let doing = format!("disassociating address {allocation_id} from {}", expected.sentence());
        within_one_call(&doing, async {
            let address = self.address(region, allocation_id, &doing).await?;
            let found = association_of(&address).filter(|found| found.same_as(expected));
            let (Some(_), Some(association_id)) = (found, address.association_id()) else {
                let message = format!(
                    "{doing}: it is not associated so any more, so somebody else changed it; nothing was changed"
                );
                return Err(CallError::new(CallErrorKind::Conflict, message));
            };
            self.changing
                .client(region)
                .disassociate_address()
                .association_id(association_id)
                .send()
                .await
                .map(drop)
                .map_err(|error| conflict_or(&error, explain(&doing, Effect::Changes, CODES, &error)))
        })
        .await
    }
}
