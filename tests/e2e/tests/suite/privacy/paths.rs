//! Every way in, and everything that can go wrong on it.

use super::{Journey, request_number};
use crate::spill::door::Way;
use crate::spill::standing::Standing;
use crate::spill::{message, spilled};
use ordak_e2e::answer::Answer;
use ordak_e2e::delivery::{Delivery, sign};
use ordak_e2e::order::Order;
use ordak_e2e::poll::eventually;
use ordak_e2e::store::STOCK;
use ordak_e2e::{Outcome, unique};
use reqwest::Method;
use serde_json::{Value, json};

/// What is later than everything in the fixtures.
fn at(minute: u32) -> Value {
    json!(format!("2026-03-01T10:{minute:02}:00+11:00"))
}

fn text(order: &Order) -> Outcome<String> {
    Ok(String::from_utf8(order.bytes())?)
}

impl Journey {
    /// Each topic, with him in it.
    pub async fn topics(&mut self) -> Outcome {
        let mut order = self.order()?;
        for (minute, topic) in ["create", "updated", "paid", "partially_fulfilled", "fulfilled", "cancelled"]
            .into_iter()
            .enumerate()
        {
            order.set("updated_at", at(u32::try_from(minute)?));
            if topic == "cancelled" {
                order.set("cancelled_at", at(5));
            }
            let taken = self.delivery(&format!("orders/{topic}"), order.bytes());
            self.send(200, taken.clone()).await?;
            self.send(200, taken.again()).await?;
        }
        let edited = self.person.other(&json!({"order_edit": {"id": 1, "order_id": order.id}}));
        let refund = self.person.other(&json!({"id": 7, "order_id": order.id, "refund_line_items": []}));
        let level = self.person.other(&json!({"inventory_item_id": 1, "location_id": 1, "available": 3}));
        let customer = self.person.other(&json!({"id": self.person.id}));
        for (topic, body) in [
            ("orders/edited", edited),
            ("refunds/create", refund),
            ("inventory_levels/update", level),
            ("customers/update", customer),
        ] {
            self.send(200, self.delivery(topic, body)).await?;
        }
        let gone = self.person.other(&json!({
            "id": 1, "name": "Cakes", "shop_owner": self.person.full_name(), "plan_name": "basic",
            "myshopify_domain": self.other.domain()
        }));
        self.send(200, Delivery::new(self.other, "app/uninstalled", gone)).await?;
        Ok(())
    }

    /// What is refused, and what is put aside.
    pub async fn refusals(&mut self) -> Outcome {
        let mut order = self.order()?;
        self.send(401, self.delivery("orders/create", order.bytes()).unsigned()).await?;
        self.send(401, self.delivery("orders/create", order.bytes()).signed_by("another secret")).await?;
        self.put_aside(&order).await?;
        // A header is cut and checked, and what is wrong with it is not repeated.
        let mut named = self.delivery("orders/create", order.bytes());
        named.webhook_id = format!("{} {}", self.person.full_name(), self.person.email());
        self.send(200, named).await?;
        let aside = format!("/functions/v1/order-ingest/elsewhere?who={}", self.person.email());
        let answer = Answer::to(self.stack.request(Method::GET, &aside)).await?;
        assert_eq!(answer.status, 404, "{}", answer.text);
        let scan = json!({"scan": self.person.email()});
        let answer = self.stack.act(&self.stack.staff_bannos, "scan", &scan).await?;
        assert_eq!(answer.status, 400, "{}", answer.text);
        self.heard("scan", &answer);
        order.set("note", json!("x".repeat(6 * 1024 * 1024)));
        self.send(413, self.delivery("orders/create", order.bytes())).await?;
        Ok(())
    }

    /// Bodies that nobody can read or store, under the store's own name, another store's, and one that is none of ours.
    async fn put_aside(&mut self, order: &Order) -> Outcome {
        let whole = text(order)?;
        let mut bad = order.bytes();
        bad.extend_from_slice(b"\xff\xfe");
        let mut crowd = order.clone();
        crowd.set("line_items", vec![json!({"id": 1, "title": self.person.full_name()}); 10_001].into());
        let deep =
            format!("{{\"a\":{}1{},{}", "[".repeat(400), "]".repeat(400), whole.trim_start_matches('{'));
        let nul = whole.replacen("Dear ", "Dear \\u0000", 1);
        assert_ne!(nul, whole);
        let nobody = self.person.other(&json!({"reference": order.gid()}));
        let cut = whole.as_bytes().split_last().map(|(_, rest)| rest.to_vec()).unwrap_or_default();
        for body in [cut, bad, crowd.bytes(), deep.into_bytes(), nul.into_bytes(), nobody] {
            for topic in ["orders/updated", "refunds/create", "customers/redact"] {
                let answer = self.send(200, self.delivery(topic, body.clone())).await?;
                assert!(answer.at("/data/dead_letter_id").is_number(), "{topic}: {}", answer.text);
            }
        }
        for domain in ["nobody.myshopify.com", &STOCK.domain()] {
            // Of the other store it is only when it is known where it belongs.
            self.send(200, self.delivery("orders/create", order.bytes())).await?;
            let answer =
                self.send(200, self.delivery("orders/paid", order.bytes()).from_shop(domain)).await?;
            assert_eq!(answer.str("/data/outcome"), "ignored", "{}", answer.text);
        }
        Ok(())
    }

    /// Applying raises, with a whole row in the error's details, and so does the retry.
    pub async fn applying_fails(&mut self) -> Outcome {
        let order = self.order()?;
        let db = self.stack.db().await?;
        let partition = self.shop.partition();
        let refuse = format!(
            "alter table public.{partition} add constraint stuck check (shopify_order_gid <> '{}')",
            order.gid()
        );
        db.execute(&refuse, &[]).await?;
        self.send(500, self.delivery("orders/create", order.bytes())).await?;
        let query =
            "select last_error from public.work_queue where topic = 'order_ingest_retry' and dedupe_key = $1";
        eventually("a retry that failed", async || {
            db.hurry(self.shop.key).await?;
            self.drain().await?;
            let row = db.maybe_row(query, &[&order.gid()]).await?.unwrap_or_default();
            Ok(if row["last_error"].is_string() { Ok(()) } else { Err(row.to_string()) })
        })
        .await?;
        // Read now: an event that is applied after all has no error any more.
        let query = "select last_error from public.event_store where ref_id = $1 and last_error is not null";
        let errors = db.rows(query, &[&order.gid()]).await?;
        assert_eq!(errors.len(), 1, "{errors:?}");
        self.answers.extend(errors.iter().map(|row| ("event_store.last_error".to_owned(), row.to_string())));
        db.execute(&format!("alter table public.{partition} drop constraint stuck"), &[]).await?;
        eventually("the order that was stuck", async || {
            db.hurry(self.shop.key).await?;
            self.drain().await?;
            let found =
                db.count("select 1 from public.orders where shopify_order_gid = $1", &[&order.gid()]).await?;
            Ok(if found == 1 { Ok(()) } else { Err("nothing".to_owned()) })
        })
        .await
    }

    /// Not even the event can be stored.
    pub async fn storing_fails(&mut self) -> Outcome {
        let order = self.order()?;
        let db = self.stack.db().await?;
        let name = format!("refuse_{}", unique());
        db.execute(
            &format!(
                "create function public.{name}() returns trigger language plpgsql as $$
                 begin raise exception 'no' using errcode = 'check_violation'; end $$"
            ),
            &[],
        )
        .await?;
        let trigger = format!(
            "create trigger {name} before insert on public.event_store for each row
             when (new.ref_id = '{}') execute function public.{name}()",
            order.gid()
        );
        db.execute(&trigger, &[]).await?;
        let answer = self.delivery("orders/create", order.bytes()).send(&self.stack).await?;
        db.execute(&format!("drop trigger {name} on public.event_store"), &[]).await?;
        db.execute(&format!("drop function public.{name}()"), &[]).await?;
        assert_eq!(answer.status, 500, "{}", answer.text);
        self.heard("orders/create", &answer);
        Ok(())
    }

    /// What no webhook has brought.
    pub async fn gap_repair(&mut self) -> Outcome {
        let mut order = self.order()?;
        let ago = |minutes| json!((chrono::Utc::now() - chrono::TimeDelta::minutes(minutes)).to_rfc3339());
        order.set("created_at", ago(60)).set("updated_at", ago(20));
        let body = json!({"shop": self.shop.domain(), "orders": [order.payload]});
        let put =
            Answer::to(self.stack.http.post(format!("{}/_shop", self.stack.fakes_url)).json(&body)).await?;
        assert_eq!(put.status, 200, "{}", put.text);
        for fault in ["502_html", ""] {
            if !fault.is_empty() {
                self.stack.break_shopify(self.shop, fault, 1).await?;
            }
            let request = self.stack.request(Method::POST, "/functions/v1/gap-repair");
            let request =
                request.header("apikey", &self.stack.service_key).bearer_auth(&self.stack.service_key);
            let answer = Answer::to(request.json(&json!({"stores": [self.shop.key]}))).await?;
            assert_eq!(answer.status, 200, "{}", answer.text);
            self.heard("gap-repair", &answer);
        }
        let query = "select customer_name from public.orders where shopify_order_gid = $1";
        let row = self.stack.db().await?.row(query, &[&order.gid()]).await?;
        assert_eq!(row["customer_name"], self.person.full_name());
        Ok(())
    }

    /// Everything again.
    pub async fn replays(&mut self) -> Outcome {
        let query = "select x.order_id, max(e.id) as event_id from public.order_index x
            join public.event_store e on e.store = x.store and e.ref_id = x.shopify_order_gid
            where x.store = $1 group by x.order_id";
        for row in self.stack.db().await?.rows(query, &[&self.shop.key]).await? {
            let order = json!({"p_store": self.shop.key, "p_order_id": row["order_id"]});
            for (function, arguments) in
                [("replay_order", order), ("replay_event", json!({"p_event_id": row["event_id"]}))]
            {
                let answer = self.stack.rpc(&self.stack.service_key, function, &arguments).await?;
                assert_eq!(answer.at("/ok"), true, "{}", answer.text);
                self.answers.push((function.to_owned(), answer.text));
            }
        }
        Ok(())
    }

    /// The store changes its names: what comes next is refused once and read again.
    pub async fn settings(&mut self) -> Outcome {
        let order = self.order()?;
        let names = json!({"p_store": self.shop.key, "p_settings": {"size_property": "Tier"}});
        let answer = self.stack.rpc(&self.stack.service_key, "update_store_settings", &names).await?;
        assert_eq!(answer.at("/ok"), true, "{}", answer.text);
        self.send(200, self.delivery("orders/create", order.bytes())).await?;
        Ok(())
    }

    /// He asks what is held about him; the merchant reads it, and nobody else hears of it.
    pub async fn shown(&mut self) -> Outcome {
        let members = json!({"orders_requested": [], "data_request": {"id": request_number()}});
        let body = self.person.request(&self.shop.domain(), &members);
        let answer = self.send(200, self.delivery("customers/data_request", body)).await?;
        let url = format!("{}/rest/v1/rpc/get_data_export", self.stack.supabase_url);
        let request = self.stack.http.post(url).header("apikey", &self.stack.anon_key);
        let arguments = json!({"p_request_id": answer.at("/data/compliance_request_id")});
        let export = Answer::to(request.bearer_auth(&self.stack.admin).json(&arguments)).await?;
        for (what, mark) in self.person.marks() {
            assert!(export.text.contains(mark), "his export lacks his {what}");
        }
        Ok(())
    }

    /// The database is away: refused without a queue, put off with one. Some of it is still waiting afterwards.
    pub async fn database_away(&mut self) -> Outcome<Standing> {
        let alone = Standing::without_queue(&self.stack).await?;
        for way in [Way::Refusing, Way::Silent] {
            alone.door.turn(way);
            let order = self.order()?;
            let answer = self.delivery("orders/create", order.bytes()).send(&alone.stack).await?;
            assert_eq!(answer.status, 503, "{}", answer.text);
            self.answers.push(("away".to_owned(), answer.text));
        }
        let said = alone.said().into_iter().map(|line| ("the worker without a queue".to_owned(), line));
        self.answers.extend(said);

        let mut standing = Standing::with_queue(&self.stack).await?;
        standing.door.turn(Way::Refusing);
        let order = self.order()?;
        spilled(&standing, &self.delivery("orders/create", order.bytes())).await?;
        let forged = message(self.shop, &text(&order)?, &sign(b"{}", "no secret"));
        standing.inject(&forged).await?;
        standing.says("put_off", 2).await?;
        standing.door.turn(Way::Open);
        standing.says("created", 1).await?;
        standing.says("dead_letter", 1).await?;
        Ok(standing)
    }

    /// Waiting in the queue while he is forgotten: a new order, one that nobody can read, one that is not verified. Gives
    /// how much the worker had said before.
    pub async fn wait_in_queue(&mut self, standing: &mut Standing) -> Outcome<usize> {
        let before = standing.outcomes().len();
        standing.door.turn(Way::Refusing);
        let order = self.person.order(&[&self.sku])?;
        spilled(standing, &self.delivery("orders/create", order.bytes())).await?;
        let mut cut = order.bytes();
        cut.truncate(cut.len() - 2);
        spilled(standing, &self.delivery("orders/create", cut)).await?;
        standing.inject(&message(self.shop, &text(&order)?, &sign(b"{}", "no secret"))).await?;
        Ok(before)
    }

    /// People are told of what was wrong.
    pub async fn alerts(&mut self) -> Outcome {
        let db = self.stack.db().await?;
        let query = "select payload ->> 'kind' as kind, status from public.work_queue
            where store = $1 and topic = 'slack_alert' order by id";
        let told = eventually("alerts that are told", async || {
            db.hurry(self.shop.key).await?;
            self.drain().await?;
            let rows = db.rows(query, &[&self.shop.key]).await?;
            let done = !rows.is_empty() && rows.iter().all(|row| row["status"] == "done");
            Ok(if done { Ok(rows) } else { Err(format!("{rows:?}")) })
        })
        .await?;
        for kind in ["missing_fields", "stock_short", "dead_letter", "webhooks_missed", "data_request"] {
            assert!(told.iter().any(|row| row["kind"] == kind), "nobody was told of {kind}: {told:?}");
        }
        Ok(())
    }

    /// Everything that can still arrive about somebody who is forgotten.
    pub async fn late(&mut self, waiting: &Standing, before: usize) -> Outcome {
        let mut orders = self.orders.clone();
        let Some(mut known) = orders.pop() else { return Ok(()) };
        for order in &orders {
            let again = self.delivery("orders/create", order.bytes());
            self.send(200, again).await?;
        }
        known.set("updated_at", at(30));
        let update = self.delivery("orders/updated", known.bytes());
        self.send(200, update.clone()).await?;
        self.send(200, update.again()).await?;
        let other = self.order()?;
        self.put_aside(&other).await?;
        let unknown = self.person.other(&json!({"id": self.person.id}));
        self.send(200, self.delivery("customers/update", unknown)).await?;

        waiting.door.turn(Way::Open);
        eventually("what waited", async || {
            let said = waiting.outcomes();
            let late: Vec<&String> = said.iter().skip(before).filter(|one| *one != "put_off").collect();
            Ok(if late.len() >= 3 { Ok(()) } else { Err(format!("{said:?}")) })
        })
        .await
    }
}
