//! What CloudWatch says, in one form.
//!
//! An alarm reaches decision in three shapes (EventBridge, the alarm's direct invoke, SNS). The engine
//! reads them with the kept event types and makes an [`AlarmEvent`] of each: from here on they are the same.
//! An event is a *hint*: late, repeated, out of order. What counts is the alarm read again.

use crate::health::AlarmState;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// One change of an alarm's state, as somebody told it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlarmEvent {
    /// The alarm's name.
    pub alarm_name: String,
    /// The Region that it came from, where the form says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// The state that it changed to.
    pub state: AlarmState,
    /// When it changed, by CloudWatch's clock.
    pub at: Timestamp,
    /// CloudWatch's reason.
    pub reason: String,
    /// How it came: `eventbridge`, `direct`, `sns`.
    pub via: String,
}

/// Reads an alarm state as CloudWatch spells it.
///
/// # Errors
/// A sentence that names the word that was found.
pub fn alarm_state(word: &str) -> Result<AlarmState, String> {
    match word {
        "OK" => Ok(AlarmState::Ok),
        "ALARM" => Ok(AlarmState::Alarm),
        "INSUFFICIENT_DATA" => Ok(AlarmState::InsufficientData),
        other => Err(format!(
            "the alarm state is `{}`; OK, ALARM or INSUFFICIENT_DATA were expected",
            excerpt(other)
        )),
    }
}

/// Reads a time as AWS writes it: RFC 3339, or CloudWatch's `2026-11-21T10:00:00.123+0000`.
///
/// # Errors
/// A sentence that shows what was found.
pub fn aws_time(text: &str) -> Result<Timestamp, String> {
    if let Ok(at) = text.parse() {
        return Ok(at);
    }
    // CloudWatch writes the offset without a colon.
    let repaired = text
        .len()
        .checked_sub(2)
        .and_then(|cut| Some((text.get(..cut)?, text.get(cut..)?)))
        .map(|(head, minutes)| format!("{head}:{minutes}"));
    repaired
        .and_then(|text| text.parse().ok())
        .ok_or_else(|| format!("`{}` is not a time like 2026-11-21T10:00:00Z", excerpt(text)))
}

/// The first characters of something from outside, safe to show.
pub fn excerpt(text: &str) -> String {
    excerpt_of(text, 80)
}

/// The same for a sentence, which may be longer.
pub fn excerpt_long(text: &str) -> String {
    excerpt_of(text, 600)
}

/// The same for what has a length of its own.
pub fn excerpt_of(text: &str, longest: usize) -> String {
    let mut short: String = text
        .chars()
        .take(longest)
        .map(|c| if c.is_control() { '·' } else { c })
        .collect();
    if text.chars().nth(longest).is_some() {
        short.push('…');
    }
    short
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn both_spellings_of_a_time_are_read() {
        let expected: Timestamp = "2026-11-21T10:00:00.123Z".parse().unwrap();
        assert_eq!(aws_time("2026-11-21T10:00:00.123Z").unwrap(), expected);
        assert_eq!(aws_time("2026-11-21T10:00:00.123+0000").unwrap(), expected);
        assert_eq!(aws_time("2026-11-21T11:00:00.123+0100").unwrap(), expected);
    }

    #[test]
    fn hostile_times_are_refused_and_shown_safely() {
        for text in ["", "é", "\u{1b}[2J", "yesterday", &"9".repeat(10_000), "€€"] {
            let error = aws_time(text).unwrap_err();
            assert!(error.len() < 400 && !error.contains('\u{1b}'), "{error}");
        }
    }
}
