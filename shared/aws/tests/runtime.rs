//! A real process against a scripted runtime API: errors and panics are answers, and the next invocation is
//! served by the same process.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Stdio};
use understudy_aws::runtime;
use understudy_aws::telemetry::Telemetry;

/// Marks the process that plays the function.
const CHILD: &str = "UNDERSTUDY_TEST_FUNCTION";

/// The function, when this program is started as one; otherwise nothing.
#[tokio::test]
async fn child_process() {
    if std::env::var_os(CHILD).is_none() {
        return;
    }
    let telemetry = Telemetry::start("test-function");
    runtime::run(telemetry, |event: Value, invocation| async move {
        metrics::counter!("Handled").increment(1);
        match event["do"].as_str() {
            Some("panic") => panic!("as asked"),
            Some("fail") => Err("the table is gone"),
            _ => Ok(json!({"request": invocation.request_id, "deadline": invocation.deadline.as_millisecond()})),
        }
    })
    .await
    .unwrap();
}

#[test]
fn a_panic_is_an_error_answer_and_the_next_invocation_works() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child_process", "--nocapture"])
        .env(CHILD, "1")
        .env("AWS_LAMBDA_RUNTIME_API", listener.local_addr().unwrap().to_string())
        .env("AWS_LAMBDA_FUNCTION_NAME", "test-function")
        .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128")
        .env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
        .env_remove("AWS_LAMBDA_MAX_CONCURRENCY")
        .env_remove("UNDERSTUDY_LOG")
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();

    let answers = serve(&listener, &["hello", "panic", "fail", "hello"]);
    child.kill().unwrap();
    child.wait().unwrap();
    let mut output = String::new();
    child.stdout.take().unwrap().read_to_string(&mut output).unwrap();

    let paths: Vec<&str> = answers.iter().map(|(path, _)| path.as_str()).collect();
    let wanted = ["r-0/response", "r-1/error", "r-2/error", "r-3/response"];
    assert_eq!(
        paths,
        wanted.map(|path| format!("/2018-06-01/runtime/invocation/{path}"))
    );
    assert_eq!(
        answers[0].1,
        json!({"request": "r-0", "deadline": 4_000_000_000_000_i64})
    );
    assert_eq!(answers[1].1["errorMessage"], "Lambda panicked: as asked");
    assert_eq!(
        answers[2].1,
        json!({"errorType": "HandlerError", "errorMessage": "the table is gone"})
    );
    assert_eq!(answers[3].1["request"], "r-3");

    // Metrics were written for every invocation, after the panic too, and each line is whole.
    let lines: Vec<Value> = output
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect();
    let flushed: Vec<&str> = lines
        .iter()
        .filter(|line| line["Handled"] == 1)
        .filter_map(|line| line["RequestId"].as_str())
        .collect();
    assert!(flushed.starts_with(&["r-0", "r-1", "r-2"]), "{output}");
    assert!(
        lines
            .iter()
            .any(|line| line["message"] == "the handler panicked" && line["span"]["request_id"] == "r-1"),
        "{output}"
    );
}

/// Plays the runtime API: one event for each word, then the answers, each with its path.
fn serve(listener: &TcpListener, events: &[&str]) -> Vec<(String, Value)> {
    let mut answers = Vec::new();
    let mut given = 0;
    let mut connections: Vec<BufReader<TcpStream>> = Vec::new();
    while answers.len() < events.len() {
        let mut connection = connections
            .pop()
            .unwrap_or_else(|| BufReader::new(listener.accept().unwrap().0));
        let Some((path, body)) = request(&mut connection) else {
            continue;
        };
        let answer = if path.ends_with("/next") {
            let event = json!({"do": events[given]}).to_string();
            given += 1;
            format!(
                "HTTP/1.1 200 OK\r\nLambda-Runtime-Aws-Request-Id: r-{}\r\nLambda-Runtime-Deadline-Ms: 4000000000000\r\n\
                 Lambda-Runtime-Invoked-Function-Arn: arn:aws:lambda:eu-west-1:123456789012:function:f\r\n\
                 Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{event}",
                given - 1,
                event.len()
            )
        } else {
            answers.push((path, serde_json::from_slice(&body).unwrap()));
            "HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n".to_owned()
        };
        connection.get_mut().write_all(answer.as_bytes()).unwrap();
        connections.push(connection);
    }
    answers
}

/// One request's path and body; `None` when the other side has hung up.
fn request(connection: &mut BufReader<TcpStream>) -> Option<(String, Vec<u8>)> {
    let mut first = String::new();
    if connection.read_line(&mut first).unwrap_or(0) == 0 {
        return None;
    }
    let path = first.split(' ').nth(1)?.to_owned();
    let mut length = None;
    let mut chunked = false;
    loop {
        let mut line = String::new();
        connection.read_line(&mut line).ok()?;
        let line = line.trim_end().to_ascii_lowercase();
        if line.is_empty() {
            break;
        }
        length = line
            .strip_prefix("content-length: ")
            .and_then(|length| length.parse().ok())
            .or(length);
        chunked |= line == "transfer-encoding: chunked";
    }
    let mut body = vec![0; length.unwrap_or(0)];
    connection.read_exact(&mut body).ok()?;
    while chunked {
        let mut size = String::new();
        connection.read_line(&mut size).ok()?;
        let size = usize::from_str_radix(size.trim_end(), 16).ok()?;
        let mut chunk = vec![0; size + 2];
        connection.read_exact(&mut chunk).ok()?;
        body.extend_from_slice(&chunk[..size]);
        chunked = size > 0;
    }
    Some((path, body))
}
