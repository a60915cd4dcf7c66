//! Every kind of probe that shares its calls with others: asked in batches, and judged one by one.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod clusters;
mod groups;
mod metrics;
mod moves;
mod support;
