//! Where things are: the checkout, the pinned tools, free ports, and one folder a run.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU16, AtomicU32, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use super::error::CloudError;

/// Folders of earlier runs that are kept, so that logs can still be read after a failure.
const KEPT_RUNS: usize = 5;

/// The root of the checkout that this was compiled in.
pub fn checkout() -> PathBuf {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    tests.parent().unwrap_or(tests).to_path_buf()
}

/// A program of one of the pinned tools, from `.tools` or from `UNDERSTUDY_TOOLS`.
///
/// # Errors
/// When it is in neither; says how to install it.
pub fn tool(folder: &'static str, program: &str) -> Result<PathBuf, CloudError> {
    let inside = Path::new(folder).join("bin").join(program);
    let own = checkout().join(".tools").join(&inside);
    if own.exists() {
        return Ok(own);
    }
    let other = std::env::var_os("UNDERSTUDY_TOOLS").map(|tools| PathBuf::from(tools).join(inside));
    match other {
        Some(path) if path.exists() => Ok(path),
        other => Err(CloudError::ToolMissing {
            tool: folder,
            path: other.unwrap_or(own),
        }),
    }
}

/// A port of 127.0.0.1 that nobody listens on, for a program that opens it by its number.
///
/// # Errors
/// When not one of the range is free.
pub fn free_port() -> Result<u16, CloudError> {
    let listener = free_listener()?;
    let address = listener.local_addr();
    Ok(address
        .map_err(CloudError::system("asking for the port that was opened"))?
        .port())
}

/// A listener on a port of 127.0.0.1 that nobody else listens on. Whoever serves in this process serves on it: closed and
/// opened again, the port may be taken for a moment, by a child that another thread is just starting and that holds a
/// copy of every socket until its exec, or by another process that looks whether it is free.
///
/// It lies below 32768, where Linux takes the ports of outgoing connections from: so nobody
/// gets it by accident once it is closed, and a server that died can come back.
///
/// # Errors
/// When not one of the range is free.
pub fn free_listener() -> Result<TcpListener, CloudError> {
    const FIRST: u16 = 20_000;
    const COUNT: u16 = 12_000;
    static TURN: AtomicU16 = AtomicU16::new(0);
    let start = std::process::id().wrapping_mul(97) % u32::from(COUNT);
    let start = u16::try_from(start).unwrap_or_default();
    for _ in 0..COUNT {
        let turn = TURN.fetch_add(1, Ordering::Relaxed) % COUNT;
        let port = FIRST + (start + turn) % COUNT;
        if let Ok(listener) = TcpListener::bind(("127.0.0.1", port)) {
            return Ok(listener);
        }
    }
    Err(CloudError::missing(
        "the free ports of 127.0.0.1",
        "none between 20000 and 32000",
    ))
}

/// The folder of one run: logs at the top, and `scratch`, which is deleted when the run ends.
#[derive(Debug)]
pub struct RunFolder {
    path: PathBuf,
}

impl RunFolder {
    /// Makes `target/local-cloud/<milliseconds>-<process>-<count>` and forgets the oldest ones.
    ///
    /// # Errors
    /// When the folder cannot be made.
    pub fn create() -> Result<Self, CloudError> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let all = checkout().join("target").join("local-cloud");
        std::fs::create_dir_all(&all).map_err(CloudError::system(format!("making the folder {}", all.display())))?;
        forget_old_runs(&all);
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = all.join(format!("{}-{}-{count}", since.as_millis(), std::process::id()));
        std::fs::create_dir_all(path.join("scratch"))
            .map_err(CloudError::system(format!("making the folder {}", path.display())))?;
        Ok(Self { path })
    }

    /// The folder itself; logs are directly in it.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Home and temporary folder of the emulators.
    pub fn scratch(&self) -> PathBuf {
        self.path.join("scratch")
    }

    /// The log file of one program.
    pub fn log(&self, program: &str) -> PathBuf {
        self.path.join(format!("{program}.log"))
    }
}

impl Drop for RunFolder {
    fn drop(&mut self) {
        // What is left here is picked up by a later run: see `forget_old_runs`.
        let _ = std::fs::remove_dir_all(self.scratch());
    }
}

/// Deletes what dead runs left behind; only the logs of the newest few are kept.
fn forget_old_runs(all: &Path) {
    let Ok(entries) = std::fs::read_dir(all) else { return };
    let mut dead: Vec<PathBuf> = entries
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| {
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            let process = name.split('-').nth(1).unwrap_or_default();
            process.parse::<u32>().is_ok() && !Path::new("/proc").join(process).exists()
        })
        .collect();
    // The name starts with the time, so that the oldest come first.
    dead.sort();
    let surplus = dead.len().saturating_sub(KEPT_RUNS);
    for (position, path) in dead.iter().enumerate() {
        let what = if position < surplus {
            path.clone()
        } else {
            path.join("scratch")
        };
        let _ = std::fs::remove_dir_all(what);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_listener_is_handed_over_open_and_no_two_share_a_port() {
        let mut held: Vec<TcpListener> = (0..8).map(|_| free_listener().unwrap()).collect();
        let mut ports: Vec<u16> = held.iter().map(|it| it.local_addr().unwrap().port()).collect();
        for port in &ports {
            assert!(TcpListener::bind(("127.0.0.1", *port)).is_err(), "{port} is taken");
        }
        ports.sort_unstable();
        ports.dedup();
        assert_eq!(ports.len(), held.len());
        held.clear();
        assert!(
            !ports.contains(&free_port().unwrap()),
            "a port that was let go is not the next one"
        );
    }
}
