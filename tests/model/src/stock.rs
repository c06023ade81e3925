//! What must be true of stock once everything is quiet.
//!
//! Which line gets the last piece depends on who comes first; that no piece is sold twice and none lies idle does not.

use std::collections::BTreeMap;

/// One SKU of a store.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stock {
    /// Article number.
    pub sku: String,
    /// What there was in the beginning.
    pub opening: i64,
    /// What can be sold now.
    pub ats: i64,
    /// Sum of all its transactions.
    pub moved: i64,
    /// Sum of those that hold and release for orders.
    pub moved_for_orders: i64,
}

/// One line that asks for stock.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LineStock {
    /// Order and line, for the complaint.
    pub name: String,
    /// Article number.
    pub sku: String,
    /// What it asks for by the model.
    pub wanted: i64,
    /// What it keeps besides, by the model: refunded, and not put back.
    pub lost: i64,
    /// What is held for it.
    pub held: i64,
    /// What it waits for.
    pub short: i64,
}

/// Everything that is not as it must be. With enough stock (`ample`) every line must hold what it asks for; without,
/// a line that waits must not fit into what is left.
#[must_use]
pub fn complaints(stocks: &[Stock], lines: &[LineStock], ample: bool) -> Vec<String> {
    let mut held: BTreeMap<&str, i64> = BTreeMap::new();
    let left: BTreeMap<&str, i64> = stocks.iter().map(|stock| (stock.sku.as_str(), stock.ats)).collect();
    let mut all = Vec::new();
    for line in lines {
        *held.entry(&line.sku).or_default() += line.held;
        let LineStock { name, sku, wanted, lost, held, short } = line;
        // Pieces are lost only as far as they were ever held.
        let beside = held + short - wanted;
        if *held < 0 || *held > wanted + lost {
            all.push(format!("{name}: holds {held} of {sku}, wants {wanted} and lost {lost}"));
        } else if beside < 0 || beside > *lost {
            all.push(format!(
                "{name}: holds {held} and waits for {short} of {sku}, wants {wanted} and lost {lost}"
            ));
        } else if ample && *held != wanted + lost {
            all.push(format!(
                "{name}: holds {held} of {sku}, wants {wanted} and lost {lost}, and there is enough"
            ));
        } else if let Some(left) = left.get(sku.as_str()).filter(|left| *short > 0 && *left >= short) {
            all.push(format!("{name}: waits for {short} of {sku} though {left} are left"));
        }
    }
    for Stock { sku, opening, ats, moved, moved_for_orders } in stocks {
        if *ats < 0 {
            all.push(format!("{sku}: {ats} left"));
        }
        if opening + moved != *ats {
            all.push(format!("{sku}: opened with {opening}, moved {moved}, but {ats} are left"));
        }
        let of_lines = held.get(sku.as_str()).copied().unwrap_or(0);
        if of_lines + moved_for_orders != 0 {
            all.push(format!("{sku}: lines hold {of_lines}, transactions say {}", -moved_for_orders));
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stock(ats: i64, moved: i64) -> Stock {
        Stock { sku: "A".into(), opening: 10, ats, moved, moved_for_orders: moved }
    }

    fn line(wanted: i64, held: i64, short: i64) -> LineStock {
        LineStock { name: "o/1".into(), sku: "A".into(), wanted, lost: 0, held, short }
    }

    #[test]
    fn nothing_to_complain_about() {
        assert!(complaints(&[stock(4, -6)], &[line(4, 4, 0), line(2, 2, 0)], true).is_empty());
        assert!(complaints(&[stock(2, -8)], &[line(8, 8, 0), line(3, 0, 3)], false).is_empty());
    }

    #[test]
    fn what_is_lost_stays_held_as_far_as_it_ever_was() {
        let lost = |lost, held, short| LineStock { lost, ..line(4, held, short) };
        assert!(complaints(&[stock(4, -6)], &[lost(2, 6, 0)], true).is_empty());
        assert!(complaints(&[stock(3, -7)], &[lost(2, 5, 0), line(2, 2, 0)], false).is_empty());
        assert!(complaints(&[stock(3, -7)], &[lost(2, 2, 4), line(5, 5, 0)], false).is_empty());
        assert!(!complaints(&[stock(5, -5)], &[lost(2, 5, 0)], true).is_empty());
        assert!(!complaints(&[stock(3, -7)], &[lost(2, 7, 0)], false).is_empty());
        assert!(!complaints(&[stock(3, -7)], &[lost(2, 2, 1), line(5, 5, 0)], false).is_empty());
    }

    #[test]
    fn every_wrong_is_named() {
        let first = |stocks: &[Stock], lines: &[LineStock], ample| complaints(stocks, lines, ample).remove(0);
        assert!(first(&[stock(-1, -11)], &[line(11, 11, 0)], false).contains("-1 left"));
        assert!(first(&[stock(5, -4)], &[line(4, 4, 0)], false).contains("opened with 10"));
        assert!(first(&[stock(4, -6)], &[line(5, 5, 0)], false).contains("transactions say 6"));
        assert!(first(&[stock(4, -6)], &[line(5, 6, 0)], false).contains("holds 6 of A, wants 5"));
        assert!(first(&[stock(4, -6)], &[line(8, 6, 1)], false).contains("waits for 1"));
        assert!(first(&[stock(4, -6)], &[line(11, 6, 5)], true).contains("there is enough"));
        assert!(first(&[stock(4, -6)], &[line(10, 6, 4)], false).contains("though 4 are left"));
    }
}
