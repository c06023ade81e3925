//! The one shared state of all fakes: what was asked, what was done, what is to go wrong.

use crate::calls::CallLog;
use crate::effects::Ledger;
use crate::faults::FaultBook;
use crate::shopify::Shops;
use crate::sinks::Memory;
use std::sync::{Arc, Mutex};

/// Everything the fakes remember. Clones share the same memory.
#[derive(Clone, Default)]
pub struct World {
    pub(crate) calls: Arc<Mutex<CallLog>>,
    pub(crate) effects: Arc<Mutex<Ledger>>,
    pub(crate) faults: Arc<Mutex<FaultBook>>,
    pub(crate) shops: Arc<Mutex<Shops>>,
    pub(crate) sunk: Arc<Mutex<Memory>>,
}
