//! `make demo`: the whole story, live, on a cloud inside this machine.
//!
//! `KEEP=1` leaves everything running afterwards, with commands to play with, until Enter or Ctrl-C.

mod keep;
mod terminal;

use std::process::ExitCode;

use understudy_tests::local_cloud::CloudError;
use understudy_tests::story::{Narrator, Stage, StageOptions, Told};

use terminal::Terminal;

#[tokio::main]
async fn main() -> ExitCode {
    let mut terminal = Terminal::new();
    // Whichever way the story ends, the stage is dropped with it, and that stops everything.
    let told = tokio::select! {
        told = tell(&mut terminal) => Some(told),
        _ = tokio::signal::ctrl_c() => None,
    };
    let told = match told {
        None => {
            terminal.text("\ninterrupted: everything that was started is stopped");
            return ExitCode::from(130);
        }
        Some(Err(error)) => Err(error),
        Some(Ok(stage)) => end(stage, &mut terminal).await,
    };
    match told {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            terminal.text("");
            eprintln!("\nthe demo has failed: {error}");
            let mut source = std::error::Error::source(&error);
            while let Some(inner) = source {
                eprintln!("  because: {inner}");
                source = inner.source();
            }
            ExitCode::FAILURE
        }
    }
}

async fn tell(terminal: &mut Terminal) -> Result<Stage, CloudError> {
    let mut stage = Stage::set(&StageOptions::default(), terminal).await?;
    stage.everything_is_well(terminal).await?;
    stage.orders_are_watched(terminal).await?;
    let away = stage.primary_dies(terminal).await?;
    let home = stage.primary_returns(terminal).await?;
    stage.planned_move(terminal).await?;
    stage.orders_move(terminal).await?;
    terminal.act("What happened, and how long it took");
    terminal.text(&stage.timeline.table());
    terminal.text(&seconds_table(&away, &home));
    let denied = stage.cloud.access_denied_calls().len();
    let calls = stage.cloud.proxy().calls().len();
    terminal.text(&format!(
        "\n  {calls} API calls went through the recording proxy; {denied} were refused for want of a permission."
    ));
    Ok(stage)
}

async fn end(mut stage: Stage, terminal: &mut Terminal) -> Result<(), CloudError> {
    if keep::asked_for() {
        keep::keep(&mut stage, terminal).await?;
    }
    terminal.act("Stopping everything");
    stage.cloud.stop();
    terminal.event("the emulators, the functions and the sites are stopped");
    Ok(())
}

fn seconds_table(away: &Told, home: &Told) -> String {
    let mut table = format!(
        "\n  {:<28} {:>10} {:>10} {:>10} {:>10}\n",
        "seconds", "detection", "decision", "execution", "recovery"
    );
    table.push_str(&format!(
        "  {:-<28} {:->10} {:->10} {:->10} {:->10}\n",
        "", "", "", "", ""
    ));
    for (name, told) in [("failover (blue had died)", away), ("failback (blue was back)", home)] {
        table.push_str(&format!(
            "  {name:<28} {:>10.1} {:>10.1} {:>10.1} {:>10.1}\n",
            told.detection_seconds, told.decision_seconds, told.execution_seconds, told.recovery_seconds
        ));
    }
    table.push_str(
        "\n  detection: until enough slots agreed; decision: until the hold or the stability window was over;\n",
    );
    table.push_str("  execution: the steps, read back; recovery: all of it.\n");
    table
}
