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
    assert_eq!(call("scan", &body), Ok(json!({"p_scan": "#B1", "p_action": "auto", "p_scan_id": USER_ID})));
    assert_eq!(
        call("handle_print_barcode", r#"{"id":"x","ctx":{"printer":1},"user":null}"#),
        Ok(json!({"p_id": "x", "p_ctx": {"printer": 1}}))
    );
}

#[test]
fn reads_take_their_parameters_by_kind() {
    let read = |name: &str, query: &[(&str, &str)]| {
        let query: Vec<(String, String)> =
            query.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        find_read(name).unwrap().arguments_from_query(&query).map(Value::Object).map_err(|r| r.message)
    };
    assert_eq!(
        read("queue", &[("store", "bannos"), ("limit", "20"), ("date_from", "2026-11-21")]),
        Ok(json!({"p_store": "bannos", "p_limit": "20", "p_date_from": "2026-11-21"}))
    );
    assert_eq!(read("unassigned", &[("store", "bannos")]), Ok(json!({"p_store": "bannos"})));
    assert_eq!(read("unassigned", &[]), Err("store is missing".into()));
    for (name, value) in
        [("limit", "-1"), ("limit", "1e3"), ("limit", ""), ("limit", "9999999999"), ("offset", "x")]
    {
        assert!(read("unassigned/list", &[("store", "bannos"), (name, value)]).is_err(), "{name}={value}");
    }
    for day in [
        "21/11/2026",
        "2026-1-1",
        "today",
        "2026-11-21T00",
        "2026-02-29",
        "2026-13-01",
        "0000-01-01",
        "2026-01-00",
    ] {
        let message = read("queue", &[("store", "bannos"), ("date_to", day)]).unwrap_err();
        assert_eq!(message, "date_to must be a day such as 2026-11-21");
    }
}

#[test]
fn null_unassigns_but_silence_does_not() {
    assert_eq!(
        call("assign_staff", r#"{"id":"x","staff_id":null}"#),
        Ok(json!({"p_id":"x","p_staff_id":null}))
    );
    assert_eq!(call("assign_staff", r#"{"id":"x"}"#), Err("staff_id is missing".into()));
    assert_eq!(call("set_storage", r#"{"id":"x","storage":null}"#), Ok(json!({"p_id":"x","p_storage":null})));
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
fn lists_and_flags_go_as_they_are() {
    let body = staff(r#""name":"Ada","role":"Staff","stores":["bannos"]"#);
    let arguments = json!({"p_user_id": USER_ID, "p_name": "Ada", "p_role": "Staff", "p_stores": ["bannos"]});
    assert_eq!(call("upsert_staff", &body), Ok(arguments));
    let body = staff(r#""active":false"#);
    assert_eq!(call("set_staff_active", &body), Ok(json!({"p_user_id": USER_ID, "p_active": false})));
}

fn staff(fields: &str) -> String {
    format!("{{\"user_id\":\"{USER_ID}\",{fields}}}")
}

#[test]
fn refuses_wrong_types_with_a_sentence() {
    const LIST: &str = "stores must be a list of at most 200 texts";
    let cases = [
        ("complete_filling", r#"{"id":7}"#, "id must be a text of 1 to 2000 characters"),
        ("complete_filling", r#"{"id":"  "}"#, "id must be a text of 1 to 2000 characters"),
        ("complete_filling", r#"{"id":["x"]}"#, "id must be a text of 1 to 2000 characters"),
        ("complete_filling", r#"{"id":"x","user":"me"}"#, "user must be a UUID"),
        ("assign_staff", r#"{"id":"x","staff_id":"me"}"#, "staff_id must be a UUID, or null"),
        ("handle_print_barcode", r#"{"id":"x","ctx":"y"}"#, "ctx must be a JSON object"),
        ("scan", r#"{"scan":"x","scan_id":1}"#, "scan_id must be a UUID"),
        ("set_staff_active", &staff(r#""active":"no""#), "active must be true or false"),
        ("upsert_staff", &staff(r#""name":"A","role":"Staff","stores":"x""#), LIST),
        ("upsert_staff", &staff(r#""name":"A","role":"Staff","stores":["x",7]"#), LIST),
        ("upsert_staff", &staff(r#""name":"A","role":"Staff","stores":["x",""]"#), LIST),
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
