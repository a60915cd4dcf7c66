//! The emulator that keeps what is written. It needs the pinned tools (`make tools`).

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use understudy_aws::AwsConfig;

/// The emulator, which ends when its standard input does: however this process ends.
pub struct Moto {
    child: Child,
    /// The SDK's configuration, all of whose calls go there.
    pub sdk: SdkConfig,
}

impl Moto {
    /// Starts one on a free port.
    pub async fn start() -> Self {
        let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.tools/moto/bin/moto_server");
        assert!(program.exists(), "{} is not there; run `make tools`", program.display());
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let child = Command::new("/bin/sh")
            .args(["-c", "\"$@\" < /dev/null & cat > /dev/null; kill -9 $!", "moto"])
            .arg(program)
            .args(["-H", "127.0.0.1", "-p", &port.to_string()])
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

    /// The same for the rooms.
    pub fn config(&self) -> AwsConfig {
        AwsConfig::from_sdk(self.sdk.clone())
    }
}

impl Drop for Moto {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}
