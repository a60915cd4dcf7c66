//! The test kit: everything that the three functions meet, in memory or in between.
//!
//! - [`memory`] is the table with real compare-and-set, a log of every write, and the stream behind it.
//! - [`cloud`] is AWS: it compares before it sets, and remembers what was durable at each call.
//! - [`clock`] is time that nobody waits for; [`faults`] is what goes wrong, and where an invocation dies.
//! - [`world`] puts the handler bodies of the three functions over all of this, and [`world_oracle`] says what must
//!   hold in every such world.
//! - [`step_proof`] asks of every kind of step the same questions: what it makes of errors, lost replies, deaths and others.
//! - [`sim`] lets a seed decide what happens next in such a world, thousands of times, and checks the invariants after
//!   every step.
//! - [`resources`] is the table of the kinds of steps.
//! - [`proxy`] stands between real SDKs and emulators and records what passes.

pub mod clock;
pub mod cloud;
mod cloud_compute;
mod cloud_databases;
mod cloud_definitions;
mod cloud_group_setup;
mod cloud_health_checks;
mod cloud_hooks;
mod cloud_metrics;
mod cloud_permissions;
mod cloud_ports;
mod cloud_setup;
mod cloud_steering;
mod cloud_traffic;
pub mod faults;
mod faults_wire;
pub mod memory;
pub mod memory_stream;
pub mod proxy;
pub mod resources;
pub mod sim;
pub mod step_proof;
mod ways;
pub mod world;
pub mod world_oracle;
pub mod world_plan;
