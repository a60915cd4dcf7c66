//! A real connection to a site's endpoint: HTTP, HTTPS or TCP.
//!
//! Every try is new: a new name lookup, a new connection, no proxy, no redirect, certificates verified. What
//! the endpoint does wrong is *unhealthy*. What goes wrong on this side (no socket left, no route out, a
//! resolver that does not answer) is *unknown*: it says nothing about the endpoint. So is what a probe must not
//! reach, which `reach` knows.

pub mod body;
pub mod reach;

use async_trait::async_trait;
use body::Search;
use reach::{Guarded, Refused, RuntimeApi};
use reqwest::redirect::Policy;
use reqwest::{Certificate, Client, Response, Url};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use std::error::Error;
use std::io;
use std::net::IpAddr;
use std::sync::OnceLock;
use std::time::Duration;
use tokio::net::TcpStream;
use understudy_core::health::{Health, Sample};
use understudy_core::plan::{EndpointProbe, Method, Protocol};
use understudy_engine::ports::Endpoint;

/// How the probe names itself to the endpoint.
const USER_AGENT: &str = "understudy-probe";

/// Errors of the operating system that are this side's fault, by their numbers on Linux.
const LOCAL_PROBLEMS: &[(i32, &str)] = &[
    (12, "no memory"),
    (23, "the system has no file descriptor left"),
    (24, "this process has no file descriptor left"),
    (99, "no local address or port is left"),
    (100, "the network is down"),
    (101, "the network can not be reached from here"),
    (105, "no buffer space"),
];

/// Tries endpoints over the network.
pub struct NetworkEndpoint {
    additional_roots: Vec<Certificate>,
    runtime_api: Option<RuntimeApi>,
    // Made at their first use: reading the system's root certificates takes milliseconds.
    plain: OnceLock<Result<Client, String>>,
    tls: OnceLock<Result<Client, String>>,
}

impl NetworkEndpoint {
    /// Trusts the system's root certificates. Inside Lambda, the runtime's API is out of its reach.
    pub fn new() -> Self {
        Self::of(Vec::new(), RuntimeApi::from_env())
    }

    fn of(additional_roots: Vec<Certificate>, runtime_api: Option<RuntimeApi>) -> Self {
        Self {
            additional_roots,
            runtime_api,
            plain: OnceLock::new(),
            tls: OnceLock::new(),
        }
    }

    /// Trusts these certificates (PEM, one each) beside the system's.
    ///
    /// # Errors
    /// One of them is not a certificate.
    pub fn with_roots(certificates_pem: &[&str]) -> Result<Self, String> {
        // `Certificate::from_pem` would find a damaged one only when the client is made.
        let additional_roots = certificates_pem
            .iter()
            .map(|pem| {
                let der = CertificateDer::from_pem_slice(pem.as_bytes()).map_err(|error| error.to_string())?;
                Certificate::from_der(&der).map_err(|error| chain(&error))
            })
            .collect::<Result<_, String>>()
            .map_err(|problem| format!("reading a root certificate: {problem}"))?;
        Ok(Self::of(additional_roots, RuntimeApi::from_env()))
    }

    fn client(&self, protocol: Protocol) -> Result<&Client, String> {
        let made = match protocol {
            Protocol::Https => self.tls.get_or_init(|| self.build(protocol, 0)),
            Protocol::Http | Protocol::Tcp => self.plain.get_or_init(|| self.build(protocol, 0)),
        };
        made.as_ref().map_err(Clone::clone)
    }

    /// A client for this port, or (0) for every port but that of the runtime's API.
    fn build(&self, protocol: Protocol, port: u16) -> Result<Client, String> {
        let roots = (protocol == Protocol::Https).then_some(self.additional_roots.as_slice());
        build(roots, self.guard(port))
    }

    fn guard(&self, port: u16) -> Guarded {
        Guarded {
            port,
            runtime_api: self.runtime_api,
        }
    }

    async fn ask(&self, probe: &EndpointProbe) -> Sample {
        let unknown = |problem: String| Sample::new(Health::Unknown, problem);
        let url = match Url::parse(&address(probe)) {
            Ok(url) => url,
            Err(error) => return unknown(format!("the plan makes no address: {error}")),
        };
        let port = url.port_or_known_default().unwrap_or_default();
        // What the client takes for a literal address it does not resolve.
        let literal = url.host_str().and_then(|host| {
            let host = host.trim_start_matches('[').trim_end_matches(']');
            host.parse::<IpAddr>().ok()
        });
        if let Some(refused) = literal.and_then(|ip| reach::refusal((ip, port).into(), self.runtime_api)) {
            return unknown(refused.to_string());
        }
        // The runtime's port is nobody's site: such a probe pays for a client of its own.
        let own = (self.runtime_api.map(|api| api.port) == Some(port)).then(|| self.build(probe.protocol, port));
        let client = match &own {
            Some(own) => own.as_ref().map_err(Clone::clone),
            None => self.client(probe.protocol),
        };
        let client = match client {
            Ok(client) => client,
            Err(problem) => return unknown(format!("the prober has no HTTP client: {problem}")),
        };
        let method = match probe.method {
            Method::Get => reqwest::Method::GET,
            Method::Head => reqwest::Method::HEAD,
        };
        let request = match client.request(method, url).build() {
            Ok(request) => request,
            Err(error) => return unknown(format!("the plan makes no address: {}", chain(&error))),
        };
        match client.execute(request).await {
            Ok(response) => judge(probe, response).await,
            Err(error) => classify(&error),
        }
    }

    async fn connect(&self, probe: &EndpointProbe) -> Sample {
        let Some(port) = probe.port else {
            return Sample::new(Health::Unknown, "the plan gives no port for TCP");
        };
        let addresses = match reach::lookup(&probe.host, port, self.runtime_api).await {
            Ok(addresses) => addresses,
            Err(error) => return classify(error.as_ref()),
        };
        match TcpStream::connect(addresses.as_slice()).await {
            Ok(_) => Sample::new(Health::Healthy, format!("TCP port {port} open")),
            Err(error) => classify(&error),
        }
    }
}

impl Default for NetworkEndpoint {
    fn default() -> Self {
        Self::new()
    }
}

#[async_trait]
impl Endpoint for NetworkEndpoint {
    async fn check(&self, probe: &EndpointProbe) -> Sample {
        let timeout = Duration::from_secs(u64::from(probe.timeout_seconds));
        let sample = async {
            match probe.protocol {
                Protocol::Http | Protocol::Https => self.ask(probe).await,
                Protocol::Tcp => self.connect(probe).await,
            }
        };
        tokio::time::timeout(timeout, sample).await.unwrap_or_else(|_| {
            Sample::new(
                Health::Unhealthy,
                format!("no answer within {} s", probe.timeout_seconds),
            )
        })
    }
}

/// A client without TLS (`None`), or one that trusts the system's roots and these.
fn build(additional_roots: Option<&[Certificate]>, guard: Guarded) -> Result<Client, String> {
    // Another part of the process may have installed it before: all of them install ring.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let builder = Client::builder()
        .user_agent(USER_AGENT)
        .redirect(Policy::none())
        .referer(false)
        .no_proxy()
        .dns_resolver(guard)
        .http1_only()
        .pool_max_idle_per_host(0);
    let builder = match additional_roots {
        None => builder.tls_certs_only([]),
        Some(roots) => builder.tls_certs_merge(roots.iter().cloned()),
    };
    builder.build().map_err(|error| chain(&error))
}

fn address(probe: &EndpointProbe) -> String {
    let scheme = if probe.protocol == Protocol::Https {
        "https"
    } else {
        "http"
    };
    // An IPv6 address stands in brackets.
    let host = if probe.host.contains(':') {
        format!("[{}]", probe.host)
    } else {
        probe.host.clone()
    };
    let port = probe.port.map(|port| format!(":{port}")).unwrap_or_default();
    format!("{scheme}://{host}{port}{}", probe.path)
}

async fn judge(probe: &EndpointProbe, response: Response) -> Sample {
    let status = response.status().as_u16();
    let (from, to) = (probe.expected_status.from, probe.expected_status.to);
    if !(from..=to).contains(&status) {
        let redirect = if (300..400).contains(&status) {
            "; redirects are not followed"
        } else {
            ""
        };
        return Sample::new(
            Health::Unhealthy,
            format!("HTTP {status}, expected {from} to {to}{redirect}"),
        );
    }
    match &probe.body_contains {
        Some(text) if probe.method != Method::Head => match contains(response, text.as_bytes()).await {
            Ok(true) => Sample::new(Health::Healthy, format!("HTTP {status}, body as expected")),
            Ok(false) => Sample::new(
                Health::Unhealthy,
                format!("HTTP {status}, the body does not contain \"{text}\""),
            ),
            Err(error) => classify(&error),
        },
        _ => Sample::new(Health::Healthy, format!("HTTP {status}")),
    }
}

/// Whether the beginning of the body has the text in it.
async fn contains(mut response: Response, text: &[u8]) -> Result<bool, reqwest::Error> {
    let mut search = Search::new(text);
    while let Some(chunk) = response.chunk().await? {
        if let Some(found) = search.piece(&chunk) {
            return Ok(found);
        }
    }
    Ok(search.end())
}

/// What an error says about the endpoint, or about this side.
fn classify(error: &(dyn Error + 'static)) -> Sample {
    let unhealthy = |reason: String| Sample::new(Health::Unhealthy, reason);
    for error in causes(error) {
        if let Some(refused) = error.downcast_ref::<Refused>() {
            return Sample::new(Health::Unknown, refused.to_string());
        }
        if let Some(tls) = error.downcast_ref::<rustls::Error>() {
            return unhealthy(tls_reason(tls));
        }
        let Some(system) = error.downcast_ref::<io::Error>() else {
            continue;
        };
        let number = system.raw_os_error();
        if let Some((_, problem)) = LOCAL_PROBLEMS.iter().find(|(local, _)| Some(*local) == number) {
            return Sample::new(Health::Unknown, format!("not tried: {problem}"));
        }
        let text = system.to_string();
        if text.contains("failed to lookup address information") {
            return lookup_sample(&text);
        }
        match system.kind() {
            io::ErrorKind::ConnectionRefused => return unhealthy("connection refused".into()),
            io::ErrorKind::ConnectionReset => return unhealthy("connection reset".into()),
            io::ErrorKind::HostUnreachable => return unhealthy("no route to host".into()),
            io::ErrorKind::TimedOut => return unhealthy("connecting timed out".into()),
            _ => {}
        }
    }
    unhealthy(chain(error))
}

/// The error and each one behind it. An I/O error may carry another inside it, which `source` skips: that is
/// where a TLS error is found.
fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |&error| {
        let inside = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        inside
            .map(|inside| inside as &(dyn Error + 'static))
            .or_else(|| error.source())
    })
}

/// A resolver that does not answer is this side's problem; one that says no speaks of the endpoint.
fn lookup_sample(text: &str) -> Sample {
    let detail = text.trim_start_matches("failed to lookup address information: ");
    if detail.contains("Temporary failure") || detail.contains("ry again") {
        return Sample::new(
            Health::Unknown,
            format!("not tried: the resolver did not answer ({detail})"),
        );
    }
    Sample::new(Health::Unhealthy, format!("its name does not resolve ({detail})"))
}

fn tls_reason(error: &rustls::Error) -> String {
    match error {
        rustls::Error::InvalidCertificate(problem) => format!("TLS: the certificate is not valid: {problem}"),
        other => format!("TLS: {other}"),
    }
}

fn chain(error: &(dyn Error + 'static)) -> String {
    let mut sentences: Vec<String> = causes(error).map(ToString::to_string).collect();
    // An error that carries another often says the same.
    sentences.dedup();
    sentences.join(": ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_goes_wrong_on_this_side_says_nothing_about_the_endpoint() {
        for (number, _) in LOCAL_PROBLEMS {
            let sample = classify(&io::Error::from_raw_os_error(*number));
            assert_eq!(sample.health, Health::Unknown, "{}", sample.reason);
        }
        let silent = io::Error::other("failed to lookup address information: Temporary failure in name resolution");
        assert_eq!(classify(&silent).health, Health::Unknown);
    }

    #[test]
    fn what_the_endpoint_does_wrong_is_unhealthy_by_its_name() {
        let unknown_name = io::Error::other("failed to lookup address information: Name or service not known");
        assert_eq!(
            classify(&unknown_name),
            Sample::new(
                Health::Unhealthy,
                "its name does not resolve (Name or service not known)"
            )
        );
        assert_eq!(classify(&io::Error::from_raw_os_error(113)).reason, "no route to host");
        assert_eq!(classify(&io::Error::from_raw_os_error(104)).reason, "connection reset");
    }
}
