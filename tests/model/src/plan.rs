//! How deliveries really arrive: repeated, replayed, late, under the wrong shop.
//!
//! Decides the order of sending. What is sent is made elsewhere; whether an order already belongs to its store when
//! a misdirected delivery goes out is the sender's to see to.

use crate::delivery::Delivery;

/// Why a delivery is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// For the first time.
    First,
    /// Again, as it was.
    Repeat,
    /// Again, under a fresh webhook id.
    Replay,
    /// Under the header of another shop.
    Misdirected,
}

/// One sending.
#[derive(Clone, Debug)]
pub struct Arrival {
    /// Position of the order among the lives.
    pub order: usize,
    /// What is sent.
    pub delivery: Delivery,
    /// Why.
    pub kind: Kind,
}

/// Shares of the arrivals, from 0 to 1.
#[derive(Clone, Copy, Debug)]
pub struct Mix {
    /// Sent a second time, half of them under a fresh id, one in eight under the wrong shop.
    pub duplicates: f64,
    /// Moved to another place within their order.
    pub reordered: f64,
    /// How many places of other orders lie between two deliveries of the same order.
    pub spread: usize,
}

/// How many different deliveries an order of `arrivals` sendings should have.
#[must_use]
pub fn distinct(rng: &mut fastrand::Rng, arrivals: usize, mix: Mix) -> usize {
    // One is certain to be new, so the others must be duplicates a little more often.
    let share = mix.duplicates * arrivals as f64 / (arrivals as f64 - 1.0).max(1.0);
    (1..arrivals).filter(|_| rng.f64() >= share).count() + 1
}

/// The sendings of all lives, `per_order` of each, in the order of sending. `other` is the shop of misdirected ones.
#[must_use]
pub fn arrivals(
    rng: &mut fastrand::Rng,
    lives: &[Vec<Delivery>],
    per_order: usize,
    mix: Mix,
    other: impl Fn(&Delivery) -> String,
) -> Vec<Arrival> {
    let mut placed: Vec<(usize, Arrival)> = Vec::new();
    for (order, life) in lives.iter().enumerate() {
        let mut own: Vec<Arrival> = life
            .iter()
            .map(|delivery| Arrival { order, delivery: delivery.clone(), kind: Kind::First })
            .collect();
        for turn in own.len()..per_order {
            let Some(again) = rng.choice(life) else { continue };
            let fresh = format!("{}-again-{turn}", again.webhook_id);
            let (kind, delivery) = match rng.u8(..8) {
                0 => (Kind::Misdirected, again.replayed(fresh).misdirected(other(again))),
                1..4 => (Kind::Repeat, again.clone()),
                _ => (Kind::Replay, again.replayed(fresh)),
            };
            let place = rng.usize(1..=own.len());
            own.insert(place, Arrival { order, delivery, kind });
        }
        for place in 0..own.len() {
            if rng.f64() < mix.reordered {
                let elsewhere = rng.usize(..own.len());
                own.swap(place, elsewhere);
            }
        }
        placed.extend(own.into_iter().enumerate().map(|(turn, arrival)| {
            let jitter = rng.usize(..mix.spread.max(1));
            (order * per_order + turn * mix.spread + jitter, arrival)
        }));
    }
    placed.sort_by_key(|(place, _)| *place);
    placed.into_iter().map(|(_, arrival)| arrival).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lives() -> Vec<Vec<Delivery>> {
        let one = |order: usize, turn: usize| Delivery {
            shop: "a.example".into(),
            topic: "orders/updated".into(),
            webhook_id: format!("{order}-{turn}"),
            body: format!("{order} {turn}"),
        };
        (0..200).map(|order| (0..6).map(|turn| one(order, turn)).collect()).collect()
    }

    #[test]
    fn everything_is_sent_once_and_some_of_it_again() {
        let mut rng = fastrand::Rng::with_seed(3);
        let mix = Mix { duplicates: 0.3, reordered: 0.3, spread: 16 };
        let sent = arrivals(&mut rng, &lives(), 8, mix, |_| "b.example".into());
        assert_eq!(sent.len(), 1600);
        for (order, life) in lives().iter().enumerate() {
            for delivery in life {
                let first = |arrival: &&Arrival| arrival.kind == Kind::First && arrival.delivery == *delivery;
                assert_eq!(sent.iter().filter(first).count(), 1);
            }
            assert_eq!(sent.iter().filter(|arrival| arrival.order == order).count(), 8);
        }
        let count = |kind| sent.iter().filter(|arrival| arrival.kind == kind).count();
        assert!(count(Kind::Repeat) > 80 && count(Kind::Replay) > 100 && count(Kind::Misdirected) > 20);
        let strays = sent.iter().filter(|arrival| arrival.delivery.shop == "b.example").count();
        assert_eq!(strays, count(Kind::Misdirected));
    }

    #[test]
    fn about_a_third_arrives_out_of_order_and_orders_overlap() {
        let mut rng = fastrand::Rng::with_seed(4);
        let mix = Mix { duplicates: 0.0, reordered: 0.3, spread: 16 };
        let sent = arrivals(&mut rng, &lives(), 6, mix, |_| String::new());
        let late = |order: usize| {
            let turns: Vec<_> =
                sent.iter().filter(|one| one.order == order).map(|one| &one.delivery.body).collect();
            turns.windows(2).any(|pair| pair[0] > pair[1])
        };
        assert!((0..200).filter(|order| late(*order)).count() > 100);
        assert!(sent.windows(2).filter(|pair| pair[0].order != pair[1].order).count() > 1000);
    }

    #[test]
    fn three_in_ten_are_duplicates() {
        let mut rng = fastrand::Rng::with_seed(5);
        let mix = Mix { duplicates: 0.3, reordered: 0.0, spread: 1 };
        let total: usize = (0..1000).map(|_| distinct(&mut rng, 8, mix)).sum();
        assert!((5500..5700).contains(&total), "{total}");
    }
}
