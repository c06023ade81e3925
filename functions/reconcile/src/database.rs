//! The RPCs of a run.
//!
//! Knows their names and shapes; whatever goes wrong in them is our fault.

use crate::Setup;
use ordak_core::{
    envelope::Fault,
    stock::{location::Location, page::Level},
};
use ordak_edge::service_role;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Value, json};
use std::time::Duration;

/// Longest wait for one RPC.
const LIMIT: Duration = Duration::from_secs(8);

/// A store that this run has taken, and where it is to be read on.
#[derive(Clone, Debug, Deserialize)]
pub struct Task {
    /// Its report.
    pub run_id: i64,
    /// The store.
    pub store: String,
    /// The domain of its shop.
    pub shop_domain: String,
    /// The location that is read; none when the store knows of none.
    pub location_gid: Option<String>,
    /// The page at which an earlier run was cut off.
    pub after: Option<String>,
}

/// What a run has taken.
#[derive(Debug, Deserialize)]
pub struct Taken {
    /// Its stores.
    pub stores: Vec<Task>,
    /// Stores that another run reads.
    #[serde(default)]
    pub busy: Vec<String>,
}

/// Where to read on, and what has been found so far.
#[derive(Debug, Deserialize)]
pub struct Place {
    /// The location; none at the end.
    pub location_gid: Option<String>,
    /// The page; none for the first.
    pub after: Option<String>,
    /// SKUs compared.
    pub compared: u64,
    /// SKUs that nobody here knew.
    pub imported: u64,
    /// Levels that are looked at once more.
    pub suspected: u64,
}

/// A page that was read.
#[derive(Clone, Copy, Debug)]
pub struct Page<'a> {
    /// At this location.
    pub location: &'a str,
    /// Behind this place.
    pub after: Option<&'a str>,
    /// Before this one.
    pub next: Option<&'a str>,
    /// What is on it.
    pub levels: &'a [Level],
}

/// Takes the stores whose quiet hour it is, or all or these whatever the hour.
///
/// # Errors
/// A fault when the database does not answer as it should.
pub async fn start(setup: &Setup, run: &str, stores: Option<&[String]>, now: bool) -> Result<Taken, Fault> {
    let mut arguments = json!({"p_run": run, "p_now": now});
    add(&mut arguments, "p_stores", stores.map(|stores| json!(stores)));
    call(setup, "start_reconcile", &arguments).await
}

/// Has a page compared.
///
/// # Errors
/// As [`start`]; also when another run has taken the store over.
pub async fn compare(setup: &Setup, run: &str, id: i64, page: Page<'_>) -> Result<Place, Fault> {
    let mut arguments =
        json!({"p_run": run, "p_run_id": id, "p_location": page.location, "p_levels": page.levels});
    add(&mut arguments, "p_after", page.after.map(|after| json!(after)));
    add(&mut arguments, "p_next", page.next.map(|next| json!(next)));
    call(setup, "compare_stock", &arguments).await
}

/// How a store is left before its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Left {
    /// The next run goes on here.
    There,
    /// The next run begins the location anew.
    Anew,
    /// Not before the next night.
    GivenUp,
}

/// Gives a store back.
///
/// # Errors
/// As [`compare`].
pub async fn stop(setup: &Setup, run: &str, id: i64, reason: &str, left: Left) -> Result<(), Fault> {
    let arguments = json!({
        "p_run": run, "p_run_id": id, "p_error": reason, "p_restart": left == Left::Anew,
        "p_give_up": left == Left::GivenUp,
    });
    call::<Value>(setup, "stop_reconcile", &arguments).await.map(|_| ())
}

/// Says which locations a shop has; gives the one that counts, if that is clear.
///
/// # Errors
/// As [`start`].
pub async fn save_locations(
    setup: &Setup,
    store: &str,
    locations: &[Location],
) -> Result<Option<String>, Fault> {
    #[derive(Deserialize)]
    struct Saved {
        location_gid: Option<String>,
    }
    let saved: Saved =
        call(setup, "save_locations", &json!({"p_store": store, "p_locations": locations})).await?;
    Ok(saved.location_gid)
}

/// What is absent is left out.
fn add(arguments: &mut Value, name: &str, value: Option<Value>) {
    if let (Some(arguments), Some(value)) = (arguments.as_object_mut(), value) {
        arguments.insert(name.into(), value);
    }
}

async fn call<T: DeserializeOwned>(
    setup: &Setup,
    function: &str,
    arguments: &impl Serialize,
) -> Result<T, Fault> {
    service_role::data(&setup.rpc, function, arguments, LIMIT).await
}
