//! What is told to systems that watch over this one: errors to Sentry, use to PostHog.
//!
//! Each is optional, and none may cost a request anything: a setting that is wrong switches its sink off, and how much
//! is told has a bound. Knows no HTTP client and no clock.

pub mod budget;
pub mod posthog;
pub mod sentry;

use crate::sanitize::sanitize;

/// Longest text that is told.
const LONGEST: usize = 300;

/// Masked, on one line, and cut.
fn clean(text: &str) -> String {
    let line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    sanitize(&line).chars().take(LONGEST).collect()
}
