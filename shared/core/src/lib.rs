//! What Understudy knows and how it decides, as plain functions.
//!
//! Nothing here does I/O, spawns, sleeps or reads a clock: `now` is always an argument, and `Cargo.toml`
//! proves the rest (no tokio, no AWS). The other crates carry these values to and from the world.
//!
//! The story, in the order in which a failing site meets it:
//!
//! 1. [`plan`] says what fails over together: sites, probes, alarms, steps and policy.
//! 2. [`judge`] says what an answer of AWS means, and [`health`] turns one answer of one probe into an [`health::Observation`] (hysteresis counted in
//!    slots), and observations into the health of a site.
//! 3. [`event`] and [`command`] read what comes to the decision function: alarms, wakes and people.
//! 4. [`decide`] judges: a trigger, the plan, its control item and the health of its sites become one
//!    [`decide::Decision`], with the verdict of every [`guard`].
//!    What holds for all plans together is in [`fleet`]; what was found out beforehand, in [`preflight`].
//! 5. [`control`] is the one item that the epoch protects: lease, latch, wake, unsent announcements and
//!    the current [`execution`]. Each change is a pure function from one control item to the next: that of a judgement
//!    stands in [`decide`], that of a person's word in [`words`]. [`regions`] says which Region's executor takes the lease.
//! 6. [`execution`] is the executor's protocol as a state machine: what to do next, and what each result means.
//!    What a [`setup`] has made is remembered beside it.
//! 7. [`report`] tells people: announcements, status and history.
//!
//! Beside the story: [`rate`] keeps the probe's calls within a budget, and [`mutant`] has deliberate mistakes, which
//! no deployed function contains: they prove that the tests would see them.

pub mod command;
pub mod control;
pub mod decide;
pub mod event;
pub mod execution;
pub mod fleet;
pub mod guard;
pub mod health;
pub mod judge;
pub mod mutant;
pub mod plan;
pub mod preflight;
pub mod rate;
pub mod regions;
pub mod report;
pub mod setup;
pub mod state;
pub mod words;

pub use jiff::{SignedDuration, Timestamp};

/// The version of every item that this code writes. It reads this one and the one before.
pub const SCHEMA_VERSION: u32 = 1;
