//! Commands that talk to a running stack from outside, as its users do.

pub mod cron;
pub mod sample;
pub mod send;
pub mod token;
