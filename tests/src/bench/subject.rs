//! What is measured: the probe's released program and the Python that it is compared with, each as a process
//! of its own under a Runtime API of its own.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::process::{Child, Command};

use super::runtime_api::{Invoked, RuntimeApi};
use super::world::TABLE;
use crate::local_cloud::{CloudError, REGION, checkout, tool};

/// Longer than any start or round: whoever takes longer hangs.
const PATIENCE: Duration = Duration::from_secs(240);

/// Which of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The probe function.
    Ours,
    /// `seed_monitor.py`.
    Baseline,
}

impl Side {
    /// Its name in messages and files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ours => "probe",
            Self::Baseline => "baseline",
        }
    }
}

/// Where both sides' programs are.
#[derive(Clone, Debug)]
pub struct Programs {
    probe: PathBuf,
    python: PathBuf,
    baseline: Option<PathBuf>,
    folder: PathBuf,
}

impl Programs {
    /// The built probe, and the baseline where there is one beside the checkout. Logs go to `target/bench`.
    ///
    /// # Errors
    /// When a tool is not installed or the folder cannot be made.
    pub fn find(probe: PathBuf) -> Result<Self, CloudError> {
        let baseline = checkout().join("..").join("shared").join("baseline");
        let folder = checkout().join("target").join("bench");
        std::fs::create_dir_all(&folder).map_err(CloudError::system(format!("making {}", folder.display())))?;
        Ok(Self {
            probe,
            // moto's environment: it has boto3 anyway.
            python: tool("moto", "python")?,
            baseline: baseline.join("seed_monitor.py").exists().then_some(baseline),
            folder,
        })
    }

    /// Where the folder of the baseline is, if there is one.
    pub fn baseline(&self) -> Option<&Path> {
        self.baseline.as_deref()
    }

    fn command(&self, side: Side, endpoint: &str) -> Result<Command, CloudError> {
        let mut command = match side {
            Side::Ours => Command::new(&self.probe),
            Side::Baseline => {
                let mut command = Command::new(&self.python);
                command.arg(checkout().join("tests/src/bench/baseline_loop.py"));
                command
            }
        };
        let log = self.folder.join(format!("{}.log", side.name()));
        let opening = || CloudError::system(format!("opening {}", log.display()));
        let output = File::options()
            .create(true)
            .append(true)
            .open(&log)
            .map_err(opening())?;
        let errors = output.try_clone().map_err(opening())?;
        let nowhere = self.folder.join("no-aws-configuration");
        command
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("AWS_LAMBDA_FUNCTION_NAME", "bench")
            .env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
            .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256")
            .env("AWS_LAMBDA_LOG_GROUP_NAME", "bench")
            .env("AWS_LAMBDA_LOG_STREAM_NAME", "bench")
            .env("AWS_REGION", REGION)
            .env("AWS_DEFAULT_REGION", REGION)
            .env("AWS_ACCESS_KEY_ID", "test")
            .env("AWS_SECRET_ACCESS_KEY", "test")
            .env("AWS_ENDPOINT_URL", endpoint)
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .env("AWS_CONFIG_FILE", &nowhere)
            .env("AWS_SHARED_CREDENTIALS_FILE", &nowhere)
            .env("UNDERSTUDY_TABLE", TABLE)
            .env("UNDERSTUDY_DECISION_FUNCTION", "bench-decision")
            .env("UNDERSTUDY_EXECUTOR_FUNCTION", "bench-executor")
            .env("UNDERSTUDY_OBSERVER", REGION)
            // As AWS does: compiled modules are kept, so that Python does not compile them at every start.
            .env("PYTHONPYCACHEPREFIX", self.folder.join("pycache"))
            .env("PYTHONPATH", self.baseline.as_deref().unwrap_or(Path::new("")))
            .stdin(Stdio::null())
            .stdout(output)
            .stderr(errors)
            .kill_on_drop(true);
        Ok(command)
    }
}

/// A started process that waits for events.
pub struct Subject {
    side: Side,
    child: Child,
    api: RuntimeApi,
    log: PathBuf,
    /// When it was started.
    pub started_at: Instant,
    /// From its start to its first `/next`.
    pub start: Duration,
}

impl Subject {
    /// Starts it and waits until it asks for work.
    ///
    /// # Errors
    /// When it cannot be started, or ends before it asks.
    pub async fn start(programs: &Programs, side: Side, endpoint: &str) -> Result<Self, CloudError> {
        let mut api = RuntimeApi::start().await?;
        let mut command = programs.command(side, endpoint)?;
        command.env("AWS_LAMBDA_RUNTIME_API", api.address().to_string());
        let log = programs.folder.join(format!("{}.log", side.name()));
        let started_at = Instant::now();
        let spawned = command.spawn();
        let mut child = spawned.map_err(CloudError::system(format!("starting {}", side.name())))?;
        let asked_at = watched(side, &log, &mut child, api.next_asked()).await?;
        Ok(Self {
            side,
            child,
            api,
            log,
            started_at,
            start: asked_at.duration_since(started_at),
        })
    }

    /// Gives it one event and waits for the answer.
    ///
    /// # Errors
    /// When it answers an error, ends, or hangs.
    pub async fn invoke(&mut self, event: &Value) -> Result<Invoked, CloudError> {
        watched(self.side, &self.log, &mut self.child, self.api.invoke(event)).await
    }

    /// The most memory that it has had resident until now, in KiB.
    ///
    /// # Errors
    /// When the process is gone.
    pub fn peak_memory_kib(&self) -> Result<u64, CloudError> {
        let status = format!("/proc/{}/status", self.child.id().unwrap_or_default());
        let text = std::fs::read_to_string(&status).map_err(CloudError::system(format!("reading {status}")))?;
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        line.and_then(|line| line.trim().trim_end_matches(" kB").trim().parse().ok())
            .ok_or_else(|| CloudError::missing(status, "no VmHWM"))
    }

    /// Ends it and waits until it is gone: the next measurement must not share the processor with it.
    pub async fn end(mut self) {
        let _ = self.child.kill().await;
    }
}

/// Waits for something that a process does, but not for ever, and not for a dead one.
async fn watched<T>(
    side: Side,
    log: &Path,
    child: &mut Child,
    doing: impl Future<Output = Result<T, CloudError>>,
) -> Result<T, CloudError> {
    let what = || format!("the process `{}` (its log is {})", side.name(), log.display());
    tokio::select! {
        done = doing => done,
        ended = child.wait() => {
            let status = ended.map_or_else(|error| error.to_string(), |status| status.to_string());
            Err(CloudError::missing(what(), format!("it ended with {status}")))
        }
        () = tokio::time::sleep(PATIENCE) => {
            Err(CloudError::missing(what(), format!("no answer within {} s", PATIENCE.as_secs())))
        }
    }
}
