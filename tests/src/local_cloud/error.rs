//! What can go wrong with the local cloud, in words for the person who waits for it.

use std::path::PathBuf;

/// Why the local cloud could not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum CloudError {
    /// A pinned tool is not installed.
    #[error(
        "{tool} is not installed: {path} does not exist; nothing was started. Run `make tools`, or name the folder that holds ministack/, moto/ and sam/ in UNDERSTUDY_TOOLS"
    )]
    ToolMissing {
        /// The tool.
        tool: &'static str,
        /// The program that was looked for.
        path: PathBuf,
    },
    /// The system refused a file, a process or a socket.
    #[error("while {doing}")]
    System {
        /// What was being done, to what.
        doing: String,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// An emulator ended or did not become ready.
    #[error("{name} {what}; everything else was stopped. The log is {log}; it ends with:\n{tail}")]
    Emulator {
        /// The emulator.
        name: &'static str,
        /// What happened.
        what: String,
        /// Its log file.
        log: PathBuf,
        /// The last lines of it.
        tail: String,
    },
    /// The proxy did not start.
    #[error(transparent)]
    Proxy(#[from] understudy_testkit::proxy::ProxyError),
    /// `sam` failed.
    #[error("`sam {step}` ended with {status}; the stack is as `sam` left it. The log is {log}; it ends with:\n{tail}")]
    Sam {
        /// `build` or `deploy`.
        step: &'static str,
        /// How it ended.
        status: String,
        /// Its log file.
        log: PathBuf,
        /// The last lines of it.
        tail: String,
    },
    /// A call to the local cloud failed.
    #[error("the local cloud refused {what}: {reason}")]
    Call {
        /// What was asked, of what.
        what: String,
        /// The answer, with its error code.
        reason: String,
    },
    /// The cloud answered, but not with what it must hold.
    #[error("{what} is not as expected: {found}")]
    Unexpected {
        /// What was looked at.
        what: String,
        /// What was found.
        found: String,
    },
}

impl CloudError {
    /// Wraps a system error with what was being done.
    pub(crate) fn system(doing: impl Into<String>) -> impl FnOnce(std::io::Error) -> Self {
        let doing = doing.into();
        move |source| Self::System { doing, source }
    }

    /// Wraps the error of an SDK call, with all that its chain has to say.
    pub(crate) fn call<E: std::error::Error>(what: impl Into<String>) -> impl FnOnce(E) -> Self {
        let what = what.into();
        move |error| {
            let mut reason = error.to_string();
            let mut source = error.source();
            while let Some(inner) = source {
                reason = format!("{reason}: {inner}");
                source = inner.source();
            }
            Self::Call { what, reason }
        }
    }

    /// An answer that lacks something it must hold.
    pub(crate) fn missing(what: impl Into<String>, found: impl Into<String>) -> Self {
        Self::Unexpected {
            what: what.into(),
            found: found.into(),
        }
    }
}

/// The last lines of a log file, for an error message.
pub(crate) fn tail(log: &std::path::Path) -> String {
    let text = std::fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(25)..].join("\n")
}
