//! Planned misfortune: which requests go wrong, and how.
//!
//! A fault is armed for an upstream, optionally for one shop or for bodies that contain a text, so that tests
//! that run side by side do not meet each other's. It hits the next `count` matching requests, or each with
//! the probability `rate`.

mod apply;
mod bodies;
mod mode;

pub use apply::{Reply, apply};
pub use mode::Mode;
use serde::{Deserialize, Serialize};

/// A fault as a test asks for it.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct FaultRequest {
    /// Upstream whose requests go wrong.
    pub upstream: String,
    /// How.
    pub mode: Mode,
    /// How many requests; default 1 when there is no `rate`, else without end.
    pub count: Option<u64>,
    /// Probability for each matching request, 0 to 1.
    pub rate: Option<f64>,
    /// Seed of the choice that `rate` makes.
    #[serde(default)]
    pub seed: u64,
    /// Only requests for this shop.
    pub shop: Option<String>,
    /// Only requests whose body contains this text.
    #[serde(rename = "match")]
    pub contains: Option<String>,
    /// How long the modes take that take time.
    pub delay_ms: Option<u64>,
    /// Seconds in `Retry-After`.
    pub retry_after: Option<u64>,
    /// Size of `huge_body`.
    pub bytes: Option<u64>,
    /// Code of `user_errors`; by default that of an internal error.
    pub code: Option<String>,
}

/// A request that faults are matched against.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// First path segment.
    pub upstream: &'a str,
    /// Shop domain.
    pub shop: Option<&'a str>,
    /// The raw body.
    pub body: &'a [u8],
}

#[derive(Clone, Debug, Serialize)]
struct Armed {
    id: u64,
    remaining: Option<u64>,
    hits: u64,
    #[serde(flatten)]
    fault: FaultRequest,
    #[serde(skip)]
    dice: u64,
}

/// All armed faults, in the order of arming; the first that matches wins.
#[derive(Default)]
pub struct FaultBook {
    last_id: u64,
    armed: Vec<Armed>,
}

impl FaultBook {
    /// Arms a fault and returns its id.
    pub fn arm(&mut self, fault: FaultRequest) -> Result<u64, &'static str> {
        if fault.rate.is_some_and(|rate| !(0.0..=1.0).contains(&rate)) {
            return Err("rate must be between 0 and 1");
        }
        self.last_id += 1;
        let remaining = if fault.rate.is_none() { Some(fault.count.unwrap_or(1)) } else { fault.count };
        let dice = fault.seed;
        self.armed.push(Armed { id: self.last_id, remaining, hits: 0, fault, dice });
        Ok(self.last_id)
    }

    /// The fault that hits this request, counted as used.
    pub fn take(&mut self, subject: &Subject<'_>) -> Option<FaultRequest> {
        let live = |armed: &&mut Armed| armed.remaining != Some(0) && armed.matches(subject);
        let armed = self.armed.iter_mut().filter(live).find_map(|armed| armed.rolls().then_some(armed))?;
        armed.hits += 1;
        armed.remaining = armed.remaining.map(|left| left.saturating_sub(1));
        Some(armed.fault.clone())
    }

    /// Disarms one fault; false when there is none of that id.
    pub fn disarm(&mut self, id: u64) -> bool {
        let before = self.armed.len();
        self.armed.retain(|armed| armed.id != id);
        self.armed.len() != before
    }

    /// Disarms every fault that is limited to this shop.
    pub fn disarm_shop(&mut self, shop: &str) {
        self.armed.retain(|armed| armed.fault.shop.as_deref() != Some(shop));
    }

    /// Disarms everything.
    pub fn clear(&mut self) {
        self.armed.clear();
    }

    /// What is armed, with what remains of it.
    pub fn list(&self) -> Vec<impl Serialize> {
        self.armed.clone()
    }
}

impl Armed {
    fn matches(&self, subject: &Subject<'_>) -> bool {
        let contains = |needle: &str| {
            needle.is_empty() || subject.body.windows(needle.len()).any(|window| window == needle.as_bytes())
        };
        self.fault.upstream == subject.upstream
            && self.fault.shop.as_deref().is_none_or(|shop| Some(shop) == subject.shop)
            && self.fault.contains.as_deref().is_none_or(contains)
    }

    /// Splitmix64: the same seed meets the same sequence of requests with the same choices.
    fn rolls(&mut self) -> bool {
        let Some(rate) = self.fault.rate else { return true };
        self.dice = self.dice.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.dice;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^= bits >> 31;
        let share = f64::from(u32::try_from(bits >> 32).unwrap_or(u32::MAX)) / f64::from(u32::MAX);
        share < rate
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(json: serde_json::Value) -> FaultRequest {
        serde_json::from_value(json).unwrap()
    }

    fn subject<'a>(shop: &'a str, body: &'a str) -> Subject<'a> {
        Subject { upstream: "shopify", shop: Some(shop), body: body.as_bytes() }
    }

    #[test]
    fn hits_as_often_as_counted_and_then_no_more() {
        let mut book = FaultBook::default();
        book.arm(fault(serde_json::json!({"upstream": "shopify", "mode": "500", "count": 2}))).unwrap();
        let hits = (0..5).filter(|_| book.take(&subject("a", "")).is_some()).count();
        assert_eq!(hits, 2);
    }

    #[test]
    fn spares_other_shops_and_other_bodies() {
        let mut book = FaultBook::default();
        let request =
            serde_json::json!({"upstream": "shopify", "mode": "500", "shop": "a", "match": "Item/7"});
        book.arm(fault(request)).unwrap();
        assert!(book.take(&subject("b", "Item/7")).is_none());
        assert!(book.take(&subject("a", "Item/8")).is_none());
        assert!(book.take(&subject("a", "x Item/7 y")).is_some());
    }

    #[test]
    fn a_rate_hits_its_share_and_repeats_with_its_seed() {
        let run = |seed: u64| {
            let mut book = FaultBook::default();
            let request =
                serde_json::json!({"upstream": "shopify", "mode": "500", "rate": 0.3, "seed": seed});
            book.arm(fault(request)).unwrap();
            (0..1000).map(|_| book.take(&subject("a", "")).is_some()).collect::<Vec<_>>()
        };
        assert_eq!(run(7), run(7));
        assert_ne!(run(7), run(8));
        let hits = run(7).into_iter().filter(|hit| *hit).count();
        assert!((250..350).contains(&hits), "{hits} of 1000");
    }

    #[test]
    fn refuses_a_rate_that_is_no_probability_and_unknown_fields() {
        let mut book = FaultBook::default();
        let request = serde_json::json!({"upstream": "shopify", "mode": "500", "rate": 1.5});
        assert!(book.arm(fault(request)).is_err());
        let typo = serde_json::json!({"upstream": "shopify", "mode": "500", "counts": 1});
        assert!(serde_json::from_value::<FaultRequest>(typo).is_err());
    }
}
