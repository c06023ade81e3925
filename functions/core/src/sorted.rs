//! Values by key, in order of their keys.
//!
//! A list, for as many as one call brings: looked up as quickly as a map, and a map takes 6 KB of a module for every pair
//! of types. Not for what grows without a bound.

use serde::{Serialize, Serializer};

/// Values by key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sorted<K, V>(Vec<(K, V)>);

impl<K, V> Default for Sorted<K, V> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<K: Ord, V> Sorted<K, V> {
    /// The value of a key, made now if there is none.
    #[allow(clippy::indexing_slicing, reason = "the place was found, or made, just now")]
    pub fn entry(&mut self, key: K, make: impl FnOnce() -> V) -> &mut V {
        let at = match self.place(&key) {
            Ok(at) => at,
            Err(at) => {
                self.0.insert(at, (key, make()));
                at
            }
        };
        &mut self.0[at].1
    }

    /// The value of a key.
    #[must_use]
    pub fn get(&self, key: &K) -> Option<&V> {
        let at = self.place(key).ok()?;
        self.0.get(at).map(|(_, value)| value)
    }

    /// The value of a key, to be changed.
    pub fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        let at = self.place(key).ok()?;
        self.0.get_mut(at).map(|(_, value)| value)
    }

    /// Takes a value out.
    pub fn remove(&mut self, key: &K) -> Option<V> {
        let at = self.place(key).ok()?;
        Some(self.0.remove(at).1)
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All keys.
    pub fn keys(&self) -> impl Iterator<Item = &K> {
        self.0.iter().map(|(key, _)| key)
    }

    /// All values.
    pub fn into_values(self) -> impl Iterator<Item = V> {
        self.0.into_iter().map(|(_, value)| value)
    }

    fn place(&self, key: &K) -> Result<usize, usize> {
        self.0.binary_search_by(|(known, _)| known.cmp(key))
    }
}

impl<K, V> IntoIterator for Sorted<K, V> {
    type Item = (K, V);
    type IntoIter = std::vec::IntoIter<(K, V)>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<K: Serialize, V: Serialize> Serialize for Sorted<K, V> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(key, value)| (key, value)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_key_has_one_value_whatever_the_order_they_come_in() {
        let mut sorted = Sorted::default();
        for (key, value) in [("b", 1), ("c", 2), ("a", 3), ("b", 4), ("a", 5)] {
            *sorted.entry(key, || 0) += value;
        }
        assert_eq!((sorted.get(&"a"), sorted.get(&"d"), sorted.len()), (Some(&8), None, 3));
        assert_eq!(serde_json::to_string(&sorted).unwrap(), r#"{"a":8,"b":5,"c":2}"#);
        assert_eq!((sorted.remove(&"b"), sorted.remove(&"b")), (Some(5), None));
        assert_eq!(sorted.keys().collect::<Vec<_>>(), [&"a", &"c"]);
        assert_eq!(sorted.into_iter().collect::<Vec<_>>(), [("a", 8), ("c", 2)]);
    }
}
