//! Every kind of step stands the same proof, a module for each service.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod compute;
mod database_setup;
mod databases;
mod dns_setup;
mod gates;
mod giving_back;
mod group_setup;
mod groups;
mod hooks;
mod promotion;
mod records;
mod setup;
mod steering;
mod together;
mod traffic;

/// Asserts that nothing was found, and prints what was.
fn assert_none(found: &[String]) {
    assert!(found.is_empty(), "{} violations:\n{}", found.len(), found.join("\n"));
}
