//! Somebody whose every trait is a text that is nowhere else in the world, and orders full of him.

use ordak_e2e::order::Order;
use ordak_e2e::{Outcome, unique, unique_number};
use serde_json::{Value, json};

/// One person of one run.
pub struct Person {
    /// Shopify's id of the customer.
    pub id: u64,
    name: String,
    mailbox: String,
    street: String,
    phone: String,
    words: String,
    token: String,
}

impl Person {
    pub fn new() -> Self {
        Self {
            id: unique_number(10_000_000_000_000),
            name: format!("Qn{}", unique()),
            mailbox: format!("qm{}", unique()),
            street: format!("Qs{}", unique()),
            phone: format!("614{}", unique_number(10_000_000_000)),
            words: format!("Qw{}", unique()),
            token: format!("qt{}", unique()),
        }
    }

    /// What must be found nowhere, each with what it is.
    pub fn marks(&self) -> [(&'static str, &str); 6] {
        [
            ("name", &self.name),
            ("e-mail address", &self.mailbox),
            ("address", &self.street),
            ("telephone number", &self.phone),
            ("words", &self.words),
            ("token", &self.token),
        ]
    }

    pub fn email(&self) -> String {
        format!("{}@example.com", self.mailbox)
    }

    /// The name as it is shown.
    pub fn full_name(&self) -> String {
        format!("{} Bell", self.name)
    }

    fn address(&self) -> Value {
        json!({
            "name": self.full_name(), "first_name": self.name, "last_name": "Bell", "address1": format!("1 {} Street", self.street),
            "address2": self.street, "city": self.street, "company": self.name, "phone": format!("+{}", self.phone),
            "latitude": -33.8, "zip": "2000"
        })
    }

    /// An order of these SKUs in which every place that Shopify has for something personal is used.
    pub fn order(&self, skus: &[&str]) -> Outcome<Order> {
        let lines: Vec<(&str, u32)> = skus.iter().map(|sku| (*sku, 1)).collect();
        let mut order = Order::simple()?.with_lines(&lines);
        let (email, phone) = (self.email(), format!("+{}", self.phone));
        order.set(
            "customer",
            json!({
                "id": self.id, "first_name": self.name, "last_name": self.name, "email": email, "phone": phone,
                "note": self.words, "tags": self.words, "default_address": self.address()
            }),
        );
        for field in ["shipping_address", "billing_address"] {
            order.set(field, self.address());
        }
        for field in ["email", "contact_email"] {
            order.set(field, json!(email));
        }
        for field in ["note", "tags", "landing_site_ref", "source_identifier", "po_number"] {
            order.set(field, json!(self.words));
        }
        for field in ["token", "cart_token", "checkout_token", "browser_ip", "reference"] {
            order.set(field, json!(self.token));
        }
        let page = format!("https://cakes.example/1/orders/{0}/authenticate?key={0}", self.token);
        order.set("phone", json!(phone)).set("order_status_url", json!(page));
        order.set("client_details", json!({"user_agent": self.token, "session_hash": self.token}));
        order
            .set("payment_details", json!({"credit_card_name": self.name, "credit_card_number": self.token}));
        order.set(
            "note_attributes",
            json!([
                {"name": "Delivery Instructions", "value": format!("ask for {}, {}", self.name, self.words)},
                {"name": self.words, "value": self.words}
            ]),
        );
        order.set(
            "fulfillments",
            json!([{"id": 1, "destination": self.address(), "tracking_number": self.token, "receipt": {"by": self.name}}]),
        );
        order.set(
            "refunds",
            json!([{"id": 1, "note": self.words, "refund_line_items": [], "transactions": [{"receipt": {"name": self.name}}]}]),
        );
        order.each_line(|line| {
            line["properties"] = json!([
                {"name": "Lettering", "value": format!("Dear {}", self.name)}, {"name": self.words, "value": self.phone}
            ]);
        });
        Ok(order)
    }

    /// A request of Shopify about him.
    pub fn request(&self, domain: &str, members: &Value) -> Vec<u8> {
        let mut body = json!({
            "shop_id": 1, "shop_domain": domain,
            "customer": {"id": self.id, "email": self.email(), "phone": format!("+{}", self.phone)}
        });
        if let (Some(body), Some(members)) = (body.as_object_mut(), members.as_object()) {
            body.extend(members.clone());
        }
        body.to_string().into_bytes()
    }

    /// A body of another topic, with him in it.
    pub fn other(&self, members: &Value) -> Vec<u8> {
        let mut body = json!({
            "note": self.words, "staff_note": self.words, "email": self.email(), "phone": self.phone, "token": self.token,
            "contact": self.address(), "transactions": [{"receipt": {"cardholder_name": self.name, "key": self.token}}]
        });
        if let (Some(body), Some(members)) = (body.as_object_mut(), members.as_object()) {
            body.extend(members.clone());
        }
        body.to_string().into_bytes()
    }
}
