//! The test kit.
pub mod proxy;
