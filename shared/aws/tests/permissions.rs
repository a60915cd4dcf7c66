//! What the executor's role would be refused: EC2 is asked with `DryRun`, IAM's simulator about the rest.

#![cfg(all(feature = "ec2", feature = "iam"))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use common::{Answer, Script, says};
use understudy_aws::ec2::Ec2Compute;
use understudy_aws::iam::PolicySimulator;
use understudy_core::state::Association;
use understudy_engine::ports::{CallErrorKind, Compute, Permission, Permissions, Rehearsal};

const ROLE: &str = "arn:aws:iam::000000000000:role/understudy-ExecutorRole-1";
const ZONE: &str = "arn:aws:route53:::hostedzone/Z1";
const GROUP: &str = "arn:aws:elasticloadbalancing:eu-west-1:000000000000:targetgroup/blue/1";

fn ec2(status: u16, code: &str) -> Answer {
    let body = format!(
        "<Response><Errors><Error><Code>{code}</Code><Message>as scripted</Message></Error></Errors><RequestID>r</RequestID></Response>"
    );
    says(status, body)
}

#[tokio::test]
async fn the_end_of_an_association_is_rehearsed_by_its_id_and_never_of_another() {
    let address = r"<DescribeAddressesResponse><addressesSet><item><allocationId>eipalloc-1</allocationId>
        <associationId>eipassoc-1</associationId><instanceId>i-1</instanceId></item></addressesSet></DescribeAddressesResponse>";
    let script = Script::new([says(200, address), ec2(412, "DryRunOperation"), says(200, address)]);
    let compute = Ec2Compute::new(&script.config());
    let rehearse = async |at: &str| {
        let call = Rehearsal::Disassociate("eipalloc-1".into(), Association::with(at));
        compute.rehearse(None, &call).await
    };
    rehearse("i-1").await.unwrap();
    rehearse("i-2").await.unwrap();
    let sent = script.sent();
    let actions: Vec<Option<String>> = sent.iter().map(|sent| sent.field("Action")).collect();
    let expected = ["DescribeAddresses", "DisassociateAddress", "DescribeAddresses"];
    assert_eq!(actions, expected.map(|action| Some(action.to_owned())));
    assert_eq!(sent[1].field("AssociationId").as_deref(), Some("eipassoc-1"));
    assert_eq!(sent[1].field("DryRun").as_deref(), Some("true"));
}

#[tokio::test]
async fn what_is_known_of_a_call_is_told_to_the_simulator() {
    let put = "cloudwatch:PutMetricData";
    let script = Script::new([
        simulated(&[(put, "implicitDeny", "")]),
        simulated(&[(put, "allowed", "")]),
    ]);
    let call = |namespace: &str| Permission::new(put, "*").with("cloudwatch:namespace", namespace);
    let refused = simulator(&script)
        .refused(&[call("Other"), call("Understudy/shop")])
        .await
        .unwrap();
    assert_eq!(refused.len(), 1);
    assert_eq!(refused[0].permission, call("Other"));
    let sent = &script.sent()[0];
    let entry = |field: &str| sent.field(&format!("ContextEntries.member.1.{field}"));
    assert_eq!(entry("ContextKeyName").as_deref(), Some("cloudwatch:namespace"));
    assert_eq!(entry("ContextKeyType").as_deref(), Some("string"));
    assert_eq!(entry("ContextKeyValues.member.1").as_deref(), Some("Other"));
}

fn rehearsals() -> [(Rehearsal, &'static str); 3] {
    let ids = || vec!["i-1".to_owned(), "i-2".to_owned()];
    [
        (Rehearsal::Start(ids()), "StartInstances"),
        (Rehearsal::Stop(ids()), "StopInstances"),
        (
            Rehearsal::Associate("eipalloc-1".into(), Association::with("i-1")),
            "AssociateAddress",
        ),
    ]
}

#[tokio::test]
async fn a_rehearsed_call_is_never_the_call_itself() {
    for (call, action) in rehearsals() {
        let script = Script::new([ec2(412, "DryRunOperation")]);
        let compute = Ec2Compute::new(&script.config());
        compute.rehearse(None, &call).await.unwrap();
        let sent = &script.sent()[0];
        assert_eq!(sent.field("Action").as_deref(), Some(action));
        assert_eq!(sent.field("DryRun").as_deref(), Some("true"), "{action}");
    }
}

#[tokio::test]
async fn what_ec2_would_not_allow_is_refused_and_what_passes_is_not() {
    for (call, _) in rehearsals() {
        for (status, code, kind) in [
            (403, "UnauthorizedOperation", CallErrorKind::Refused),
            (400, "InvalidInstanceID.NotFound", CallErrorKind::NotFound),
            (503, "RequestLimitExceeded", CallErrorKind::Retryable),
        ] {
            let script = Script::new([ec2(status, code)]);
            let error = Ec2Compute::new(&script.config())
                .rehearse(None, &call)
                .await
                .unwrap_err();
            assert_eq!(error.kind, kind, "{code}: {error}");
        }
    }
}

fn simulated(results: &[(&str, &str, &str)]) -> Answer {
    let results: String = results
        .iter()
        .map(|(action, decision, missing)| {
            let keys = if missing.is_empty() {
                String::new()
            } else {
                format!("<MissingContextValues><member>{missing}</member></MissingContextValues>")
            };
            format!(
                "<member><EvalActionName>{action}</EvalActionName><EvalResourceName>*</EvalResourceName>\
                 <EvalDecision>{decision}</EvalDecision><ResourceSpecificResults><member><EvalResourceName>r</EvalResourceName>\
                 <EvalResourceDecision>{decision}</EvalResourceDecision>{keys}</member></ResourceSpecificResults></member>"
            )
        })
        .collect();
    says(
        200,
        format!(
            "<SimulatePrincipalPolicyResponse><SimulatePrincipalPolicyResult><IsTruncated>false</IsTruncated>\
             <EvaluationResults>{results}</EvaluationResults></SimulatePrincipalPolicyResult></SimulatePrincipalPolicyResponse>"
        ),
    )
}

fn simulator(script: &Script) -> PolicySimulator {
    PolicySimulator::new(&script.config(), ROLE.into(), "eu-west-1".into()).unwrap()
}

#[tokio::test]
async fn each_resource_is_asked_about_once_with_all_of_its_actions() {
    let tag = "aws:ResourceTag/understudy";
    let (register, deregister) = (
        "elasticloadbalancing:RegisterTargets",
        "elasticloadbalancing:DeregisterTargets",
    );
    let script = Script::new([
        simulated(&[(register, "implicitDeny", tag), (deregister, "allowed", "")]),
        simulated(&[("route53:ChangeResourceRecordSets", "explicitDeny", "")]),
    ]);
    let calls = [
        Permission::new("route53:ChangeResourceRecordSets", ZONE),
        Permission::new(register, GROUP),
        Permission::new(deregister, GROUP),
    ];
    let refused = simulator(&script).refused(&calls).await.unwrap();
    let found: Vec<(&str, &[String])> = refused
        .iter()
        .map(|refused| (refused.permission.action, refused.depends_on.as_slice()))
        .collect();
    let on_the_tag = [tag.to_owned()];
    let expected: [(&str, &[String]); 2] = [(register, &on_the_tag), ("route53:ChangeResourceRecordSets", &[])];
    assert_eq!(found, expected);
    let sent = script.sent();
    assert_eq!(sent.len(), 2);
    assert_eq!(sent[0].field("PolicySourceArn").as_deref(), Some(ROLE));
    assert_eq!(sent[0].field("ActionNames.member.2").as_deref(), Some(deregister));
    assert_eq!(sent[0].field("ResourceArns.member.1").as_deref(), Some(GROUP));
}

#[tokio::test]
async fn a_simulator_that_does_not_answer_says_nothing_about_permissions() {
    let script = Script::new([says(
        403,
        "<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code><Message>no</Message></Error></ErrorResponse>",
    )]);
    let calls = [Permission::new("route53:ChangeResourceRecordSets", ZONE)];
    let error = simulator(&script).refused(&calls).await.unwrap_err();
    assert_eq!(error.kind, CallErrorKind::Refused);
    assert!(error.message.contains(ROLE), "{error}");
}

#[test]
fn the_account_is_the_roles_and_nonsense_is_no_role() {
    let script = Script::new([]);
    let account = simulator(&script).account().clone();
    assert_eq!(
        account.arn("rds", None, "db:shop"),
        "arn:aws:rds:eu-west-1:000000000000:db:shop"
    );
    assert_eq!(account.global_arn("route53", "hostedzone/Z1"), ZONE);
    for nonsense in ["", "understudy", "arn:aws:iam::000000000000:user/mia"] {
        let error = PolicySimulator::new(&script.config(), nonsense.into(), "eu-west-1".into()).err();
        assert!(error.is_some(), "{nonsense}");
    }
}
