//! The health check of a target group: read whole, written where it differs.
//!
//! `ModifyTargetGroup` keeps what it is not told, and has no version to compare: the group is read, compared with what
//! is expected, and only what differs is sent.

use super::{CODES, ElbTraffic};
use crate::failure::{Effect, explain, within_one_call};
use aws_sdk_elasticloadbalancingv2::types::{Matcher as Codes, ProtocolEnum, TargetGroup};
use understudy_core::state::{HealthCheck, Matcher};
use understudy_engine::ports::{CallError, CallErrorKind};

impl ElbTraffic {
    pub(super) async fn read_health_check(
        &self,
        region: Option<&str>,
        target_group_arn: &str,
        doing: &str,
    ) -> Result<HealthCheck, CallError> {
        let found = self
            .reading
            .client(region)
            .describe_target_groups()
            .target_group_arns(target_group_arn)
            .send()
            .await
            .map_err(|error| explain(doing, Effect::Reads, CODES, &error))?
            .target_groups
            .unwrap_or_default()
            .pop()
            .ok_or_else(|| {
                CallError::new(
                    CallErrorKind::NotFound,
                    format!("{doing}: there is no such target group; nothing was changed"),
                )
            })?;
        Ok(of_group(&found))
    }

    pub(super) async fn change_health_check(
        &self,
        region: Option<&str>,
        target_group_arn: &str,
        expected: &HealthCheck,
        wanted: &HealthCheck,
    ) -> Result<(), CallError> {
        let doing = format!(
            "setting the health check of {target_group_arn} to {}",
            wanted.sentence()
        );
        within_one_call(&doing, async {
            let found = self.read_health_check(region, target_group_arn, &doing).await?;
            if found != *expected {
                return Err(CallError::new(
                    CallErrorKind::Conflict,
                    format!(
                        "{doing}: found {} where {} was expected, so somebody else changed it; nothing was changed",
                        found.sentence(),
                        expected.sentence()
                    ),
                ));
            }
            // What has been taken out of the wanted one (by TCP there is no path) can not be told, and is not kept.
            let text = |new: &Option<String>, old: &Option<String>| new.clone().filter(|_| new != old);
            let number = |new: u32, old: u32| (new != old).then(|| i32::try_from(new).unwrap_or(i32::MAX));
            let protocol = (wanted.protocol != found.protocol).then(|| ProtocolEnum::from(wanted.protocol.as_str()));
            self.changing
                .client(region)
                .modify_target_group()
                .target_group_arn(target_group_arn)
                .set_health_check_enabled(Some(wanted.enabled).filter(|enabled| *enabled != found.enabled))
                .set_health_check_protocol(protocol)
                .set_health_check_port(Some(wanted.port.clone()).filter(|port| *port != found.port))
                .set_health_check_path(text(&wanted.path, &found.path))
                .set_health_check_interval_seconds(number(wanted.interval_seconds, found.interval_seconds))
                .set_health_check_timeout_seconds(number(wanted.answer_seconds, found.answer_seconds))
                .set_healthy_threshold_count(number(wanted.healthy_threshold, found.healthy_threshold))
                .set_unhealthy_threshold_count(number(wanted.unhealthy_threshold, found.unhealthy_threshold))
                .set_matcher(
                    wanted
                        .matcher
                        .as_ref()
                        .filter(|_| wanted.matcher != found.matcher)
                        .map(codes),
                )
                .send()
                .await
                .map(drop)
                .map_err(|error| explain(&doing, Effect::Changes, CODES, &error))
        })
        .await
    }
}

fn codes(matcher: &Matcher) -> Codes {
    match matcher {
        Matcher::Http(codes) => Codes::builder().http_code(codes).build(),
        Matcher::Grpc(codes) => Codes::builder().grpc_code(codes).build(),
    }
}

fn of_group(group: &TargetGroup) -> HealthCheck {
    let number = |number: Option<i32>| number.and_then(|number| u32::try_from(number).ok()).unwrap_or_default();
    let text = |text: Option<&str>| text.filter(|text| !text.is_empty()).map(str::to_owned);
    let matcher = group.matcher().and_then(|matcher| {
        let http = text(matcher.http_code()).map(Matcher::Http);
        http.or(text(matcher.grpc_code()).map(Matcher::Grpc))
    });
    HealthCheck {
        // Left out it is on: only Lambda's can be off.
        enabled: group.health_check_enabled().unwrap_or(true),
        protocol: group
            .health_check_protocol()
            .map_or_else(String::new, |protocol| protocol.as_str().to_owned()),
        port: group.health_check_port().unwrap_or_default().to_owned(),
        path: text(group.health_check_path()),
        interval_seconds: number(group.health_check_interval_seconds()),
        answer_seconds: number(group.health_check_timeout_seconds()),
        healthy_threshold: number(group.healthy_threshold_count()),
        unhealthy_threshold: number(group.unhealthy_threshold_count()),
        matcher,
    }
}
