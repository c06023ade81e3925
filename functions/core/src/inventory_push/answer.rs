//! What Shopify's answer to a call means for each item in it.
//!
//! Shopify refuses inside a 200: throttling and wrong queries as top-level `errors`, wrong quantities as `userErrors`
//! with the index of the culprit in `field`. One culprit refuses the whole call; the innocent rest is returned as a
//! call of its own, to be sent at once, so that they neither wait nor burn an attempt.

use super::{Call, Quantity};
use crate::retry_after;
use crate::upstream_status;
use crate::work::{ErrorClass, WorkFailure, WorkResult};
use serde_json::Value;
use std::collections::BTreeMap;

/// Wait when another request with the same key is still running.
const CONCURRENT_WAIT_MS: u64 = 2_000;
/// Longest quotation of an upstream's message, in characters.
const LONGEST_QUOTE: usize = 200;
const MUTATION: &str = "inventorySetQuantities";

/// What came back.
#[derive(Clone, Copy, Debug)]
pub struct Answer<'a> {
    /// HTTP status.
    pub status: u16,
    /// The `Retry-After` header.
    pub retry_after: Option<&'a str>,
    /// The body.
    pub body: &'a [u8],
}

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
        if !(200..300).contains(&answer.status) {
            return Err(by_status(answer, now));
        }
        let unreadable = || WorkFailure::transient("Shopify's answer is not JSON", None);
        let body: Value = serde_json::from_slice(answer.body).map_err(|_| unreadable())?;
        if !body.is_object() {
            return Err(unreadable());
        }
        if let Some(failure) = by_errors(&body) {
            return Err(failure);
        }
        let Some(result) =
            body.pointer("/data").and_then(|data| data.get(MUTATION)).filter(|it| it.is_object())
        else {
            return Err(WorkFailure::transient("Shopify's answer has no result", None));
        };
        let errors = match result.get("userErrors") {
            Some(Value::Array(errors)) => errors.as_slice(),
            None | Some(Value::Null) => &[],
            Some(_) => {
                return Err(WorkFailure::transient("Shopify's answer has unreadable userErrors", None));
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
        let mut culprits: BTreeMap<usize, Culprit> = BTreeMap::new();
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
            culprits
                .entry(index)
                .and_modify(|known| {
                    if known.failure.class != ErrorClass::Permanent && !culprit.stale {
                        known.clone_from(&culprit);
                    }
                })
                .or_insert(culprit);
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

fn by_status(answer: Answer<'_>, now: i64) -> WorkFailure {
    match answer.status {
        status @ (401 | 403) => {
            WorkFailure::permanent(format!("Shopify refused the access token ({status})"))
        }
        402 => WorkFailure {
            class: ErrorClass::Limit,
            error: "Shopify has frozen the shop for its plan (402)".into(),
            retry_after_ms: retry_after::wait_ms(answer.retry_after, now),
        },
        status => upstream_status::failure("Shopify", status, answer.retry_after, now),
    }
}

/// The failure that top-level `errors` mean, if there are any.
fn by_errors(body: &Value) -> Option<WorkFailure> {
    let errors = match body.get("errors") {
        None | Some(Value::Null) => return None,
        Some(Value::Array(errors)) if errors.is_empty() => return None,
        Some(Value::Array(errors)) => errors.as_slice(),
        Some(other) => std::slice::from_ref(other),
    };
    let failures: Vec<WorkFailure> = errors.iter().map(|error| by_error(error, body)).collect();
    // Throttled as a whole: whatever else is said did not happen either. Otherwise the incurable decides.
    let throttled = failures.iter().find(|failure| failure.retry_after_ms.is_some());
    let permanent = || failures.iter().find(|failure| failure.class == ErrorClass::Permanent);
    throttled.or_else(permanent).or(failures.first()).cloned()
}

fn by_error(error: &Value, body: &Value) -> WorkFailure {
    let code = error.pointer("/extensions/code").and_then(Value::as_str);
    let text =
        format!("Shopify: {}", quote(code, error.get("message").or(Some(error)).and_then(Value::as_str)));
    match code {
        Some("THROTTLED") => WorkFailure::transient(text, Some(throttle_wait_ms(body).unwrap_or(1_000))),
        None | Some("INTERNAL_SERVER_ERROR" | "TIMEOUT" | "SERVICE_UNAVAILABLE") => {
            WorkFailure::transient(text, None)
        }
        Some(_) => WorkFailure::permanent(text),
    }
}

/// (needed − available) / restore rate, rounded up.
fn throttle_wait_ms(body: &Value) -> Option<u64> {
    let cost = body.pointer("/extensions/cost")?;
    let figure = |path: &str| cost.pointer(path).and_then(Value::as_f64);
    let needed = figure("/requestedQueryCost")?;
    let available = figure("/throttleStatus/currentlyAvailable")?;
    let rate = figure("/throttleStatus/restoreRate").filter(|rate| *rate > 0.0)?;
    let wait = ((needed - available).max(0.0) / rate * 1000.0).ceil();
    // Saturates: the queue's longest wait is applied to it later.
    Some(wait as u64)
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

fn quote(code: Option<&str>, message: Option<&str>) -> String {
    let message: String =
        message.unwrap_or_default().chars().filter(|c| !c.is_control()).take(LONGEST_QUOTE).collect();
    format!("{} {}", code.unwrap_or("(no code)"), message.trim()).trim_end().to_owned()
}
