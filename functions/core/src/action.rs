//! The stage actions: which RPC each calls and what it takes.
//!
//! A caller sends the parameters of the RPC without their `p_`. Unknown names and wrong types are refused here with a
//! sentence; whether the action is allowed is for the database to say. Knows no HTTP and no roles.

mod table;

pub use table::{ACTIONS, READS};

use crate::calendar::Date;
use crate::document;
use crate::envelope::Rejection;
use serde_json::{Map, Value};

/// Longest text that any parameter takes, in characters.
const LONGEST_TEXT: usize = 2000;
/// Longest list that any parameter takes.
const LONGEST_LIST: usize = 200;
/// Greatest number that any parameter takes.
const GREATEST_COUNT: u64 = 1_000_000;
/// Largest body of an action in bytes.
pub const LARGEST_BODY: usize = 64 * 1024;

/// What a parameter holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A text that is not blank.
    Text,
    /// A UUID.
    Uuid,
    /// A JSON object.
    Object,
    /// A whole number, not negative; a query sends it as digits.
    Count,
    /// A day that exists, `YYYY-MM-DD`.
    Day,
    /// Yes or no.
    Flag,
    /// A list of texts that are not blank.
    Texts,
}

/// One parameter of an action.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parameter {
    /// Its name in the body; the RPC's has `p_` in front.
    pub name: &'static str,
    /// What it holds.
    pub kind: Kind,
    /// Whether it must be sent.
    pub required: bool,
    /// Whether `null` is an answer of its own (unassign, clear). Elsewhere `null` means "not sent".
    pub nullable: bool,
}

/// One action.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Action {
    /// Its name in the path, which is also the name of the RPC.
    pub name: &'static str,
    /// The RPC that it calls.
    pub rpc: &'static str,
    /// What it takes.
    pub parameters: &'static [Parameter],
}

/// The action of that name.
#[must_use]
pub fn find(name: &str) -> Option<&'static Action> {
    ACTIONS.iter().find(|action| action.name == name)
}

/// The read of that name.
#[must_use]
pub fn find_read(name: &str) -> Option<&'static Action> {
    READS.iter().find(|action| action.name == name)
}

impl Action {
    /// Turns a JSON body into the arguments of the RPC. An empty body counts as `{}`.
    ///
    /// # Errors
    /// A [`Rejection`] with code `BAD_INPUT` and a sentence that says which field is wrong and what it should be.
    pub fn arguments(&self, body: &[u8]) -> Result<Map<String, Value>, Rejection> {
        let body = if body.is_empty() { b"{}" } else { body };
        document::check(body).map_err(|error| Rejection::bad_input(format!("the body {error}")))?;
        match serde_json::from_slice(body) {
            Ok(Value::Object(fields)) => self.arguments_of(fields),
            _ => Err(Rejection::bad_input("the body must be a JSON object")),
        }
    }

    /// Turns query parameters into the arguments of the RPC.
    ///
    /// # Errors
    /// As [`Action::arguments`].
    pub fn arguments_from_query(&self, query: &[(String, String)]) -> Result<Map<String, Value>, Rejection> {
        let mut fields = Map::new();
        for (name, value) in query {
            if fields.insert(name.clone(), Value::String(value.clone())).is_some() {
                return Err(Rejection::bad_input(format!("{} is given twice", quoted(name))));
            }
        }
        self.arguments_of(fields)
    }

    fn arguments_of(&self, mut fields: Map<String, Value>) -> Result<Map<String, Value>, Rejection> {
        let mut arguments = Map::new();
        for parameter in self.parameters {
            let value = fields.remove(parameter.name);
            if let Some(value) = parameter.accept(value)? {
                arguments.insert(format!("p_{}", parameter.name), value);
            }
        }
        match fields.keys().next() {
            None => Ok(arguments),
            Some(stranger) => Err(Rejection::bad_input(format!(
                "{} is not a field of {}; it takes {}",
                quoted(stranger),
                self.name,
                self.parameters.iter().map(|parameter| parameter.name).collect::<Vec<_>>().join(", ")
            ))),
        }
    }
}

impl Parameter {
    fn accept(&self, value: Option<Value>) -> Result<Option<Value>, Rejection> {
        match value {
            None | Some(Value::Null) if self.required && !(self.nullable && value.is_some()) => {
                Err(Rejection::bad_input(format!("{} is missing", self.name)))
            }
            None => Ok(None),
            Some(Value::Null) if self.nullable => Ok(Some(Value::Null)),
            Some(Value::Null) => Ok(None),
            Some(value) if self.fits(&value) => Ok(Some(value)),
            Some(_) => Err(Rejection::bad_input(format!("{} must be {}", self.name, self.expectation()))),
        }
    }

    fn fits(&self, value: &Value) -> bool {
        match (self.kind, value) {
            (Kind::Text, Value::String(text)) => is_text(text),
            (Kind::Uuid, Value::String(text)) => is_uuid(text),
            (Kind::Object, Value::Object(_)) => true,
            (Kind::Count, Value::Number(number)) => {
                number.as_u64().is_some_and(|count| count <= GREATEST_COUNT)
            }
            (Kind::Count, Value::String(digits)) => {
                digits.bytes().all(|b| b.is_ascii_digit())
                    && digits.parse::<u64>().is_ok_and(|count| count <= GREATEST_COUNT)
            }
            (Kind::Day, Value::String(text)) => is_day(text),
            (Kind::Flag, Value::Bool(_)) => true,
            (Kind::Texts, Value::Array(items)) => {
                items.len() <= LONGEST_LIST && items.iter().all(|item| item.as_str().is_some_and(is_text))
            }
            _ => false,
        }
    }

    fn expectation(&self) -> String {
        let what = match self.kind {
            Kind::Text => format!("a text of 1 to {LONGEST_TEXT} characters"),
            Kind::Uuid => "a UUID".to_owned(),
            Kind::Object => "a JSON object".to_owned(),
            Kind::Count => format!("a whole number from 0 to {GREATEST_COUNT}"),
            Kind::Day => "a day such as 2026-11-21".to_owned(),
            Kind::Flag => "true or false".to_owned(),
            Kind::Texts => format!("a list of at most {LONGEST_LIST} texts"),
        };
        if self.nullable { format!("{what}, or null") } else { what }
    }
}

fn is_text(text: &str) -> bool {
    !text.trim().is_empty() && !text.contains('\0') && text.chars().count() <= LONGEST_TEXT
}

/// Whether a text is a UUID in its usual form.
#[must_use]
pub fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

fn is_day(text: &str) -> bool {
    let shaped = text.len() == 10
        && text.bytes().enumerate().all(|(at, byte)| match at {
            4 | 7 => byte == b'-',
            _ => byte.is_ascii_digit(),
        });
    let number = |range| text.get(range).and_then(|digits: &str| digits.parse::<u16>().ok()).unwrap_or(0);
    let (year, month, day) = (number(0..4), number(5..7), number(8..10));
    // Postgres has no year 0.
    shaped && year > 0 && Date::new(year.into(), month.into(), day.into()).is_some()
}

/// A name from outside, short and harmless enough for a message.
fn quoted(name: &str) -> String {
    let shown: String = name.chars().filter(|c| !c.is_control()).take(40).collect();
    format!("\"{shown}\"")
}

#[cfg(test)]
mod tests;
