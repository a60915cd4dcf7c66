//! What must hold of the readers of what AWS answers, whatever it is. It runs over the files of `tests/corpus`
//! with every `cargo test`, and as a fuzz target (`shared/testkit/fuzz`).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
// Each user uses some of it.
#![allow(dead_code)]

use serde_json::Value;
use understudy_aws::cloudwatch::index_of;
use understudy_aws::dynamodb::{AttributeValue, Attributes, decode, encode};
use understudy_aws::elbv2::seconds;
use understudy_aws::endpoint::body::{MAX_BODY_BYTES, Search};
use understudy_aws::endpoint::reach::RuntimeApi;
use understudy_aws::failure::answered;
use understudy_aws::iam::account_of;
use understudy_aws::lambda::{error_message, said};
use understudy_aws::route53::bare_refusal;
use understudy_aws::settings::{DecisionSettings, ExecutorSettings, ProbeSettings};

/// More than any answer about bad input needs, in characters.
const LONGEST_ANSWER: usize = 4_000;

/// An item in DynamoDB's own form, as JSON (`{"plan": {"S": "shop"}, …}`): what is accepted is the same when it is written
/// and read again, what is refused is answered. Whether it was accepted.
pub fn attributes(bytes: &[u8]) -> bool {
    let Ok(Value::Object(fields)) = serde_json::from_slice::<Value>(bytes) else {
        return false;
    };
    let found: Option<Attributes> = fields
        .iter()
        .map(|(name, value)| Some((name.clone(), attribute(value)?)))
        .collect();
    let Some(found) = found else { return false };
    match decode(&found) {
        Ok(item) => {
            assert_eq!(decode(&encode(&item).unwrap()), Ok(item));
            true
        }
        Err(answer) => {
            assert!(!answer.trim().is_empty() && answer.len() <= LONGEST_ANSWER, "{answer}");
            assert!(!answer.chars().any(char::is_control), "{answer:?}");
            false
        }
    }
}

/// A refusal of Route 53 without its envelope: what is made of it can be shown. Whether it is one.
pub fn refusal(bytes: &[u8]) -> bool {
    let said = bare_refusal("changing records", bytes);
    said.iter().for_each(|said| shown(&said.message));
    said.is_some()
}

/// What a failed function says: it can be shown. Whether it says anything.
pub fn failure(bytes: &[u8]) -> bool {
    let message = error_message(bytes);
    shown(&message);
    let why = said(bytes, Some("Unhandled")).unwrap_err();
    assert!(why.ends_with(&message), "{why}");
    !message.is_empty()
}

/// What a function that did not fail says: it is JSON, or is answered. Whether it is.
pub fn function_answer(bytes: &[u8]) -> bool {
    let answer = said(bytes, None);
    answer.as_ref().err().into_iter().for_each(|why| shown(why));
    answer.is_ok()
}

/// How a service says that it did not carry a call out, as JSON: what is made of it can be shown. Whether the code says that
/// a permission is missing.
pub fn service_error(bytes: &[u8]) -> bool {
    let Ok(told) = serde_json::from_slice::<Value>(bytes) else {
        return false;
    };
    let text = |name: &str| told[name].as_str().unwrap_or_default();
    let status = told["status"].as_u64().and_then(|status| u16::try_from(status).ok());
    let sentence = answered(
        text("code"),
        text("message"),
        status.unwrap_or_default(),
        text("request"),
    );
    shown(&sentence);
    sentence.contains("lacks a permission") && !text("message").contains("lacks a permission")
}

/// The environment of a function, a line a variable: what is wrong is told at once, by the names of what is wrong. Whether
/// all three functions would start in it.
pub fn settings(bytes: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return false;
    };
    let variable = |name: &str| -> Option<String> {
        let lines = text.lines().filter_map(|line| line.split_once('='));
        let value = lines
            .filter(|(known, _)| *known == name)
            .map(|(_, value)| value)
            .next()?;
        Some(value.to_owned())
    };
    let problems = [
        ProbeSettings::read(&variable).err(),
        DecisionSettings::read(&variable).err(),
        ExecutorSettings::read(&variable).err(),
    ];
    for error in problems.iter().flatten() {
        assert!(!error.problems.is_empty());
        for problem in &error.problems {
            shown(problem);
            let is_named = |name: &&str| name.starts_with("UNDERSTUDY_") || *name == "AWS_REGION";
            assert!(problem.split(' ').next().as_ref().is_some_and(is_named), "{problem}");
        }
    }
    let api = variable("AWS_LAMBDA_RUNTIME_API");
    let api_read = api.is_none_or(|api| RuntimeApi::parse(&api).is_some());
    let role = variable("UNDERSTUDY_ROLE_ARN").unwrap_or_default();
    let account = account_of(role.trim(), "eu-west-1".to_owned());
    match &account {
        Ok(account) => assert!(role.contains(&format!(":iam::{}:role/", account.id)), "{role}"),
        Err(why) => shown(why),
    }
    api_read && account.is_ok() && problems.iter().all(Option::is_none)
}

/// A value that AWS writes as text: a number of seconds, the id of a query. What is read is the same when it is written.
/// Whether it is one.
pub fn aws_value(bytes: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return false;
    };
    let index = index_of(Some(text));
    assert!(index.is_none_or(|index| format!("m{index}") == text), "{text}");
    let seconds = seconds(text);
    seconds.as_ref().err().into_iter().for_each(|why| shown(why));
    index.is_some() || seconds.is_ok()
}

/// The body of a health endpoint's answer, in pieces, and the text that is looked for in it: found if it is in the beginning,
/// however the pieces are cut. A byte says how long the text is, one before each piece how long that is. Whether it is found.
pub fn health_answer(bytes: &[u8]) -> bool {
    let mut rest = bytes;
    let mut cut = || -> Option<&[u8]> {
        let (length, more) = rest.split_first()?;
        let (part, more) = more.split_at(more.len().min(usize::from(*length)));
        rest = more;
        Some(part)
    };
    let Some(text) = cut() else { return false };
    let pieces: Vec<&[u8]> = std::iter::from_fn(cut).collect();
    let mut search = Search::new(text);
    let found = pieces.iter().find_map(|piece| search.piece(piece));
    let found = found.unwrap_or_else(|| search.end());
    let whole = pieces.concat();
    let looked_at = &whole[..whole.len().min(MAX_BODY_BYTES)];
    let really = text.is_empty() || looked_at.windows(text.len()).any(|place| place == text);
    assert_eq!(found, really);
    found
}

fn shown(said: &str) {
    assert!(said.chars().count() <= LONGEST_ANSWER, "{said}");
    assert!(!said.chars().any(char::is_control), "{said:?}");
}

// One attribute in the form in which DynamoDB sends it.
fn attribute(value: &Value) -> Option<AttributeValue> {
    let (kind, value) = value.as_object().filter(|it| it.len() == 1)?.iter().next()?;
    let texts = || -> Option<Vec<String>> {
        let values = value.as_array()?.iter();
        values.map(|text| Some(text.as_str()?.to_owned())).collect()
    };
    Some(match kind.as_str() {
        "S" => AttributeValue::S(value.as_str()?.to_owned()),
        "N" => AttributeValue::N(value.as_str()?.to_owned()),
        "BOOL" => AttributeValue::Bool(value.as_bool()?),
        "NULL" => AttributeValue::Null(value.as_bool()?),
        "SS" => AttributeValue::Ss(texts()?),
        "NS" => AttributeValue::Ns(texts()?),
        "L" => AttributeValue::L(value.as_array()?.iter().map(attribute).collect::<Option<_>>()?),
        "M" => {
            let fields = value.as_object()?.iter();
            let read = fields.map(|(name, value)| Some((name.clone(), attribute(value)?)));
            AttributeValue::M(read.collect::<Option<_>>()?)
        }
        _ => return None,
    })
}
