//! `make bench`: the probe beside the Python that it replaces, in one run, on one machine.
//!
//! ```text
//!                    ┌──▶ probe (released build) ──┐
//!   Runtime API ─────┤                             ├──▶ recording proxy, 30 ms a call ──▶ emulators
//!   with a stopwatch └──▶ seed_monitor.py ─────────┘                                (moto's answers replayed,
//!                                                                                   or moto itself)
//! ```
//!
//! 1. [`build`] makes the program that would be deployed.
//! 2. [`starts`] measures cold starts of both, in turn, with nothing else running.
//! 3. [`rounds`] measures rounds of both over the same resources, in turn.
//! 4. [`replay`] is why each is measured twice: with the emulator itself, and without its slowness.
//! 5. [`figures`] puts them side by side with the goals, and says of each whether it is reached.
//!
//! The baseline lies beside the checkout and not in it; without it our side is measured alone. Nothing here is a
//! test: times depend on the machine.

pub mod build;
pub mod figures;
pub mod replay;
pub mod rounds;
pub mod runtime_api;
pub mod starts;
pub mod subject;
pub mod world;
