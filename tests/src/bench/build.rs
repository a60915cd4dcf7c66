//! The probe's program, as `sam build` makes it.
//!
//! The same command as sam's own builder calls, in the same target folder: what is up to date for one is up to
//! date for the other, and nothing is compiled twice.

use std::path::PathBuf;
use std::process::Stdio;

use tokio::process::Command;

use crate::local_cloud::{CloudError, checkout, tool};

/// Variables that cargo sets for a program that it runs. They would make cargo believe, in a build started
/// from that program, that something had changed.
const CARGO_VARIABLES: &[&str] = &["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_", "CARGO_CRATE_"];

/// Names a program that is measured instead of building one: to compare two builds.
const GIVEN: &str = "UNDERSTUDY_BENCH_PROBE";

/// Builds the released probe where it is not up to date, and answers where it is. With `UNDERSTUDY_BENCH_PROBE`
/// nothing is built: the program of that path is measured.
///
/// # Errors
/// When cargo-lambda is not installed or the build fails: what it said stands above.
pub async fn released_probe() -> Result<PathBuf, CloudError> {
    if let Some(given) = std::env::var_os(GIVEN) {
        return Ok(PathBuf::from(given));
    }
    let cargo_lambda = tool("sam", "cargo-lambda")?;
    let mut command = Command::new(&cargo_lambda);
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        let of_cargo = CARGO_VARIABLES.iter().any(|prefix| text.starts_with(prefix));
        if of_cargo || text == "CARGO" || text == "LD_LIBRARY_PATH" {
            command.env_remove(&name);
        }
    }
    let first = cargo_lambda.parent().map(PathBuf::from).into_iter();
    let rest = std::env::var_os("PATH").unwrap_or_default();
    if let Ok(path) = std::env::join_paths(first.chain(std::env::split_paths(&rest))) {
        command.env("PATH", path);
    }
    let status = command
        .args(["lambda", "build", "--release", "--bin", "probe"])
        .current_dir(checkout())
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .status()
        .await
        .map_err(CloudError::system(format!("starting {}", cargo_lambda.display())))?;
    let built = checkout().join("target/lambda/probe/bootstrap");
    if status.success() && built.exists() {
        return Ok(built);
    }
    Err(CloudError::missing(
        "`cargo-lambda lambda build --release --bin probe`",
        format!("it ended with {status}; nothing was measured"),
    ))
}
