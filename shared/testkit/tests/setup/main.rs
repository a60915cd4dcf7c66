//! Setup and teardown, as a person asks for them: what is made, what is remembered, and what is restored.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod bad_days;
mod shop;
mod taken_back;
mod works;
