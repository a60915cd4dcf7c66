//! Answers of the services that speak the Query protocol: RDS, ELB, Auto Scaling.
#![allow(dead_code)]

use super::{Answer, says};

/// The answer to an action that has nothing to say.
pub fn done(action: &str) -> Answer {
    says(
        200,
        format!("<{action}Response><{action}Result></{action}Result></{action}Response>"),
    )
}

/// An error of this code.
pub fn failed(status: u16, code: &str) -> Answer {
    let body = format!(
        "<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>as scripted</Message></Error>\
         <RequestId>r-1</RequestId></ErrorResponse>"
    );
    says(status, body)
}
