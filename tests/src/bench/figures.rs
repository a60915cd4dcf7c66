//! What came of it, as a table for people and as JSON.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde::Serialize;

use super::rounds::{Kind, Round, Rounds};
use super::starts::Starts;

/// What was to be reached.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Goal {
    /// The baseline's figure is at least so many times ours.
    TimesLess(f64),
    /// Ours is at most this.
    AtMost(f64),
}

/// One line of the table. Less is better in all of them.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    what: &'static str,
    unit: &'static str,
    ours: f64,
    baseline: Option<f64>,
    /// How many times ours the baseline's figure is.
    ratio: Option<f64>,
    goal: Option<Goal>,
    /// Whether the goal is reached; absent where there is none, or no baseline to tell it by.
    met: Option<bool>,
}

impl Row {
    fn new(what: &'static str, unit: &'static str, ours: f64, baseline: Option<f64>, goal: Option<Goal>) -> Self {
        let ratio = baseline.filter(|_| ours > 0.0).map(|baseline| baseline / ours);
        let met = goal.and_then(|goal| match goal {
            Goal::TimesLess(times) => ratio.map(|ratio| ratio >= times),
            Goal::AtMost(most) => Some(ours <= most),
        });
        Self {
            what,
            unit,
            ours,
            baseline,
            ratio,
            goal,
            met,
        }
    }
}

/// Everything that was measured.
#[derive(Clone, Debug, Serialize)]
pub struct Figures {
    machine: String,
    rows: Vec<Row>,
    /// Our starts, one by one.
    starts: Starts,
    /// Those of the baseline.
    baseline_starts: Option<Starts>,
    rounds: Rounds,
}

impl Figures {
    /// The figures of one run.
    pub fn new(starts: Starts, baseline_starts: Option<Starts>, rounds: Rounds) -> Self {
        let rows = rows(&starts, baseline_starts.as_ref(), &rounds);
        Self {
            machine: machine(),
            rows,
            starts,
            baseline_starts,
            rounds,
        }
    }

    /// The goals that are not reached.
    pub fn missed(&self) -> Vec<&'static str> {
        let missed = self.rows.iter().filter(|row| row.met == Some(false));
        missed.map(|row| row.what).collect()
    }

    /// The table, in Markdown, as it stands in `docs/PERFORMANCE.md`.
    pub fn table(&self) -> String {
        let mut text = format!("{}\n\n", self.machine);
        let _ = writeln!(
            text,
            "| {:<54} | {:>10} | {:>10} | {:>7} | {:>7} | {:<8} |",
            "less is better", "ours", "baseline", "ratio", "goal", ""
        );
        let _ = writeln!(
            text,
            "|{:-<56}|{:->11}:|{:->11}:|{:->8}:|{:->8}:|{:-<10}|",
            "", "", "", "", "", ""
        );
        for row in &self.rows {
            let figure = |value: f64| format!("{} {}", digits(value), row.unit).trim_end().to_owned();
            let goal = match row.goal {
                Some(Goal::TimesLess(times)) => format!("≥ {times}×"),
                Some(Goal::AtMost(most)) => format!("≤ {most}"),
                None => String::new(),
            };
            let _ = writeln!(
                text,
                "| {:<54} | {:>10} | {:>10} | {:>7} | {goal:>7} | {:<8} |",
                row.what,
                figure(row.ours),
                row.baseline.map_or("–".to_owned(), figure),
                row.ratio.map_or("–".to_owned(), |ratio| format!("{ratio:.1}×")),
                match row.met {
                    Some(true) => "met",
                    Some(false) => "NOT MET",
                    None if row.goal.is_some() => "unknown",
                    None => "",
                },
            );
        }
        text
    }

    /// The calls of a round by kind, in Markdown.
    pub fn calls_table(&self) -> String {
        let kinds = [
            Kind::Steady,
            Kind::Heartbeat,
            Kind::First,
            Kind::SteadyCold,
            Kind::Baseline,
        ];
        let of_kind: Vec<BTreeMap<String, usize>> = kinds
            .iter()
            .map(|kind| {
                self.rounds
                    .of(*kind)
                    .last()
                    .map(|round| round.calls.clone())
                    .unwrap_or_default()
            })
            .collect();
        let mut names: Vec<&String> = of_kind.iter().flat_map(|calls| calls.keys()).collect();
        names.sort();
        names.dedup();
        let heads = ["steady", "heartbeat", "first, cold", "steady, cold", "baseline"];
        let mut text = format!("| {:<44} |", "calls a round");
        heads.iter().for_each(|head| {
            let _ = write!(text, " {head:>12} |");
        });
        let _ = write!(text, "\n|{:-<46}|", "");
        heads.iter().for_each(|_| {
            let _ = write!(text, "{:->13}:|", "");
        });
        for name in names {
            let _ = write!(text, "\n| {name:<44} |");
            for calls in &of_kind {
                let _ = write!(text, " {:>12} |", calls.get(name).copied().unwrap_or_default());
            }
        }
        text.push('\n');
        text
    }
}

fn rows(starts: &Starts, baseline_starts: Option<&Starts>, rounds: &Rounds) -> Vec<Row> {
    let start = |of: fn(&Starts) -> f64| baseline_starts.map(of);
    let seconds = |kind| rounds.median(kind, |round| round.seconds);
    let with_start = |kind| rounds.median(kind, |round| round.seconds_with_start.unwrap_or_default());
    let describes = |kind| rounds.median(kind, |round| round.describes() as f64);
    let mut rows = vec![
        Row::new(
            "cold start: process start to the first /next",
            "ms",
            starts.median_milliseconds(),
            start(Starts::median_milliseconds),
            Some(Goal::TimesLess(30.0)),
        ),
        Row::new(
            "peak memory at the first /next",
            "MiB",
            starts.median_memory_mib(),
            start(Starts::median_memory_mib),
            Some(Goal::TimesLess(5.0)),
        ),
    ];
    let mut add = |what, unit, ours: Option<f64>, baseline, goal| {
        rows.extend(ours.map(|ours| Row::new(what, unit, ours, baseline, goal)));
    };
    let is_ours = |round: &&Round| !round.kind.is_baseline();
    let highest = |rounds: Vec<&Round>| rounds.into_iter().map(|round| round.peak_memory_mib).reduce(f64::max);
    let ours = highest(rounds.all.iter().filter(is_ours).collect());
    let theirs = highest(rounds.all.iter().filter(|round| round.kind.is_baseline()).collect());
    add(
        "peak memory after all rounds",
        "MiB",
        ours,
        theirs,
        Some(Goal::TimesLess(5.0)),
    );
    let eight = Some(Goal::TimesLess(8.0));
    let warm = seconds(Kind::Baseline);
    add(
        "round, warm, nothing changed (steady)",
        "s",
        seconds(Kind::Steady),
        warm,
        eight,
    );
    let on_moto = seconds(Kind::BaselineOnMoto);
    add(
        "the same, moto itself answering",
        "s",
        seconds(Kind::SteadyOnMoto),
        on_moto,
        eight,
    );
    add(
        "round, warm, every observation written (heartbeat)",
        "s",
        seconds(Kind::Heartbeat),
        warm,
        None,
    );
    let cold = with_start(Kind::BaselineCold);
    add(
        "round with process start, nothing changed",
        "s",
        with_start(Kind::SteadyCold),
        cold,
        None,
    );
    add(
        "round with process start, every observation written",
        "s",
        with_start(Kind::HeartbeatCold),
        cold,
        None,
    );
    let most = Some(Goal::AtMost(212.0));
    add(
        "describe calls a round",
        "",
        describes(Kind::Steady),
        describes(Kind::Baseline),
        most,
    );
    rows
}

/// The middle of some figures; of an even number, the mean of the middle two; of none, 0.
pub fn median(figures: &[f64]) -> f64 {
    let mut sorted = figures.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match (sorted.get(middle), sorted.len() % 2) {
        (Some(one), 1) => *one,
        (Some(upper), _) => (upper + sorted.get(middle.wrapping_sub(1)).unwrap_or(upper)) / 2.0,
        (None, _) => 0.0,
    }
}

fn digits(value: f64) -> String {
    if value.fract() == 0.0 {
        format!("{value:.0}")
    } else if value < 10.0 {
        format!("{value:.2}")
    } else {
        format!("{value:.1}")
    }
}

fn machine() -> String {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let text = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = text.lines().find_map(|line| line.strip_prefix("model name"));
    let model = model.map_or("unknown processor", |model| model.trim_start_matches([' ', '\t', ':']));
    format!("{cores} cores, {}, {model}", std::env::consts::ARCH)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle() {
        assert_eq!(median(&[]), 0.0);
        assert_eq!(median(&[3.0]), 3.0);
        assert_eq!(median(&[3.0, 1.0]), 2.0);
        assert_eq!(median(&[9.0, 1.0, 2.0]), 2.0);
    }

    #[test]
    fn a_goal_against_a_baseline_is_unknown_without_one() {
        let goal = Some(Goal::TimesLess(8.0));
        assert_eq!(Row::new("", "s", 1.0, None, goal).met, None);
        assert_eq!(Row::new("", "s", 1.0, Some(8.0), goal).met, Some(true));
        assert_eq!(Row::new("", "s", 1.0, Some(7.9), goal).met, Some(false));
    }

    #[test]
    fn an_absolute_goal_needs_no_baseline() {
        assert_eq!(Row::new("", "", 212.0, None, Some(Goal::AtMost(212.0))).met, Some(true));
        assert_eq!(
            Row::new("", "", 213.0, None, Some(Goal::AtMost(212.0))).met,
            Some(false)
        );
    }
}
