//! What the chaos suites share: ground of their own in the database, deliveries straight into it or over HTTP,
//! and the comparison of what came of them with the model.
//!
//! Decides nothing about orders: what must be is the model's to say.

pub mod figures;
pub mod gate;
pub mod ground;
pub mod processes;
pub mod queue;
pub mod session;
pub mod storm;
pub mod traffic;
pub mod trial;
pub mod verdict;
pub mod work;
