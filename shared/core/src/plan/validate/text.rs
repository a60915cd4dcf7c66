//! Texts from outside: no control characters, host names that are host names, ARNs that fit their Region.

use super::super::parse::{Path, Problems};
use std::net::IpAddr;

pub(super) use super::super::parse::{did_you_mean, listed};

/// A text as an error shows it.
pub(super) fn quoted(text: &str) -> String {
    format!("{:?}", super::super::parse::shortened(text))
}

/// Refuses control characters: they end up in requests, logs and mails.
pub(super) fn no_control(text: &str, path: Path, problems: &mut Problems) {
    if text.chars().any(char::is_control) {
        problems.add(path, format!("must have no control characters; found {}", quoted(text)));
    }
}

/// Why a text is not a host name or an IP address that a probe may connect to.
pub(super) fn host_refusal(host: &str) -> Option<String> {
    if host.contains("://") {
        return Some("must be a host name without a scheme; the scheme is `protocol`".to_owned());
    }
    if host.contains(['/', '?', '#']) {
        return Some("must be a host name alone; what comes after it is `path`".to_owned());
    }
    if host.contains('@') {
        return Some("must be a host name without a user or password".to_owned());
    }
    if let Ok(address) = host.parse::<IpAddr>() {
        return address_refusal(address);
    }
    if host.starts_with('[') {
        return Some("an IPv6 address is written without brackets".to_owned());
    }
    if let Some((_, port)) = host.rsplit_once(':')
        && port.parse::<u16>().is_ok()
    {
        return Some("must be a host name without a port; the port is `port`".to_owned());
    }
    if host.split('.').all(|label| label.chars().all(|c| c.is_ascii_digit())) {
        return Some("is not an IPv4 address: four numbers from 0 to 255".to_owned());
    }
    name_refusal(host, false)
}

fn address_refusal(address: IpAddr) -> Option<String> {
    let (unusable, link_local) = match address {
        IpAddr::V4(v4) => (
            v4.is_unspecified() || v4.is_multicast() || v4.is_broadcast(),
            v4.is_link_local(),
        ),
        IpAddr::V6(v6) => (
            v6.is_unspecified() || v6.is_multicast(),
            (v6.segments()[0] & 0xffc0) == 0xfe80,
        ),
    };
    if unusable {
        return Some("is not the address of one host".to_owned());
    }
    // Metadata services live there; a site never does.
    link_local.then(|| "is a link-local address, which belongs to the machine that asks".to_owned())
}

/// Why a text is not a DNS name. With `record`, a leading `*` is a wildcard.
pub(super) fn name_refusal(name: &str, record: bool) -> Option<String> {
    let without_dot = name.strip_suffix('.').unwrap_or(name);
    let labels = without_dot.strip_prefix("*.").filter(|_| record).unwrap_or(without_dot);
    if labels.is_empty() || without_dot.len() > 253 {
        return Some("must be a DNS name of 1 to 253 characters".to_owned());
    }
    for label in labels.split('.') {
        if label.is_empty() || label.len() > 63 {
            return Some("must be a DNS name: parts of 1 to 63 characters between the dots".to_owned());
        }
        if !label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_') {
            return Some("must be a DNS name: letters, digits, hyphens and dots".to_owned());
        }
        if label.starts_with('-') || label.ends_with('-') {
            return Some("must be a DNS name: no part begins or ends with a hyphen".to_owned());
        }
    }
    None
}

/// The part of an ARN at `index`: 3 is the Region, 4 the account.
pub(super) fn arn_part(arn: &str, index: usize) -> Option<&str> {
    arn.split(':').nth(index).filter(|part| !part.is_empty())
}

/// Refuses an ARN of another Region than the one that would be called.
pub(super) fn arn_region(arn: &str, region: Option<&str>, path: Path, problems: &mut Problems) {
    if let (Some(found), Some(wanted)) = (arn_part(arn, 3), region)
        && found != wanted
    {
        let message = format!(
            "is in {found}, but would be asked for in {wanted}: no such resource is there. Set `region: {found}` on this element"
        );
        problems.add(path, message);
    }
}
