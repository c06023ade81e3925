//! Pooled production over HTTP. Orchestrating looks at every batch there is, so that these tests take turns: whoever
//! makes batches that are due holds [`turn`].

mod joining;
mod killed;
mod orchestrating;
mod refunds;
mod refusals;

use ordak_e2e::answer::Answer;
use ordak_e2e::db::Db;
use ordak_e2e::stack::Stack;
use ordak_e2e::store::POOLED;
use ordak_e2e::{Outcome, unique};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::sync::{Mutex, MutexGuard};

const PATH: &str = "/functions/v1/batch-processor";
/// Somebody who can sign in and works for nobody: a buyer.
const BUYER: &str = "00000000-0000-4000-8000-000000000006";

/// The right to have due batches. Batches that other tests have left are no longer due.
async fn turn(db: &Db) -> Outcome<MutexGuard<'static, ()>> {
    static TURN: Mutex<()> = Mutex::const_new(());
    let turn = TURN.lock().await;
    let statement = "update public.production_batches set window_closes_at = now() + interval '99 days'
        where status = 'filling' and window_closes_at < now() + interval '2 days'";
    db.execute(statement, &[]).await?;
    Ok(turn)
}

/// A supplier with terms for a category of its own.
struct Supplier {
    category: String,
    terms: String,
}

impl Supplier {
    async fn new(db: &Db, minimum: i32) -> Outcome<Self> {
        let category = format!("tins-{}", unique());
        let query = "with supplier as (
                insert into public.suppliers (store, name) values ($1, $2) returning id, store
            )
            insert into public.supplier_terms (
                store, supplier_id, product_category, base_price, currency, complexity, style_surcharge,
                minimum_order_quantity, lead_time_days, style_limit
            )
            select store, id, $2, 12.5, 'AUD', '{\"tin-round\": 1.2}', '{\"gold\": 1.5}', $3, 14, 3 from supplier
            returning id::text";
        let row = db.written(query, &[&POOLED.key, &category, &minimum]).await?;
        Ok(Self { category, terms: row })
    }

    /// A batch of this category; `closes` is an interval from now.
    async fn batch(&self, db: &Db, quantity: i32, target: i32, closes: &str) -> Outcome<String> {
        let query = "insert into public.production_batches (
                store, terms_id, product_category, current_quantity, target_quantity, style_limit, window_opens_at,
                window_closes_at
            )
            values ($1, $2::text::uuid, $3, $4, $5, 3, now() - interval '30 days', now() + $6::text::interval)
            returning id::text";
        db.written(query, &[&POOLED.key, &self.terms, &self.category, &quantity, &target, &closes]).await
    }

    /// An order to put into a batch of this category.
    fn order(&self, quantity: i32) -> Value {
        json!({
            "productCategory": self.category, "productVariantBase": "tin-round", "quantity": quantity,
            "styleDetails": {"variant": "gold", "ribbon": "red"}, "buyerId": BUYER
        })
    }
}

/// What the function needs when it runs alone.
fn settings(stack: &Stack) -> Value {
    json!({
        "SUPABASE_URL": stack.supabase_url, "SUPABASE_SERVICE_ROLE_KEY": stack.service_key,
        "SUPABASE_JWT_SECRET": stack.jwt_secret, "SUPABASE_JWT_ALGORITHMS": "HS256"
    })
}

/// Orders that contribute to a batch, paid as told.
async fn contributions(db: &Db, batch: &str, count: i32, payment: &str, amount: &str) -> Outcome {
    let statement = "with numbers as (
            select store, key_of_order as key, 'gid://shopify/Order/' || (1000000000 + random() * 8e15)::bigint as gid
            from (select b.store, b.store || '-p' || replace(gen_random_uuid()::text, '-', '') as key_of_order
                from public.production_batches b, generate_series(1, $2::int) where b.id = $1::text::uuid) o
        ),
        made as (
            insert into public.orders (store, id, shopify_order_gid, payment_status, total_amount, currency)
            select store, key, gid, $3, nullif($4::text, '')::numeric, 'AUD' from numbers returning store, id
        ),
        bound as (insert into public.order_index (shopify_order_gid, store, order_id) select gid, store, key from numbers)
        insert into public.batch_contributions
            (store, batch_id, order_id, product_variant_base, style, style_details, quantity, unit_price, total_price, currency)
        select store, $1::text::uuid, id, 'tin-round', 'gold', '{}', 1, 1, 1, 'AUD' from made";
    db.execute(statement, &[&batch, &count, &payment, &amount]).await?;
    Ok(())
}

async fn post(stack: &Stack, key: &str, body: &Value) -> Outcome<Answer> {
    let request = stack.request(Method::POST, PATH).header("apikey", key).bearer_auth(key);
    Answer::to(request.json(body)).await
}

async fn orchestrate(stack: &Stack) -> Outcome<Answer> {
    post(stack, &stack.service_key, &json!({"jobType": "orchestrate"})).await
}

async fn process(stack: &Stack, data: Value) -> Outcome<Answer> {
    post(stack, &stack.service_key, &json!({"jobType": "process-order", "data": data})).await
}

async fn status(db: &Db, batch: &str) -> Outcome<String> {
    let row =
        db.row("select status from public.production_batches where id = $1::text::uuid", &[&batch]).await?;
    Ok(row["status"].as_str().unwrap_or_default().to_owned())
}

/// The result of one batch; null when there is none.
fn result_of(answer: &Answer, batch: &str) -> Value {
    let results = answer.at("/results").as_array().cloned().unwrap_or_default();
    results.into_iter().find(|result| result["batchId"] == batch).unwrap_or_default()
}
