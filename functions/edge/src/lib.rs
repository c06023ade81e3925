//! What every edge function shares: settings, the RPC client, answers, log lines.
//!
//! Adapters between the runtime and `ordak-core`. They carry data and decide nothing: a rule that could be tested
//! without a runtime belongs into the core.

pub mod admin_shop;
pub mod answer;
pub mod body;
pub mod border;
pub mod clock;
pub mod deadline;
pub mod door;
pub mod incoming;
pub mod isolate;
pub mod kick;
pub mod log;
pub mod published_keys;
pub mod request_id;
pub mod rest_error;
pub mod rpc;
pub mod rpc_by_postgrest;
pub mod serve;
pub mod service;
pub mod service_role;
pub mod shop_access;
mod slots;
pub mod store_settings;
pub mod task;
pub mod telemetry;
pub mod upstream;
pub mod user_token;
pub mod vault;
pub mod web_crypto;
