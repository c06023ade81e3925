//! Helpers of the chaos suites.
