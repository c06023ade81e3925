//! End-to-end tests: built WASM in workerd, a real Postgres, fakes over HTTP. They read where the stack is from
//! the environment and fail without it; `cargo xtask test e2e` starts one and runs them.
//!
//! They run side by side: each uses orders and SKUs of its own, and a store of its own where it makes Shopify
//! fail.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests may fail the test")]

mod alerts;
mod batches;
mod bodies;
mod compliance;
mod credentials;
mod fixtures;
mod forged;
mod gap_repair;
mod gateway;
mod health;
mod interleavings;
mod interleavings_of_levels;
mod interleavings_of_locks;
mod interleavings_of_orders;
mod interleavings_of_stock;
mod interleavings_of_work;
mod kick;
mod kitchen_bad_input;
mod kitchen_day;
mod kitchen_races;
mod kitchen_scans;
mod main_job;
mod misconfigured;
mod office;
mod order_ingest;
mod own_faults;
mod privacy;
mod published_keys;
mod push_order;
mod queue_faults;
mod queue_troubles;
mod queue_worker;
mod refunds;
mod retries;
mod signature;
mod spill;
mod stage_actions;
mod stock;
mod store_settings;
mod supabase_client;
mod telemetry;
