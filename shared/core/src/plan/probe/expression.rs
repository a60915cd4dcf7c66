//! Metric-math expressions, as far as they must be understood: which words in them are names of metrics.
//!
//! Hundreds of expressions share one call, where each name stands once. So each name is replaced by one that no other
//! expression has, and what looks at all metrics of a call, or makes several series of one, can not be used: the names that
//! `METRICS()` finds would be other people's. (Amazon CloudWatch User Guide, "Using math expressions with CloudWatch
//! metrics": names of metrics begin with a lower-case letter, functions and operators are in capitals.)

use std::collections::BTreeSet;

/// Functions that look at all metrics of a call, or answer several series.
const SEVERAL_SERIES: &[&str] = &["ANOMALY_DETECTION_BAND", "METRICS", "SEARCH", "SELECT", "SLICE", "SORT"];

/// A piece of an expression: a word, or whatever stands between words.
enum Piece<'a> {
    Word(&'a str),
    Other(&'a str),
}

fn pieces(expression: &str) -> Vec<Piece<'_>> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let mut pieces = Vec::new();
    let mut rest = expression;
    while let Some(first) = rest.chars().next() {
        // A number is one piece, so that the `e` of `1e3` is no name.
        let number = first.is_ascii_digit();
        let belongs = |c: char| if number { is_part(c) || c == '.' } else { is_part(c) };
        let length = match is_part(first) {
            true => rest.find(|c: char| !belongs(c)).unwrap_or(rest.len()),
            false => rest.find(is_part).unwrap_or(rest.len()),
        };
        let (piece, behind) = rest.split_at(length);
        pieces.push(match is_part(first) && !number {
            true => Piece::Word(piece),
            false => Piece::Other(piece),
        });
        rest = behind;
    }
    pieces
}

fn is_name(word: &str) -> bool {
    word.starts_with(|c: char| c.is_ascii_lowercase())
}

/// The names of metrics in an expression.
pub fn names(expression: &str) -> BTreeSet<&str> {
    let words = pieces(expression).into_iter().filter_map(|piece| match piece {
        Piece::Word(word) => Some(word),
        Piece::Other(_) => None,
    });
    words.filter(|word| is_name(word)).collect()
}

/// The expression with every name of a metric replaced.
pub fn renamed(expression: &str, new_name: impl Fn(&str) -> String) -> String {
    let replaced = pieces(expression).into_iter().map(|piece| match piece {
        Piece::Word(word) if is_name(word) => new_name(word),
        Piece::Word(text) | Piece::Other(text) => text.to_owned(),
    });
    replaced.collect()
}

/// Why an expression can not share a call with others, or makes more than one series.
pub fn refusal(expression: &str) -> Option<String> {
    if expression.contains(['\'', '"']) {
        return Some(
            "must have no quotes: what searches for metrics makes several series, and one is judged".to_owned(),
        );
    }
    let several = pieces(expression).into_iter().find_map(|piece| match piece {
        Piece::Word(word) => SEVERAL_SERIES
            .iter()
            .find(|function| word.eq_ignore_ascii_case(function)),
        Piece::Other(_) => None,
    });
    several
        .map(|function| format!("must not use {function}: it makes several series, or looks at the metrics of others"))
}

/// Whether a name can stand for a metric in an expression.
pub fn can_name(name: &str) -> bool {
    is_name(name) && name.len() <= 63 && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_words_that_begin_small() {
        for (expression, found) in [
            ("100 * errors / requests", vec!["errors", "requests"]),
            ("FILL(m1, 0)+m_2*1e3", vec!["m1", "m_2"]),
            ("IF(a > 2.5e10 AND b, 1, 0)", vec!["a", "b"]),
            ("SUM([aB, aB2])", vec!["aB", "aB2"]),
            ("1 - é", vec![]),
            ("", vec![]),
        ] {
            assert_eq!(names(expression).into_iter().collect::<Vec<_>>(), found, "{expression}");
        }
    }

    #[test]
    fn renaming_changes_names_and_nothing_else() {
        let new = |name: &str| format!("v7_{name}");
        assert_eq!(renamed("100*e/FILL(ee,1e3) + é", new), "100*v7_e/FILL(v7_ee,1e3) + é");
        let same = "IF(a > 2.5e10 AND b, 1, 0)";
        assert_eq!(renamed(same, str::to_owned), same);
    }

    #[test]
    fn what_makes_several_series_is_refused() {
        for expression in [
            "SUM(METRICS())",
            "search(a)",
            "SORT(a, MAX)",
            "SUM(METRICS(\"a\"))",
            "SEARCH('x', 1)",
        ] {
            assert!(refusal(expression).is_some(), "{expression}");
        }
        for expression in ["a / b", "METRIC_COUNT(a)", "FILL(a, REPEAT)"] {
            assert_eq!(refusal(expression), None, "{expression}");
        }
    }

    #[test]
    fn a_name_begins_small_and_is_short() {
        assert!(can_name("errors_5xx"));
        for name in ["", "Errors", "5xx", "a-b", "_a", "ä", &"a".repeat(64)] {
            assert!(!can_name(name), "{name}");
        }
    }
}
