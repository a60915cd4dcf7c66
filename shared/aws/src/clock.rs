//! The real clock and real randomness.

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use understudy_engine::ports::{Clock, Random};

/// The machine's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

#[async_trait]
impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    async fn sleep(&self, duration: SignedDuration) {
        // A negative duration has passed already.
        if let Ok(duration) = std::time::Duration::try_from(duration) {
            tokio::time::sleep(duration).await;
        }
    }
}

/// The operating system's randomness.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemRandom;

impl Random for SystemRandom {
    fn bytes(&self) -> [u8; 10] {
        // Bytes 6 and 8 of a version 4 UUID carry its version and variant: they are left out.
        let [a, b, c, d, e, f, _, _, _, g, h, i, j, ..] = *uuid::Uuid::new_v4().as_bytes();
        [a, b, c, d, e, f, g, h, i, j]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_calls_share_their_bytes() {
        let seen: std::collections::BTreeSet<[u8; 10]> = (0..1000).map(|_| SystemRandom.bytes()).collect();
        assert_eq!(seen.len(), 1000);
    }

    #[test]
    fn no_bit_is_fixed() {
        let (ones, zeros) =
            (0..200)
                .map(|_| SystemRandom.bytes())
                .fold(([0u8; 10], [0u8; 10]), |(mut ones, mut zeros), bytes| {
                    for (index, byte) in bytes.iter().enumerate() {
                        ones[index] |= byte;
                        zeros[index] |= !byte;
                    }
                    (ones, zeros)
                });
        assert_eq!((ones, zeros), ([255; 10], [255; 10]));
    }

    #[tokio::test]
    async fn a_negative_sleep_is_over_at_once() {
        SystemClock.sleep(SignedDuration::from_secs(-5)).await;
    }
}
