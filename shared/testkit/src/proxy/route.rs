//! Where a call goes: the service is read from its own signature.
//!
//! Every AWS SDK writes a credential scope into `Authorization`
//! (`Credential=<key>/<date>/<region>/<service>/aws4_request`). That names the service exactly,
//! whatever the protocol, so one listening address can stand in front of several emulators.

use std::collections::BTreeMap;

/// Who signed a call, and for which service and Region.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CredentialScope {
    /// The access key id; not a secret.
    pub access_key_id: String,
    /// The signed Region, `us-east-1` for global services.
    pub region: String,
    /// The signing name of the service: `dynamodb`, `elasticloadbalancing`, `monitoring`, …
    pub service: String,
}

impl CredentialScope {
    /// Reads the scope from an `Authorization` header; `None` when it carries no `SigV4` scope.
    pub fn parse(authorization: &str) -> Option<Self> {
        let (_, after) = authorization.split_once("Credential=")?;
        Self::parse_credential(after.split([',', ' ']).next()?)
    }

    /// Reads the scope of a presigned URL from its query string, without the question mark.
    pub fn parse_query(query: &str) -> Option<Self> {
        form_urlencoded::parse(query.as_bytes())
            .find(|(name, _)| name.eq_ignore_ascii_case("x-amz-credential"))
            .and_then(|(_, value)| Self::parse_credential(&value))
    }

    fn parse_credential(credential: &str) -> Option<Self> {
        // From the right: an access key id may hold a slash, the four other parts may not.
        let mut parts = credential.rsplitn(5, '/');
        let terminator = parts.next()?;
        let service = parts.next()?;
        let region = parts.next()?;
        let _date = parts.next()?;
        let access_key_id = parts.next()?;
        (terminator == "aws4_request").then(|| Self {
            access_key_id: access_key_id.to_owned(),
            region: region.to_owned(),
            service: service.to_owned(),
        })
    }
}

/// One emulator behind the proxy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upstream {
    /// What records and errors call it, for example `moto`.
    pub name: String,
    /// `host:port`, without a scheme: emulators speak plain HTTP on the loopback address.
    pub authority: String,
}

impl Upstream {
    /// An emulator of this name at `host:port`.
    pub fn new(name: impl Into<String>, authority: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            authority: authority.into(),
        }
    }
}

/// Which service goes to which emulator; everything that is not listed goes to the default.
#[derive(Clone, Debug)]
pub struct RoutingTable {
    default: Upstream,
    by_service: BTreeMap<String, Upstream>,
}

impl RoutingTable {
    /// A table that sends everything to one emulator.
    pub fn new(default: Upstream) -> Self {
        Self {
            default,
            by_service: BTreeMap::new(),
        }
    }

    /// Sends these services (signing names) to `upstream` instead of the default.
    #[must_use]
    pub fn with(mut self, services: &[&str], upstream: &Upstream) -> Self {
        for service in services {
            self.by_service.insert((*service).to_owned(), upstream.clone());
        }
        self
    }

    /// The emulator that answers for `service`; unsigned calls have no service.
    pub fn upstream(&self, service: Option<&str>) -> &Upstream {
        service
            .and_then(|name| self.by_service.get(name))
            .unwrap_or(&self.default)
    }
}
