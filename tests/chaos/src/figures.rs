//! The line of figures with which a suite ends.

use std::io::Write as _;
use std::time::Duration;

/// Writes the line where it is seen although the tests pass: past the capture of the test harness.
pub fn announce(line: &str) {
    // A closed standard error is no reason for a suite to fail.
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}

/// Whether the sizes of the night are wanted (`ORDAK_NIGHTLY=1`), which are this many times the quick ones.
#[must_use]
pub fn times() -> usize {
    if std::env::var("ORDAK_NIGHTLY").is_ok_and(|value| value == "1") { 10 } else { 1 }
}

/// The value below which this share (0 to 1) of the durations lies.
#[must_use]
pub fn percentile(sorted: &[Duration], share: f64) -> Duration {
    let last = sorted.len().saturating_sub(1);
    // Lengths are far below what a double holds exactly.
    let place = (last as f64 * share).round() as usize;
    sorted.get(place.min(last)).copied().unwrap_or_default()
}

/// What went wrong, in as many lines as somebody will read, with the seed that repeats it.
#[must_use]
pub fn report(complaints: &[String], seed: impl std::fmt::Display) -> String {
    let shown: Vec<&str> = complaints.iter().take(400).map(String::as_str).collect();
    format!("{} complaints, {seed}\n{}", complaints.len(), shown.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_of_a_hundred() {
        let sorted: Vec<Duration> = (1..=101).map(Duration::from_millis).collect();
        assert_eq!(percentile(&sorted, 0.5), Duration::from_millis(51));
        assert_eq!(percentile(&sorted, 1.0), Duration::from_millis(101));
        assert_eq!(percentile(&[], 0.5), Duration::ZERO);
    }
}
