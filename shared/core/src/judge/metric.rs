//! Metrics: the newest complete period against a threshold.
//!
//! The period that goes on is not looked at: half of a minute's sum is no minute's sum. And a value is only looked for so
//! many periods back; what is older is as if it were not there, and the plan says what that means ([`Missing`]).

use crate::control::later;
use crate::health::{Health, Sample};
use crate::plan::{DnsHealthCheckProbe, MetricProbe, Missing};
use jiff::{SignedDuration, Timestamp};

/// One value of a metric.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Datapoint {
    /// The beginning of the period that it is about.
    pub at: Timestamp,
    /// What CloudWatch made of the values of that period.
    pub value: f64,
}

/// Which beginnings of periods are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// The earliest.
    pub since: Timestamp,
    /// None at or after this: the beginning of the period that goes on.
    pub until: Timestamp,
}

impl Window {
    /// The newest `periods` periods that are over at `now`. Periods begin at multiples of their length, as CloudWatch
    /// answers them fastest.
    pub fn of(now: Timestamp, period_seconds: u32, periods: u32) -> Self {
        let period = i64::from(period_seconds.max(1));
        let until = now.as_second().div_euclid(period).saturating_mul(period);
        let until = Timestamp::from_second(until).unwrap_or(Timestamp::MIN);
        let back = SignedDuration::from_secs(period.saturating_mul(i64::from(periods)));
        Self {
            since: later(until, -back),
            until,
        }
    }

    /// One that reaches as far back as the further of both.
    pub fn or_earlier(self, other: Self) -> Self {
        Self {
            since: self.since.min(other.since),
            until: self.until,
        }
    }

    fn holds(&self, at: Timestamp) -> bool {
        self.since <= at && at < self.until
    }
}

impl MetricProbe {
    /// The periods that count at `now`.
    pub fn window(&self, now: Timestamp) -> Window {
        Window::of(now, self.period_seconds, self.stale_periods)
    }
}

impl DnsHealthCheckProbe {
    /// The periods that count at `now`.
    pub fn window(&self, now: Timestamp) -> Window {
        Window::of(now, Self::PERIOD_SECONDS, Self::STALE_PERIODS)
    }
}

/// A metric by its newest datapoint: unhealthy where it compares with the threshold as the plan says. What is no number is
/// unknown.
pub fn metric(probe: &MetricProbe, newest: Option<Datapoint>, now: Timestamp) -> Sample {
    let window = probe.window(now);
    let Some(point) = newest.filter(|point| window.holds(point.at)) else {
        let health = match probe.missing {
            Missing::Unknown => Health::Unknown,
            Missing::Unhealthy => Health::Unhealthy,
            Missing::Healthy => Health::Healthy,
        };
        return Sample::new(health, format!("no value since {}", window.since));
    };
    if !point.value.is_finite() {
        return Sample::new(Health::Unknown, format!("{} at {} is no number", point.value, point.at));
    }
    let (words, threshold) = (probe.comparison.words(), probe.threshold);
    if probe.comparison.holds(point.value, threshold) {
        let reason = format!("{} at {} is {words} {threshold}", point.value, point.at);
        Sample::new(Health::Unhealthy, reason)
    } else {
        let reason = format!("{} at {} is not {words} {threshold}", point.value, point.at);
        Sample::new(Health::Healthy, reason)
    }
}

/// A Route 53 health check by its metric `HealthCheckStatus`, the least of each minute: 1 is healthy, 0 is unhealthy (Amazon
/// Route 53 Developer Guide, "Monitoring health checks using CloudWatch"). Anything else, and nothing, is unknown.
pub fn dns_health_check(probe: &DnsHealthCheckProbe, newest: Option<Datapoint>, now: Timestamp) -> Sample {
    let window = probe.window(now);
    let Some(point) = newest.filter(|point| window.holds(point.at)) else {
        let reason = format!(
            "Route 53 has said nothing about the health check since {}",
            window.since
        );
        return Sample::new(Health::Unknown, reason);
    };
    // Exactly one of two: whoever publishes something between them means something else by it.
    let health = if point.value == 1.0 {
        Health::Healthy
    } else if point.value == 0.0 {
        Health::Unhealthy
    } else {
        Health::Unknown
    };
    let reason = format!(
        "Route 53 calls the health check {health} ({} at {})",
        point.value, point.at
    );
    Sample::new(health, reason)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{Comparison, ProbeCommon};

    // A whole number of minutes and of five minutes.
    const START: i64 = 1_795_255_200;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(START + seconds).unwrap_or_default()
    }

    fn common() -> ProbeCommon {
        ProbeCommon {
            name: "p".into(),
            site: "blue".into(),
            interval_seconds: None,
            healthy_threshold: 1,
            unhealthy_threshold: 1,
            region: None,
        }
    }

    fn probe(comparison: Comparison, missing: Missing) -> MetricProbe {
        MetricProbe {
            common: common(),
            namespace: Some("Shop".into()),
            metric_name: Some("Errors".into()),
            dimensions: Default::default(),
            statistic: Some("sum".into()),
            expression: None,
            metrics: Default::default(),
            period_seconds: 60,
            comparison,
            threshold: 5.0,
            missing,
            stale_periods: 3,
        }
    }

    fn point(seconds: i64, value: f64) -> Option<Datapoint> {
        Some(Datapoint { at: at(seconds), value })
    }

    #[test]
    fn a_value_is_compared_at_and_beside_the_threshold() {
        use Comparison::{GreaterThan, GreaterThanOrEqual, LessThan, LessThanOrEqual};
        use Health::{Healthy, Unhealthy};
        for (comparison, below, equal, above) in [
            (GreaterThan, Healthy, Healthy, Unhealthy),
            (GreaterThanOrEqual, Healthy, Unhealthy, Unhealthy),
            (LessThan, Unhealthy, Healthy, Healthy),
            (LessThanOrEqual, Unhealthy, Unhealthy, Healthy),
        ] {
            let probe = probe(comparison, Missing::Unknown);
            for (value, health) in [(4.9, below), (5.0, equal), (5.1, above)] {
                let sample = metric(&probe, point(-60, value), at(0));
                assert_eq!(sample.health, health, "{comparison:?} {value}: {sample:?}");
            }
        }
    }

    #[test]
    fn what_is_no_number_is_unknown_whichever_way_it_would_compare() {
        for comparison in [Comparison::GreaterThan, Comparison::LessThan] {
            for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
                let sample = metric(&probe(comparison, Missing::Unhealthy), point(-60, value), at(0));
                assert_eq!(sample.health, Health::Unknown, "{sample:?}");
            }
        }
    }

    #[test]
    fn only_complete_periods_that_are_new_enough_count() {
        let probe = probe(Comparison::GreaterThan, Missing::Unknown);
        // Seconds of now, of the beginning of the newest period, and whether its value counts.
        for (now, begins, counts) in [
            (0, -60, true),
            (59, -60, true),
            (0, -180, true),
            (59, -180, true),
            (60, -180, false),
            (0, -240, false),
            (59, 0, false),
            (60, 0, true),
        ] {
            let sample = metric(&probe, point(begins, 9.0), at(now));
            let health = if counts { Health::Unhealthy } else { Health::Unknown };
            assert_eq!(sample.health, health, "at {now}, of {begins}: {sample:?}");
        }
    }

    #[test]
    fn the_plan_says_what_silence_means_and_without_its_word_it_means_nothing() {
        for (missing, health) in [
            (Missing::Unknown, Health::Unknown),
            (Missing::Unhealthy, Health::Unhealthy),
            (Missing::Healthy, Health::Healthy),
        ] {
            let probe = probe(Comparison::GreaterThan, missing);
            for nothing in [None, point(-240, 9.0)] {
                assert_eq!(metric(&probe, nothing, at(0)).health, health, "{missing:?} {nothing:?}");
            }
        }
        assert_eq!(Missing::default(), Missing::Unknown);
    }

    #[test]
    fn a_window_ends_where_the_running_period_begins() {
        let window = Window::of(at(599), 300, 2);
        assert_eq!((window.since, window.until), (at(-300), at(300)));
        let window = Window::of(at(600), 300, 2);
        assert_eq!((window.since, window.until), (at(0), at(600)));
        let both = window.or_earlier(Window::of(at(600), 300, 4));
        assert_eq!((both.since, both.until), (at(-600), at(600)));
        // However absurd the times, it is answered.
        Window::of(Timestamp::MIN, 86_400, u32::MAX);
        Window::of(Timestamp::MAX, 0, u32::MAX);
    }

    #[test]
    fn a_health_check_is_one_or_nought_and_anything_else_is_unknown() {
        let probe = DnsHealthCheckProbe {
            common: common(),
            health_check_id: "00000000-0000-0000-0000-000000000000".into(),
        };
        for (newest, health) in [
            (point(-60, 1.0), Health::Healthy),
            (point(-60, 0.0), Health::Unhealthy),
            (point(-300, 0.0), Health::Unhealthy),
            (point(-360, 0.0), Health::Unknown),
            (point(0, 0.0), Health::Unknown),
            (point(-60, 0.5), Health::Unknown),
            (point(-60, -1.0), Health::Unknown),
            (point(-60, f64::NAN), Health::Unknown),
            (None, Health::Unknown),
        ] {
            let sample = dns_health_check(&probe, newest, at(0));
            assert_eq!(sample.health, health, "{newest:?}: {sample:?}");
        }
    }
}
