//! The health check of a target group.

use super::parameters;
use crate::plan::{CheckProtocol, TargetGroupHealth};
use serde::{Deserialize, Serialize};

/// The health check of a target group, as `DescribeTargetGroups` has it: all that `ModifyTargetGroup` can restore.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HealthCheck {
    /// Whether there is one at all: it can be off only where the target is a Lambda function.
    pub enabled: bool,
    /// `HTTP`, `HTTPS` or `TCP`.
    pub protocol: String,
    /// A number, or `traffic-port`.
    pub port: String,
    /// The path; none by TCP.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// How often.
    pub interval_seconds: u32,
    /// How long an answer may take.
    pub answer_seconds: u32,
    /// How many good answers in a row.
    pub healthy_threshold: u32,
    /// How many bad ones in a row.
    pub unhealthy_threshold: u32,
    /// Which answers are good; none by TCP.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub matcher: Option<Matcher>,
}

/// Which answers are good.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Matcher {
    /// These codes of HTTP.
    Http(String),
    /// These codes of gRPC, where the target group speaks that.
    Grpc(String),
}

impl Matcher {
    fn codes(&self) -> &str {
        match self {
            Self::Http(codes) | Self::Grpc(codes) => codes,
        }
    }
}

impl HealthCheck {
    /// One line for people.
    pub fn sentence(&self) -> String {
        if !self.enabled {
            return "no health check".into();
        }
        let path = self.path.as_deref().unwrap_or_default();
        let codes = self
            .matcher
            .as_ref()
            .map(|matcher| format!(" answering {}", matcher.codes()));
        format!(
            "{} {}{path}{} every {} s within {} s, {} good or {} bad in a row",
            self.protocol,
            self.port,
            codes.unwrap_or_default(),
            self.interval_seconds,
            self.answer_seconds,
            self.healthy_threshold,
            self.unhealthy_threshold
        )
    }
}

impl HealthCheck {
    /// What `ModifyTargetGroup` is told to turn `self` into `wanted`: what differs. It leaves the rest.
    pub fn parameters_to(&self, wanted: &Self) -> String {
        let number = |new: u32, old: u32| (new != old).then(|| new.to_string());
        let matcher = wanted.matcher.as_ref().filter(|_| wanted.matcher != self.matcher);
        let enabled = (wanted.enabled != self.enabled).then(|| wanted.enabled.to_string());
        parameters([
            ("HealthCheckEnabled", enabled),
            (
                "HealthCheckProtocol",
                Some(&wanted.protocol)
                    .filter(|protocol| **protocol != self.protocol)
                    .cloned(),
            ),
            (
                "HealthCheckPort",
                Some(&wanted.port).filter(|port| **port != self.port).cloned(),
            ),
            (
                "HealthCheckPath",
                wanted.path.clone().filter(|_| wanted.path != self.path),
            ),
            (
                "HealthCheckIntervalSeconds",
                number(wanted.interval_seconds, self.interval_seconds),
            ),
            (
                "HealthCheckTimeoutSeconds",
                number(wanted.answer_seconds, self.answer_seconds),
            ),
            (
                "HealthyThresholdCount",
                number(wanted.healthy_threshold, self.healthy_threshold),
            ),
            (
                "UnhealthyThresholdCount",
                number(wanted.unhealthy_threshold, self.unhealthy_threshold),
            ),
            ("Matcher", matcher.map(|matcher| matcher.codes().to_owned())),
        ])
    }
}

/// The health check as the step wants it: what it states, and the rest as it is.
///
/// # Errors
/// A sentence that says why it can not be made so of what is there.
pub fn wanted_target_health(step: &TargetGroupHealth, current: &HealthCheck) -> Result<HealthCheck, String> {
    if !current.enabled {
        return Err(
            "its health check is off, as it can be where the target is a Lambda function; turn it on first".into(),
        );
    }
    let protocol = step
        .protocol
        .map_or(current.protocol.as_str(), |protocol| protocol.as_str());
    let by_http = protocol != CheckProtocol::Tcp.as_str();
    let codes = |codes: &String| match &current.matcher {
        Some(Matcher::Grpc(_)) => Matcher::Grpc(codes.clone()),
        _ => Matcher::Http(codes.clone()),
    };
    let wanted = HealthCheck {
        enabled: true,
        protocol: protocol.to_owned(),
        port: step.port.as_ref().unwrap_or(&current.port).clone(),
        path: step.path.clone().or(current.path.clone()).filter(|_| by_http),
        interval_seconds: step.interval_seconds.unwrap_or(current.interval_seconds),
        answer_seconds: step.answer_seconds.unwrap_or(current.answer_seconds),
        healthy_threshold: step.healthy_threshold.unwrap_or(current.healthy_threshold),
        unhealthy_threshold: step.unhealthy_threshold.unwrap_or(current.unhealthy_threshold),
        matcher: step
            .matcher
            .as_ref()
            .map(codes)
            .or(current.matcher.clone())
            .filter(|_| by_http),
    };
    if by_http && (wanted.path.is_none() || wanted.matcher.is_none()) {
        return Err(format!(
            "its health check speaks {} now, so there is no path and no matcher to keep; state both in the step",
            current.protocol
        ));
    }
    if !by_http && (step.path.is_some() || step.matcher.is_some()) {
        return Err(
            "its health check speaks TCP, which has neither path nor matcher; state protocol: HTTP or HTTPS too".into(),
        );
    }
    if wanted.answer_seconds >= wanted.interval_seconds {
        return Err(format!(
            "an answer may take {} s, which must be less than the {} s from one question to the next; state both in the step",
            wanted.answer_seconds, wanted.interval_seconds
        ));
    }
    Ok(wanted)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::json;

    fn current() -> HealthCheck {
        HealthCheck {
            enabled: true,
            protocol: "HTTP".into(),
            port: "traffic-port".into(),
            path: Some("/".into()),
            interval_seconds: 30,
            answer_seconds: 5,
            healthy_threshold: 5,
            unhealthy_threshold: 2,
            matcher: Some(Matcher::Http("200".into())),
        }
    }

    fn wanted(stated: serde_json::Value, current: &HealthCheck) -> Result<HealthCheck, String> {
        let mut step = json!({"name": "check", "target_group_arn": "arn"});
        step.as_object_mut()
            .unwrap()
            .extend(stated.as_object().unwrap().clone());
        wanted_target_health(&serde_json::from_value(step).unwrap(), current)
    }

    #[test]
    fn what_is_not_stated_stays() {
        let found = wanted(json!({"path": "/health", "interval_seconds": 10}), &current()).unwrap();
        let expected = HealthCheck {
            path: Some("/health".into()),
            interval_seconds: 10,
            ..current()
        };
        assert_eq!(found, expected);
        assert_eq!(
            found.sentence(),
            "HTTP traffic-port/health answering 200 every 10 s within 5 s, 5 good or 2 bad in a row"
        );
    }

    #[test]
    fn by_tcp_there_is_neither_path_nor_matcher() {
        let tcp = wanted(json!({"protocol": "TCP"}), &current()).unwrap();
        assert_eq!((tcp.path.clone(), tcp.matcher.clone()), (None, None));
        let back = wanted(json!({"protocol": "HTTP"}), &tcp).unwrap_err();
        assert!(back.contains("state both"), "{back}");
        let path = wanted(json!({"path": "/health"}), &tcp).unwrap_err();
        assert!(path.contains("protocol"), "{path}");
        let whole = json!({"protocol": "HTTPS", "path": "/health", "matcher": "200-299"});
        let whole = wanted(whole, &tcp).unwrap();
        assert_eq!(whole.matcher, Some(Matcher::Http("200-299".into())));
    }

    #[test]
    fn codes_of_grpc_stay_codes_of_grpc() {
        let grpc = HealthCheck {
            matcher: Some(Matcher::Grpc("12".into())),
            ..current()
        };
        assert_eq!(
            wanted(json!({"matcher": "0"}), &grpc).unwrap().matcher,
            Some(Matcher::Grpc("0".into()))
        );
    }

    #[test]
    fn an_answer_comes_before_the_next_question() {
        let why = wanted(json!({"interval_seconds": 5}), &current()).unwrap_err();
        assert!(why.contains("5 s"), "{why}");
        assert!(wanted(json!({"interval_seconds": 5, "answer_seconds": 4}), &current()).is_ok());
        let off = HealthCheck {
            enabled: false,
            ..current()
        };
        assert!(wanted(json!({"path": "/"}), &off).unwrap_err().contains("Lambda"));
    }
}
