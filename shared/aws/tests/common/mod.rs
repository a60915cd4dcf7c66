//! A scripted AWS: answers are given in order, requests are kept. No network.

#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

pub mod cbor;
pub mod emulator;
pub mod query;

use aws_config::{BehaviorVersion, Region};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use understudy_aws::AwsConfig;

/// What AWS does with a request.
pub enum Answer {
    /// It answers with this status and body.
    Says(u16, Vec<u8>),
    /// The same, with one header more.
    SaysWith(u16, &'static str, &'static str, Vec<u8>),
    /// It does not answer in time.
    Silent,
    /// The connection breaks.
    Broken,
}

/// An answer with a text.
pub fn says(status: u16, body: impl Into<String>) -> Answer {
    Answer::Says(status, body.into().into_bytes())
}

/// One request as it was sent.
#[derive(Clone, Debug)]
pub struct Sent {
    pub method: String,
    pub uri: String,
    pub body: String,
    pub target: String,
    pub headers: Vec<(String, String)>,
}

impl Sent {
    /// The body as JSON.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap()
    }

    /// The fields of a form body, decoded.
    pub fn form(&self) -> Vec<(String, String)> {
        self.body
            .split('&')
            .map(|pair| {
                let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
                (decoded(name), decoded(value))
            })
            .collect()
    }

    /// One field of a form body.
    pub fn field(&self, name: &str) -> Option<String> {
        self.form()
            .into_iter()
            .find(|(found, _)| found == name)
            .map(|(_, value)| value)
    }
}

fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        (bytes, rest) = match (first, tail) {
            (b'%', [high, low, tail @ ..]) => {
                let digits = String::from_utf8(vec![*high, *low]).unwrap();
                bytes.push(u8::from_str_radix(&digits, 16).unwrap());
                (bytes, tail)
            }
            (b'+', tail) => {
                bytes.push(b' ');
                (bytes, tail)
            }
            (byte, tail) => {
                bytes.push(*byte);
                (bytes, tail)
            }
        };
    }
    String::from_utf8(bytes).unwrap()
}

/// The scripted AWS.
#[derive(Clone, Default)]
pub struct Script {
    answers: Arc<Mutex<VecDeque<Answer>>>,
    sent: Arc<Mutex<Vec<Sent>>>,
}

impl std::fmt::Debug for Script {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Script")
    }
}

impl Script {
    /// AWS with these answers.
    pub fn new(answers: impl IntoIterator<Item = Answer>) -> Self {
        Self {
            answers: Arc::new(Mutex::new(answers.into_iter().collect())),
            ..Self::default()
        }
    }

    /// A configuration whose calls all go to this script, reads only once.
    pub fn config(&self) -> AwsConfig {
        let credentials = Credentials::new("AKIDEXAMPLE", "example", None, None, "test");
        let sdk = aws_config::SdkConfig::builder()
            .behavior_version(BehaviorVersion::v2026_01_12())
            .region(Region::new("eu-west-1"))
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .http_client(self.clone())
            .build();
        AwsConfig::from_sdk(sdk).with_read_attempts(1)
    }

    /// What was sent.
    pub fn sent(&self) -> Vec<Sent> {
        self.sent.lock().unwrap().clone()
    }
}

impl HttpClient for Script {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl HttpConnector for Script {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let headers: Vec<(String, String)> = request
            .headers()
            .iter()
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        let body = String::from_utf8_lossy(request.body().bytes().unwrap_or_default()).into_owned();
        self.sent.lock().unwrap().push(Sent {
            method: request.method().to_owned(),
            uri: request.uri().to_owned(),
            body,
            target: request.headers().get("x-amz-target").unwrap_or_default().to_owned(),
            headers,
        });
        let answer = self
            .answers
            .lock()
            .unwrap()
            .pop_front()
            .expect("a request that the script does not know");
        let (status, header, body) = match answer {
            Answer::Says(status, body) => (status, None, body),
            Answer::SaysWith(status, name, value, body) => (status, Some((name, value)), body),
            Answer::Silent => return HttpConnectorFuture::ready(Err(ConnectorError::timeout("silence".into()))),
            Answer::Broken => return HttpConnectorFuture::ready(Err(ConnectorError::io("broken pipe".into()))),
        };
        let mut response = HttpResponse::new(status.try_into().unwrap(), SdkBody::from(body));
        if let Some((name, value)) = header {
            response.headers_mut().insert(name, value);
        }
        HttpConnectorFuture::ready(Ok(response))
    }
}
