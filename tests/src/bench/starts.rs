//! Cold starts: from the start of the process to its first request for work, and the memory that took.
//!
//! Both sides in turn (A B A B …), so that whatever else the machine does hits them alike. One start of each is
//! thrown away first: it reads the files from the disk.

use serde::Serialize;

use super::figures::median;
use super::subject::{Programs, Side, Subject};
use crate::local_cloud::CloudError;

/// How many starts of each side are measured.
pub const STARTS: usize = 20;

/// The starts of one side.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Starts {
    /// From start to first `/next`, of each.
    pub milliseconds: Vec<f64>,
    /// Peak resident memory at that moment, of each.
    pub peak_memory_kib: Vec<f64>,
}

impl Starts {
    /// The middle one, in milliseconds.
    pub fn median_milliseconds(&self) -> f64 {
        median(&self.milliseconds)
    }

    /// The middle one, in MiB.
    pub fn median_memory_mib(&self) -> f64 {
        median(&self.peak_memory_kib) / 1024.0
    }
}

/// Starts each side [`STARTS`] times. Nothing else of the benchmark runs meanwhile.
///
/// # Errors
/// When one does not start.
pub async fn measure(programs: &Programs) -> Result<(Starts, Option<Starts>), CloudError> {
    let mut ours = Starts::default();
    let mut baseline = programs.baseline().map(|_| Starts::default());
    for number in 0..=STARTS {
        once(programs, Side::Ours, (number > 0).then_some(&mut ours)).await?;
        if let Some(baseline) = &mut baseline {
            once(programs, Side::Baseline, (number > 0).then_some(baseline)).await?;
        }
    }
    Ok((ours, baseline))
}

async fn once(programs: &Programs, side: Side, kept: Option<&mut Starts>) -> Result<(), CloudError> {
    // Nobody listens on this port: neither side calls anything before it has work.
    let subject = Subject::start(programs, side, "http://127.0.0.1:9").await?;
    if let Some(kept) = kept {
        kept.milliseconds.push(subject.start.as_secs_f64() * 1000.0);
        kept.peak_memory_kib.push(subject.peak_memory_kib()? as f64);
    }
    subject.end().await;
    Ok(())
}
