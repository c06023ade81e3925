//! The table: what is sent, and what is answered.

use super::Kitchen;
use ordak_e2e::unique_number;
use serde_json::{Value, json};

/// What a member of staff sends.
pub fn by_staff(kitchen: &Kitchen) -> Vec<Row> {
    [states(kitchen), labels(kitchen), shapes(kitchen), unknown(kitchen)].into_iter().flatten().collect()
}

/// A row of the table.
pub struct Row {
    /// What is wrong.
    pub what: &'static str,
    /// What is asked for.
    pub action: &'static str,
    /// With what.
    pub body: Value,
    /// The status of the answer.
    pub status: u16,
    /// Its code.
    pub code: &'static str,
    /// Part of its sentence.
    pub says: &'static str,
    /// The order in whose history the refusal is kept.
    pub kept_with: Option<String>,
}

fn row(
    what: &'static str,
    (action, body): (&'static str, Value),
    (status, code): (u16, &'static str),
    says: &'static str,
) -> Row {
    Row { what, action, body, status, code, says, kept_with: None }
}

fn kept(row: Row, order: &str) -> Row {
    Row { kept_with: Some(order.to_owned()), ..row }
}

/// Refused as it is.
pub const BAD: (u16, &str) = (400, "BAD_INPUT");
/// Not there, or not for these eyes.
pub const UNKNOWN: (u16, &str) = (404, "NOT_FOUND");
/// Part of the sentence that names the forms of a label.
pub const FORMS: &str = "accepted are bannos-12345, #B12345, a bare order number";

/// The state of the order is the reason.
fn states(kitchen: &Kitchen) -> Vec<Row> {
    let Kitchen { open, cancelled, complete, .. } = kitchen;
    let mut rows = Vec::new();
    for (action, extra) in [
        ("handle_print_barcode", json!({})),
        ("complete_filling", json!({})),
        ("start_packing", json!({})),
        ("complete_packing", json!({})),
        ("set_storage", json!({"storage": "Fridge"})),
    ] {
        let mut body = extra;
        body["id"] = json!(cancelled);
        let cancelled_row = row("a cancelled order", (action, body), (409, "CONFLICT"), "order is cancelled");
        rows.push(kept(cancelled_row, cancelled));
    }
    rows.push(kept(
        row(
            "a scan of a cancelled order",
            ("scan", json!({"scan": cancelled})),
            (409, "CONFLICT"),
            "cancelled",
        ),
        cancelled,
    ));
    for (action, says) in [
        ("complete_covering", "expected stage Covering, order is in Filling"),
        ("complete_decorating", "expected stage Decorating, order is in Filling"),
        ("start_packing", "expected stage Packing, order is in Filling"),
        ("complete_packing", "expected stage Packing, order is in Filling"),
    ] {
        let ahead = row("a stage ahead", (action, json!({"id": open})), (409, "INVALID_STAGE"), says);
        rows.push(kept(ahead, open));
        let named = json!({"scan": open, "action": action});
        rows.push(kept(row("a scan that names it", ("scan", named), (409, "INVALID_STAGE"), says), open));
    }
    let shelf = json!({"id": complete, "storage": "Fridge"});
    let closed = "expected an open stage, order is in Complete";
    rows.push(kept(
        row("a complete order", ("set_storage", shelf), (409, "INVALID_STAGE"), closed),
        complete,
    ));
    let role = "assign_staff needs the role Supervisor";
    let assign = json!({"id": open, "staff_id": null});
    rows.push(kept(row("not one's role", ("assign_staff", assign), (403, "PERMISSION_DENIED"), role), open));
    rows
}

/// Scans that are no labels.
fn labels(kitchen: &Kitchen) -> Vec<Row> {
    let Kitchen { open, store, .. } = kitchen;
    let look_alikes = [
        ("Cyrillic", open.replacen('e', "е", 1)),
        ("full width", open.replacen('e', "ｅ", 1)),
        ("another hyphen", open.replace('-', "–")),
        ("Arabic digits", format!("{}-١٢٣", store.key)),
        ("a joiner inside", open.replace('-', "-\u{200d}")),
        ("right to left", format!("\u{202e}{open}\u{202e}x")),
    ];
    let mut scans: Vec<(&'static str, String, &'static str)> = look_alikes
        .into_iter()
        .inspect(|(what, scan)| assert_ne!(scan, open, "{what}"))
        .map(|(what, scan)| (what, scan, FORMS))
        .collect();
    scans.extend([
        ("control characters inside", open.replace('-', "\u{7}-\u{1b}[2J"), FORMS),
        ("a word", "cake".to_owned(), FORMS),
        ("SQL", format!("{open}'; drop table orders; --"), FORMS),
        ("a pattern", format!("{}-%", store.key), FORMS),
        ("two labels", format!("{open} {open}"), FORMS),
        ("a number beyond all", format!("{}-{}", store.key, "9".repeat(30)), FORMS),
        ("broken JSON", "{\"id\": ".to_owned(), FORMS),
        ("JSON without a label", "{\"cake\": 1}".to_owned(), FORMS),
        ("JSON in JSON", json!({"id": {"id": open}}).to_string(), FORMS),
        ("a URL without a label", "https://labels.example/".to_owned(), FORMS),
        ("only control characters", "\u{1}\u{2}\t".to_owned(), FORMS),
        ("empty", String::new(), "scan must be a text of 1 to 2000 characters"),
        ("blank", " \t\r\n".to_owned(), "scan must be a text of 1 to 2000 characters"),
        ("10 KB", "x".repeat(10_240), "scan must be a text of 1 to 2000 characters"),
        ("a NUL", format!("{open}\0"), "the body holds a NUL character"),
    ]);
    scans
        .into_iter()
        .map(|(what, scan, says)| row(what, ("scan", json!({"scan": scan})), BAD, says))
        .collect()
}

/// Bodies of the wrong shape.
fn shapes(kitchen: &Kitchen) -> Vec<Row> {
    let Kitchen { open, .. } = kitchen;
    let (id, text) = (open.as_str(), "must be a text of 1 to 2000 characters");
    let cases = [
        ("no label", "scan", json!({}), "scan is missing"),
        ("null", "scan", json!({"scan": null}), "scan is missing"),
        ("a number", "scan", json!({"scan": 12345}), text),
        ("a list", "scan", json!({"scan": [id]}), text),
        ("an object", "scan", json!({"scan": {"id": id}}), text),
        ("a truth", "scan", json!({"scan": true}), text),
        ("a scan id that is none", "scan", json!({"scan": id, "scan_id": "7"}), "scan_id must be a UUID"),
        ("a scan id that is a number", "scan", json!({"scan": id, "scan_id": 7}), "scan_id must be a UUID"),
        (
            "an action that a scan may not name",
            "scan",
            json!({"scan": id, "action": "explode"}),
            "unknown action; a scan may name auto",
        ),
        ("an action for people", "scan", json!({"scan": id, "action": "assign_staff"}), "unknown action"),
        ("an action that is a number", "scan", json!({"scan": id, "action": 1}), "action must be a text"),
        ("a list for a body", "complete_filling", json!([id]), "the body must be a JSON object"),
        ("a text for a body", "complete_filling", json!(id), "the body must be a JSON object"),
        ("null for a body", "complete_filling", json!(null), "the body must be a JSON object"),
        ("the parameter's own name", "complete_filling", json!({"p_id": id}), "id is missing"),
        (
            "a field more",
            "complete_filling",
            json!({"id": id, "store": "bannos"}),
            "\"store\" is not a field of complete_filling; it takes id, user",
        ),
        (
            "a context that is a text",
            "handle_print_barcode",
            json!({"id": id, "ctx": "x"}),
            "ctx must be a JSON object",
        ),
        (
            "a context without end",
            "handle_print_barcode",
            json!({"id": id, "ctx": {"x": "x".repeat(3000)}}),
            "ctx must be an object of at most 2000 characters",
        ),
        ("a place without a name", "set_storage", json!({"id": id}), "storage is missing"),
        (
            "a place that is a number",
            "set_storage",
            json!({"id": id, "storage": 1}),
            "storage must be a text",
        ),
        (
            "a place that cannot be read",
            "set_storage",
            json!({"id": id, "storage": "a\u{1b}b"}),
            "storage must be at most 100 printable characters",
        ),
        (
            "a place too long",
            "set_storage",
            json!({"id": id, "storage": "x".repeat(101)}),
            "storage must be at most 100 printable characters",
        ),
    ];
    cases.into_iter().map(|(what, action, body, says)| row(what, (action, body), BAD, says)).collect()
}

/// What is not there.
fn unknown(kitchen: &Kitchen) -> Vec<Row> {
    let nobodys = format!("{}-{}", kitchen.store.key, unique_number(1_000_000_000));
    let mut rows = Vec::new();
    for (what, id) in [("an unknown order", &nobodys), ("an order of another store", &kitchen.theirs)] {
        for (action, field) in [("scan", "scan"), ("complete_filling", "id"), ("handle_print_barcode", "id")]
        {
            rows.push(row(what, (action, json!({field: id})), UNKNOWN, "no such order in your stores"));
        }
    }
    rows.push(row("an unknown action", ("explode", json!({})), UNKNOWN, "there is no such action"));
    rows.push(row(
        "a function of the database",
        ("replay_order", json!({})),
        UNKNOWN,
        "there is no such action",
    ));
    rows
}

/// What only a Supervisor may send, and sends wrong.
pub fn supervising(kitchen: &Kitchen) -> Vec<Row> {
    let Kitchen { open, stranger, complete, store, .. } = kitchen;
    let assign = |who: &str| ("assign_staff", json!({"id": open, "staff_id": who}));
    let give_back = |reason: Value| ("qc_return_to_decorating", json!({"id": open, "reason": reason}));
    let back = |id: &str| ("qc_return_to_decorating", json!({"id": id, "reason": "cracked"}));
    vec![
        row(
            "somebody of another store",
            assign(&stranger.id),
            BAD,
            "staff_id is not an active member of store",
        ),
        row(
            "nobody",
            assign("00000000-0000-4000-8000-00000000beef"),
            BAD,
            "staff_id is not an active member of store",
        ),
        row(
            "a former member",
            assign(ordak_e2e::token::FORMER),
            BAD,
            "staff_id is not an active member of store",
        ),
        row("a name", assign("Bea"), BAD, "staff_id must be a UUID, or null"),
        row("nobody said", ("assign_staff", json!({"id": open})), BAD, "staff_id is missing"),
        row("no reason", give_back(Value::Null), BAD, "reason is missing"),
        row("a blank reason", give_back(json!("  ")), BAD, "reason must be a text"),
        row(
            "a reason without end",
            give_back(json!("x".repeat(501))),
            BAD,
            "a reason of 1 to 500 characters",
        ),
        kept(row("a return too early", back(open), (409, "INVALID_STAGE"), "expected stage Packing"), open),
        kept(
            row(
                "a return from Complete",
                back(complete),
                (403, "PERMISSION_DENIED"),
                "only an Admin returns",
            ),
            complete,
        ),
        row(
            "managing staff",
            ("set_staff_active", json!({"user_id": stranger.id, "active": false})),
            (403, "PERMISSION_DENIED"),
            "only an Admin manages staff",
        ),
        row(
            "a role for oneself",
            (
                "upsert_staff",
                json!({"user_id": kitchen.supervisor.id, "name": "Me", "role": "Admin", "stores": [store.key]}),
            ),
            (403, "PERMISSION_DENIED"),
            "only an Admin manages staff",
        ),
    ]
}
