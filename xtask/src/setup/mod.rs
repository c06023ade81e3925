//! Brings a machine that has Rust and Node to where the product can be built and run. Each step looks first and does
//! nothing when there is nothing to do.

pub mod node;
pub mod rust;
pub mod tools;

use anyhow::Result;

use crate::layout::Checkout;
use crate::lock::{self, Lock};
use tools::Tools;

/// Only what a database needs.
pub async fn packages(checkout: &Checkout) -> Result<()> {
    let _lock = lock::queue_for(checkout.local("setup.lock"), "setting up or building").await?;
    node::packages(checkout).await
}

/// Does every step. The lock is held until the caller drops it, so that building may follow under it.
pub async fn everything(checkout: &Checkout) -> Result<(Tools, Lock)> {
    let lock = lock::queue_for(checkout.local("setup.lock"), "setting up or building").await?;
    rust::wasm_target(checkout).await?;
    node::packages(checkout).await?;
    let tools = tools::install(checkout).await?;
    Ok((tools, lock))
}
