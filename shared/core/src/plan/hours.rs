//! Hours of the day, in UTC, on some days of the week.

use jiff::civil::{Date, Time};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Hours of the day, in UTC. `from` later than `to` goes over midnight.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Hours {
    /// When they begin, `HH:MM`.
    #[schemars(regex(pattern = r"^([01][0-9]|2[0-3]):[0-5][0-9]$"))]
    pub from: String,
    /// When they end, `HH:MM`, not included.
    #[schemars(regex(pattern = r"^([01][0-9]|2[0-3]):[0-5][0-9]$"))]
    pub to: String,
    /// The days on which they begin. Without it: every day.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 7))]
    pub weekdays: Vec<Weekday>,
}

/// A day of the week.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)] // The names say it.
pub enum Weekday {
    Monday,
    Tuesday,
    Wednesday,
    Thursday,
    Friday,
    Saturday,
    Sunday,
}

impl Hours {
    /// `now` if they are on, else when they begin next. `None`: never, since they are not times of the day.
    pub fn next_open(&self, now: Timestamp) -> Option<Timestamp> {
        let (from, to) = (time(&self.from)?, time(&self.to)?);
        let today = TimeZone::UTC.to_datetime(now).date();
        // Yesterday's may still go on; a week and a day reaches every weekday.
        (-1..=8).find_map(|days| {
            let date = today.checked_add(days.days()).ok()?;
            if !self.is_on(date) {
                return None;
            }
            let last = if to <= from {
                date.checked_add(1.day()).ok()?
            } else {
                date
            };
            let begin = TimeZone::UTC.to_timestamp(date.to_datetime(from)).ok()?;
            let end = TimeZone::UTC.to_timestamp(last.to_datetime(to)).ok()?;
            (now < end).then_some(begin.max(now))
        })
    }

    fn is_on(&self, date: Date) -> bool {
        let weekday = match date.weekday() {
            jiff::civil::Weekday::Monday => Weekday::Monday,
            jiff::civil::Weekday::Tuesday => Weekday::Tuesday,
            jiff::civil::Weekday::Wednesday => Weekday::Wednesday,
            jiff::civil::Weekday::Thursday => Weekday::Thursday,
            jiff::civil::Weekday::Friday => Weekday::Friday,
            jiff::civil::Weekday::Saturday => Weekday::Saturday,
            jiff::civil::Weekday::Sunday => Weekday::Sunday,
        };
        self.weekdays.is_empty() || self.weekdays.contains(&weekday)
    }
}

fn time(text: &str) -> Option<Time> {
    let (hour, minute) = text.split_once(':')?;
    Time::new(hour.parse().ok()?, minute.parse().ok()?, 0, 0).ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn next(from: &str, to: &str, weekdays: &[Weekday], now: &str) -> String {
        let hours = Hours {
            from: from.into(),
            to: to.into(),
            weekdays: weekdays.to_vec(),
        };
        hours.next_open(now.parse().unwrap()).unwrap().to_string()
    }

    // The 21st of November 2026 is a Saturday.
    #[test]
    fn inside_they_are_open_now_and_outside_they_open_next() {
        assert_eq!(
            next("09:00", "17:00", &[], "2026-11-21T16:59:59Z"),
            "2026-11-21T16:59:59Z"
        );
        assert_eq!(
            next("09:00", "17:00", &[], "2026-11-21T17:00:00Z"),
            "2026-11-22T09:00:00Z"
        );
        assert_eq!(
            next("09:00", "17:00", &[], "2026-11-21T08:00:00Z"),
            "2026-11-21T09:00:00Z"
        );
    }

    #[test]
    fn they_go_over_midnight_and_belong_to_the_day_on_which_they_begin() {
        let friday = [Weekday::Friday];
        assert_eq!(
            next("22:00", "04:00", &friday, "2026-11-21T03:00:00Z"),
            "2026-11-21T03:00:00Z"
        );
        assert_eq!(
            next("22:00", "04:00", &friday, "2026-11-21T04:00:00Z"),
            "2026-11-27T22:00:00Z"
        );
        assert_eq!(
            next("22:00", "04:00", &friday, "2026-11-20T21:00:00Z"),
            "2026-11-20T22:00:00Z"
        );
    }

    #[test]
    fn the_same_time_twice_is_the_whole_day() {
        assert_eq!(
            next("00:00", "00:00", &[Weekday::Saturday], "2026-11-21T23:59:00Z"),
            "2026-11-21T23:59:00Z"
        );
        assert_eq!(
            next("00:00", "00:00", &[Weekday::Monday], "2026-11-21T23:59:00Z"),
            "2026-11-23T00:00:00Z"
        );
    }
}
