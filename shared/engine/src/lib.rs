//! The bodies of the three functions, over small ports. Async, and still no AWS.
//!
//! ```text
//!   probe ──────────▶ table ◀────────── decision ◀── alarms, people
//!   rounds, touches     │ stream: wake     ▲
//!                       ▼                  │ read-only questions
//!                    executor ─────────────┘
//! ```
//!
//! - [`ports`] are the only ways out: table, clock, endpoint, traffic, DNS, compute, database, alarms,
//!   notifier, functions. `shared/aws` implements them on the SDK, `shared/testkit` in memory.
//! - [`store`] reads and writes typed items by compare-and-set and recognises its own lost replies.
//! - `sites` judges what is seen of a plan's sites, for decision and for gates.
//! - [`probe`], [`decision`] and [`executor`] are what the functions run. The very same bodies run in tests.
//! - [`actions`] is what is known of the IAM actions that they call: ARNs, conditions, codes that are tried again.
//! - [`steps`] has one module for each kind of step: how it is read, applied and restored.

pub mod actions;
pub mod decision;
pub mod executor;
pub mod intake;
pub mod ports;
pub mod probe;
mod silence;
mod sites;
pub mod steps;
pub mod store;
