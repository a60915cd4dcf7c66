//! What a call asks for: the name of the operation, whatever protocol carries it.
//!
//! JSON services name it in `X-Amz-Target`, Query services in the form field `Action`, CBOR
//! services in the path, REST services only by method and path. The last kind is mapped here
//! for the services that this project calls; anything else keeps `METHOD /path` as its name,
//! which is still searchable and never a guess.

/// The parts of a request that can name its operation.
#[derive(Clone, Copy, Debug)]
pub struct RequestShape<'a> {
    /// The signing name of the service, if the call was signed.
    pub service: Option<&'a str>,
    /// The HTTP method, upper case.
    pub method: &'a str,
    /// The path without its query.
    pub path: &'a str,
    /// The header `X-Amz-Target`, if there is one.
    pub target: Option<&'a str>,
    /// The form field `Action`, if the body is a form with one.
    pub action: Option<&'a str>,
}

/// The operation's name as the service's own documentation spells it, or `METHOD /path`.
pub fn operation_name(request: RequestShape<'_>) -> String {
    if let Some(target) = request.target {
        return target.rsplit('.').next().unwrap_or(target).to_owned();
    }
    if let Some(action) = request.action {
        return action.to_owned();
    }
    if let Some((_, operation)) = request.path.rsplit_once("/operation/") {
        return operation.to_owned();
    }
    let known = match request.service {
        Some("route53") => route53(request.method, request.path),
        Some("lambda") => lambda(request.method, request.path),
        Some("s3") => s3(request.method, request.path),
        _ => None,
    };
    known.map_or_else(|| format!("{} {}", request.method, request.path), str::to_owned)
}

/// The path without its API date, in its parts: `/2013-04-01/change/C1` gives `[change, C1]`.
pub(super) fn rest_parts(path: &str) -> Vec<&str> {
    path.split('/').filter(|part| !part.is_empty()).skip(1).collect()
}

fn route53(method: &str, path: &str) -> Option<&'static str> {
    Some(match (method, rest_parts(path).as_slice()) {
        ("POST", ["hostedzone"]) => "CreateHostedZone",
        ("GET", ["hostedzone"]) => "ListHostedZones",
        ("GET", ["hostedzonesbyname"]) => "ListHostedZonesByName",
        ("GET", ["hostedzone", _]) => "GetHostedZone",
        ("DELETE", ["hostedzone", _]) => "DeleteHostedZone",
        ("POST", ["hostedzone", _, "rrset"]) => "ChangeResourceRecordSets",
        ("GET", ["hostedzone", _, "rrset"]) => "ListResourceRecordSets",
        ("GET", ["change", _]) => "GetChange",
        ("POST", ["healthcheck"]) => "CreateHealthCheck",
        ("GET", ["healthcheck"]) => "ListHealthChecks",
        ("GET", ["healthcheck", _]) => "GetHealthCheck",
        ("POST", ["healthcheck", _]) => "UpdateHealthCheck",
        ("DELETE", ["healthcheck", _]) => "DeleteHealthCheck",
        _ => return None,
    })
}

fn lambda(method: &str, path: &str) -> Option<&'static str> {
    Some(match (method, rest_parts(path).as_slice()) {
        ("POST", ["functions", _, "invocations"]) => "Invoke",
        ("GET", ["functions"]) => "ListFunctions",
        ("POST", ["functions"]) => "CreateFunction",
        ("GET", ["functions", _]) => "GetFunction",
        ("DELETE", ["functions", _]) => "DeleteFunction",
        ("GET", ["functions", _, "configuration"]) => "GetFunctionConfiguration",
        ("PUT", ["functions", _, "configuration"]) => "UpdateFunctionConfiguration",
        ("PUT", ["functions", _, "code"]) => "UpdateFunctionCode",
        ("GET", ["event-source-mappings"]) => "ListEventSourceMappings",
        ("POST", ["event-source-mappings"]) => "CreateEventSourceMapping",
        ("GET", ["event-source-mappings", _]) => "GetEventSourceMapping",
        ("PUT", ["event-source-mappings", _]) => "UpdateEventSourceMapping",
        ("DELETE", ["event-source-mappings", _]) => "DeleteEventSourceMapping",
        _ => return None,
    })
}

fn s3(method: &str, path: &str) -> Option<&'static str> {
    let in_bucket = path.trim_matches('/').contains('/');
    Some(match (method, in_bucket) {
        ("GET", true) => "GetObject",
        ("PUT", true) => "PutObject",
        ("HEAD", true) => "HeadObject",
        ("DELETE", true) => "DeleteObject",
        ("HEAD", false) => "HeadBucket",
        _ => return None,
    })
}
