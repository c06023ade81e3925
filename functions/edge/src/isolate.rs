//! What is prepared once and then lives as long as the isolate: settings, keys.
//!
//! Knows nothing of which settings a function needs. No state of a request belongs here.

use ordak_core::envelope::Fault;
use std::{cell::OnceCell, rc::Rc};
use worker::{Env, js_sys, wasm_bindgen::JsCast};

/// The settings of the worker as names and values.
pub type Variables = Vec<(String, String)>;

/// A value that the first request prepares and every later one shares. A failed preparation is kept as well: settings
/// cannot change under a running isolate.
pub struct PerIsolate<T>(OnceCell<Result<Rc<T>, Fault>>);

impl<T> Default for PerIsolate<T> {
    fn default() -> Self {
        Self(OnceCell::new())
    }
}

impl<T> PerIsolate<T> {
    /// The value, prepared now if nobody has done so before.
    ///
    /// # Errors
    /// The fault of the preparation.
    pub fn get(&self, prepare: impl FnOnce() -> Result<T, Fault>) -> Result<Rc<T>, Fault> {
        self.0.get_or_init(|| prepare().map(Rc::new)).clone()
    }
}

/// Every setting that is a text; bindings to other services are left out.
#[must_use]
pub fn variables(env: &Env) -> Variables {
    let text = |name: &js_sys::JsString| js_sys::Reflect::get(env, name).ok()?.as_string();
    js_sys::Object::keys(env.unchecked_ref::<js_sys::Object>())
        .iter()
        .filter_map(|name| {
            let name: js_sys::JsString = name.dyn_into().ok()?;
            Some((name.as_string()?, text(&name)?))
        })
        .collect()
}

/// Looks a setting up.
pub fn getter(variables: &Variables) -> impl Fn(&str) -> Option<String> + '_ {
    |name| variables.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prepares_once() {
        let cell = PerIsolate::default();
        assert_eq!(*cell.get(|| Ok(1)).unwrap(), 1);
        assert_eq!(*cell.get(|| Ok(2)).unwrap(), 1);
    }

    #[test]
    fn a_failure_stays_a_failure() {
        let cell = PerIsolate::<u8>::default();
        assert!(cell.get(|| Err(Fault::misconfigured("A is missing"))).is_err());
        assert!(cell.get(|| Ok(1)).is_err());
    }
}
