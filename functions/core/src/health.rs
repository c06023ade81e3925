//! Up, degraded or down: the rule that turns figures into a word.
//!
//! Knows neither how figures are obtained nor what time it is.

use serde::Serialize;

/// A backlog above this many due items is degraded.
pub const BACKLOG: u64 = 500;
/// A due item older than this many seconds is degraded.
pub const OLDEST_S: u64 = 15 * 60;
/// No drain for this many seconds is degraded.
pub const DRAIN_S: u64 = 5 * 60;

/// How the service is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// All is well.
    Up,
    /// It works, but work piles up or nobody drains it.
    Degraded,
    /// The database does not answer.
    Down,
}

impl Status {
    /// The HTTP status that monitors look at: only `down` is an error.
    #[must_use]
    pub fn http_status(self) -> u16 {
        if self == Self::Down { 503 } else { 200 }
    }
}

/// What the database said about the queue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// Due items.
    pub pending: u64,
    /// Age of the oldest due item in seconds, `None` when nothing is due.
    pub oldest_pending_s: Option<u64>,
    /// Seconds since the last drain, `None` when there never was one.
    pub last_run_age_s: Option<u64>,
}

/// The rule. `None`: the database did not answer in time.
#[must_use]
pub fn status(figures: Option<Figures>) -> Status {
    let Some(figures) = figures else {
        return Status::Down;
    };
    let piled_up = figures.pending > BACKLOG;
    let too_old = figures.oldest_pending_s.is_some_and(|age| age > OLDEST_S);
    let nobody_drains = figures.last_run_age_s.is_none_or(|age| age > DRAIN_S);
    if piled_up || too_old || nobody_drains { Status::Degraded } else { Status::Up }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WELL: Figures = Figures { pending: 500, oldest_pending_s: Some(900), last_run_age_s: Some(300) };

    #[test]
    fn is_up_exactly_at_every_limit() {
        assert_eq!(status(Some(WELL)), Status::Up);
        assert_eq!(
            status(Some(Figures { pending: 0, oldest_pending_s: None, last_run_age_s: Some(0) })),
            Status::Up
        );
    }

    #[test]
    fn is_degraded_one_above_any_limit() {
        let cases = [
            Figures { pending: 501, ..WELL },
            Figures { oldest_pending_s: Some(901), ..WELL },
            Figures { last_run_age_s: Some(301), ..WELL },
            Figures { last_run_age_s: None, ..WELL },
        ];
        for figures in cases {
            assert_eq!(status(Some(figures)), Status::Degraded, "{figures:?}");
            assert_eq!(status(Some(figures)).http_status(), 200);
        }
    }

    #[test]
    fn is_down_when_the_database_is_silent() {
        assert_eq!(status(None), Status::Down);
        assert_eq!(status(None).http_status(), 503);
    }

    #[test]
    fn is_written_in_lower_case() {
        assert_eq!(serde_json::to_string(&Status::Degraded).unwrap(), "\"degraded\"");
    }
}
