//! Edge function gateway.
