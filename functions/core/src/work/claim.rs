//! Reading what a claim gave: item by item, so that one that cannot be read is given up and holds up no other.
//!
//! Postgres keeps numbers that no reader of ours takes (`1e400`) and nests deeper than one may; such a payload must not
//! cost the batch that it came with. Knows no topic.

use super::{WorkFailure, WorkItem, WorkResult};
use crate::envelope::Fault;
use serde::Deserialize;
use serde_json::{Value, value::RawValue};

/// What a claim gave.
#[derive(Debug, Default)]
pub struct Claim {
    /// Items to carry out.
    pub items: Vec<WorkItem>,
    /// Items that cannot be read, with the reason: to be reported as they are.
    pub unreadable: Vec<WorkResult>,
    /// How long until something that is due but held back may be claimed.
    pub retry_in_ms: Option<u64>,
    /// Topics of items that were given up because their leases ran out again and again, one for each.
    pub given_up: Vec<String>,
}

#[derive(Deserialize)]
struct Wire<'a> {
    ok: bool,
    #[serde(default, borrow)]
    data: Option<Data<'a>>,
    #[serde(default)]
    message: Option<String>,
}

#[derive(Deserialize)]
struct Data<'a> {
    #[serde(borrow)]
    items: Vec<&'a RawValue>,
    #[serde(default)]
    retry_in_ms: Option<u64>,
    #[serde(default)]
    given_up: Vec<String>,
}

/// What can be read of any item: numbers of ours.
#[derive(Deserialize)]
struct Proof {
    id: i64,
    fence: i64,
}

impl Claim {
    /// Reads the envelope that `claim_work` answers.
    ///
    /// # Errors
    /// A fault when it refused or answered something else.
    pub fn read(body: &[u8]) -> Result<Self, Fault> {
        let wire: Wire<'_> = serde_json::from_slice(body)
            .map_err(|_| Fault::internal("claim_work: the answer is no envelope"))?;
        let Some(data) = wire.data.filter(|_| wire.ok) else {
            let message = wire.message.unwrap_or_else(|| "no items".into());
            return Err(Fault::internal(format!("claim_work: {message}")));
        };
        let mut claim = Self { retry_in_ms: data.retry_in_ms, given_up: data.given_up, ..Self::default() };
        for item in data.items {
            match serde_json::from_str::<WorkItem>(item.get()) {
                Ok(item) if is_finite(&item.payload) && is_finite(&item.context) => claim.items.push(item),
                _ => claim.unreadable.extend(unread(item)),
            }
        }
        Ok(claim)
    }
}

/// Whether all numbers are such as any reader takes. `serde_json` refuses others by itself, unless another crate of the
/// same build has it keep numbers as texts.
fn is_finite(value: &Value) -> bool {
    match value {
        Value::Number(number) => number.as_f64().is_some_and(f64::is_finite),
        Value::Array(values) => values.iter().all(is_finite),
        Value::Object(fields) => fields.values().all(is_finite),
        _ => true,
    }
}

fn unread(item: &RawValue) -> Option<WorkResult> {
    let Proof { id, fence } = serde_json::from_str(item.get()).ok()?;
    Some(WorkResult::failed(id, fence, &WorkFailure::permanent("the item cannot be read")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::work::ErrorClass;

    fn read(items: &str) -> Claim {
        Claim::read(format!(r#"{{"ok":true,"data":{{"items":[{items}]}},"already_done":false}}"#).as_bytes())
            .unwrap()
    }

    #[test]
    fn an_item_that_cannot_be_read_is_given_up_and_holds_up_no_other() {
        let good =
            |id: i64| format!(r#"{{"id":{id},"topic":"email","store":"bannos","fence":3,"payload":{{}}}}"#);
        let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
        for poison in ["1e400", deep.as_str()] {
            let bad = format!(r#"{{"id":7,"topic":"email","store":"bannos","fence":2,"payload":{poison}}}"#);
            let claim = read(&format!("{},{bad},{}", good(6), good(8)));
            assert_eq!(claim.items.iter().map(|item| item.id).collect::<Vec<_>>(), [6, 8]);
            let [result] = claim.unreadable.as_slice() else { panic!("{:?}", claim.unreadable) };
            assert_eq!((result.id, result.fence), (7, 2));
            assert_eq!((result.outcome, result.error_class), ("failed", Some(ErrorClass::Permanent)));
        }
    }

    #[test]
    fn a_claim_may_say_how_long_to_wait() {
        let body = br#"{"ok":true,"data":{"items":[],"retry_in_ms":120}}"#;
        assert_eq!(Claim::read(body).unwrap().retry_in_ms, Some(120));
        assert_eq!(read("").retry_in_ms, None);
    }

    #[test]
    fn a_claim_tells_what_has_died_of_its_lease() {
        let body = br#"{"ok":true,"data":{"items":[],"given_up":["email","email"]}}"#;
        assert_eq!(Claim::read(body).unwrap().given_up, ["email", "email"]);
        assert!(read("").given_up.is_empty());
    }

    #[test]
    fn whatever_is_no_claim_is_a_fault() {
        for body in [
            "",
            "[]",
            "<html>",
            r#"{"ok":true}"#,
            r#"{"ok":true,"data":{}}"#,
            r#"{"ok":false,"code":"BAD_INPUT","message":"p_worker must name the worker"}"#,
        ] {
            assert!(Claim::read(body.as_bytes()).is_err(), "{body}");
        }
    }
}
