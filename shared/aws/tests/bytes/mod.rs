//! What must hold of the readers of what AWS answers, whatever it is. It runs over the files of `tests/corpus`
//! with every `cargo test`, and as a fuzz target (`shared/testkit/fuzz`).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use serde_json::Value;
use understudy_aws::dynamodb::{AttributeValue, Attributes, decode, encode};
use understudy_aws::endpoint::body::{MAX_BODY_BYTES, Search};
use understudy_aws::lambda::error_message;
use understudy_aws::route53::bare_refusal;

/// More than any answer about bad input needs.
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
    let said = error_message(bytes);
    shown(&said);
    !said.is_empty()
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
    assert!(said.len() <= LONGEST_ANSWER, "{said}");
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
