//! What kiosks, pages and the curious may send by mistake or on purpose: each row gets its code, its status and a
//! sentence that helps, changes nothing, and is kept in the history of the order when the order's state was the reason.

mod rows;

use ordak_e2e::answer::Answer;
use ordak_e2e::delivery::Delivery;
use ordak_e2e::kitchen::{Person, hired, ingested, refused};
use ordak_e2e::order::Order;
use ordak_e2e::stack::Stack;
use ordak_e2e::store::{self, FLOURLANE, Store};
use ordak_e2e::{Outcome, unique_number};
use reqwest::Method;
use rows::{BAD, FORMS, UNKNOWN};
use serde_json::{Value, json};

const PATH: &str = "/functions/v1/stage-actions";

/// A kitchen of the test's own, so that everything in it can be compared.
struct Kitchen {
    stack: Stack,
    store: Store,
    staff: Person,
    supervisor: Person,
    /// In Filling, not printed yet.
    open: String,
    cancelled: String,
    complete: String,
    /// Of another store, whose people it is no business of.
    theirs: String,
    /// A member of staff of another store.
    stranger: Person,
}

impl Kitchen {
    async fn open(stack: Stack) -> Outcome<Self> {
        let (store, elsewhere) = (store::fresh(&stack).await?, store::fresh(&stack).await?);
        let staff = hired(&stack, "Staff", store).await?;
        let supervisor = hired(&stack, "Supervisor", store).await?;
        let stranger = hired(&stack, "Staff", elsewhere).await?;
        let cancelled = cancelled(&stack, store).await?;
        let complete = ingested(&stack, store).await?.order_id(store);
        for action in ["complete_filling", "complete_covering", "complete_decorating", "complete_packing"] {
            stack.act(&staff.token, action, &json!({"id": complete})).await?;
        }
        let open = ingested(&stack, store).await?.order_id(store);
        let theirs = ingested(&stack, FLOURLANE).await?.order_id(FLOURLANE);
        Ok(Self { stack, store, staff, supervisor, open, cancelled, complete, theirs, stranger })
    }

    /// Every order of the store as it is, and how many events it has beside refusals.
    async fn state(&self) -> Outcome<Vec<Value>> {
        let query = "select to_jsonb(o) as row, (
                select count(*) from public.stage_events e
                where e.store = o.store and e.order_id = o.id and e.action <> 'refused'
            ) as events
            from public.orders o where o.store = $1 order by o.id";
        self.stack.db().await?.rows(query, &[&self.store.key]).await
    }

    /// The refusals in the history of the store's orders: order, action and code of each.
    async fn refusals(&self) -> Outcome<Vec<Value>> {
        let query = "select order_id, meta ->> 'action' as action, meta ->> 'code' as code,
                performed_by::text as by from public.stage_events
            where store = $1 and action = 'refused' order by id";
        self.stack.db().await?.rows(query, &[&self.store.key]).await
    }
}

async fn cancelled(stack: &Stack, store: Store) -> Outcome<String> {
    let mut order: Order = ingested(stack, store).await?;
    let at = json!("2030-01-01T00:00:00Z");
    order.set("cancelled_at", at.clone()).set("updated_at", at);
    Delivery::new(store, "orders/cancelled", order.bytes()).deliver(stack).await?;
    Ok(order.order_id(store))
}

#[tokio::test]
async fn each_gets_its_code_and_a_sentence_and_changes_nothing() -> Outcome {
    let kitchen = Kitchen::open(Stack::up().await?).await?;
    let table =
        [(&kitchen.staff, rows::by_staff(&kitchen)), (&kitchen.supervisor, rows::supervising(&kitchen))];
    let before = kitchen.state().await?;
    let mut refusals = kitchen.refusals().await?;
    for (person, rows) in table {
        for row in rows {
            let answer = kitchen.stack.act(&person.token, row.action, &row.body).await?;
            println!("{}: {} {:.120} -> {}", row.what, row.action, row.body.to_string(), answer.text);
            refused(&answer, row.status, row.code);
            assert!(answer.str("/message").contains(row.says), "{}: {}", row.what, answer.text);
            assert_eq!(kitchen.state().await?, before, "{}: {}", row.what, row.action);
            if let Some(order) = row.kept_with {
                refusals.push(json!({
                    "order_id": order, "code": row.code, "by": person.id,
                    "action": row.body.get("action").cloned().unwrap_or_else(|| json!(
                        if row.action == "scan" { "auto" } else { row.action }
                    ))
                }));
            }
            assert_eq!(kitchen.refusals().await?, refusals, "{}: {}", row.what, row.action);
        }
    }
    Ok(())
}

/// A read, its query, status and code of the answer, part of its sentence.
type Asked<'a> = (&'a str, &'a [(&'a str, &'a str)], (u16, &'a str), &'a str);

#[tokio::test]
async fn reads_that_are_asked_wrongly_are_told_what_is_right() -> Outcome {
    let kitchen = Kitchen::open(Stack::up().await?).await?;
    let Kitchen { stack, store, staff, open, theirs, .. } = &kitchen;
    let nobodys = format!("{}-{}", store.key, unique_number(1_000_000_000));
    let ours = ("store", store.key);
    let cases: [Asked<'_>; 23] = [
        ("order", &[("scan", "☃")], BAD, FORMS),
        ("order", &[], BAD, "scan is missing"),
        ("order", &[("scan", &nobodys)], UNKNOWN, "no such order in your stores"),
        ("order", &[("scan", theirs)], UNKNOWN, "no such order in your stores"),
        ("order", &[("scan", open), ("scan", open)], BAD, "\"scan\" is given twice"),
        ("order", &[("scan", open), ("as", "Admin")], BAD, "\"as\" is not a field of order"),
        ("timeline", &[("id", theirs)], UNKNOWN, "no such order in your stores"),
        ("timeline", &[("id", "")], BAD, "id must be a text"),
        ("queue", &[("store", "flourlane")], UNKNOWN, "no such store among yours"),
        ("queue", &[("store", "nowhere")], UNKNOWN, "no such store among yours"),
        ("queue", &[], BAD, "store is missing"),
        ("queue", &[ours, ("limit", "0")], BAD, "limit must be 1 to 200"),
        ("queue", &[ours, ("limit", "-1")], BAD, "limit must be a whole number"),
        ("queue", &[ours, ("limit", "ten")], BAD, "limit must be a whole number"),
        ("queue", &[ours, ("date_from", "2026-02-30")], BAD, "date_from must be a day such as 2026-11-21"),
        ("queue", &[ours, ("date_from", "tomorrow")], BAD, "date_from must be a day such as 2026-11-21"),
        ("queue", &[ours, ("after", "[1]")], BAD, "after must be the next of an earlier page"),
        ("dashboard", &[ours, ("period", "year")], BAD, "period must be day, week or month"),
        ("unassigned/list", &[ours, ("stage", "Complete")], BAD, "stage must be Filling, Covering"),
        ("unassigned/list", &[ours, ("offset", "100001")], BAD, "offset must be 0 to 100000"),
        ("unassigned", &[("store", "flourlane")], UNKNOWN, "no such store among yours"),
        ("staff", &[ours], (403, "PERMISSION_DENIED"), "the list of staff needs the role Supervisor"),
        ("nothing", &[], UNKNOWN, "there is no such action"),
    ];
    let before = kitchen.state().await?;
    for (read, query, (status, code), says) in cases {
        let request = stack.request(Method::GET, &format!("{PATH}/{read}")).query(query);
        let answer = Answer::to(request.bearer_auth(&staff.token)).await?;
        refused(&answer, status, code);
        assert!(answer.str("/message").contains(says), "{read} {query:?}: {}", answer.text);
    }
    assert_eq!(kitchen.state().await?, before);
    Ok(())
}
