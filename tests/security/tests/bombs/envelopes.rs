//! What surrounds a body: its size, how it is announced, and headers that nobody signs.

use crate::{describe, insist, survives};
use anyhow::Result;
use ordak_security::delivery::{self, SHOP};
use ordak_security::http::Request;
use ordak_security::stack::Stack;
use ordak_security::tally::Tally;

/// The largest body that is taken.
const CAP: usize = 5 * 1024 * 1024;

/// Bodies around the cap, with a length and without.
pub fn sizes(stack: &Stack, tally: &mut Tally) -> Result<()> {
    let sized = |size: usize| {
        let order = delivery::order(delivery::fresh_id()).to_string();
        format!("{}{order}", " ".repeat(size.saturating_sub(order.len()))).into_bytes()
    };
    for (size, refused) in [
        (CAP - 1, false),
        (CAP, false),
        (CAP + 1, true),
        (CAP + 1024, true),
        (2 * CAP, true),
        (6 * CAP, true),
    ] {
        // What is sent on and on without a length is read and thrown away for a while; above that the connection is
        // closed on the sender, and the local stand-in for the network answers in its own words.
        let body = sized(size);
        let request = delivery::honest(stack, &body);
        for (how, request) in [
            ("with a length", request.clone()),
            ("in large chunks", request.clone().chunked(1024 * 1024)),
            ("in small chunks", request.chunked(1000)),
        ] {
            let (answer, _) = insist(&request, |answer, _| answer.status != 503, tally)?;
            let expected = if refused { answer.status == 413 } else { answer.status == 200 };
            tally.check("sizes", expected, || format!("{size} bytes {how}: {}", describe(&answer)));
        }
    }
    // An unsigned body over the cap is not read to its end either.
    let answer = delivery::unsigned(stack, "orders/create", &sized(2 * CAP)).send()?;
    tally.check("sizes", matches!(answer.status, 401 | 413), || format!("unsigned: {}", describe(&answer)));
    Ok(())
}

/// Headers of every odd kind beside a right signature.
pub fn headers(stack: &Stack, tally: &mut Tally) -> Result<()> {
    let values: [(&str, Vec<u8>); 12] = [
        ("nothing", Vec::new()),
        ("a blank", b" ".to_vec()),
        ("nine kilobytes", vec![b'a'; 9_000]),
        ("a slash", b"orders/".to_vec()),
        ("dots", b"../../orders/create".to_vec()),
        ("upper case", b"ORDERS/CREATE".to_vec()),
        ("an unknown word", b"tarts/baked".to_vec()),
        ("SQL", b"'; drop table public.orders; --".to_vec()),
        ("JSON", b"{\"a\":[1]}".to_vec()),
        ("letters of elsewhere", "заказ/создан".as_bytes().to_vec()),
        ("bytes that are no text", vec![0xff, 0xfe, 0x80]),
        ("infinity", b"infinity".to_vec()),
    ];
    for name in [
        "X-Shopify-Topic",
        "X-Shopify-Webhook-Id",
        "X-Shopify-Event-Id",
        "X-Shopify-Triggered-At",
        "X-Shopify-API-Version",
        "X-Request-Id",
        "Content-Type",
        "User-Agent",
    ] {
        for (what, value) in &values {
            let body = delivery::order(delivery::fresh_id()).to_string().into_bytes();
            let mut request = Request::new("POST", stack.function("order-ingest"))
                .header("X-Shopify-Shop-Domain", SHOP)
                .header("X-Shopify-Hmac-Sha256", delivery::sign(stack, &body));
            if name != "X-Shopify-Topic" {
                request = request.header("X-Shopify-Topic", "orders/create");
            }
            let request = request.header(name, value).body(body);
            survives("headers", &format!("{name} is {what}"), &request, tally)?;
        }
    }
    for count in [100, 500] {
        let body = delivery::order(delivery::fresh_id()).to_string().into_bytes();
        let request = (0..count)
            .fold(delivery::honest(stack, &body), |request, n| request.header(&format!("X-Filler-{n}"), "x"));
        survives("headers", &format!("{count} more headers"), &request, tally)?;
    }
    Ok(())
}
