//! Fakes of the systems that Ordak calls, served over real HTTP so that the code under test cannot tell.
//! They know nothing of Ordak: only what the other company's interface promises.
//!
//! The first path segment names the upstream (`/shopify/<shop>/admin/api/…`, `/slack/…`); paths that start
//! with `_` are controls (module `control`). Everything lives in memory and in one [`World`].

mod answer;
mod calls;
mod control;
mod effects;
mod faults;
mod intake;
mod lock;
mod shopify;
mod sinks;
mod world;

use axum::Router;
pub use world::World;

/// All fakes and their control routes as one router with a world of its own; the caller decides where it
/// listens.
pub fn router() -> Router {
    router_over(World::default())
}

/// Like [`router`], over a world that the caller keeps a handle of.
pub fn router_over(world: World) -> Router {
    control::routes().fallback(intake::serve).with_state(world)
}
