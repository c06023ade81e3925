//! Putting, listing and removing the keys of one store.
//!
//! Whether the caller is an Admin is asked first: nobody else makes us try keys anywhere.

use crate::{Setup, check::check, database};
use ordak_core::{
    credentials::{
        key_ring::{NONCE_BYTES, Whose},
        request::{LARGEST_BODY, Named, Put},
    },
    envelope::{Failure, Fault, Rejection},
};
use ordak_edge::{answer::Answer, body, door::Caller, serve::Call};
use serde::Deserialize;
use serde_json::json;

#[derive(Deserialize)]
struct Listed {
    shop_domain: String,
}

/// `PUT`: tries the keys, seals them, keeps them.
///
/// # Errors
/// When the request, the caller or the keys are refused, or something fails.
pub async fn put(call: &mut Call, setup: &Setup, caller: &Caller) -> Result<Answer, Failure> {
    let put = Put::read(&body::read(&call.request, LARGEST_BODY).await?)?;
    call.store = Some(put.store.clone());
    let store: Listed =
        database::ask(setup, "list_shop_credentials", json!({"p_store": put.store}), caller).await?;
    let checked = check(setup, &put.store, &store.shop_domain, &put.keys).await?;
    let whose = Whose { store: &put.store, provider: put.provider };
    let sealed = setup
        .settings
        .key_ring
        .seal(whose, &put.keys.to_plain(), nonce()?)
        .ok_or_else(|| Fault::internal("keys cannot be sealed"))?;
    let arguments = json!({
        "p_store": put.store, "p_provider": put.provider.as_str(), "p_sealed": sealed, "p_checked": checked,
    });
    Ok(Answer::passed_through(database::call(setup, "put_shop_credentials", arguments, caller).await?)?)
}

/// `GET`: to which providers the store has keys.
///
/// # Errors
/// When the request or the caller is refused, or something fails.
pub async fn list(call: &mut Call, setup: &Setup, caller: &Caller) -> Result<Answer, Failure> {
    let named = named(call)?;
    if named.provider.is_some() {
        return Err(Rejection::bad_input("the query takes a store and nothing else").into());
    }
    let arguments = json!({"p_store": named.store});
    Ok(Answer::passed_through(database::call(setup, "list_shop_credentials", arguments, caller).await?)?)
}

/// `DELETE`: forgets the keys to one provider.
///
/// # Errors
/// As [`list`].
pub async fn remove(call: &mut Call, setup: &Setup, caller: &Caller) -> Result<Answer, Failure> {
    let named = named(call)?;
    let provider = named.provider.ok_or_else(|| Rejection::bad_input("the query must name a provider"))?;
    let arguments = json!({"p_store": named.store, "p_provider": provider.as_str()});
    Ok(Answer::passed_through(database::call(setup, "remove_shop_credentials", arguments, caller).await?)?)
}

fn named(call: &mut Call) -> Result<Named, Rejection> {
    let named = Named::read(call.request.query())?;
    call.store = Some(named.store.clone());
    Ok(named)
}

/// A random nonce; without randomness nothing is sealed.
///
/// # Errors
/// When the runtime has none to give.
pub fn nonce() -> Result<[u8; NONCE_BYTES], Fault> {
    let mut nonce = [0; NONCE_BYTES];
    getrandom::fill(&mut nonce).map_err(|_| Fault::internal("there is no randomness"))?;
    Ok(nonce)
}
