//! Instances are started and stopped, addresses move, and nothing is taken from anybody.
//!
//! Tries steps: ec2_instance, elastic_ip.

#![cfg(feature = "ec2")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use common::{Answer, Script, says};
use understudy_aws::ec2::Ec2Compute;
use understudy_core::state::Association;
use understudy_engine::ports::{CallErrorKind, Compute};

const ADDRESS: &str = "eipalloc-1";

fn failed(status: u16, code: &str) -> Answer {
    let body = format!(
        "<Response><Errors><Error><Code>{code}</Code><Message>as scripted</Message></Error></Errors><RequestID>r</RequestID></Response>"
    );
    says(status, body)
}

fn address(association: &str) -> Answer {
    says(
        200,
        format!(
            "<DescribeAddressesResponse><addressesSet><item><allocationId>{ADDRESS}</allocationId>{association}</item>\
             </addressesSet></DescribeAddressesResponse>"
        ),
    )
}

fn nothing_there() -> Answer {
    says(
        200,
        "<DescribeAddressesResponse><addressesSet/></DescribeAddressesResponse>",
    )
}

const AT_BLUE: &str = "<associationId>eipassoc-1</associationId><instanceId>i-1</instanceId>\
    <networkInterfaceId>eni-1</networkInterfaceId><privateIpAddress>10.0.0.1</privateIpAddress>";

fn at_blue() -> Association {
    Association {
        network_interface_id: Some("eni-1".into()),
        private_ip_address: Some("10.0.0.1".into()),
        ..Association::with("i-1")
    }
}

#[tokio::test]
async fn instances_are_started_and_stopped_by_one_call_each() {
    let script = Script::new([
        says(200, "<StartInstancesResponse/>"),
        says(200, "<StopInstancesResponse/>"),
    ]);
    let compute = Ec2Compute::new(&script.config());
    let ids = ["i-1".to_owned(), "i-2".to_owned()];
    compute.start(None, &ids).await.unwrap();
    compute.stop(None, &ids).await.unwrap();
    for (sent, action) in script.sent().iter().zip(["StartInstances", "StopInstances"]) {
        assert_eq!(sent.field("Action").as_deref(), Some(action));
        assert_eq!(sent.field("InstanceId.2").as_deref(), Some("i-2"));
        assert_eq!(sent.field("Force"), None, "what stops may write its files");
    }
}

#[tokio::test]
async fn an_instance_that_still_stops_can_be_started_later() {
    for (answer, kind) in [
        (failed(400, "IncorrectInstanceState"), CallErrorKind::Retryable),
        (failed(500, "InsufficientInstanceCapacity"), CallErrorKind::Fault),
        (failed(400, "InvalidInstanceID.NotFound"), CallErrorKind::NotFound),
        (failed(403, "UnauthorizedOperation"), CallErrorKind::Refused),
        (Answer::Silent, CallErrorKind::Lost),
    ] {
        let script = Script::new([answer]);
        let error = Ec2Compute::new(&script.config())
            .start(None, &["i-1".into()])
            .await
            .unwrap_err();
        assert_eq!(error.kind, kind, "{error}");
        assert_eq!(script.sent().len(), 1, "sent once");
    }
}

#[tokio::test]
async fn an_address_says_where_it_is() {
    let script = Script::new([
        address(AT_BLUE),
        address(""),
        failed(400, "InvalidAllocationID.NotFound"),
    ]);
    let compute = Ec2Compute::new(&script.config());
    assert_eq!(compute.association(None, ADDRESS).await.unwrap(), Some(at_blue()));
    assert_eq!(compute.association(None, ADDRESS).await.unwrap(), None);
    let error = compute.association(None, ADDRESS).await.unwrap_err();
    assert_eq!(error.kind, CallErrorKind::NotFound);
}

#[tokio::test]
async fn an_address_is_associated_without_taking_it_from_anybody() {
    let script = Script::new([
        nothing_there(),
        says(200, "<AssociateAddressResponse/>"),
        nothing_there(),
        says(200, "<AssociateAddressResponse/>"),
        nothing_there(),
        failed(400, "Resource.AlreadyAssociated"),
    ]);
    let compute = Ec2Compute::new(&script.config());
    let plain = Association::with("i-1");
    compute.associate(None, ADDRESS, &plain).await.unwrap();
    compute.associate(None, ADDRESS, &at_blue()).await.unwrap();
    let error = compute.associate(None, ADDRESS, &plain).await.unwrap_err();
    assert_eq!(error.kind, CallErrorKind::Conflict, "{error}");

    let all = script.sent();
    let called = |sent: &&common::Sent| sent.field("Action").as_deref() == Some("AssociateAddress");
    let sent: Vec<_> = all.iter().filter(called).collect();
    assert_eq!(sent.len(), 3);
    for sent in &sent {
        assert_eq!(sent.field("AllowReassociation").as_deref(), Some("false"));
    }
    assert_eq!(sent[0].field("InstanceId").as_deref(), Some("i-1"));
    assert_eq!(sent[0].field("NetworkInterfaceId"), None);
    // What was found is restored exactly; an instance beside its interface is refused by the service.
    assert_eq!(sent[1].field("InstanceId"), None);
    assert_eq!(sent[1].field("NetworkInterfaceId").as_deref(), Some("eni-1"));
    assert_eq!(sent[1].field("PrivateIpAddress").as_deref(), Some("10.0.0.1"));
}

#[tokio::test]
async fn an_address_is_not_brought_where_another_one_would_have_to_go() {
    let there = |place: &str| {
        says(
            200,
            format!(
                "<DescribeAddressesResponse><addressesSet><item><allocationId>eipalloc-2</allocationId>\
                 <associationId>eipassoc-2</associationId><instanceId>i-1</instanceId>\
                 <networkInterfaceId>eni-1</networkInterfaceId><privateIpAddress>{place}</privateIpAddress></item>\
                 </addressesSet></DescribeAddressesResponse>"
            ),
        )
    };
    let script = Script::new([
        there("10.0.0.1"),
        there("10.0.0.1"),
        there("10.0.0.9"),
        says(200, "<AssociateAddressResponse/>"),
    ]);
    let compute = Ec2Compute::new(&script.config());
    for wanted in [Association::with("i-1"), at_blue()] {
        let error = compute.associate(None, ADDRESS, &wanted).await.unwrap_err();
        assert_eq!(error.kind, CallErrorKind::Refused);
        assert!(
            error.message.contains("eipalloc-2") && error.message.contains("nothing was changed"),
            "{error}"
        );
    }
    // Another private address of the same interface takes nobody's place.
    compute.associate(None, ADDRESS, &at_blue()).await.unwrap();
    let sent = script.sent();
    assert_eq!(sent[0].field("Filter.1.Name").as_deref(), Some("instance-id"));
    assert_eq!(sent[0].field("Filter.1.Value.1").as_deref(), Some("i-1"));
    assert_eq!(sent[1].field("Filter.1.Name").as_deref(), Some("network-interface-id"));
    assert_eq!(sent.len(), 4, "looked three times, called once");
}

#[tokio::test]
async fn one_association_is_ended_and_no_other() {
    let script = Script::new([address(AT_BLUE), says(200, "<DisassociateAddressResponse/>")]);
    let compute = Ec2Compute::new(&script.config());
    compute.disassociate(None, ADDRESS, &at_blue()).await.unwrap();
    let sent = &script.sent()[1];
    assert_eq!(sent.field("AssociationId").as_deref(), Some("eipassoc-1"));

    let elsewhere = Script::new([address(AT_BLUE)]);
    let error = Ec2Compute::new(&elsewhere.config())
        .disassociate(None, ADDRESS, &Association::with("i-2"))
        .await
        .unwrap_err();
    assert_eq!(error.kind, CallErrorKind::Conflict);
    assert!(error.message.contains("nothing was changed"), "{error}");
    assert_eq!(elsewhere.sent().len(), 1, "only read");

    let gone = Script::new([address(AT_BLUE), failed(400, "InvalidAssociationID.NotFound")]);
    let error = Ec2Compute::new(&gone.config())
        .disassociate(None, ADDRESS, &at_blue())
        .await
        .unwrap_err();
    assert_eq!(error.kind, CallErrorKind::Conflict);
}
