//! Calling deployed functions, and killing one.

use std::process::Command;

use aws_config::Region;
use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::InvocationType;
use serde_json::Value;

use super::emulator::processes_of_group;
use super::{CloudError, LocalCloud, REGION};

/// What a function answered.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The payload: the function's answer, or its error object.
    pub payload: Value,
    /// `Unhandled` and the like when the function failed; absent when it answered.
    pub function_error: Option<String>,
}

/// What makes a call of Lambda go to the Region of a function: that of its ARN, or [`REGION`] if it is only named.
pub(super) fn in_region_of(function: &str) -> aws_sdk_lambda::config::Builder {
    let region = match function.strip_prefix("arn:") {
        Some(arn) => arn.split(':').nth(2).unwrap_or(REGION),
        None => REGION,
    };
    aws_sdk_lambda::config::Builder::new().region(Region::new(region.to_owned()))
}

impl LocalCloud {
    /// Invokes a function, given by its name or by its ARN, and waits for its answer. A failed function is an [`Answer`] too.
    ///
    /// # Errors
    /// When the invocation itself is refused, or answers something that is not JSON.
    pub async fn invoke(&self, function: &str, event: &Value) -> Result<Answer, CloudError> {
        let output = self
            .clients()
            .lambda
            .invoke()
            .function_name(function)
            .payload(Blob::new(event.to_string()))
            .customize()
            .config_override(in_region_of(function))
            .send()
            .await
            .map_err(CloudError::call(format!("Invoke of {function}")))?;
        let bytes = output.payload().map(|payload| payload.as_ref()).unwrap_or_default();
        let payload = if bytes.is_empty() {
            Value::Null
        } else {
            serde_json::from_slice(bytes).map_err(|error| {
                let text = String::from_utf8_lossy(bytes);
                CloudError::missing(format!("the answer of {function}"), format!("{error}: {text}"))
            })?
        };
        Ok(Answer {
            payload,
            function_error: output.function_error().map(str::to_owned),
        })
    }

    /// Invokes a function, given by its name or by its ARN, asynchronously: returns when Lambda has taken the event.
    ///
    /// # Errors
    /// When the invocation is refused.
    pub async fn invoke_async(&self, function: &str, event: &Value) -> Result<(), CloudError> {
        self.clients()
            .lambda
            .invoke()
            .function_name(function)
            .invocation_type(InvocationType::Event)
            .payload(Blob::new(event.to_string()))
            .customize()
            .config_override(in_region_of(function))
            .send()
            .await
            .map_err(CloudError::call(format!("asynchronous Invoke of {function}")))?;
        Ok(())
    }

    /// The processes that run a deployed function now; idle ones are among them.
    pub fn function_processes(&self, function: &str) -> Vec<u32> {
        let wanted = format!("AWS_LAMBDA_FUNCTION_NAME={function}");
        let [ministack, _] = self.process_groups();
        let runs_it = |process: &u32| {
            let environment = std::fs::read(format!("/proc/{process}/environ")).unwrap_or_default();
            environment
                .split(|byte| *byte == 0)
                .any(|variable| variable == wanted.as_bytes())
        };
        processes_of_group(ministack).into_iter().filter(runs_it).collect()
    }

    /// Kills every process of a deployed function with SIGKILL, whatever it is doing, and
    /// returns how many there were. The next invocation starts a new one.
    ///
    /// # Errors
    /// When the shell that sends the signal cannot be started.
    pub fn kill_function_process(&self, function: &str) -> Result<usize, CloudError> {
        let processes = self.function_processes(function);
        if processes.is_empty() {
            return Ok(0);
        }
        // The shell's own `kill`: there is no safe call for it in the standard library, and the
        // program of that name is not installed everywhere.
        Command::new("/bin/sh")
            .args(["-c", "kill -9 \"$@\" 2> /dev/null", "kill"])
            .args(processes.iter().map(u32::to_string))
            .status()
            .map_err(CloudError::system(format!("killing the processes of {function}")))?;
        Ok(processes.len())
    }
}
