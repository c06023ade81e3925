//! Orders in which a set can arrive.
//!
//! Knows only positions.

/// Every permutation of `0..length`, the identity first.
#[must_use]
pub fn permutations(length: usize) -> Vec<Vec<usize>> {
    (0..length).fold(vec![Vec::new()], |shorter, next| {
        shorter
            .iter()
            .flat_map(|order| {
                (0..=order.len()).rev().map(move |at| {
                    let mut longer = order.clone();
                    longer.insert(at, next);
                    longer
                })
            })
            .collect()
    })
}

/// One permutation of `0..length`, drawn evenly.
#[must_use]
pub fn shuffled(rng: &mut fastrand::Rng, length: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..length).collect();
    rng.shuffle(&mut order);
    order
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn there_are_as_many_as_there_must_be_and_no_two_alike() {
        let all = permutations(5);
        assert_eq!(all.len(), 120);
        assert_eq!(all.first(), Some(&vec![0, 1, 2, 3, 4]));
        assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), 120);
        assert!(all.iter().all(|order| order.iter().collect::<BTreeSet<_>>().len() == 5));
    }

    #[test]
    fn a_shuffle_keeps_everything() {
        let mut order = shuffled(&mut fastrand::Rng::with_seed(1), 8);
        order.sort_unstable();
        assert_eq!(order, (0..8).collect::<Vec<_>>());
    }
}
