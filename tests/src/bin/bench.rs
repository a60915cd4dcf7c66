//! `make bench`: cold start, memory and the probe's round beside those of the Python baseline, as a table.

use std::process::ExitCode;
use std::time::Instant;

use understudy_tests::bench::figures::Figures;
use understudy_tests::bench::subject::Programs;
use understudy_tests::bench::{build, rounds, starts, world};
use understudy_tests::local_cloud::{CloudError, checkout};

#[tokio::main]
async fn main() -> ExitCode {
    let measured = tokio::select! {
        measured = measure() => measured,
        _ = tokio::signal::ctrl_c() => {
            println!("\ninterrupted: everything that was started is stopped");
            return ExitCode::from(130);
        }
    };
    match measured {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("\nthe benchmark has failed: {error}");
            let mut source = std::error::Error::source(&error);
            while let Some(inner) = source {
                eprintln!("  because: {inner}");
                source = inner.source();
            }
            ExitCode::FAILURE
        }
    }
}

async fn measure() -> Result<(), CloudError> {
    let begun = Instant::now();
    let mut say = move |line: &str| println!("{:>6.1} s  {line}", begun.elapsed().as_secs_f64());
    say("building the released probe (nothing is compiled where it is up to date)");
    let programs = Programs::find(build::released_probe().await?)?;
    match programs.baseline() {
        Some(_) => say("the baseline is ../shared/baseline/seed_monitor.py"),
        None => say("there is no ../shared/baseline/seed_monitor.py beside this checkout: our side is measured alone"),
    }
    say(&format!("{} cold starts of each, in turn", starts::STARTS));
    let (ours, baseline) = starts::measure(&programs).await?;
    for (side, starts) in [("ours", Some(&ours)), ("baseline", baseline.as_ref())] {
        if let Some(starts) = starts {
            let (milliseconds, mebibytes) = (starts.median_milliseconds(), starts.median_memory_mib());
            say(&format!(
                "{side:<14} {milliseconds:>7.1} ms to the first /next, {mebibytes:.1} MiB peak memory"
            ));
        }
    }
    say(&format!(
        "rounds over {} instances, {} target groups, {} databases and (ours alone) {} Auto Scaling groups, {} ms of latency on every call",
        world::INSTANCES,
        world::TARGET_GROUPS,
        world::DATABASES,
        world::GROUPS,
        rounds::LATENCY.as_millis(),
    ));
    let measured = rounds::measure(&programs, &mut say).await?;
    let figures = Figures::new(ours, baseline, measured);
    println!("\n{}\n{}", figures.table(), figures.calls_table());
    for missed in figures.missed() {
        println!("NOT MET: {missed}");
    }
    let file = checkout().join("target").join("bench.json");
    let text = serde_json::to_string_pretty(&figures).map_err(|error| CloudError::Unexpected {
        what: "the figures as JSON".to_owned(),
        found: error.to_string(),
    })?;
    std::fs::write(&file, text).map_err(|source| CloudError::System {
        doing: format!("writing {}", file.display()),
        source,
    })?;
    println!("the same as JSON: target/bench.json");
    Ok(())
}
