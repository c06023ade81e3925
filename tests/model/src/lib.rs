//! What an order and its stock must be, as a function of the set of the deliveries about it.
//!
//! A second, simple statement of the rules of ingest, written from the specification and not from the code under
//! test: it knows neither the database nor the normaliser of the edge. It reads only orders whose shape it knows,
//! those of the fixtures and those that its own seeded generator ([`Story`], [`life`]) makes of them.

mod base;
mod delivery;
mod difference;
pub mod life;
mod permutation;
mod plan;
mod reading;
mod refund;
mod seed;
mod snapshot;
mod state;
mod stock;
mod story;

pub use base::{Base, bases};
pub use delivery::{Delivery, rank};
pub use difference::differences;
pub use permutation::{permutations, shuffled};
pub use plan::{Arrival, Kind, Mix, arrivals, distinct};
pub use seed::Seed;
pub use snapshot::{Line, Snapshot};
pub use state::{OrderState, Shop, order_state};
pub use stock::{LineStock, Stock, complaints};
pub use story::{Identity, Story};
