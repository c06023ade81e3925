//! The RPCs of a run, but the one that takes a delivery.
//!
//! Knows their names and shapes; whatever goes wrong in them is our fault.

use crate::Setup;
use ordak_core::{envelope::Fault, gap_repair::Listed, topic::Topic};
use ordak_edge::service_role;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Value, json};
use std::time::Duration;

/// Longest wait for one RPC.
pub const LIMIT: Duration = Duration::from_secs(8);
/// Name of the cursors.
const CURSOR: &str = "orders";

/// A store that this run has taken, and what it is to read of it.
#[derive(Clone, Debug, Deserialize)]
pub struct Task {
    /// The store.
    pub store: String,
    /// The domain of its shop.
    pub shop_domain: String,
    /// Everything before was seen by earlier runs.
    pub seen_until: String,
    /// Where the window begins.
    pub from: String,
    /// Where it ends.
    pub until: String,
    /// The page at which an earlier run was cut off.
    #[serde(default)]
    pub after: Option<String>,
}

/// What a run has taken.
#[derive(Debug, Deserialize)]
pub struct Taken {
    /// Its stores, those furthest behind first.
    pub stores: Vec<Task>,
    /// Stores that another run reads.
    #[serde(default)]
    pub busy: Vec<String>,
}

/// How far a run has come with a store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Everything before this page is dealt with.
    Page(String),
    /// The whole window is.
    Done,
    /// The next run goes on here.
    Stopped,
    /// The next run begins the window anew.
    Restart,
}

#[derive(Deserialize)]
struct Saved {
    #[serde(default)]
    tell: bool,
}

#[derive(Deserialize)]
struct Missed {
    orders: Vec<MissedOrder>,
}

#[derive(Deserialize)]
struct MissedOrder {
    gid: String,
    topic: String,
}

/// Takes all stores, or these, for a run.
///
/// # Errors
/// A fault when the database does not answer as it should.
pub async fn start(setup: &Setup, run: &str, stores: Option<&[String]>) -> Result<Taken, Fault> {
    #[derive(Serialize)]
    struct Arguments<'a> {
        p_name: &'a str,
        p_run: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        p_stores: Option<&'a [String]>,
    }
    call(setup, "start_sync", &Arguments { p_name: CURSOR, p_run: run, p_stores: stores }).await
}

/// Says how far the run has come with a store, and, in a word, what people should hear of it; whether they are to hear
/// it now, as they have not lately.
///
/// # Errors
/// As [`start`]; also when another run has taken the store over.
pub async fn save(
    setup: &Setup,
    run: &str,
    store: &str,
    progress: &Progress,
    trouble: Option<&str>,
) -> Result<bool, Fault> {
    let mut arguments = json!({"p_name": CURSOR, "p_run": run, "p_store": store});
    let (state, after) = match progress {
        Progress::Page(after) => ("page", Some(after)),
        Progress::Done => ("done", None),
        Progress::Stopped => ("stopped", None),
        Progress::Restart => ("restart", None),
    };
    if let Some(arguments) = arguments.as_object_mut() {
        arguments.insert("p_state".into(), json!(state));
        arguments.extend(after.map(|after| ("p_after".into(), json!(after))));
        arguments.extend(trouble.map(|trouble| ("p_trouble".into(), json!(trouble))));
    }
    let saved: Saved = call(setup, "save_sync", &arguments).await?;
    Ok(saved.tell)
}

/// Which of the orders that Shopify lists are missing here, and what each is to be delivered as.
///
/// # Errors
/// As [`start`].
pub async fn find_missed(
    setup: &Setup,
    store: &str,
    orders: &[Listed],
) -> Result<Vec<(String, Topic)>, Fault> {
    let arguments = json!({"p_store": store, "p_orders": orders});
    let missed: Missed = call(setup, "find_missed_orders", &arguments).await?;
    Ok(missed.orders.into_iter().map(|order| (order.gid, Topic::parse(&order.topic))).collect())
}

/// Tells people.
///
/// # Errors
/// As [`start`].
pub async fn raise_alert(
    setup: &Setup,
    store: &str,
    kind: &str,
    text: &str,
    meta: &Value,
) -> Result<(), Fault> {
    let arguments = json!({"p_store": store, "p_kind": kind, "p_text": text, "p_meta": meta});
    call::<Value>(setup, "raise_alert", &arguments).await.map(|_| ())
}

async fn call<T: DeserializeOwned>(
    setup: &Setup,
    function: &str,
    arguments: &impl Serialize,
) -> Result<T, Fault> {
    service_role::data(&setup.rpc, function, arguments, LIMIT).await
}
