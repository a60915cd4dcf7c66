//! Weights are changed, and everything beside them stays.
//!
//! Tries steps: elb_weights.
//! Tries probes: target_group.

#![cfg(feature = "elbv2")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use common::query::failed;
use common::{Answer, Script, says};
use understudy_aws::elbv2::ElbTraffic;
use understudy_core::state::TargetWeight;
use understudy_engine::ports::{CallErrorKind, ForwardTarget, Target, Traffic};

const BLUE: &str = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/blue/0123";
const GREEN: &str = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/green/4567";
const OTHER: &str = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/other/89ab";
const LISTENER: &str = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:listener/app/shop/1/2";
const RULE: &str = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:listener-rule/app/shop/1/2/3";

fn weight(arn: &str, weight: u32) -> TargetWeight {
    TargetWeight {
        target_group_arn: arn.into(),
        weight,
    }
}

fn forward(groups: &[(&str, u32)]) -> String {
    let tuples: String = groups
        .iter()
        .map(|(arn, weight)| {
            format!("<member><TargetGroupArn>{arn}</TargetGroupArn><Weight>{weight}</Weight></member>")
        })
        .collect();
    format!(
        "<member><Type>forward</Type><Order>2</Order><ForwardConfig><TargetGroups>{tuples}</TargetGroups>\
         <TargetGroupStickinessConfig><Enabled>true</Enabled><DurationSeconds>300</DurationSeconds></TargetGroupStickinessConfig>\
         </ForwardConfig></member>"
    )
}

const OIDC: &str = "<member><Type>authenticate-oidc</Type><Order>1</Order><AuthenticateOidcConfig>\
    <Issuer>https://id.example.test</Issuer><AuthorizationEndpoint>https://id.example.test/a</AuthorizationEndpoint>\
    <TokenEndpoint>https://id.example.test/t</TokenEndpoint><UserInfoEndpoint>https://id.example.test/u</UserInfoEndpoint>\
    <ClientId>shop</ClientId><Scope>openid</Scope><SessionTimeout>3600</SessionTimeout>\
    </AuthenticateOidcConfig></member>";

fn listener(actions: &str) -> Answer {
    says(
        200,
        format!(
            "<DescribeListenersResponse><DescribeListenersResult><Listeners><member><ListenerArn>{LISTENER}</ListenerArn>\
             <DefaultActions>{actions}</DefaultActions></member></Listeners></DescribeListenersResult></DescribeListenersResponse>"
        ),
    )
}

fn rule(actions: &str) -> Answer {
    says(
        200,
        format!(
            "<DescribeRulesResponse><DescribeRulesResult><Rules><member><RuleArn>{RULE}</RuleArn><Actions>{actions}</Actions>\
             </member></Rules></DescribeRulesResult></DescribeRulesResponse>"
        ),
    )
}

fn modified() -> Answer {
    says(
        200,
        "<ModifyListenerResponse><ModifyListenerResult><Listeners/></ModifyListenerResult></ModifyListenerResponse>",
    )
}

#[tokio::test]
async fn a_sticky_forward_action_says_for_how_long() {
    let sticky = forward(&[(BLUE, 100), (GREEN, 0)]);
    let off = sticky.replace("<Enabled>true</Enabled>", "<Enabled>false</Enabled>");
    let plain = format!("<member><Type>forward</Type><TargetGroupArn>{BLUE}</TargetGroupArn></member>");
    let script = Script::new([listener(&format!("{OIDC}{sticky}")), listener(&off), listener(&plain)]);
    let traffic = ElbTraffic::new(&script.config());
    let target = ForwardTarget::Listener(LISTENER.into());
    for wanted in [Some(300), None, None] {
        let found = traffic.group_stickiness(None, &target).await;
        assert_eq!(found.unwrap(), wanted);
    }
}

#[tokio::test]
async fn the_other_actions_and_the_stickiness_are_preserved() {
    let actions = format!("{OIDC}{}", forward(&[(BLUE, 100), (GREEN, 0), (OTHER, 5)]));
    let script = Script::new([listener(&actions), modified()]);
    let traffic = ElbTraffic::new(&script.config());
    let expected = [weight(GREEN, 0), weight(OTHER, 5), weight(BLUE, 100)];
    let wanted = [weight(GREEN, 100), weight(BLUE, 0), weight(OTHER, 5)];
    traffic
        .set_weights(None, &ForwardTarget::Listener(LISTENER.into()), &expected, &wanted)
        .await
        .unwrap();

    let sent = &script.sent()[1];
    let mut form = sent.form();
    form.sort();
    let name = |rest: &str| format!("DefaultActions.member.{rest}");
    let oidc = |rest: &str| name(&format!("1.AuthenticateOidcConfig.{rest}"));
    let groups = |rest: &str| name(&format!("2.ForwardConfig.TargetGroups.member.{rest}"));
    let sticky = |rest: &str| name(&format!("2.ForwardConfig.TargetGroupStickinessConfig.{rest}"));
    let mut whole: Vec<(String, String)> = [
        ("Action".to_owned(), "ModifyListener"),
        ("Version".to_owned(), "2015-12-01"),
        ("ListenerArn".to_owned(), LISTENER),
        (name("1.Type"), "authenticate-oidc"),
        (name("1.Order"), "1"),
        (oidc("Issuer"), "https://id.example.test"),
        (oidc("AuthorizationEndpoint"), "https://id.example.test/a"),
        (oidc("TokenEndpoint"), "https://id.example.test/t"),
        (oidc("UserInfoEndpoint"), "https://id.example.test/u"),
        (oidc("ClientId"), "shop"),
        (oidc("Scope"), "openid"),
        (oidc("SessionTimeout"), "3600"),
        (oidc("UseExistingClientSecret"), "true"),
        (name("2.Type"), "forward"),
        (name("2.Order"), "2"),
        (groups("1.TargetGroupArn"), BLUE),
        (groups("1.Weight"), "0"),
        (groups("2.TargetGroupArn"), GREEN),
        (groups("2.Weight"), "100"),
        (groups("3.TargetGroupArn"), OTHER),
        (groups("3.Weight"), "5"),
        (sticky("Enabled"), "true"),
        (sticky("DurationSeconds"), "300"),
    ]
    .into_iter()
    .map(|(name, value)| (name, value.to_owned()))
    .collect();
    whole.sort();
    assert_eq!(form, whole);
}

#[tokio::test]
async fn a_rule_with_a_single_group_becomes_a_weighted_one() {
    let single = format!("<member><Type>forward</Type><TargetGroupArn>{BLUE}</TargetGroupArn></member>");
    let answer = says(
        200,
        "<ModifyRuleResponse><ModifyRuleResult><Rules/></ModifyRuleResult></ModifyRuleResponse>",
    );
    let script = Script::new([rule(&single), rule(&single), answer]);
    let traffic = ElbTraffic::new(&script.config());
    let target = ForwardTarget::Rule(RULE.into());
    let current = traffic.weights(None, &target).await.unwrap();
    assert_eq!(current, [weight(BLUE, 1)]);
    traffic
        .set_weights(None, &target, &current, &[weight(BLUE, 0), weight(GREEN, 100)])
        .await
        .unwrap();
    let sent = &script.sent()[2];
    assert_eq!(sent.field("Action").as_deref(), Some("ModifyRule"));
    assert_eq!(sent.field("Actions.member.1.TargetGroupArn"), None);
    assert_eq!(
        sent.field("Actions.member.1.ForwardConfig.TargetGroups.member.2.TargetGroupArn")
            .as_deref(),
        Some(GREEN)
    );
    assert!(!sent.body.contains("Conditions"), "{}", sent.body);
}

#[tokio::test]
async fn weights_that_somebody_else_changed_are_left_alone() {
    let script = Script::new([listener(&forward(&[(BLUE, 50), (GREEN, 50)]))]);
    let traffic = ElbTraffic::new(&script.config());
    let target = ForwardTarget::Listener(LISTENER.into());
    let error = traffic
        .set_weights(
            None,
            &target,
            &[weight(BLUE, 100), weight(GREEN, 0)],
            &[weight(BLUE, 0), weight(GREEN, 100)],
        )
        .await
        .unwrap_err();
    assert_eq!(error.kind, CallErrorKind::Conflict);
    assert!(
        error
            .message
            .contains("found blue=50 green=50 where blue=100 green=0 was expected"),
        "{error}"
    );
    assert_eq!(script.sent().len(), 1);
}

#[tokio::test]
async fn an_action_that_can_not_be_written_back_is_never_written() {
    let actions = format!("<member><Type>dream</Type></member>{}", forward(&[(BLUE, 100)]));
    let script = Script::new([listener(&actions)]);
    let traffic = ElbTraffic::new(&script.config());
    let target = ForwardTarget::Listener(LISTENER.into());
    let error = traffic
        .set_weights(None, &target, &[weight(BLUE, 100)], &[weight(BLUE, 0)])
        .await
        .unwrap_err();
    assert_eq!(error.kind, CallErrorKind::Refused);
    assert!(error.message.contains("the kind dream"), "{error}");
    assert_eq!(script.sent().len(), 1);
}

#[tokio::test]
async fn there_must_be_one_forward_action() {
    let fixed = "<member><Type>fixed-response</Type><FixedResponseConfig><StatusCode>503</StatusCode></FixedResponseConfig></member>";
    for actions in [
        fixed.to_owned(),
        format!("{}{}", forward(&[(BLUE, 1)]), forward(&[(GREEN, 1)])),
    ] {
        let script = Script::new([listener(&actions)]);
        let traffic = ElbTraffic::new(&script.config());
        let error = traffic
            .weights(None, &ForwardTarget::Listener(LISTENER.into()))
            .await
            .unwrap_err();
        assert_eq!(error.kind, CallErrorKind::Refused);
    }
}

#[tokio::test]
async fn what_a_failed_change_means_and_that_it_is_sent_once() {
    let cases = [
        (
            failed(400, "Throttling"),
            CallErrorKind::Retryable,
            "nothing was changed",
        ),
        (
            failed(503, "ServiceUnavailable"),
            CallErrorKind::Fault,
            "it is not known whether anything was changed",
        ),
        (
            Answer::Silent,
            CallErrorKind::Lost,
            "it is not known whether anything was changed",
        ),
        (
            Answer::Broken,
            CallErrorKind::Lost,
            "it is not known whether anything was changed",
        ),
        (
            failed(400, "TargetGroupNotFound"),
            CallErrorKind::NotFound,
            "nothing was changed",
        ),
        (
            failed(403, "AccessDenied"),
            CallErrorKind::Refused,
            "nothing was changed",
        ),
    ];
    for (answer, kind, outcome) in cases {
        let script = Script::new([listener(&forward(&[(BLUE, 100)])), answer]);
        let traffic = ElbTraffic::new(&script.config());
        let target = ForwardTarget::Listener(LISTENER.into());
        let error = traffic
            .set_weights(None, &target, &[weight(BLUE, 100)], &[weight(BLUE, 0)])
            .await
            .unwrap_err();
        assert_eq!(error.kind, kind, "{error}");
        assert!(error.message.ends_with(outcome), "{error}");
        assert_eq!(script.sent().len(), 2);
    }
}

#[tokio::test]
async fn targets_come_with_state_and_reason_from_the_region_that_is_asked() {
    let script = Script::new([says(
        200,
        "<DescribeTargetHealthResponse><DescribeTargetHealthResult><TargetHealthDescriptions>\
         <member><Target><Id>i-0123456789abcdef0</Id><Port>80</Port></Target><TargetHealth><State>unhealthy</State>\
         <Reason>Target.Timeout</Reason></TargetHealth></member>\
         <member><Target><Id>i-1</Id></Target><TargetHealth><State>healthy</State></TargetHealth></member>\
         </TargetHealthDescriptions></DescribeTargetHealthResult></DescribeTargetHealthResponse>",
    )]);
    let targets = ElbTraffic::new(&script.config())
        .targets(Some("us-east-1"), BLUE)
        .await
        .unwrap();
    let target = |id: &str, port: Option<u16>, state: &str, reason: &str| Target {
        id: id.into(),
        port,
        state: state.into(),
        reason: reason.into(),
    };
    assert_eq!(
        targets,
        [
            target("i-0123456789abcdef0", Some(80), "unhealthy", "Target.Timeout"),
            target("i-1", None, "healthy", "")
        ]
    );
    assert!(script.sent()[0].uri.contains("us-east-1"), "{}", script.sent()[0].uri);
}
