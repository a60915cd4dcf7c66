//! What the tests, the demo and the benchmarks share: a cloud on this machine and a small world.
//!
//! - [`local_cloud`] starts two emulators and the recording proxy, and deploys the real template.
//! - [`world`] is what there is to fail over: a load balancer, a hosted zone, instances.
//! - [`sites`] are two real HTTP servers that can be told to die and to come back.
//! - [`mod@bench`] measures the probe beside the baseline.

pub mod bench;
pub mod local_cloud;
mod server;
pub mod sites;
pub mod story;
pub mod world;
