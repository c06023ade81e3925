//! Sealing anew, with the newest key, what was sealed with an older one.
//!
//! Page by page; a page that is done stays done, and whoever puts other keys meanwhile wins. What cannot be opened is
//! named and left as it is.

use crate::{Setup, credentials::nonce, database};
use ordak_core::{
    credentials::{
        Provider,
        key_ring::{KeyRing, Sealed, Whose},
        request::{LARGEST_BODY, rotation},
        shelf::Row,
    },
    envelope::{Envelope, Failure, Fault},
};
use ordak_edge::{answer::Answer, body, clock, door::Caller, serve::Call};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// Rows a page.
const PAGE: usize = 100;
/// No page is begun later than this after the start, in milliseconds; another call goes on with the rest.
const BEGIN_MS: u64 = 20_000;

#[derive(Deserialize)]
struct Resealed {
    resealed: u64,
}

/// A row sealed anew, and the nonce that it had.
#[derive(Debug, Serialize)]
struct Item {
    store: String,
    provider: String,
    was: String,
    #[serde(flatten)]
    sealed: Sealed,
}

/// A row that stays as it is.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct Unopened {
    store: String,
    provider: String,
    key_id: String,
}

/// `POST`: seals anew; says how many, which not, and whether that is all.
///
/// # Errors
/// When the request or the caller is refused, or something fails.
pub async fn rotate(call: &mut Call, setup: &Setup, caller: &Caller) -> Result<Answer, Failure> {
    let stores = rotation(&body::read(&call.request, LARGEST_BODY).await?)?;
    let ring = &setup.settings.key_ring;
    let started = clock::now_ms();
    let (mut resealed, mut failed, mut after) = (0, Vec::new(), None::<String>);
    let complete = loop {
        let mut arguments = json!({"p_key_id": ring.newest(), "p_limit": PAGE});
        if let Some(arguments) = arguments.as_object_mut() {
            arguments.extend(stores.as_ref().map(|stores| ("p_stores".into(), json!(stores))));
            arguments.extend(after.as_ref().map(|after| ("p_after".into(), json!(after))));
        }
        let stale: Value = database::ask(setup, "read_stale_credentials", arguments, caller).await?;
        let stale =
            Row::list(&stale).ok_or_else(|| Fault::internal("read_stale_credentials: strange data"))?;
        after = stale.last().map(|row| format!("{}/{}", row.store, row.provider));
        let is_last = stale.len() < PAGE;
        let mut items = Vec::new();
        for row in stale {
            match reseal(ring, &row, nonce()?) {
                Some(item) => items.push(item),
                None => failed.push(Unopened {
                    store: row.store,
                    provider: row.provider,
                    key_id: row.sealed.key_id,
                }),
            }
        }
        if !items.is_empty() {
            let arguments = json!({"p_items": items});
            let done: Resealed = database::ask(setup, "reseal_shop_credentials", arguments, caller).await?;
            resealed += done.resealed;
        }
        if is_last {
            break true;
        }
        if clock::now_ms().saturating_sub(started) > BEGIN_MS {
            break false;
        }
    };
    let data = json!({
        "key_id": ring.newest(), "resealed": resealed, "unopened": failed, "complete": complete,
    });
    let answer =
        Answer::envelope(&Envelope::done(data), if resealed > 0 { "resealed" } else { "none_stale" });
    Ok(match (resealed, failed.is_empty()) {
        (_, false) => answer.worth_attention(),
        (0, true) => answer.without_news(),
        (_, true) => answer,
    })
}

/// The row under the newest key; none when it cannot be opened.
fn reseal(ring: &KeyRing, row: &Row, nonce: [u8; 12]) -> Option<Item> {
    let whose = Whose { store: &row.store, provider: Provider::parse(&row.provider)? };
    let plain = ring.open(whose, &row.sealed).ok()?;
    let sealed = ring.seal(whose, &plain, nonce)?;
    Some(Item {
        store: row.store.clone(),
        provider: row.provider.clone(),
        was: row.sealed.nonce.clone(),
        sealed,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: &str = "k1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
    const BOTH: &str =
        "k2:HxAfHh0cGxoZGBcWFRQTEhEQDw4NDAsKCQgHBgUEAwI=,k1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

    #[test]
    fn what_was_sealed_with_an_older_key_is_sealed_with_the_newest() {
        let (old, both) = (KeyRing::parse(OLD).unwrap(), KeyRing::parse(BOTH).unwrap());
        let whose = Whose { store: "a", provider: Provider::Slack };
        let sealed = old.seal(whose, b"{}", [1; 12]).unwrap();
        let row = Row { store: "a".into(), provider: "slack".into(), sealed };
        let item = reseal(&both, &row, [2; 12]).unwrap();
        assert_eq!((item.was.as_str(), item.sealed.key_id.as_str()), (row.sealed.nonce.as_str(), "k2"));
        assert_eq!(both.open(whose, &item.sealed).unwrap(), b"{}");
        assert!(
            reseal(&KeyRing::parse(OLD).unwrap(), &Row { store: "b".into(), ..row.clone() }, [3; 12])
                .is_none()
        );
        let told = serde_json::to_value(&item).unwrap();
        for name in ["store", "provider", "was", "key_id", "nonce", "ciphertext"] {
            assert!(told[name].is_string(), "{name}");
        }
    }
}
