//! One emulator as a child that cannot outlive this process, however this process ends.
//!
//! The child is a few lines of shell in a process group of their own. The shell starts the
//! emulator in the background and then reads its standard input, the other end of which only
//! this process holds. When that end closes (dropped, panicked, killed with SIGKILL), the read
//! ends and the shell kills the whole group: the emulator, and the functions that it started.

use std::fs::File;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::error::{CloudError, tail};

/// `$0` is the group's leader. An emulator that ends by itself ends the group too, and so the
/// child that we watch: a dead emulator is noticed and not waited for.
const WATCHDOG: &str = r#"
{ "$@" < /dev/null; echo "ended by itself with status $?"; kill -9 -$$; } &
cat > /dev/null
kill -9 -$$
"#;

/// How long the kernel may take to end a killed group on a busy machine.
const STOP_DEADLINE: Duration = Duration::from_secs(10);

/// A running emulator.
#[derive(Debug)]
pub struct Emulator {
    name: &'static str,
    log: PathBuf,
    child: Child,
}

impl Emulator {
    /// Starts a program with exactly this environment; its output goes to `log`.
    pub(super) fn start(
        name: &'static str,
        log: PathBuf,
        program: &std::path::Path,
        arguments: &[&str],
        environment: &[(String, String)],
    ) -> Result<Self, CloudError> {
        let opened = File::options().create(true).append(true).open(&log);
        let output = opened.map_err(CloudError::system(format!("opening {}", log.display())))?;
        let errors = output
            .try_clone()
            .map_err(CloudError::system(format!("opening {}", log.display())))?;
        let child = Command::new("/bin/sh")
            .arg("-c")
            .arg(WATCHDOG)
            .arg("understudy-watchdog")
            .arg(program)
            .args(arguments)
            .env_clear()
            .envs(environment.iter().cloned())
            .stdin(Stdio::piped())
            .stdout(output)
            .stderr(errors)
            .process_group(0)
            .spawn()
            .map_err(CloudError::system(format!("starting {name} ({})", program.display())))?;
        Ok(Self { name, log, child })
    }

    /// The process group: of the watchdog, the emulator and all that it starts.
    pub fn process_group(&self) -> u32 {
        self.child.id()
    }

    /// Polls `http://127.0.0.1:<port><path>` until it answers 200.
    pub(super) async fn wait_until_ready(
        &mut self,
        port: u16,
        path: &str,
        deadline: Duration,
    ) -> Result<(), CloudError> {
        let started = Instant::now();
        loop {
            if let Ok(Some(status)) = self.child.try_wait() {
                return Err(self.failed(format!("ended before it was ready ({status})")));
            }
            if super::raw::get_status(port, path).await == Some(200) {
                return Ok(());
            }
            if started.elapsed() > deadline {
                let seconds = deadline.as_secs();
                return Err(self.failed(format!("did not answer {path} within {seconds} s")));
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    fn failed(&self, what: String) -> CloudError {
        CloudError::Emulator {
            name: self.name,
            what,
            log: self.log.clone(),
            tail: tail(&self.log),
        }
    }

    /// Ends the emulator and everything that it started, and waits until it is gone.
    pub(super) fn stop(&mut self) {
        // Closing the pipe is the signal. `Child::wait` closes it too; this says it out loud.
        drop(self.child.stdin.take());
        let _ = self.child.wait();
        // The leader may be gone a moment before the others: SIGKILL does not wait for anybody.
        let group = self.process_group();
        let started = Instant::now();
        while !processes_of_group(group).is_empty() && started.elapsed() < STOP_DEADLINE {
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        self.stop();
    }
}

/// The processes of a group that are still alive, zombies not counted.
pub fn processes_of_group(group: u32) -> Vec<u32> {
    let Ok(entries) = std::fs::read_dir("/proc") else {
        return Vec::new();
    };
    entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok())
        .filter(|process| {
            // "1234 (name with ) in it) S <parent> <group> …"
            let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
            let fields = stat.rsplit_once(')').map_or("", |(_, fields)| fields);
            let mut fields = fields.split_whitespace();
            fields.next().is_some_and(|state| state != "Z")
                && fields.nth(1).and_then(|field| field.parse().ok()) == Some(group)
        })
        .collect()
}
