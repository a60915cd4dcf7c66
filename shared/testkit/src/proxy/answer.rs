//! What an emulator's refusal is called: the error code of an answer in any AWS protocol.

use hyper::HeaderMap;

/// The error code of a failed answer, for example `AccessDeniedException`.
///
/// Looks in the headers, then in a JSON, CBOR or XML body; `None` when there is none to find.
pub fn error_code(headers: &HeaderMap, body: &[u8]) -> Option<String> {
    let in_header = ["x-amzn-errortype", "x-amzn-query-error"]
        .iter()
        .find_map(|name| headers.get(*name)?.to_str().ok());
    if let Some(code) = in_header {
        return Some(plain(code));
    }
    if let Ok(serde_json::Value::Object(answer)) = serde_json::from_slice(body) {
        let code = ["__type", "code", "Code"]
            .iter()
            .find_map(|name| answer.get(*name)?.as_str());
        return code.map(plain);
    }
    cbor_type(body).or_else(|| xml_code(body)).map(|code| plain(&code))
}

/// `com.amazonaws#ThrottlingException:http://…` and `Code;Sender` are both just a name here.
fn plain(code: &str) -> String {
    let without_namespace = code.rsplit_once('#').map_or(code, |(_, name)| name);
    without_namespace
        .split([':', ';'])
        .next()
        .unwrap_or(without_namespace)
        .trim()
        .to_owned()
}

fn xml_code(body: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(body);
    let (_, after) = text.split_once("<Code>")?;
    after.split_once("</Code>").map(|(code, _)| code.to_owned())
}

/// Reads the text after the key `__type` in a CBOR map: enough for an error answer.
fn cbor_type(body: &[u8]) -> Option<String> {
    const KEY: &[u8] = b"\x66__type";
    let start = body.windows(KEY.len()).position(|window| window == KEY)? + KEY.len();
    let after = body.get(start..)?;
    let (length, text) = match *after.first()? {
        short @ 0x60..=0x77 => (usize::from(short - 0x60), after.get(1..)?),
        0x78 => (usize::from(*after.get(1)?), after.get(2..)?),
        _ => return None,
    };
    text.get(..length)
        .map(|code| String::from_utf8_lossy(code).into_owned())
}
