//! When what happened, and the seconds in between.

use jiff::Timestamp;

/// What happened when. Times of Understudy's own records are used where it has them.
#[derive(Clone, Debug, Default)]
pub struct Timeline {
    entries: Vec<(Timestamp, String)>,
}

impl Timeline {
    /// Something happened now.
    pub fn now(&mut self, what: impl Into<String>) -> Timestamp {
        let at = Timestamp::now();
        self.at(at, what);
        at
    }

    /// Something happened then.
    pub fn at(&mut self, at: Timestamp, what: impl Into<String>) {
        self.entries.push((at, what.into()));
    }

    /// The table: time of day, seconds since the first entry, what happened.
    pub fn table(&self) -> String {
        let mut entries = self.entries.clone();
        entries.sort();
        let Some((first, _)) = entries.first().cloned() else {
            return String::new();
        };
        let mut table = format!("  {:<10} {:>9}   {}\n", "time (UTC)", "seconds", "what happened");
        table.push_str(&format!("  {:-<10} {:->9}   {:-<60}\n", "", "", ""));
        for (at, what) in entries {
            let seconds = at.duration_since(first).as_millis() as f64 / 1000.0;
            table.push_str(&format!("  {:<10} {seconds:>9.1}   {what}\n", at.strftime("%H:%M:%S")));
        }
        table
    }
}

/// The seconds from one time to another, for people.
pub fn seconds_between(from: Timestamp, to: Timestamp) -> f64 {
    to.duration_since(from).as_millis() as f64 / 1000.0
}
