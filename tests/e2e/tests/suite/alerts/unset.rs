//! Without an address of Slack or a key for e-mails alerts and e-mails are no work at all: they fail nothing, hold up nothing and do not pile up.
//!
//! The worker under test runs alone, beside the stack's own that has such an address. So that neither takes what is the
//! other's, a desk before the database hands the alerts of this test to this worker alone.

use ordak_e2e::Outcome;
use ordak_e2e::desk::Desk;
use ordak_e2e::lone::Lone;
use ordak_e2e::stack::Stack;
use ordak_e2e::store;
use serde_json::json;

/// More than a claim takes.
const ALERTS: i32 = 250;

#[tokio::test]
async fn without_settings_alerts_and_emails_are_done_at_once_and_nobody_is_asked() -> Outcome {
    let stack = Stack::up().await?;
    let (db, shop) = (stack.db().await?, store::fresh(&stack).await?);
    let statement = "insert into public.work_queue (topic, store, payload, dedupe_key, next_retry_at)
        select case when n % 2 = 0 then 'email' else 'slack_alert' end, $1,
            jsonb_build_object('kind', 'test', 'text', 'the oven is cold', 'to', 'kitchen@example.com'), $1::text || '/' || n,
            'infinity'
        from generate_series(1, $2::int) n";
    db.execute(statement, &[&shop.key, &ALERTS]).await?;
    let desk = Desk::open(&stack, shop).await?;
    let bindings = json!({"SUPABASE_URL": desk.url, "SUPABASE_SERVICE_ROLE_KEY": stack.service_key});
    let lone = Lone::start("queue-worker", &bindings).await?;
    let answer = lone.drain(&stack.service_key).await?;
    assert_eq!(answer.status, 200, "{}", answer.text);
    for (figure, wanted) in [("claimed", ALERTS), ("done", ALERTS), ("retried", 0), ("dead", 0)] {
        assert_eq!(answer.at(&format!("/data/{figure}")), wanted, "one drain: {}", answer.text);
    }
    let query = "select status, count(*)::int as items, max(retry_count) as tries, max(last_error) as error
        from public.work_queue where store = $1 group by status";
    let rows = db.rows(query, &[&shop.key]).await?;
    assert_eq!(rows, [json!({"status": "done", "items": ALERTS, "tries": 0, "error": null})]);
    assert_eq!(stack.slack_messages(shop).await?.len(), 0, "whom did it tell?");
    Ok(())
}
