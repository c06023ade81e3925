//! What a document costs, and the leaky bucket that it is paid from.
//!
//! An object costs 1, a leaf nothing, a mutation 10, a page 2 plus its size times what it holds. That matches
//! the captured answers for mutations and is near enough for queries; callers must read figures, not know them.

use super::document::{Operation, argument};
use super::schema::{self, Of};
use graphql_parser::query::{Field, SelectionSet};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::time::Instant;

/// One document may not ask for more than this.
pub const MAX_DOCUMENT: u64 = 1_000;

/// The cost of an operation as asked for.
pub fn requested(operation: &Operation<'_>, variables: &Map<String, Value>) -> u64 {
    let walk = Walk { operation, variables };
    if operation.root == "Mutation" {
        let roots = operation.fields(operation.root, operation.selection, variables);
        roots.into_iter().map(|root| 10 + walk.below(operation.root, root)).sum()
    } else {
        walk.selection(operation.root, operation.selection)
    }
}

struct Walk<'w> {
    operation: &'w Operation<'w>,
    variables: &'w Map<String, Value>,
}

impl<'w> Walk<'w> {
    /// Of what may turn out to be several things, the dearest.
    fn selection(&self, type_name: &str, selection: &'w SelectionSet<'static, String>) -> u64 {
        let of = |type_name: &str| {
            let fields = self.operation.fields(type_name, selection, self.variables);
            fields.into_iter().map(|field| self.field(type_name, field)).sum::<u64>()
        };
        schema::possible(type_name).iter().map(|possible| of(possible)).max().unwrap_or_else(|| of(type_name))
    }

    fn field(&self, type_name: &str, field: &'w Field<'static, String>) -> u64 {
        let of = schema::field(type_name, &field.name).map_or(Of::Scalar, |known| known.of);
        let below = self.below(type_name, field);
        let size = |name: &str| argument(&field.arguments, name, self.variables);
        match of {
            Of::Scalar => 0,
            Of::Object(_) => 1 + below,
            Of::List(_) => match size("ids") {
                Value::Array(ids) => u64::try_from(ids.len()).unwrap_or(u64::MAX).saturating_mul(1 + below),
                _ => below,
            },
            Of::Connection(_) => {
                let size = size("first").as_u64().or(size("last").as_u64()).unwrap_or(0);
                size.saturating_mul(below).saturating_add(2)
            }
        }
    }

    fn below(&self, type_name: &str, field: &'w Field<'static, String>) -> u64 {
        match schema::field(type_name, &field.name).map(|known| known.of) {
            Some(Of::Object(of) | Of::List(of) | Of::Connection(of)) => {
                self.selection(of, &field.selection_set)
            }
            _ => 0,
        }
    }
}

/// The figures of a throttle.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Throttle {
    /// What the bucket holds when full.
    pub maximum: u64,
    /// What it regains a second.
    pub restore_rate: u64,
}

/// A bucket of one shop. Without a throttle it is never empty, but still tells figures.
#[derive(Clone, Debug, Default)]
pub struct Bucket {
    throttle: Option<Throttle>,
    spent: f64,
    at: Option<Instant>,
}

impl Bucket {
    /// The figures told while nothing is throttled: those of an ordinary shop.
    const ORDINARY: Throttle = Throttle { maximum: 2_000, restore_rate: 100 };

    /// Starts throttling with a full bucket.
    pub fn throttle(&mut self, throttle: Throttle) {
        *self = Self { throttle: Some(throttle), spent: 0.0, at: None };
    }

    /// The throttle in force, or the ordinary figures.
    pub fn figures(&self) -> Throttle {
        self.throttle.unwrap_or(Self::ORDINARY)
    }

    /// Pays `cost` at `now`. Gives what is left, or, when it is not enough, what there is.
    pub fn pay(&mut self, cost: u64, now: Instant) -> Result<u64, u64> {
        let figures = self.figures();
        if self.throttle.is_none() {
            return Ok(figures.maximum.saturating_sub(cost));
        }
        let since = self.at.map_or(0.0, |at| now.saturating_duration_since(at).as_secs_f64());
        let restored = since * whole(figures.restore_rate);
        self.spent = (self.spent - restored).max(0.0);
        self.at = Some(now);
        let spent = self.spent.ceil().to_string().parse::<u64>().unwrap_or(u64::MAX);
        let available = figures.maximum.saturating_sub(spent);
        if available < cost {
            return Err(available);
        }
        self.spent += whole(cost);
        Ok(available - cost)
    }

    /// Gives back what an operation turned out not to cost.
    pub fn give_back(&mut self, cost: u64) {
        self.spent = (self.spent - whole(cost)).max(0.0);
    }
}

fn whole(number: u64) -> f64 {
    u32::try_from(number).map_or(f64::MAX, f64::from)
}

/// The `cost` extension of an answer.
pub fn status(requested: u64, actual: u64, maximum: u64, available: u64, restore_rate: u64) -> Value {
    json!({
        "requestedQueryCost": requested,
        "actualQueryCost": actual,
        "throttleStatus": {
            "maximumAvailable": maximum,
            "currentlyAvailable": available,
            "restoreRate": restore_rate
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn an_empty_bucket_refuses_until_it_has_refilled() {
        let mut bucket = Bucket::default();
        bucket.throttle(Throttle { maximum: 20, restore_rate: 10 });
        let start = Instant::now();
        assert_eq!(bucket.pay(13, start), Ok(7));
        assert_eq!(bucket.pay(13, start), Err(7));
        assert_eq!(bucket.pay(13, start + Duration::from_millis(600)), Ok(0));
        assert_eq!(bucket.pay(1, start + Duration::from_millis(600)), Err(0));
        assert_eq!(bucket.pay(13, start + Duration::from_secs(60)), Ok(7));
        bucket.give_back(3);
        assert_eq!(bucket.pay(10, start + Duration::from_secs(60)), Ok(0));
    }

    #[test]
    fn without_a_throttle_it_never_refuses() {
        let mut bucket = Bucket::default();
        assert!((0..1_000).all(|_| bucket.pay(500, Instant::now()).is_ok()));
    }
}
