//! What the attack suites share: the running stack, raw HTTP, SQL as any role, forged tokens, the access matrix.
//!
//! The suites are the integration tests of this crate, one binary each, run one after the other against a stack that
//! is up (`cargo xtask test security`). Nothing here knows how the stack is built; it speaks to it as a stranger
//! would, and looks into the database to see that a refused request left nothing behind.

#![allow(clippy::indexing_slicing, reason = "a serde_json::Value answers null for what it does not have")]

pub mod caller;
pub mod database;
pub mod delivery;
pub mod fingerprint;
pub mod http;
pub mod jwt;
pub mod matrix;
pub mod people;
pub mod stack;
pub mod surface;
pub mod tally;
