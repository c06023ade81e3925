//! A delivery as it arrived: the headers that count, and the body byte for byte; and its form as a message of a queue,
//! in which it waits while the database is away.
//!
//! Nothing is judged here: what comes out of a queue is verified like what comes over HTTP. Knows neither an HTTP library
//! nor a queue.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use ordak_core::topic::Topic;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The header with the signature.
pub const SIGNATURE: &str = "x-shopify-hmac-sha256";

/// What of the other headers is ever read.
pub static HEADERS: [&str; 4] =
    ["x-shopify-shop-domain", "x-shopify-topic", "x-shopify-webhook-id", "x-shopify-triggered-at"];

/// Their values.
pub type Headers = [Option<String>; HEADERS.len()];

/// Longest message. A queue takes 128 000 bytes, of which it uses some hundred itself.
const LONGEST: usize = 127_500;

/// A delivery, nothing of it verified.
#[derive(Debug, PartialEq, Eq)]
pub struct Arrival {
    signature: Option<String>,
    headers: Headers,
    /// The body.
    pub raw: Vec<u8>,
}

/// The first line of a message; the rest is the body.
#[derive(Serialize, Deserialize)]
struct Head<'a> {
    encoding: &'a str,
    headers: BTreeMap<String, String>,
}

impl Arrival {
    /// Takes over the other headers that count.
    #[must_use]
    pub fn new(signature: Option<String>, headers: Headers, raw: Vec<u8>) -> Self {
        Self { signature, headers, raw }
    }

    /// A header's value.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let place = HEADERS.iter().position(|known| *known == name)?;
        self.headers.get(place)?.as_deref()
    }

    /// The signature that it claims.
    #[must_use]
    pub fn signature(&self) -> Option<&str> {
        self.signature.as_deref()
    }

    /// The topic that it claims.
    #[must_use]
    pub fn topic(&self) -> Topic {
        Topic::parse(self.header("x-shopify-topic").unwrap_or_default())
    }

    /// As a message: the body as it is when it is text, else as base64. `None` when no queue takes so much.
    #[must_use]
    pub fn to_message(&self) -> Option<String> {
        let (encoding, body) = match std::str::from_utf8(&self.raw) {
            Ok(text) => ("utf8", text.to_owned()),
            Err(_) => ("base64", STANDARD.encode(&self.raw)),
        };
        let named = HEADERS.iter().map(|name| (*name, self.header(name)));
        let headers = named.chain([(SIGNATURE, self.signature())]);
        let headers =
            headers.filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned()))).collect();
        let head = serde_json::to_string(&Head { encoding, headers }).ok()?;
        let message = format!("{head}\n{body}");
        (message.len() <= LONGEST).then_some(message)
    }

    /// Reads a message; `None` when it is none.
    #[must_use]
    pub fn from_message(message: &str) -> Option<Self> {
        let (head, body) = message.split_once('\n')?;
        let head: Head<'_> = serde_json::from_str(head).ok()?;
        let raw = match head.encoding {
            "utf8" => body.as_bytes().to_vec(),
            "base64" => STANDARD.decode(body).ok()?,
            _ => return None,
        };
        let header = |name: &str| head.headers.get(name).cloned();
        Some(Self::new(header(SIGNATURE), HEADERS.map(header), raw))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arrival(raw: &[u8]) -> Arrival {
        let header = |name: &str| match name {
            "x-shopify-topic" => Some("orders/create".to_owned()),
            "x-shopify-shop-domain" => Some("bännos\u{1}\"\n.com".to_owned()),
            "cookie" => Some("hush".to_owned()),
            _ => None,
        };
        Arrival::new(Some("bWFj".to_owned()), HEADERS.map(header), raw.to_vec())
    }

    #[test]
    fn a_message_gives_back_every_byte() {
        for raw in [
            &b"{}"[..],
            b"",
            b" { \"id\" : 1e400, \"id\":2 }\n\n{\"encoding\":\"utf8\"}\n",
            "\u{feff}ü\u{0}\u{2028}\r\n".as_bytes(),
            b"\xff\xfe\n",
            b"half a letter \xc3",
        ] {
            let arrival = arrival(raw);
            let message = arrival.to_message().unwrap();
            assert!(!message.contains("hush"), "only the headers that count");
            assert_eq!(Arrival::from_message(&message).unwrap(), arrival);
        }
        assert_eq!(arrival(b"").topic(), Topic::OrdersCreate);
        assert_eq!(arrival(b"").signature(), Some("bWFj"));
        assert_eq!(arrival(b"").header("cookie"), None);
    }

    #[test]
    fn what_no_queue_takes_is_no_message() {
        let room = LONGEST - arrival(b"").to_message().unwrap().len();
        assert_eq!(arrival(&vec![b'x'; room]).to_message().unwrap().len(), LONGEST);
        assert_eq!(arrival(&vec![b'x'; room + 1]).to_message(), None);
        assert_eq!(arrival("ü".repeat(room).as_bytes()).to_message(), None, "bytes count, not letters");
        assert_eq!(arrival(&vec![0xff; room]).to_message(), None, "base64 is longer");
    }

    #[test]
    fn anything_else_is_no_message() {
        for text in [
            "",
            "\n",
            "{}",
            "{}\n",
            "null\n{}",
            "{\"encoding\":\"utf8\"}\n",
            "{\"encoding\":\"utf8\",\"headers\":[]}\n",
            "{\"encoding\":\"utf8\",\"headers\":{\"x-shopify-topic\":7}}\n",
            "{\"encoding\":\"rot13\",\"headers\":{}}\nx",
            "{\"encoding\":\"base64\",\"headers\":{}}\nno base64",
        ] {
            assert_eq!(Arrival::from_message(text), None, "{text}");
        }
    }
}
