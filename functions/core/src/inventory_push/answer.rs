//! What Shopify's answer to a call means for each item in it.
//!
//! Shopify refuses inside a 200: throttling and wrong queries as top-level `errors`, wrong quantities as `userErrors`
//! with the index of the culprit in `field`. One culprit refuses the whole call; the innocent rest is returned as a
//! call of its own, to be sent at once, so that they neither wait nor burn an attempt.

use super::{Call, Quantity};
use crate::admin_api::{self, Answer, quote};
use crate::sorted::Sorted;
use crate::work::{ErrorClass, WorkFailure, WorkResult};
use serde_json::Value;

/// Wait when another request with the same key is still running.
const CONCURRENT_WAIT_MS: u64 = 2_000;
const MUTATION: &str = "inventorySetQuantities";

/// What became of a call.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// Results to report.
    pub results: Vec<WorkResult>,
    /// The innocent rest of a call that was refused for others, to be sent at once. Always smaller than the call.
    pub again: Option<Call>,
}

impl Call {
    /// Judges an answer; `now` is in seconds since 1970.
    #[must_use]
    pub fn classify(&self, answer: Answer<'_>, now: i64) -> Verdict {
        match self.judge(answer, now) {
            Ok(verdict) => verdict,
            Err(failure) => Verdict { results: self.failed(&failure), again: None },
        }
    }

    fn judge(&self, answer: Answer<'_>, now: i64) -> Result<Verdict, WorkFailure> {
        let body = answer.read(now)?;
        let Some(result) =
            body.pointer("/data").and_then(|data| data.get(MUTATION)).filter(|it| it.is_object())
        else {
            return Err(admin_api::passing("Shopify's answer has no result").into());
        };
        let errors = match result.get("userErrors") {
            Some(Value::Array(errors)) => errors.as_slice(),
            None | Some(Value::Null) => &[],
            Some(_) => {
                return Err(admin_api::passing("Shopify's answer has unreadable userErrors").into());
            }
        };
        if errors.is_empty() {
            let pushed = |quantity: &Quantity| {
                let level = quantity.available;
                quantity.claims.clone().into_iter().map(move |it| WorkResult::pushed(it.id, it.fence, level))
            };
            return Ok(Verdict { results: self.quantities.iter().flat_map(pushed).collect(), again: None });
        }
        self.by_user_errors(errors)
    }

    /// Culprits fail with their own error; errors that name no quantity fail the call.
    fn by_user_errors(&self, errors: &[Value]) -> Result<Verdict, WorkFailure> {
        let mut culprits: Sorted<usize, Culprit> = Sorted::default();
        for error in errors {
            let failure = by_user_error(error);
            let Some((index, quantity)) =
                index_of(error).and_then(|index| Some((index, self.quantities.get(index)?)))
            else {
                return Err(failure);
            };
            // Shopify takes stock for an order by itself, so that a comparison often fails once after a sale.
            let stale = is_stale(error) && quantity.change_from.is_some();
            let culprit = Culprit { stale, failure };
            // What cannot be cured decides over what can, and a failure over a comparison.
            let known = culprits.entry(index, || culprit.clone());
            if known.failure.class != ErrorClass::Permanent && !culprit.stale {
                *known = culprit;
            }
        }
        let mut verdict = Verdict::default();
        let mut innocent: Vec<Quantity> = Vec::new();
        for (index, quantity) in self.quantities.iter().enumerate() {
            match culprits.get(&index) {
                Some(culprit) => {
                    verdict.results.extend(quantity.claims.iter().map(|claim| culprit.result(*claim)));
                }
                None => innocent.push(quantity.clone()),
            }
        }
        if !innocent.is_empty() {
            verdict.again = Some(Self { quantities: innocent, ..self.clone() });
        }
        Ok(verdict)
    }
}

/// Why a quantity was refused.
#[derive(Clone)]
struct Culprit {
    /// Shopify has another level than the one that was compared with: the database forgets that one, and the next
    /// claim, with the level of its moment, sets without comparing. Never done here at once: whoever has lost the lease
    /// in the meantime would put an old level over a new one.
    stale: bool,
    failure: WorkFailure,
}

impl Culprit {
    fn result(&self, claim: super::Claim) -> WorkResult {
        if self.stale {
            WorkResult::stale(claim.id, claim.fence, &self.failure.error)
        } else {
            WorkResult::failed(claim.id, claim.fence, &self.failure)
        }
    }
}

fn by_user_error(error: &Value) -> WorkFailure {
    let code = error.get("code").and_then(Value::as_str);
    let text = format!("Shopify: {}", quote(code, error.get("message").and_then(Value::as_str)));
    match code {
        _ if is_stale(error) => WorkFailure::transient(text, Some(0)),
        Some("IDEMPOTENCY_CONCURRENT_REQUEST") => WorkFailure::transient(text, Some(CONCURRENT_WAIT_MS)),
        Some("INTERNAL_ERROR" | "TIMEOUT") => WorkFailure::transient(text, None),
        _ => WorkFailure::permanent(text),
    }
}

/// Another writer was first.
fn is_stale(error: &Value) -> bool {
    let code = error.get("code").and_then(Value::as_str);
    matches!(code, Some("CHANGE_FROM_QUANTITY_STALE" | "COMPARE_QUANTITY_STALE"))
}

/// `["input", "quantities", "0", "locationId"]` blames quantity 0; the index comes as text or as number.
fn index_of(error: &Value) -> Option<usize> {
    let path = error.get("field")?.as_array()?;
    let at = path.iter().position(|part| part == "quantities")?;
    match path.get(at + 1)? {
        Value::String(index) => index.parse().ok(),
        index => usize::try_from(index.as_u64()?).ok(),
    }
}
