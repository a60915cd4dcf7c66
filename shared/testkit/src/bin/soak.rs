//! Runs as many histories of the simulator as asked, or one again.
//!
//! `soak HISTORIES [FIRST_SEED]` runs that many and says how long it took; `soak replay SEED` runs one, shrinks it if it
//! fails, and tells it. Ends with a failure if any invariant was violated, or if an await point was left out.

use std::process::ExitCode;
use std::time::Instant;
use understudy_testkit::sim::crowd::{crowd, explain};
use understudy_testkit::sim::history::History;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let number = |text: &str| text.replace('_', "").parse::<u64>();
    let asked = match words.as_slice() {
        ["replay", seed] => number(seed).map(replay),
        [count] => number(count).map(|count| soak(0, count)),
        [count, first] => number(count).and_then(|count| Ok(soak(number(first)?, count))),
        _ => {
            eprintln!("say how many: soak HISTORIES [FIRST_SEED], or which: soak replay SEED");
            return ExitCode::FAILURE;
        }
    };
    asked.unwrap_or_else(|error| {
        eprintln!("{}: {error}", arguments.join(" "));
        ExitCode::FAILURE
    })
}

fn replay(seed: u64) -> ExitCode {
    let outcome = History::of_seed(seed).tell();
    if outcome.violations.is_empty() {
        for line in &outcome.trace {
            println!("{line}");
        }
        println!(
            "seed {seed} violates nothing; its trace has the hash {:016x}",
            outcome.hash
        );
        return ExitCode::SUCCESS;
    }
    println!("{}", explain(seed));
    ExitCode::FAILURE
}

fn soak(first: u64, count: u64) -> ExitCode {
    let begun = Instant::now();
    let done = crowd(first, count);
    let seconds = begun.elapsed().as_secs_f64();
    print!("{}", done.counts);
    println!(
        "{seconds:.1} s, {:.0} histories a second",
        done.counts.histories as f64 / seconds
    );
    for (seed, violation) in &done.failing {
        println!("seed {seed}: {violation}");
    }
    if let Some((seed, _)) = done.failing.first() {
        println!("\n{}", explain(*seed));
        return ExitCode::FAILURE;
    }
    if count >= 10_000 && !done.counts.never_crashed().is_empty() {
        println!("some await points were never crashed at; see above");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}
