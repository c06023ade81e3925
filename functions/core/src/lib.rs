//! Pure decisions of Ordak.
//!
//! Everything here is a function of its arguments: no runtime, no I/O, no clock, no randomness. The edge functions
//! carry bytes in and out and decide nothing; what they carry is decided here, natively tested, compiled to WASM.
//! Nothing in this crate may panic on anything that came from outside.

pub mod action;
pub mod admin_api;
pub mod alert;
pub mod batch;
pub mod calendar;
pub mod content;
pub mod credentials;
pub mod decimal;
pub mod document;
pub mod email;
pub mod envelope;
pub mod field;
pub mod gap_repair;
mod graphql;
pub mod health;
pub mod inventory_push;
pub mod jwks;
pub mod normalize;
pub mod refund;
pub mod retry_after;
pub mod route;
pub mod sanitize;
pub mod secret;
pub mod secret_key;
pub mod settings;
pub mod signature;
pub mod sorted;
pub mod stock;
pub mod telemetry;
pub mod token;
pub mod topic;
pub mod upstream_status;
pub mod work;

#[cfg(test)]
mod fixtures;
