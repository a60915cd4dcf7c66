//! The small world that is failed over in the demo and in the tests, made through the APIs.
//!
//! ```text
//! shop.example.test ──▶ (record)            load balancer ──▶ listener ──┬─ 100 ─▶ blue, one instance
//!                                                                        └─ 0 ───▶ green, one instance
//! database, alarm                            SNS topic of the stack ──▶ queue that the subscriber reads
//! ```
//!
//! [`World::create`] makes it, its reading half reads it back: what a test believes about a move, it has
//! from the cloud's own APIs and not from Understudy.

mod create;
mod read;

pub use create::World;
pub use read::{Message, Weights};

/// The hosted zone.
pub const ZONE: &str = "example.test";
/// The record that is moved.
pub const RECORD: &str = "shop.example.test";
/// What the record says while blue is active.
pub const BLUE_HOST: &str = "blue.example.test";
/// What the record says while green is active.
pub const GREEN_HOST: &str = "green.example.test";
/// The record's time to live, in seconds.
pub const RECORD_TTL_SECONDS: i64 = 5;
/// The alarm on the blue site.
pub const ALARM: &str = "shop-blue-unhealthy";
/// The database instance.
pub const DATABASE: &str = "shop-database";
