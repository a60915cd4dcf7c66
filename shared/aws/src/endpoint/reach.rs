//! Where a probe must not reach, whatever a plan or a name server says.
//!
//! A probe runs inside Lambda, beside two things that answer to whoever asks: the runtime's own API, through which
//! invocations are fetched and answered, and the link-local services that hand out credentials and metadata. A plan
//! may name anything, and a name may resolve to anything, so the *resolved* address is looked at, and the connection
//! goes to the very address that was looked at.

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use std::error::Error;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};

/// Where Lambda says that the runtime's API is: `127.0.0.1:9001`.
const RUNTIME_API: &str = "AWS_LAMBDA_RUNTIME_API";
/// The IPv6 addresses of EC2's services on the machine itself, metadata (`fd00:ec2::254`) among them.
const EC2_LOCAL: [u16; 2] = [0xfd00, 0x0ec2];

/// An address that is not connected to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not tried: {address} {why}; a plan can not probe it")]
pub struct Refused {
    address: IpAddr,
    why: &'static str,
}

/// Where the runtime's API is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RuntimeApi {
    /// None if it is given by name: then this machine is meant.
    ip: Option<IpAddr>,
    /// Its port.
    pub(super) port: u16,
}

impl RuntimeApi {
    /// What Lambda says; nothing outside of Lambda.
    pub fn from_env() -> Option<Self> {
        std::env::var(RUNTIME_API).ok().and_then(|text| Self::parse(&text))
    }

    /// Reads `host:port`.
    pub fn parse(text: &str) -> Option<Self> {
        let (host, port) = text.trim().rsplit_once(':')?;
        let host = host.trim_start_matches('[').trim_end_matches(']');
        Some(Self {
            ip: host.parse().ok().map(|ip: IpAddr| ip.to_canonical()),
            port: port.parse().ok()?,
        })
    }
}

/// Why an address is not connected to, if it is not.
pub fn refusal(address: SocketAddr, runtime_api: Option<RuntimeApi>) -> Option<Refused> {
    let ip = address.ip().to_canonical();
    let refused = |why| Some(Refused { address: ip, why });
    let link_local = match ip {
        IpAddr::V4(v4) => v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_unicast_link_local() || is_ec2_local(v6),
    };
    if link_local {
        return refused("is a link-local address, where credentials and metadata are handed out");
    }
    // The unspecified address connects to this machine too.
    let this_machine = ip.is_loopback() || ip.is_unspecified();
    match runtime_api {
        Some(api) if api.port == address.port() && (this_machine || api.ip == Some(ip)) => {
            refused("with this port is the API of Lambda's runtime")
        }
        _ => None,
    }
}

fn is_ec2_local(address: Ipv6Addr) -> bool {
    address.segments().starts_with(&EC2_LOCAL)
}

/// The addresses of a host, none of which is refused.
///
/// # Errors
/// The name does not resolve, or [`Refused`].
pub(super) async fn lookup(
    host: &str,
    port: u16,
    runtime_api: Option<RuntimeApi>,
) -> Result<Vec<SocketAddr>, Box<dyn Error + Send + Sync>> {
    let addresses: Vec<SocketAddr> = tokio::net::lookup_host((host, port)).await?.collect();
    match addresses.iter().find_map(|address| refusal(*address, runtime_api)) {
        Some(refused) => Err(refused.into()),
        None => Ok(addresses),
    }
}

/// Resolves names for an HTTP client whose requests all go to one port. Literal addresses never come here.
pub(super) struct Guarded {
    /// The port; 0 for any port but that of the runtime's API.
    pub(super) port: u16,
    /// Where the runtime's API is.
    pub(super) runtime_api: Option<RuntimeApi>,
}

impl Resolve for Guarded {
    fn resolve(&self, name: Name) -> Resolving {
        let (port, runtime_api) = (self.port, self.runtime_api);
        Box::pin(async move {
            let addresses = lookup(name.as_str(), port, runtime_api).await?;
            Ok(Box::new(addresses.into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::NetworkEndpoint;
    use super::*;
    use understudy_core::health::Health;
    use understudy_engine::ports::Endpoint;

    fn is_refused(address: &str) -> bool {
        refusal(address.parse().unwrap(), RuntimeApi::parse("127.0.0.1:9001")).is_some()
    }

    #[test]
    fn the_runtimes_api_and_what_hands_out_credentials_are_refused_in_every_spelling() {
        for address in [
            "127.0.0.1:9001",
            "127.0.0.2:9001",
            "0.0.0.0:9001",
            "[::1]:9001",
            "[::]:9001",
            "[::ffff:127.0.0.1]:9001",
            "169.254.169.254:80",
            "169.254.170.2:80",
            "169.254.0.1:443",
            "[::ffff:169.254.169.254]:80",
            "[fd00:ec2::254]:80",
            "[fd00:ec2::23]:80",
            "[fe80::1]:80",
        ] {
            assert!(is_refused(address), "{address}");
        }
    }

    #[test]
    fn sites_are_not() {
        for address in [
            "127.0.0.1:9000",
            "127.0.0.1:80",
            "[::1]:8080",
            "10.0.0.1:9001",
            "192.0.2.1:9001",
            "169.253.0.1:80",
            "[fd00:ec3::254]:80",
            "[2001:db8::1]:443",
        ] {
            assert!(!is_refused(address), "{address}");
        }
    }

    #[test]
    fn the_api_is_where_lambda_says_and_nowhere_outside_of_it() {
        let at = |api: &str, address: &str| refusal(address.parse().unwrap(), RuntimeApi::parse(api));
        assert!(at("10.1.2.3:7000", "10.1.2.3:7000").is_some());
        assert!(at("10.1.2.3:7000", "10.1.2.3:7001").is_none());
        assert!(at("[::1]:7000", "[::1]:7000").is_some());
        assert!(at("localhost:7000", "127.0.0.1:7000").is_some());
        assert!(refusal("127.0.0.1:9001".parse().unwrap(), None).is_none());
        assert_eq!(RuntimeApi::parse("nonsense"), None);
    }

    #[tokio::test]
    async fn a_name_is_judged_by_what_it_resolves_to() {
        let api = RuntimeApi::parse("127.0.0.1:9001");
        let refused = lookup("localhost", 9001, api).await.unwrap_err();
        assert!(refused.downcast_ref::<Refused>().is_some(), "{refused}");
        assert!(!lookup("localhost", 9002, api).await.unwrap().is_empty());
    }

    #[tokio::test]
    async fn a_probe_does_not_reach_the_runtimes_api_by_any_name_and_reaches_its_neighbours() {
        let api = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let site = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let api_port = api.local_addr().unwrap().port();
        let endpoint = NetworkEndpoint::of(Vec::new(), RuntimeApi::parse(&format!("127.0.0.1:{api_port}")));
        let check = async |host: &str, port: u16, protocol: &str| {
            let probe = serde_json::json!({
                "name": "web", "site": "blue", "host": host, "port": port, "protocol": protocol, "timeout_seconds": 2,
            });
            endpoint.check(&serde_json::from_value(probe).unwrap()).await
        };
        for protocol in ["http", "https", "tcp"] {
            // The last is another spelling of 127.0.0.1, which URLs and resolvers take.
            for host in ["127.0.0.1", "localhost", "0x7f000001"] {
                let sample = check(host, api_port, protocol).await;
                assert_eq!(sample.health, Health::Unknown, "{protocol} {host}: {}", sample.reason);
                assert!(
                    sample.reason.contains("Lambda's runtime"),
                    "{protocol} {host}: {}",
                    sample.reason
                );
            }
            let sample = check("169.254.169.254", 80, protocol).await;
            assert_eq!(sample.health, Health::Unknown, "{protocol}: {}", sample.reason);
        }
        let connected = tokio::time::timeout(std::time::Duration::ZERO, api.accept()).await;
        assert!(connected.is_err(), "nobody was connected to it");
        let neighbour = check("localhost", site.local_addr().unwrap().port(), "tcp").await;
        assert_eq!(neighbour.health, Health::Healthy, "{}", neighbour.reason);
    }
}
