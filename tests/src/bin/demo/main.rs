//! `make demo`: the whole story, live, on a cloud inside this machine.
//!
//! `KEEP=1` leaves everything running afterwards, with the commands to play with, until Enter or Ctrl-C.

use std::io::{IsTerminal, Write};
use std::process::ExitCode;
use std::time::Instant;
use understudy_tests::local_cloud::CloudError;
use understudy_tests::story::{Narrator, Stage, StageOptions, Told};

/// Prints as things happen, with the seconds since the start; a terminal gets colours and a waiting line.
struct Terminal {
    begun: Instant,
    fancy: bool,
    waiting: bool,
}

impl Terminal {
    fn new() -> Self {
        let fancy = std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
        Self {
            begun: Instant::now(),
            fancy,
            waiting: false,
        }
    }

    fn line(&mut self, text: &str) {
        if self.waiting {
            print!("\r\x1b[2K");
            self.waiting = false;
        }
        println!("{text}");
        let _ = std::io::stdout().flush();
    }

    fn paint(&self, code: &str, text: &str) -> String {
        if self.fancy {
            format!("\x1b[{code}m{text}\x1b[0m")
        } else {
            text.to_owned()
        }
    }
}

impl Narrator for Terminal {
    fn act(&mut self, title: &str) {
        let title = self.paint("1;36", &format!("── {title}"));
        self.line(&format!("\n{title}"));
    }

    fn event(&mut self, line: &str) {
        let seconds = self.paint("2", &format!("{:>6.1} s", self.begun.elapsed().as_secs_f64()));
        let line = if line.starts_with("read back") {
            self.paint("32", line)
        } else if line.contains("unhealthy") || line.contains("killed") {
            self.paint("31", line)
        } else {
            line.to_owned()
        };
        self.line(&format!("{seconds}  {line}"));
    }

    fn waiting(&mut self, for_what: &str, seconds: u64) {
        if self.fancy {
            print!("\r\x1b[2K          waiting for {for_what} … {seconds} s");
            let _ = std::io::stdout().flush();
            self.waiting = true;
        } else if seconds > 0 && seconds.is_multiple_of(10) && !self.waiting {
            println!("          waiting for {for_what} … {seconds} s");
        }
    }

    fn show(&mut self, text: &str) {
        let text = self.paint("2", text);
        self.line(&text);
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    let mut terminal = Terminal::new();
    let told = tokio::select! {
        told = tell(&mut terminal) => told,
        _ = tokio::signal::ctrl_c() => {
            println!("\ninterrupted: everything that was started is stopped");
            return ExitCode::from(130);
        }
    };
    match told {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
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

async fn tell(terminal: &mut Terminal) -> Result<(), CloudError> {
    let mut stage = Stage::set(&StageOptions::default(), terminal).await?;
    stage.everything_is_well(terminal).await?;
    let away = stage.primary_dies(terminal).await?;
    let home = stage.primary_returns(terminal).await?;
    stage.planned_move(terminal).await?;
    terminal.act("What happened, and how long it took");
    terminal.line(&stage.timeline.table());
    terminal.line(&seconds_table(&away, &home));
    let denied = stage.cloud.access_denied_calls().len();
    let calls = stage.cloud.proxy().calls().len();
    terminal.line(&format!(
        "  {calls} API calls went through the recording proxy; {denied} were refused for want of a permission."
    ));
    if std::env::var("KEEP").is_ok_and(|keep| !keep.is_empty() && keep != "0") {
        keep(&stage, terminal).await;
    }
    terminal.act("Stopping everything");
    stage.cloud.stop();
    terminal.event("the emulators, the functions and the sites are stopped");
    Ok(())
}

fn seconds_table(away: &Told, home: &Told) -> String {
    let mut table = format!(
        "  {:<28} {:>10} {:>10} {:>10} {:>10}\n",
        "seconds", "detection", "decision", "execution", "recovery"
    );
    for (name, told) in [("failover (blue had died)", away), ("failback (blue was back)", home)] {
        table.push_str(&format!(
            "  {name:<28} {:>10.1} {:>10.1} {:>10.1} {:>10.1}\n",
            told.detection_seconds, told.decision_seconds, told.execution_seconds, told.recovery_seconds
        ));
    }
    table
}

async fn keep(stage: &Stage, terminal: &mut Terminal) {
    terminal.act("Still running (KEEP=1): play with it, then press Enter or Ctrl-C to stop everything");
    let function = stage
        .deployment
        .function("decision")
        .map(|function| function.name.clone())
        .unwrap_or_default();
    terminal.line(&format!(
        "  export AWS_ENDPOINT_URL={} AWS_DEFAULT_REGION=us-east-1 AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test\n  \
         .tools/sam/bin/sam remote invoke {function} --event '{{\"command\": \"status\", \"plan\": \"shop\"}}'\n  \
         .tools/sam/bin/sam remote invoke {function} --event '{{\"command\": \"failover\", \"plan\": \"shop\", \"to\": \"green\", \
         \"operator\": \"me\", \"reason\": \"to see it\", \"wait_seconds\": 30}}'\n  \
         the sites: curl http://{}/health, curl http://{}/health\n  logs: {}",
        stage.cloud.endpoint_url(),
        stage.blue.address(),
        stage.green.address(),
        stage.cloud.folder().display()
    ));
    let (ended, enter) = tokio::sync::oneshot::channel();
    // A thread of its own: reading a line can not be cancelled, and must not keep the process from ending.
    std::thread::spawn(move || {
        let mut line = String::new();
        if std::io::stdin().read_line(&mut line).is_ok_and(|bytes| bytes > 0) {
            let _ = ended.send(());
        } else {
            // No terminal: only a signal ends it.
            std::thread::park();
        }
    });
    let _ = enter.await;
}
