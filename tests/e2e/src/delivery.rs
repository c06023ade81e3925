//! A webhook delivery as Shopify makes it, right or wrong in one chosen way.

use crate::answer::Answer;
use crate::stack::Stack;
use crate::store::Store;
use crate::{Failure, Outcome, unique};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use hmac::{Hmac, Mac};
use reqwest::Method;
use sha2::Sha256;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// Where deliveries go.
pub const PATH: &str = "/functions/v1/order-ingest";

/// How long a delivery is sent again.
const PATIENCE: Duration = Duration::from_secs(120);
const PAUSE: Duration = Duration::from_millis(150);

/// One delivery.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// `X-Shopify-Shop-Domain`; empty sends none.
    pub shop: String,
    /// `X-Shopify-Topic`; empty sends none.
    pub topic: String,
    /// `X-Shopify-Webhook-Id`; empty sends none.
    pub webhook_id: String,
    /// The raw body.
    pub body: Bytes,
    /// `Content-Encoding`; empty sends none.
    pub encoding: String,
    /// Whose signature it carries.
    pub signature: Signature,
    /// Sent in pieces, without a content length.
    pub chunked: bool,
}

/// The signature of a delivery.
#[derive(Clone, Debug)]
pub enum Signature {
    /// By the secret that all stores share.
    Shared,
    /// By this secret.
    By(String),
    /// These bytes, whatever they are.
    Header(Vec<u8>),
    /// None at all.
    None,
}

impl Delivery {
    /// A rightly signed delivery with a webhook id of its own.
    pub fn new(store: Store, topic: &str, body: impl Into<Bytes>) -> Self {
        Self {
            shop: store.domain(),
            topic: topic.to_owned(),
            webhook_id: unique(),
            body: body.into(),
            encoding: String::new(),
            signature: Signature::Shared,
            chunked: false,
        }
    }

    /// From another shop.
    pub fn from_shop(mut self, shop: &str) -> Self {
        shop.clone_into(&mut self.shop);
        self
    }

    /// The same content as a delivery of its own.
    pub fn again(&self) -> Self {
        Self { webhook_id: unique(), ..self.clone() }
    }

    /// Signed with another secret.
    pub fn signed_by(mut self, secret: &str) -> Self {
        self.signature = Signature::By(secret.to_owned());
        self
    }

    /// With this for a signature, whatever it is.
    pub fn with_signature(mut self, header: impl Into<Vec<u8>>) -> Self {
        self.signature = Signature::Header(header.into());
        self
    }

    /// Without a signature.
    pub fn unsigned(mut self) -> Self {
        self.signature = Signature::None;
        self
    }

    /// Sent in pieces, without a content length.
    pub fn chunked(mut self) -> Self {
        self.chunked = true;
        self
    }

    /// Sends it until the database has it; anything but 200 is a failure.
    pub async fn deliver(&self, stack: &Stack) -> Outcome {
        let answer = self.send_until_taken(stack).await?;
        if answer.status == 200 { Ok(()) } else { Err(Failure::new(answer.text)) }
    }

    /// Sends it until the database has answered. A database that is slow just now leads to a 503, or to a success while
    /// the delivery waits in the queue; what the database took unheard is a duplicate then.
    pub async fn send_until_taken(&self, stack: &Stack) -> Outcome<Answer> {
        self.send_while(stack, |answer| answer.status == 503 || answer.str("/data/outcome") == "spilled")
            .await
    }

    /// Sends it as Shopify does: once more after each 503.
    pub async fn send_until_heard(&self, stack: &Stack) -> Outcome<Answer> {
        self.send_while(stack, |answer| answer.status == 503).await
    }

    /// Sends it again for two minutes at least, and eight times: a busy machine is slow for longer than that seldom.
    async fn send_while(&self, stack: &Stack, again_after: impl Fn(&Answer) -> bool) -> Outcome<Answer> {
        let (began, mut again) = (Instant::now(), 0);
        loop {
            let answer = self.send(stack).await?;
            if !again_after(&answer) || (again >= 8 && began.elapsed() > PATIENCE) {
                return Ok(answer);
            }
            again += 1;
            sleep(PAUSE).await;
        }
    }

    /// Sends it.
    pub async fn send(&self, stack: &Stack) -> Outcome<Answer> {
        let mut request = stack
            .request(Method::POST, PATH)
            .header("Content-Type", "application/json")
            .header("X-Shopify-API-Version", "2026-10");
        for (name, value) in [
            ("X-Shopify-Shop-Domain", &self.shop),
            ("X-Shopify-Topic", &self.topic),
            ("X-Shopify-Webhook-Id", &self.webhook_id),
            ("Content-Encoding", &self.encoding),
        ] {
            if !value.is_empty() {
                request = request.header(name, value);
            }
        }
        let signature = match &self.signature {
            Signature::Shared => Some(sign(&self.body, &stack.webhook_secret).into_bytes()),
            Signature::By(secret) => Some(sign(&self.body, secret).into_bytes()),
            Signature::Header(raw) => Some(raw.clone()),
            Signature::None => None,
        };
        if let Some(signature) = signature {
            request = request.header("X-Shopify-Hmac-Sha256", signature);
        }
        let body = if self.chunked {
            let pieces: Vec<Result<Bytes, std::io::Error>> =
                self.body.chunks(256 * 1024).map(|piece| Ok(Bytes::copy_from_slice(piece))).collect();
            reqwest::Body::wrap_stream(futures_util::stream::iter(pieces))
        } else {
            reqwest::Body::from(self.body.clone())
        };
        Answer::to(request.body(body)).await
    }
}

/// Shopify's signature of a body.
pub fn sign(body: &[u8], secret: &str) -> String {
    STANDARD.encode(mac(body, secret.as_bytes()))
}

/// HMAC-SHA256.
pub fn mac(message: &[u8], secret: &[u8]) -> Vec<u8> {
    // HMAC takes keys of any length; the error cannot happen.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret) else { return Vec::new() };
    mac.update(message);
    mac.finalize().into_bytes().to_vec()
}
