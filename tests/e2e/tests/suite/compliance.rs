//! Requests to show and to forget people: over the same way as every webhook, and past every late delivery.

use ordak_e2e::answer::Answer;
use ordak_e2e::delivery::Delivery;
use ordak_e2e::order::Order;
use ordak_e2e::stack::Stack;
use ordak_e2e::store::{self, COMPLIANCE, Store};
use ordak_e2e::{Outcome, unique, unique_number};
use serde_json::{Value, json};

/// Every table there is, row by row, as a dump would show it.
const DUMP: &str = "select t.place, count(*)::int as rows
    from (
        select 'orders' as place, x::text as content from public.orders x
        union all select 'order_index', x::text from public.order_index x
        union all select 'order_line_items', x::text from public.order_line_items x
        union all select 'event_store', x::text from public.event_store x
        union all select 'event_archive', x::text from public.event_archive x
        union all select 'stage_events', x::text from public.stage_events x
        union all select 'work_queue', x::text from public.work_queue x
        union all select 'work_audit', x::text from public.work_audit x
        union all select 'dead_letters',
            x::text || case when x.encoding = 'base64' then encode(decode(x.body, 'base64'), 'escape') else '' end
            from public.dead_letters x
        union all select 'compliance_requests', x::text from public.compliance_requests x
        union all select 'data_exports', x::text from private.data_exports x
        union all select 'stores', x::text from public.stores x
    ) t
    where t.content like '%' || $1 || '%'
    group by t.place order by t.place";

/// A person of one test, and orders full of him.
struct Person {
    word: String,
    id: u64,
}

impl Person {
    fn new() -> Self {
        Self { word: format!("Q{}", unique()), id: unique_number(10_000_000_000) }
    }

    fn email(&self) -> String {
        format!("{}@example.com", self.word)
    }

    fn order(&self) -> Outcome<Order> {
        let word = &self.word;
        let mut order = Order::simple()?.with_lines(&[("CAKE", 2)]);
        order.set("customer", json!({"id": self.id, "first_name": word, "email": self.email()}));
        for address in ["shipping_address", "billing_address"] {
            order.set(
                address,
                json!({"name": format!("{word} Bell"), "address1": format!("1 {word} Street")}),
            );
        }
        order.set("email", json!(self.email())).set("contact_email", json!(self.email()));
        order.set("phone", json!(format!("+61{}", self.id)));
        order.set("note", json!(format!("for {word}"))).set("tags", json!(word));
        order.set(
            "note_attributes",
            json!([{"name": "Delivery Instructions", "value": format!("ask for {word}")}]),
        );
        order.each_line(|line| {
            line["properties"] = json!([{"name": "Lettering", "value": format!("Dear {word}")}])
        });
        Ok(order)
    }

    fn asks(&self, store: Store, members: Value) -> Vec<u8> {
        let mut body = json!({
            "shop_id": 954_889, "shop_domain": store.domain(),
            "customer": {"id": self.id, "email": self.email(), "phone": "555-625-1199"}
        });
        for (name, value) in members.as_object().unwrap() {
            body[name] = value.clone();
        }
        body.to_string().into_bytes()
    }

    async fn traces(&self, stack: &Stack) -> Outcome<Vec<Value>> {
        stack.db().await?.rows(DUMP, &[&self.word]).await
    }
}

async fn told(stack: &Stack, store: Store, topic: &str, body: Vec<u8>, outcome: &str) -> Outcome<Answer> {
    let answer = Delivery::new(store, topic, body).send_until_taken(stack).await?;
    assert_eq!((answer.status, answer.str("/data/outcome")), (200, outcome), "{topic}: {}", answer.text);
    Ok(answer)
}

async fn as_admin(stack: &Stack, function: &str, arguments: &Value) -> Outcome<Answer> {
    let url = format!("{}/rest/v1/rpc/{function}", stack.supabase_url);
    let request = stack.http.post(url).header("apikey", &stack.anon_key).bearer_auth(&stack.admin);
    Answer::to(request.json(arguments)).await
}

#[tokio::test]
async fn a_forgotten_customer_never_comes_back() -> Outcome {
    let stack = Stack::up().await?;
    let person = Person::new();
    let mut order = person.order()?;
    let create = Delivery::new(COMPLIANCE, "orders/create", order.bytes());
    create.deliver(&stack).await?;
    order.set("updated_at", json!("2026-02-07T09:00:00+11:00"));
    told(&stack, COMPLIANCE, "orders/updated", order.bytes(), "updated").await?;
    // One that nobody can read, and one with bytes that are no text.
    let mut broken = order.bytes();
    broken.pop();
    told(&stack, COMPLIANCE, "orders/updated", broken.clone(), "ignored").await?;
    broken.extend_from_slice(b"\xff\xfe");
    told(&stack, COMPLIANCE, "orders/updated", broken, "ignored").await?;
    let places: Vec<Value> =
        person.traces(&stack).await?.into_iter().map(|row| row["place"].clone()).collect();
    assert_eq!(places, ["dead_letters", "event_store", "order_line_items", "orders"]);

    let redact = Delivery::new(
        COMPLIANCE,
        "customers/redact",
        person.asks(COMPLIANCE, json!({"orders_to_redact": [order.id, 1]})),
    );
    let answer = redact.send_until_taken(&stack).await?;
    assert_eq!((answer.status, answer.str("/data/outcome")), (200, "updated"), "{}", answer.text);
    assert_eq!(person.traces(&stack).await?, Vec::<Value>::new());
    let again = redact.send_until_taken(&stack).await?;
    assert_eq!((again.status, again.str("/data/outcome")), (200, "duplicate"), "{}", again.text);

    // Late: an update, a replay, an unreadable one, one under another shop.
    order.set("updated_at", json!("2026-02-08T09:00:00+11:00")).set("current_total_price", json!("12.50"));
    order.set("total_price", json!("12.50"));
    told(&stack, COMPLIANCE, "orders/updated", order.bytes(), "updated").await?;
    let replay = create.again().send_until_taken(&stack).await?;
    assert_eq!(replay.str("/data/outcome"), "duplicate", "{}", replay.text);
    let mut broken = order.bytes();
    broken.truncate(broken.len() - 1);
    told(&stack, COMPLIANCE, "orders/paid", broken, "ignored").await?;
    let elsewhere =
        Delivery::new(COMPLIANCE, "orders/updated", order.bytes()).from_shop(&store::STOCK.domain());
    assert_eq!(elsewhere.send_until_taken(&stack).await?.str("/data/outcome"), "ignored");
    assert_eq!(person.traces(&stack).await?, Vec::<Value>::new());

    let query = "select o.customer_name, o.notes, trim_scale(o.total_amount)::text as amount,
            (select jsonb_agg(jsonb_build_array(l.sku, l.quantity, l.properties)) from public.order_line_items l
             where l.store = o.store and l.order_id = o.id) as lines
        from public.orders o where o.id = $1";
    let row = stack.db().await?.row(query, &[&order.order_id(COMPLIANCE)]).await?;
    assert_eq!(
        row,
        json!({"customer_name": "[redacted]", "notes": null, "amount": "12.5", "lines": [["CAKE", 2, {}]]})
    );
    let replayed = stack
        .rpc(
            &stack.service_key,
            "replay_order",
            &json!({"p_store": COMPLIANCE.key, "p_order_id": order.order_id(COMPLIANCE)}),
        )
        .await?;
    assert_eq!(replayed.at("/data/differences"), &json!({}), "{}", replayed.text);
    Ok(())
}

#[tokio::test]
async fn a_customer_is_shown_what_is_held_about_him() -> Outcome {
    let stack = Stack::up().await?;
    let (person, other) = (Person::new(), Person::new());
    let (order, unlisted, foreign) = (person.order()?, person.order()?, other.order()?);
    for order in [&order, &unlisted, &foreign] {
        told(&stack, COMPLIANCE, "orders/create", order.bytes(), "created").await?;
    }
    let number = unique_number(1_000_000_000);
    let body =
        person.asks(COMPLIANCE, json!({"orders_requested": [order.id], "data_request": {"id": number}}));
    let answer = told(&stack, COMPLIANCE, "customers/data_request", body, "updated").await?;
    let request = answer.at("/data/compliance_request_id").as_i64().unwrap();

    let arguments = json!({"p_request_id": request});
    let refused = stack.rpc(&stack.anon_key, "get_data_export", &arguments).await?;
    assert!([401, 403].contains(&refused.status), "{}", refused.text);
    let export = as_admin(&stack, "get_data_export", &arguments).await?;
    assert_eq!(export.str("/data/status"), "done", "{}", export.text);
    assert_eq!(export.str("/data/shopify_request_id"), number.to_string());
    let gids: Vec<&str> = export
        .at("/data/items")
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|item| item["order_gid"].as_str())
        .collect();
    assert_eq!(gids.len(), 2, "{gids:?}");
    assert!(gids.contains(&order.gid().as_str()) && gids.contains(&unlisted.gid().as_str()));
    assert!(export.text.contains(&person.email()) && export.text.contains(&format!("Dear {}", person.word)));
    assert!(!export.text.contains(&other.word), "somebody else is in it");

    let query = "select payload from public.work_queue where topic = 'slack_alert' and dedupe_key = $1";
    let work = stack.db().await?.row(query, &[&format!("data_request/{request}")]).await?;
    assert_eq!(work["payload"], json!({"kind": "data_request", "compliance_request_id": request}));

    told(
        &stack,
        COMPLIANCE,
        "customers/redact",
        person.asks(COMPLIANCE, json!({"orders_to_redact": []})),
        "updated",
    )
    .await?;
    let gone = as_admin(&stack, "get_data_export", &arguments).await?;
    assert_eq!(gone.at("/data/items"), &json!([]), "{}", gone.text);
    assert_eq!(person.traces(&stack).await?, Vec::<Value>::new());
    assert!(!other.traces(&stack).await?.is_empty(), "somebody else was forgotten");
    Ok(())
}

#[tokio::test]
async fn a_forgotten_shop_keeps_its_orders_and_nobody_in_them() -> Outcome {
    let stack = Stack::up().await?;
    let shop = store::fresh(&stack).await?;
    let person = Person::new();
    let order = person.order()?;
    told(&stack, shop, "orders/create", order.bytes(), "created").await?;
    let gone = json!({
        "id": 1, "name": "Cakes", "shop_owner": person.word, "plan_name": "basic", "email": person.email(),
        "myshopify_domain": shop.domain()
    });
    told(&stack, shop, "app/uninstalled", gone.to_string().into_bytes(), "updated").await?;
    let again = json!({"id": 2, "name": "Cakes", "plan_name": "basic", "myshopify_domain": shop.domain()});
    told(&stack, shop, "app/uninstalled", again.to_string().into_bytes(), "ignored").await?;
    let query = "select (select uninstalled_at is not null from public.stores where key = $1) as marked, count(*)::int as alerts
        from public.work_queue where store = $1 and payload ->> 'kind' = 'app_uninstalled'";
    assert_eq!(stack.db().await?.row(query, &[&shop.key]).await?, json!({"marked": true, "alerts": 1}));

    // A request about one customer, sent again as one about the shop, is none.
    let stolen = person.asks(shop, json!({"orders_to_redact": [1]}));
    told(&stack, shop, "shop/redact", stolen, "ignored").await?;
    assert!(person.traces(&stack).await?.iter().any(|row| row["place"] == "orders"));

    let request = json!({"shop_id": unique_number(1_000_000), "shop_domain": shop.domain()});
    told(&stack, shop, "shop/redact", request.to_string().into_bytes(), "updated").await?;
    assert_eq!(person.traces(&stack).await?, Vec::<Value>::new());
    let late = person.order()?;
    told(&stack, shop, "orders/create", late.bytes(), "created").await?;
    assert_eq!(person.traces(&stack).await?, Vec::<Value>::new());
    let query =
        "select count(*)::int as orders, min(customer_name) as name from public.orders where store = $1";
    assert_eq!(stack.db().await?.row(query, &[&shop.key]).await?, json!({"orders": 2, "name": "[redacted]"}));
    Ok(())
}

#[tokio::test]
async fn a_request_that_is_none_is_kept_for_a_person() -> Outcome {
    let stack = Stack::up().await?;
    let order = Order::simple()?;
    for topic in ["customers/redact", "shop/redact", "customers/data_request"] {
        for body in [order.bytes(), b"{}".to_vec()] {
            let delivery = Delivery::new(COMPLIANCE, topic, body);
            let answer = delivery.send_until_taken(&stack).await?;
            assert_eq!(
                (answer.status, answer.str("/data/outcome")),
                (200, "ignored"),
                "{topic}: {}",
                answer.text
            );
            let like = format!("%{}", delivery.webhook_id);
            let query = "select reason from public.dead_letters where external_id like $1";
            let letter = stack.db().await?.row(query, &[&like]).await?;
            assert_eq!(letter["reason"], "the body is not what its topic promises");
        }
    }
    Ok(())
}
