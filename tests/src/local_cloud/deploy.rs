//! The real `sam build` and `sam deploy` of the real template, against the local cloud.
//!
//! What is up to date is not built again: `sam build` asks cargo, and cargo's fingerprints
//! decide. Both commands run with the pinned tools first in `PATH`, root credentials of the
//! emulator, and no configuration of the person who runs them.
//!
//! One thing is deployed otherwise than to AWS: [`WIDENED`].

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::Command;
use understudy_testkit::proxy::function_access_key;
use uuid::Uuid;

use super::error::{CloudError, tail};
use super::functions::in_region_of;
use super::stack::{self, Outputs};
use super::{ACCOUNT, LocalCloud, REGION, checkout, raw, tool};

/// Variables by which cargo tells a test what it tests. They would make cargo believe, in a
/// build started from a test, that something had changed.
const CARGO_VARIABLES: &[&str] = &["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_", "CARGO_CRATE_"];

/// Runs a command in a process group that ends when standard input closes: a build that nobody
/// waits for any more must not go on, however its waiter ended.
const WATCHED: &str = r#"
exec 3<&0
{ cat <&3; kill -9 -$$; } > /dev/null 2>&1 &
"$@" < /dev/null 3<&-
"#;

/// What the roles name and the emulator does not know: it looks for no resource in these calls and compares `*` with the
/// role, which no ARN matches. Deployed here, they are granted on `*`; that the template scopes them is asserted on the
/// template (`shared/testkit/tests/template`).
const WIDENED: &[&str] = &[
    "arn:${AWS::Partition}:route53:::change/*",
    "arn:${AWS::Partition}:iam::${AWS::AccountId}:role/*-ExecutorRole-*",
];
/// What `sam build` has built, and the same as it is deployed here. Beside each other: paths in them are relative.
const BUILT: &str = ".aws-sam/build/template.yaml";
const DEPLOYED: &str = ".aws-sam/build/local-cloud.yaml";

/// What is deployed, under which name.
#[derive(Clone, Debug)]
pub struct DeployOptions {
    /// The stack's name.
    pub stack: String,
    /// The Region that it is deployed in.
    pub region: String,
    /// `ParameterKey` and value, handed to `--parameter-overrides`.
    pub parameters: Vec<(String, String)>,
    /// Run `sam build` first. Without it, what was built last is deployed.
    pub build: bool,
}

impl Default for DeployOptions {
    fn default() -> Self {
        Self {
            stack: "understudy".to_owned(),
            region: REGION.to_owned(),
            parameters: Vec::new(),
            build: true,
        }
    }
}

/// What is heard of `sam` while it works.
#[derive(Clone, Copy, Debug)]
pub enum Sam<'a> {
    /// It printed a line.
    Said {
        /// The line, without spaces at its end.
        line: &'a str,
    },
    /// It has printed nothing for a second: a compiler can be silent for minutes.
    Silent {
        /// `build` or `deploy`.
        step: &'static str,
        /// How long this step has been running.
        seconds: u64,
    },
}

/// A deployed function.
#[derive(Clone, Debug)]
pub struct Function {
    /// Its physical name.
    pub name: String,
    /// Its ARN.
    pub arn: String,
    /// The name of its role; what the proxy's records call the caller.
    pub role_name: String,
    /// The ARN of its role.
    pub role_arn: String,
}

/// What a deployment left in the cloud.
#[derive(Clone, Debug)]
pub struct Deployment {
    /// The stack's name.
    pub stack: String,
    /// The stack's outputs.
    pub outputs: Outputs,
    /// Logical id to (type, physical id) of every resource.
    pub resources: BTreeMap<String, (String, String)>,
    /// Logical id to function.
    pub functions: BTreeMap<String, Function>,
}

impl Deployment {
    /// An output of the stack.
    ///
    /// # Errors
    /// When there is none of that name; lists those that there are.
    pub fn output(&self, name: &str) -> Result<&str, CloudError> {
        stack::output(&self.outputs, &self.stack, name)
    }

    /// A function by a part of its logical id or name, upper or lower case: `decision`.
    ///
    /// # Errors
    /// When none or more than one matches.
    pub fn function(&self, part: &str) -> Result<&Function, CloudError> {
        let part = part.to_lowercase();
        let mut matching = self.functions.iter().filter(|(logical, function)| {
            logical.to_lowercase().contains(&part) || function.name.to_lowercase().contains(&part)
        });
        match (matching.next(), matching.next()) {
            (Some((_, function)), None) => Ok(function),
            (first, _) => Err(CloudError::missing(
                format!("the function `{part}` of stack {}", self.stack),
                if first.is_some() {
                    "more than one matches"
                } else {
                    "none matches"
                },
            )),
        }
    }

    /// The physical ids of all resources of a type, for example `AWS::Events::Rule`.
    pub fn of_type(&self, kind: &str) -> Vec<&str> {
        let resources = self.resources.values();
        resources
            .filter(|(found, _)| found == kind)
            .map(|(_, id)| id.as_str())
            .collect()
    }
}

impl LocalCloud {
    /// Builds and deploys `template.yaml`, and registers the functions' roles with the proxy.
    /// What `sam` prints goes to `progress`, and to a log file in the run's folder.
    ///
    /// # Errors
    /// When `sam` is not installed or fails; the error holds the end of its log.
    pub async fn deploy(
        &self,
        options: &DeployOptions,
        progress: &mut (dyn FnMut(Sam<'_>) + Send),
    ) -> Result<Deployment, CloudError> {
        if options.build {
            self.sam("build", &[], progress).await?;
        }
        widen(&checkout())?;
        let mut arguments = vec![
            // Named, because `sam` would quietly pack the whole checkout if nothing were built.
            "--template-file".to_owned(),
            DEPLOYED.to_owned(),
            "--resolve-s3".to_owned(),
            "--no-confirm-changeset".to_owned(),
            "--no-fail-on-empty-changeset".to_owned(),
            "--no-progressbar".to_owned(),
            "--capabilities".to_owned(),
            "CAPABILITY_IAM".to_owned(),
            "CAPABILITY_NAMED_IAM".to_owned(),
            "--stack-name".to_owned(),
            options.stack.clone(),
            "--region".to_owned(),
            options.region.clone(),
        ];
        if !options.parameters.is_empty() {
            arguments.push("--parameter-overrides".to_owned());
            let pairs = options.parameters.iter();
            arguments.extend(pairs.map(|(key, value)| format!("{key}={value}")));
        }
        self.sam("deploy", &arguments, progress).await?;
        self.deployment(&options.region, &options.stack).await
    }

    /// Reads what a deployed stack consists of, and names its functions' roles to the proxy.
    ///
    /// # Errors
    /// When the stack does not exist or one of its functions cannot be read.
    pub async fn deployment(&self, region: &str, stack: &str) -> Result<Deployment, CloudError> {
        let endpoint = self.ministack_endpoint();
        let outputs = stack::outputs(endpoint, region, stack).await?;
        let resources = stack::resources(endpoint, region, stack).await?;
        let mut functions = BTreeMap::new();
        for (logical, (kind, id)) in &resources {
            if kind == "AWS::Lambda::Function" {
                let arn = format!("arn:aws:lambda:{region}:{ACCOUNT}:function:{id}");
                functions.insert(logical.clone(), self.read_function(&arn).await?);
            }
        }
        Ok(Deployment {
            stack: stack.to_owned(),
            outputs,
            resources,
            functions,
        })
    }

    async fn read_function(&self, named: &str) -> Result<Function, CloudError> {
        let read = self
            .clients()
            .lambda
            .get_function_configuration()
            .function_name(named)
            .customize()
            .config_override(in_region_of(named))
            .send();
        let what = format!("GetFunctionConfiguration of {named}");
        let found = read.await.map_err(CloudError::call(what))?;
        let arn = found.function_arn().unwrap_or_default().to_owned();
        let role_arn = found.role().unwrap_or_default().to_owned();
        let role_name = role_arn.rsplit('/').next().unwrap_or_default().to_owned();
        self.proxy()
            .callers()
            .name(function_access_key(&arn, &role_arn), role_name.clone());
        let name = found.function_name().unwrap_or(named).to_owned();
        Ok(Function {
            name,
            arn,
            role_name,
            role_arn,
        })
    }

    async fn sam(
        &self,
        step: &'static str,
        arguments: &[String],
        progress: &mut (dyn FnMut(Sam<'_>) + Send),
    ) -> Result<(), CloudError> {
        let program = tool("sam", "sam")?;
        let log = self.folder().join(format!("sam-{step}.log"));
        let opening = || CloudError::system(format!("opening {}", log.display()));
        let mut file = File::options()
            .create(true)
            .append(true)
            .open(&log)
            .map_err(opening())?;
        let mut command = Command::new("/bin/sh");
        command.args(["-c", WATCHED, "understudy-watchdog"]).arg(&program);
        command.arg(step).args(arguments).current_dir(checkout());
        self.set_sam_environment(&mut command, &program);
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command.process_group(0);
        let starting = CloudError::system(format!("starting {}", program.display()));
        let mut child = command.spawn().map_err(starting)?;
        // Held until `sam` has ended: letting go of it is what kills the group.
        let lifeline = child.stdin.take();
        let (sender, mut lines) = tokio::sync::mpsc::channel(64);
        forward_lines(child.stdout.take(), sender.clone());
        forward_lines(child.stderr.take(), sender);
        let begun = Instant::now();
        loop {
            match tokio::time::timeout(Duration::from_secs(1), lines.recv()).await {
                Ok(Some(line)) => {
                    use std::io::Write;
                    // The log is for reading after a failure; a full disk fails `sam` itself first.
                    let _ = writeln!(file, "{line}");
                    progress(Sam::Said { line: &line });
                }
                Ok(None) => break,
                Err(_) => progress(Sam::Silent {
                    step,
                    seconds: begun.elapsed().as_secs(),
                }),
            }
        }
        let waiting = CloudError::system(format!("waiting for `sam {step}`"));
        let status = child.wait().await.map_err(waiting)?;
        drop(lifeline);
        if status.success() {
            return Ok(());
        }
        let tail = tail(&log);
        Err(CloudError::Sam {
            step,
            status: status.to_string(),
            log,
            tail,
        })
    }

    fn set_sam_environment(&self, command: &mut Command, program: &Path) {
        for (name, _) in std::env::vars_os() {
            let name = name.to_string_lossy().into_owned();
            let of_cargo = CARGO_VARIABLES.iter().any(|prefix| name.starts_with(prefix));
            if of_cargo || name.starts_with("AWS_") || name == "CARGO" || name == "LD_LIBRARY_PATH" {
                command.env_remove(name);
            }
        }
        let first = program.parent().map(Path::to_path_buf).into_iter();
        let path = std::env::var_os("PATH").unwrap_or_default();
        let rest = std::env::split_paths(&path).collect::<Vec<PathBuf>>();
        if let Ok(path) = std::env::join_paths(first.chain(rest)) {
            command.env("PATH", path);
        }
        let nowhere = self.folder().join("no-aws-configuration");
        command
            .env("AWS_ENDPOINT_URL", self.ministack_endpoint())
            .env("AWS_ACCESS_KEY_ID", raw::ROOT.0)
            .env("AWS_SECRET_ACCESS_KEY", raw::ROOT.1)
            .env("AWS_DEFAULT_REGION", REGION)
            .env("AWS_ACCOUNT_ID", ACCOUNT)
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .env("AWS_CONFIG_FILE", &nowhere)
            .env("AWS_SHARED_CREDENTIALS_FILE", &nowhere)
            .env("SAM_CLI_TELEMETRY", "0")
            .env("PYTHONUNBUFFERED", "1");
    }
}

/// Writes what was built as it is deployed here.
fn widen(checkout: &Path) -> Result<(), CloudError> {
    let (built, deployed) = (checkout.join(BUILT), checkout.join(DEPLOYED));
    let reading = CloudError::system(format!("reading what was built, {}", built.display()));
    let text = std::fs::read_to_string(&built).map_err(reading)?;
    let widened = widened(text)?;
    // Stacks are deployed at once, by one process too: nobody must read half a file, nor rename another's away.
    let own = deployed.with_extension(format!("{}.yaml", Uuid::new_v4()));
    let writing = || CloudError::system(format!("writing what is deployed, {}", deployed.display()));
    std::fs::write(&own, widened).map_err(writing())?;
    std::fs::rename(&own, &deployed).map_err(writing())
}

fn widened(template: String) -> Result<String, CloudError> {
    WIDENED.iter().try_fold(template, |text, arn| {
        if !text.contains(arn) {
            return Err(CloudError::missing(
                format!("the built {BUILT}"),
                format!("no resource {arn} in it"),
            ));
        }
        let bare = text
            .replace(&format!("'{arn}'"), arn)
            .replace(&format!("\"{arn}\""), arn);
        Ok(bare.replace(arn, "'*'"))
    })
}

fn forward_lines(stream: Option<impl AsyncRead + Send + Unpin + 'static>, sender: tokio::sync::mpsc::Sender<String>) {
    let Some(stream) = stream else { return };
    tokio::spawn(async move {
        let mut lines = BufReader::new(stream).split(b'\n');
        while let Ok(Some(line)) = lines.next_segment().await {
            let line = String::from_utf8_lossy(&line).trim_end().to_owned();
            if sender.send(line).await.is_err() {
                break;
            }
        }
    });
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn only_what_the_emulator_does_not_know_is_widened_quoted_or_not() {
        let built = format!(
            "- Fn::Sub: {}\n- Fn::Sub: '{}'\n- Fn::Sub: arn:${{AWS::Partition}}:route53:::hostedzone/*\n",
            WIDENED[0], WIDENED[1]
        );
        let expected = "- Fn::Sub: '*'\n- Fn::Sub: '*'\n- Fn::Sub: arn:${AWS::Partition}:route53:::hostedzone/*\n";
        assert_eq!(widened(built).unwrap(), expected);
        assert!(
            widened("Resources: {}".to_owned()).is_err(),
            "a list that is out of date is told"
        );
    }

    #[test]
    fn stacks_deployed_at_once_each_find_the_whole_template() {
        let folder = std::env::temp_dir().join(format!("understudy-widen-{}", Uuid::new_v4()));
        let built = folder.join(BUILT);
        std::fs::create_dir_all(built.parent().unwrap()).unwrap();
        std::fs::write(&built, WIDENED.join("\n")).unwrap();
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| (0..200).for_each(|_| widen(&folder).unwrap()));
            }
        });
        assert_eq!(std::fs::read_to_string(folder.join(DEPLOYED)).unwrap(), "'*'\n'*'");
        assert_eq!(
            std::fs::read_dir(built.parent().unwrap()).unwrap().count(),
            2,
            "nothing is left over"
        );
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
