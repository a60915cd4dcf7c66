//! The small world that is failed over in the demo and in the tests, made from the templates in `infra/demo`.
//!
//! ```text
//! shop.example.test ──▶ (record)            load balancer ──▶ listener ──┬─ 100 ─▶ blue, one instance
//!                                                                        └─ 0 ───▶ green, one instance
//! alarm on blue                              SNS topic of the stack ──▶ queue that the subscriber reads
//! ```
//!
//! Beside it there may be orders, [`World::create_orders`]: a group in each zone and a database cluster.
//!
//! What traffic needs is `traffic.yaml`, the rest is `dns-and-messages.yaml`: see
//! [`crate::local_cloud::LocalCloud::create_stack`] for why they are two.
//!
//! [`World::create`] makes it, its reading half reads it back: what a test believes about a move, it has
//! from the cloud's own APIs and not from Understudy.

mod create;
mod orders;
mod read;

pub use create::World;
pub use orders::{GroupCount, OrdersState};
pub use read::{Message, Weights};

// Names that the templates give.

/// The record that is moved.
pub const RECORD: &str = "shop.example.test";
/// What the record says while blue is active.
pub const BLUE_HOST: &str = "blue.example.test";
/// The alarm on the blue site.
pub const ALARM: &str = "shop-blue-unhealthy";
