//! The simulator: the handler bodies of the three functions, many at once, in a world that does its worst.
//!
//! 1. A history is a seed: a setup, and a list of choices ([`history`], [`setup`]). All randomness and all time come
//!    from it, so the same seed is the same history on every machine, and has the same [`run::Outcome::hash`].
//! 2. Probe, decision and executor run as they are deployed, each invocation in a sandbox of its own (`sandbox`). Every
//!    call to a port stops at a `gate`, before its effect and before its reply; nothing goes on unless the scheduler
//!    says so. There is no runtime: futures are polled by hand, and only the one that was woken.
//! 3. A step (`world`, `actions`) is one choice: a call goes on, with a fault or without; an invocation dies or freezes;
//!    a record of the stream comes, comes again, or waits (`bus`); time passes; a site dies or lies, an operator speaks,
//!    somebody else changes a resource (`outside`).
//! 4. After every step the invariants hold (`oracle`), or the history ends there.
//! 5. When the choices are used up faults stop, and everything comes to rest ([`run`]): what is left then was forgotten.
//! 6. A failing history is made short ([`mod@shrink`]) and told in plain words ([`mod@crowd`]).
//!
//!
//! [`mod@exhaustive`] takes the same sandboxes through every interleaving of a small world.

mod actions;
mod bus;
pub mod crowd;
pub mod exhaustive;
mod gate;
pub mod history;
mod oracle;
mod outside;
mod ports;

pub(crate) use ports::Gated;
mod release;
pub mod report;
pub mod run;
mod sandbox;
pub mod setup;
pub mod shrink;
mod trace;
pub mod wide;
mod words;
mod world;

pub use sandbox::Function;
