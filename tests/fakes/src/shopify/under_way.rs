//! Idempotency keys of requests that are under way: who comes with the same key meanwhile is told to wait.

use super::{Posted, document, execute, variables};
use crate::World;
use crate::lock::lock;

/// A key in use. It is free again when this is dropped, also when the caller has gone away.
pub struct Held {
    world: World,
    domain: String,
    key: String,
}

/// Takes the key of a request into use; none when the request carries none.
pub fn hold(world: &World, domain: &str, body: &[u8]) -> Option<Held> {
    let key = key_of(body)?;
    *lock(&world.shops).shop(domain).under_way.entry(key.clone()).or_default() += 1;
    Some(Held { world: world.clone(), domain: domain.to_owned(), key })
}

impl Drop for Held {
    fn drop(&mut self) {
        let mut shops = lock(&self.world.shops);
        let under_way = &mut shops.shop(&self.domain).under_way;
        if let Some(count) = under_way.get_mut(&self.key) {
            *count -= 1;
            if *count == 0 {
                under_way.remove(&self.key);
            }
        }
    }
}

fn key_of(body: &[u8]) -> Option<String> {
    let posted = serde_json::from_slice::<Posted>(body).ok()?;
    let document = document::parse(&posted.query).ok()?;
    let operation = document::select(&document, posted.operation_name.as_deref()).ok()?;
    let given = posted.variables.clone().unwrap_or_default();
    let variables = variables::coerce(operation.variables, &given).ok()?;
    let fields = operation.fields(operation.root, operation.selection, &variables);
    fields.into_iter().find_map(|field| execute::key(field, &variables))
}
