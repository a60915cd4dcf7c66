//! A cloud on this machine: two emulators, the recording proxy, and the really deployed stack.
//!
//! ```text
//! operator (test, demo) ──┐
//!                         ├──▶ recording proxy ──┬──▶ ministack: everything else, roles enforced
//! deployed functions ─────┘                      └──▶ moto: ELB, EC2, RDS, Auto Scaling
//! ```
//!
//! 1. The proxy starts first: emulators may come later, and ministack's environment, which every
//!    deployed function inherits, must already name it in `AWS_ENDPOINT_URL`.
//! 2. ministack and moto start on free ports of 127.0.0.1 and are polled until they answer.
//!    Both believe in the account [`ACCOUNT`], so that ARNs of one are granted by roles of the other.
//! 3. [`LocalCloud::deploy`] runs the real `sam build` and `sam deploy`.
//! 4. [`LocalCloud::create_stack`] makes what there is to fail over, from templates too.
//! 5. Dropping the cloud ends everything. So does the end of this process, even by SIGKILL: see
//!    [`emulator`]. Logs stay in `target/local-cloud/`, in the folder of the run.
//!
//! ministack enforces roles; moto does not. [`LocalCloud::check_grants`] makes up for it: it takes
//! the functions' calls to moto from the proxy's record and asks ministack's policy simulator
//! about each.

pub mod alarm;
mod clients;
mod deploy;
pub mod emulator;
mod error;
mod functions;
mod grants;
mod place;
mod raw;
mod replica;
mod stack;

use std::path::Path;
use std::time::Duration;

use understudy_testkit::proxy::{ProxySettings, RecordingProxy, RoutingTable, Upstream};

pub use clients::Clients;
pub use deploy::{DeployOptions, Deployment, Function, Sam};
pub use emulator::processes_of_group;
pub use error::CloudError;
pub use functions::Answer;
pub use grants::{Denied, GrantCheck};
pub use place::{checkout, free_listener, free_port, tool};
pub use stack::{Outputs, StackHome, output};

use emulator::Emulator;
use place::RunFolder;

/// The Region that everything is deployed in.
pub const REGION: &str = "us-east-1";

/// The account of both emulators.
pub const ACCOUNT: &str = "123456789012";

/// The caller name of the operator's calls in the proxy's record.
pub const OPERATOR: &str = "operator";

/// Services (signing names) that moto answers for; ministack answers for the rest.
const MOTO_SERVICES: &[&str] = &["elasticloadbalancing", "ec2", "rds", "autoscaling"];

/// How long an emulator may take to answer its first request on a busy machine.
const READY_DEADLINE: Duration = Duration::from_secs(90);

/// A running local cloud.
#[derive(Debug)]
pub struct LocalCloud {
    // Fields are dropped in this order: emulators before the folder that they write to.
    ministack: Emulator,
    moto: Emulator,
    proxy: RecordingProxy,
    clients: Clients,
    ministack_endpoint: String,
    moto_endpoint: String,
    folder: RunFolder,
}

impl LocalCloud {
    /// Starts the proxy and both emulators and waits until they answer.
    ///
    /// # Errors
    /// When a tool is not installed, or an emulator does not come up; nothing is left running.
    pub async fn start() -> Result<Self, CloudError> {
        let ministack_program = tool("ministack", "ministack")?;
        let moto_program = tool("moto", "moto_server")?;
        let folder = RunFolder::create()?;
        let (ministack_port, moto_port) = (free_port()?, free_port()?);
        let ministack_endpoint = format!("http://127.0.0.1:{ministack_port}");
        let moto_endpoint = format!("http://127.0.0.1:{moto_port}");

        let to_moto = Upstream::new("moto", format!("127.0.0.1:{moto_port}"));
        let to_ministack = Upstream::new("ministack", format!("127.0.0.1:{ministack_port}"));
        let routes = RoutingTable::new(to_ministack).with(MOTO_SERVICES, &to_moto);
        let mut settings = ProxySettings::new(routes);
        settings.record_file = Some(folder.path().join("calls.jsonl"));
        let proxy = RecordingProxy::start(settings).await?;
        proxy.callers().name(raw::ROOT.0, OPERATOR);

        let mut ministack = Emulator::start(
            "ministack",
            folder.log("ministack"),
            &ministack_program,
            &[],
            &ministack_environment(&folder, ministack_port, &proxy.endpoint_url()),
        )?;
        let port = moto_port.to_string();
        let mut moto = Emulator::start(
            "moto",
            folder.log("moto"),
            &moto_program,
            &["-H", "127.0.0.1", "-p", &port],
            &moto_environment(&folder),
        )?;
        ministack
            .wait_until_ready(ministack_port, "/_ministack/health", READY_DEADLINE)
            .await?;
        moto.wait_until_ready(moto_port, "/moto-api/data.json", READY_DEADLINE)
            .await?;
        let clients = Clients::new(&proxy.endpoint_url());
        Ok(Self {
            ministack,
            moto,
            proxy,
            clients,
            ministack_endpoint,
            moto_endpoint,
            folder,
        })
    }

    /// The recording proxy: records, latency, callers' names.
    pub fn proxy(&self) -> &RecordingProxy {
        &self.proxy
    }

    /// The operator's SDK clients, through the proxy.
    pub fn clients(&self) -> &Clients {
        &self.clients
    }

    /// What a person puts into `AWS_ENDPOINT_URL` to talk to this cloud.
    pub fn endpoint_url(&self) -> String {
        self.proxy.endpoint_url()
    }

    /// ministack itself, past the proxy and its record.
    pub fn ministack_endpoint(&self) -> &str {
        &self.ministack_endpoint
    }

    /// moto itself, past the proxy and its record.
    pub fn moto_endpoint(&self) -> &str {
        &self.moto_endpoint
    }

    /// The folder of this run: `ministack.log`, `moto.log`, `sam-*.log`, `calls.jsonl`.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The process groups of the emulators; deployed functions are in ministack's.
    pub fn process_groups(&self) -> [u32; 2] {
        [self.ministack.process_group(), self.moto.process_group()]
    }

    /// Ends everything and waits until it is gone. Dropping does the same.
    pub fn stop(self) {
        drop(self);
    }
}

fn common_environment(folder: &RunFolder) -> Vec<(String, String)> {
    let scratch = folder.scratch().display().to_string();
    let path = std::env::var("PATH").unwrap_or_else(|_| "/usr/bin:/bin".to_owned());
    pairs(&[
        ("PATH", &path),
        ("HOME", &scratch),
        ("TMPDIR", &scratch),
        ("AWS_ACCESS_KEY_ID", raw::ROOT.0),
        ("AWS_SECRET_ACCESS_KEY", raw::ROOT.1),
        ("AWS_DEFAULT_REGION", REGION),
        ("AWS_EC2_METADATA_DISABLED", "true"),
        ("PYTHONUNBUFFERED", "1"),
    ])
}

/// ministack's environment. Deployed functions inherit all of it.
fn ministack_environment(folder: &RunFolder, port: u16, proxy: &str) -> Vec<(String, String)> {
    let mut environment = common_environment(folder);
    let scratch = folder.scratch();
    environment.extend(pairs(&[
        ("GATEWAY_PORT", &port.to_string()),
        ("BIND_HOST", "127.0.0.1"),
        ("MINISTACK_HOST", "127.0.0.1"),
        ("MINISTACK_ACCOUNT_ID", ACCOUNT),
        ("MINISTACK_REGION", REGION),
        ("AUTH", "true"),
        ("AWS_ENDPOINT_URL", proxy),
        ("LAMBDA_EXECUTOR", "local"),
        ("STATE_DIR", &scratch.join("state").display().to_string()),
        ("S3_DATA_DIR", &scratch.join("s3").display().to_string()),
        // Two listeners on fixed ports that nobody here needs: two clouds at once would collide.
        ("IOT_MTLS_ENABLED", "0"),
        ("SFTP_ENABLED", "0"),
    ]));
    environment
}

fn moto_environment(folder: &RunFolder) -> Vec<(String, String)> {
    let mut environment = common_environment(folder);
    environment.extend(pairs(&[("MOTO_ACCOUNT_ID", ACCOUNT)]));
    environment
}

fn pairs(environment: &[(&str, &str)]) -> Vec<(String, String)> {
    environment
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}
