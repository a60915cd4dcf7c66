//! Emulators that keep what is written. They need the pinned tools (`make tools`).

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use understudy_aws::AwsConfig;

/// The emulator, which ends when its standard input does: however this process ends.
pub struct Emulator {
    child: Child,
    pub sdk: SdkConfig,
}

/// moto. It does not speak CloudWatch's protocol.
pub type Moto = Emulator;

impl Emulator {
    /// Starts moto on a free port.
    pub async fn start() -> Self {
        let port = free_port();
        Self::run(
            "moto/bin/moto_server",
            &["-H", "127.0.0.1", "-p", &port.to_string()],
            &[],
            port,
        )
        .await
    }

    /// Starts ministack on a free port. Of metric math it only says that it can not do it.
    pub async fn start_ministack() -> Self {
        let port = free_port();
        let folder = |name: &str| format!("{}/ministack-{port}/{name}", env!("CARGO_TARGET_TMPDIR"));
        let environment = [
            ("GATEWAY_PORT", port.to_string()),
            ("BIND_HOST", "127.0.0.1".to_owned()),
            ("MINISTACK_HOST", "127.0.0.1".to_owned()),
            ("STATE_DIR", folder("state")),
            ("S3_DATA_DIR", folder("s3")),
            // Two listeners on fixed ports that nobody here needs.
            ("IOT_MTLS_ENABLED", "0".to_owned()),
            ("SFTP_ENABLED", "0".to_owned()),
        ];
        Self::run("ministack/bin/ministack", &[], &environment, port).await
    }

    async fn run(program: &str, arguments: &[&str], environment: &[(&str, String)], port: u16) -> Self {
        let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.tools").join(program);
        assert!(program.exists(), "{} is not there; run `make tools`", program.display());
        let child = Command::new("/bin/sh")
            .args(["-c", "\"$@\" < /dev/null & cat > /dev/null; kill -9 $!", "emulator"])
            .arg(program)
            .args(arguments)
            .envs(environment.iter().map(|(name, value)| (*name, value.as_str())))
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let began = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(
                began.elapsed() < Duration::from_secs(120),
                "the emulator does not answer"
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let sdk = SdkConfig::builder()
            .behavior_version(BehaviorVersion::v2026_01_12())
            .region(Region::new("eu-west-1"))
            .endpoint_url(format!("http://127.0.0.1:{port}"))
            .credentials_provider(SharedCredentialsProvider::new(Credentials::new(
                "AKIDEXAMPLE",
                "example",
                None,
                None,
                "test",
            )))
            .http_client(aws_smithy_http_client::Builder::new().build_http())
            .build();
        Self { child, sdk }
    }

    /// What the rooms are made with.
    pub fn config(&self) -> AwsConfig {
        AwsConfig::from_sdk(self.sdk.clone())
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}
