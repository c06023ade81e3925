//! Things at places that are used again, found by a key that is never used again: who comes late with an old key finds
//! nothing, whoever has the place by then.
//!
//! Knows nothing of what it keeps.

/// Where something is, and the how-manieth at that place it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key {
    /// The place.
    pub place: u32,
    /// How many had the place before.
    pub number: u32,
}

/// The places.
#[derive(Debug)]
pub struct Slots<T> {
    places: Vec<(u32, Option<T>)>,
    free: Vec<u32>,
}

impl<T> Slots<T> {
    /// No places.
    pub const fn new() -> Self {
        Self { places: Vec::new(), free: Vec::new() }
    }

    /// Puts something at a free place.
    pub fn put(&mut self, thing: T) -> Key {
        if let Some(place) = self.free.pop()
            && let Some((number, kept)) = self.places.get_mut(place as usize)
        {
            *kept = Some(thing);
            return Key { place, number: *number };
        }
        let place = u32::try_from(self.places.len()).unwrap_or(u32::MAX);
        self.places.push((0, Some(thing)));
        Key { place, number: 0 }
    }

    /// What has this key, if it is still there.
    pub fn get(&mut self, key: Key) -> Option<&mut T> {
        let (number, kept) = self.places.get_mut(key.place as usize)?;
        kept.as_mut().filter(|_| *number == key.number)
    }

    /// Takes it out: the key is used up.
    pub fn take(&mut self, key: Key) -> Option<T> {
        let (number, kept) = self.places.get_mut(key.place as usize)?;
        let thing = kept.take_if(|_| *number == key.number)?;
        *number = number.wrapping_add(1);
        self.free.push(key.place);
        Some(thing)
    }

    /// Whether there is nothing.
    #[cfg(test)]
    pub fn is_empty(&self) -> bool {
        self.places.iter().all(|(_, kept)| kept.is_none())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_old_key_finds_nothing_at_a_place_that_is_used_again() {
        let mut slots = Slots::new();
        let (first, second) = (slots.put('a'), slots.put('b'));
        assert_eq!(slots.take(first), Some('a'));
        let third = slots.put('c');
        assert_eq!((third.place, third.number), (first.place, first.number + 1), "the place is used again");
        assert_eq!(slots.get(first), None);
        assert_eq!(slots.take(first), None);
        assert_eq!(slots.get(third), Some(&mut 'c'));
        assert_eq!((slots.take(second), slots.take(third)), (Some('b'), Some('c')));
        assert!(slots.is_empty());
        assert_eq!(slots.take(Key { place: 9, number: 0 }), None);
    }
}
