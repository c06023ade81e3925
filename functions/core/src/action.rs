//! The stage actions: which RPC each calls and what it takes.
//!
//! A caller sends the parameters of the RPC without their `p_`. Unknown names and wrong types are refused here with a
//! sentence; whether the action is allowed is for the database to say. Knows no HTTP and no roles.

use crate::document;
use crate::envelope::Rejection;
use serde_json::{Map, Value};

/// Longest text that any parameter takes, in characters.
const LONGEST_TEXT: usize = 2000;
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

const fn required(name: &'static str, kind: Kind) -> Parameter {
    Parameter { name, kind, required: true, nullable: false }
}

const fn optional(name: &'static str, kind: Kind) -> Parameter {
    Parameter { name, kind, required: false, nullable: false }
}

const fn nullable(name: &'static str, kind: Kind) -> Parameter {
    Parameter { name, kind, required: true, nullable: true }
}

const ID: Parameter = required("id", Kind::Text);
/// The database honours it for the service role alone; for everybody else the token says who is calling.
const USER: Parameter = optional("user", Kind::Uuid);
const COMPLETION: &[Parameter] = &[ID, USER];

/// Every action that is posted.
pub const ACTIONS: &[Action] = &[
    Action {
        name: "handle_print_barcode",
        rpc: "handle_print_barcode",
        parameters: &[ID, USER, optional("ctx", Kind::Object)],
    },
    Action { name: "complete_filling", rpc: "complete_filling", parameters: COMPLETION },
    Action { name: "complete_covering", rpc: "complete_covering", parameters: COMPLETION },
    Action { name: "complete_decorating", rpc: "complete_decorating", parameters: COMPLETION },
    Action { name: "start_packing", rpc: "start_packing", parameters: COMPLETION },
    Action { name: "complete_packing", rpc: "complete_packing", parameters: COMPLETION },
    Action {
        name: "qc_return_to_decorating",
        rpc: "qc_return_to_decorating",
        parameters: &[ID, USER, required("reason", Kind::Text)],
    },
    Action {
        name: "assign_staff",
        rpc: "assign_staff",
        parameters: &[ID, nullable("staff_id", Kind::Uuid), optional("note", Kind::Text)],
    },
    Action {
        name: "set_storage",
        rpc: "set_storage",
        parameters: &[ID, nullable("storage", Kind::Text), USER],
    },
    Action {
        name: "scan",
        rpc: "scan",
        parameters: &[
            required("scan", Kind::Text),
            optional("action", Kind::Text),
            USER,
            optional("scan_id", Kind::Uuid),
        ],
    },
];

/// Every read: its parameters come from the query.
pub const READS: &[Action] =
    &[Action { name: "order", rpc: "get_order_for_scan", parameters: &[required("scan", Kind::Text)] }];

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
            (Kind::Text, Value::String(text)) => {
                !text.trim().is_empty() && !text.contains('\0') && text.chars().count() <= LONGEST_TEXT
            }
            (Kind::Uuid, Value::String(text)) => is_uuid(text),
            (Kind::Object, Value::Object(_)) => true,
            _ => false,
        }
    }

    fn expectation(&self) -> String {
        let what = match self.kind {
            Kind::Text => format!("a text of 1 to {LONGEST_TEXT} characters"),
            Kind::Uuid => "a UUID".to_owned(),
            Kind::Object => "a JSON object".to_owned(),
        };
        if self.nullable { format!("{what}, or null") } else { what }
    }
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

/// A name from outside, short and harmless enough for a message.
fn quoted(name: &str) -> String {
    let shown: String = name.chars().filter(|c| !c.is_control()).take(40).collect();
    format!("\"{shown}\"")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const USER_ID: &str = "00000000-0000-4000-8000-000000000001";

    fn call(action: &str, body: &str) -> Result<Value, String> {
        find(action).unwrap().arguments(body.as_bytes()).map(Value::Object).map_err(|rejection| {
            assert_eq!(rejection.code, crate::envelope::Code::BadInput);
            rejection.message
        })
    }

    #[test]
    fn adds_the_prefix_and_nothing_else() {
        assert_eq!(call("complete_filling", r#"{"id":"bannos-1"}"#), Ok(json!({"p_id": "bannos-1"})));
        let body = json!({"scan": "#B1", "action": "auto", "scan_id": USER_ID}).to_string();
        assert_eq!(
            call("scan", &body),
            Ok(json!({"p_scan": "#B1", "p_action": "auto", "p_scan_id": USER_ID}))
        );
        assert_eq!(
            call("handle_print_barcode", r#"{"id":"x","ctx":{"printer":1},"user":null}"#),
            Ok(json!({"p_id": "x", "p_ctx": {"printer": 1}}))
        );
    }

    #[test]
    fn null_unassigns_but_silence_does_not() {
        assert_eq!(
            call("assign_staff", r#"{"id":"x","staff_id":null}"#),
            Ok(json!({"p_id":"x","p_staff_id":null}))
        );
        assert_eq!(call("assign_staff", r#"{"id":"x"}"#), Err("staff_id is missing".into()));
        assert_eq!(
            call("set_storage", r#"{"id":"x","storage":null}"#),
            Ok(json!({"p_id":"x","p_storage":null}))
        );
    }

    #[test]
    fn names_what_is_missing() {
        assert_eq!(call("scan", ""), Err("scan is missing".into()));
        assert_eq!(call("complete_packing", "{}"), Err("id is missing".into()));
        assert_eq!(call("complete_packing", r#"{"id":null}"#), Err("id is missing".into()));
        assert_eq!(call("qc_return_to_decorating", r#"{"id":"x"}"#), Err("reason is missing".into()));
    }

    #[test]
    fn refuses_what_the_action_does_not_know() {
        for body in [
            r#"{"id":"x","store":"flourlane"}"#,
            r#"{"id":"x","role":"Admin"}"#,
            r#"{"id":"x","p_id":"y"}"#,
            r#"{"id":"x","ID":"y"}"#,
        ] {
            let message = call("complete_filling", body).unwrap_err();
            assert!(message.contains("is not a field of complete_filling; it takes id, user"), "{message}");
        }
    }

    #[test]
    fn refuses_wrong_types_with_a_sentence() {
        let cases = [
            ("complete_filling", r#"{"id":7}"#, "id must be a text of 1 to 2000 characters"),
            ("complete_filling", r#"{"id":"  "}"#, "id must be a text of 1 to 2000 characters"),
            ("complete_filling", r#"{"id":["x"]}"#, "id must be a text of 1 to 2000 characters"),
            ("complete_filling", r#"{"id":"x","user":"me"}"#, "user must be a UUID"),
            ("assign_staff", r#"{"id":"x","staff_id":"me"}"#, "staff_id must be a UUID, or null"),
            ("handle_print_barcode", r#"{"id":"x","ctx":"y"}"#, "ctx must be a JSON object"),
            ("scan", r#"{"scan":"x","scan_id":1}"#, "scan_id must be a UUID"),
            ("scan", "[]", "the body must be a JSON object"),
            ("scan", "nonsense", "the body is not JSON"),
        ];
        for (action, body, sentence) in cases {
            assert_eq!(call(action, body), Err(sentence.into()), "{body}");
        }
    }

    #[test]
    fn refuses_what_the_database_could_not_store() {
        assert!(call("scan", r#"{"scan":"a\u0000b"}"#).is_err());
        assert!(call("scan", r#"{"scan":"\ud800"}"#).is_err());
        assert!(call("scan", &format!("{{\"scan\":\"{}\"}}", "x".repeat(2001))).is_err());
        assert!(call("scan", &format!("{{\"scan\":{}{}}}", "[".repeat(70), "]".repeat(70))).is_err());
    }

    #[test]
    fn reads_take_their_parameters_from_the_query() {
        let read = find_read("order").unwrap();
        let query = [("scan".to_owned(), "bannos-1".to_owned())];
        assert_eq!(Value::Object(read.arguments_from_query(&query).unwrap()), json!({"p_scan": "bannos-1"}));
        assert!(read.arguments_from_query(&[]).is_err());
        assert!(read.arguments_from_query(&[query[0].clone(), query[0].clone()]).is_err());
    }

    #[test]
    fn an_unknown_action_is_not_found() {
        assert!(find("drop_tables").is_none() && find("order").is_none() && find_read("scan").is_none());
    }

    #[test]
    fn a_hostile_field_name_is_shown_short_and_clean() {
        let body = json!({"id": "x", (format!("\n{}", "z".repeat(500))): 1}).to_string();
        let message = call("complete_filling", &body).unwrap_err();
        assert!(message.len() < 120 && !message.contains('\n'));
    }
}
