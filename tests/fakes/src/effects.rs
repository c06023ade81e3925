//! The ledger of what really changed upstream: append-only, one entry per executed effect. A replay of a key
//! that was answered from memory adds nothing, so two entries with one key are an effect that happened twice.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// One executed effect.
#[derive(Clone, Debug, Serialize)]
pub struct Effect {
    /// Position in the ledger, from 1.
    pub seq: u64,
    /// When it was executed.
    pub at: String,
    /// The upstream that executed it.
    pub upstream: String,
    /// The shop it belongs to.
    pub shop: Option<String>,
    /// What was executed, such as `inventorySetQuantities`.
    pub operation: String,
    /// The idempotency key that it was asked for with.
    pub key: Option<String>,
    /// What changed.
    pub detail: Value,
}

/// Which effects a reader wants; absent fields match everything.
#[derive(Debug, Default, Deserialize)]
pub struct EffectFilter {
    /// Only this upstream.
    pub upstream: Option<String>,
    /// Only this shop.
    pub shop: Option<String>,
    /// Only this idempotency key.
    pub key: Option<String>,
}

/// All effects since the last reset.
#[derive(Default)]
pub struct Ledger(Vec<Effect>);

impl Ledger {
    /// Appends an effect.
    pub fn append(
        &mut self,
        upstream: &str,
        shop: Option<&str>,
        operation: &str,
        key: Option<&str>,
        detail: Value,
    ) {
        let seq = u64::try_from(self.0.len()).unwrap_or(u64::MAX).saturating_add(1);
        self.0.push(Effect {
            seq,
            at: crate::calls::Call::now(),
            upstream: upstream.to_owned(),
            shop: shop.map(str::to_owned),
            operation: operation.to_owned(),
            key: key.map(str::to_owned),
            detail,
        });
    }

    /// The effects that the filter admits, oldest first.
    pub fn list(&self, filter: &EffectFilter) -> Vec<Effect> {
        let admits = |effect: &&Effect| {
            filter.upstream.as_ref().is_none_or(|upstream| *upstream == effect.upstream)
                && filter.shop.as_ref().is_none_or(|shop| Some(shop) == effect.shop.as_ref())
                && filter.key.as_ref().is_none_or(|key| Some(key) == effect.key.as_ref())
        };
        self.0.iter().filter(admits).cloned().collect()
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.0.clear();
    }
}
