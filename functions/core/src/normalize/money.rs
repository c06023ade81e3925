//! What an order costs, and in which currency.
//!
//! Amount and currency always come from the same place: where the buyer paid in another currency than the shop's, the
//! amount is the presentment one, and only when Shopify sent none are both the shop's. Amounts are decimal text.

use super::order::Parts;
use crate::field::Field;

/// Digits before the point that the database has room for, with one to spare for rounding.
const MOST_DIGITS: usize = 12;
/// Decimals that are kept even when they are zeros; no currency has more.
const DECIMALS: usize = 3;

/// Which money of an order counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Currency {
    /// The currency of the order's total and prices.
    pub(super) code: Option<String>,
    /// Whether it differs from the shop's, so that plain amounts are in the wrong one.
    foreign: bool,
}

/// Currency and total of an order: the current total when there is one, else the total.
pub(super) fn of_order(order: &Parts<'_>) -> (Currency, Option<String>) {
    let [shop, paid, current, current_set, total, total_set] = order.pick([
        "currency",
        "presentment_currency",
        "current_total_price",
        "current_total_price_set",
        "total_price",
        "total_price_set",
    ]);
    let totals = [(current, current_set), (total, total_set)];
    let (shop, paid) = (shop.and_then(code), paid.and_then(code));
    let foreign = paid.is_some() && shop.is_some() && paid != shop;
    if let Some(paid) = paid.as_ref().filter(|_| foreign || shop.is_none()) {
        let total = totals.iter().find_map(|(_, set)| amount_in(*set, "presentment_money", Some(paid)));
        if total.is_some() {
            return (Currency { code: Some(paid.clone()), foreign }, total);
        }
    }
    let total = totals.iter().find_map(|(plain, set)| {
        plain.and_then(amount).or_else(|| amount_in(*set, "shop_money", shop.as_deref()))
    });
    let known = if foreign { shop } else { paid.or(shop) };
    (Currency { code: known.or_else(|| code_in(total_set.or(current_set))), foreign: false }, total)
}

/// The unit price of a line in the currency of its order.
pub(super) fn of_line(
    price: Option<Field<'_>>,
    set: Option<Field<'_>>,
    currency: &Currency,
) -> Option<String> {
    let code = currency.code.as_deref();
    if currency.foreign {
        return amount_in(set, "presentment_money", code);
    }
    price.and_then(amount).or_else(|| amount_in(set, "shop_money", code))
}

/// An amount that the database has room for.
fn amount(field: Field<'_>) -> Option<String> {
    let decimal = field.decimal().filter(|decimal| decimal.integer_digits() <= MOST_DIGITS)?;
    Some(decimal.plain(DECIMALS))
}

/// One money of a set, unless it says that it is in another currency.
fn amount_in(set: Option<Field<'_>>, money: &str, wanted: Option<&str>) -> Option<String> {
    let [amount_field, currency] = set?.get(money)?.pick(["amount", "currency_code"]);
    let stated = currency.and_then(code);
    if wanted.is_some() && stated.is_some() && stated.as_deref() != wanted {
        return None;
    }
    amount(amount_field?)
}

fn code_in(set: Option<Field<'_>>) -> Option<String> {
    set?.get("shop_money")?.get("currency_code").and_then(code)
}

/// An ISO 4217 code: three letters.
fn code(field: Field<'_>) -> Option<String> {
    let text = field.text()?.trim().to_ascii_uppercase();
    (text.len() == 3 && text.bytes().all(|b| b.is_ascii_uppercase())).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::super::order::READ;
    use super::*;

    fn order(json: &str) -> (Option<String>, Option<String>) {
        let (currency, total) = of_order(&Field::document(json).members(READ));
        (currency.code, total)
    }

    fn expect(json: &str, code: &str, total: &str) {
        assert_eq!(order(json), (Some(code.to_owned()), Some(total.to_owned())), "{json}");
    }

    #[test]
    fn the_current_total_comes_before_the_total() {
        expect(r#"{"currency":"AUD","current_total_price":"1.00","total_price":"2.00"}"#, "AUD", "1.00");
        expect(r#"{"currency":"AUD","current_total_price":null,"total_price":"2.00"}"#, "AUD", "2.00");
        expect(r#"{"currency":"AUD","current_total_price":"","total_price":2}"#, "AUD", "2");
        expect(r#"{"currency":"AUD","current_total_price":"0.00","total_price":"2.00"}"#, "AUD", "0.00");
        let set = r#"{"shop_money":{"amount":"3.10","currency_code":"AUD"}}"#;
        expect(
            &format!(r#"{{"currency":"aud","current_total_price_set":{set},"total_price":"2"}}"#),
            "AUD",
            "3.10",
        );
    }

    #[test]
    fn what_the_buyer_paid_comes_before_what_the_shop_books() {
        let set = |shop: &str, paid: &str| {
            format!(
                r#"{{"shop_money":{{"amount":"{shop}","currency_code":"AUD"}},"presentment_money":{{"amount":"{paid}","currency_code":"USD"}}}}"#
            )
        };
        let head = r#""currency":"AUD","presentment_currency":"USD","total_price":"60.33""#;
        expect(&format!(r#"{{{head},"total_price_set":{}}}"#, set("60.33", "45.85")), "USD", "45.85");
        let both = format!(
            r#"{{{head},"total_price_set":{},"current_total_price_set":{}}}"#,
            set("60.33", "45.85"),
            set("0.00", "0.00")
        );
        expect(&both, "USD", "0.00");
        expect(
            &format!(
                r#"{{"presentment_currency":"USD","total_price":"60.33","total_price_set":{}}}"#,
                set("60.33", "45.85")
            ),
            "USD",
            "45.85",
        );
    }

    #[test]
    fn amount_and_currency_never_come_from_different_places() {
        expect(r#"{"currency":"AUD","presentment_currency":"USD","total_price":"60.33"}"#, "AUD", "60.33");
        let wrong = r#"{"presentment_money":{"amount":"45.85","currency_code":"EUR"}}"#;
        expect(
            &format!(
                r#"{{"currency":"AUD","presentment_currency":"USD","total_price":"60.33","total_price_set":{wrong}}}"#
            ),
            "AUD",
            "60.33",
        );
        expect(r#"{"presentment_currency":"AUD","current_total_price":"89.00"}"#, "AUD", "89.00");
        let set = r#"{"shop_money":{"amount":"3.10","currency_code":"JPY"}}"#;
        expect(&format!(r#"{{"total_price_set":{set}}}"#), "JPY", "3.10");
    }

    #[test]
    fn amounts_are_exact_or_absent() {
        let total = |json: &str| order(&format!(r#"{{"currency":"AUD","total_price":{json}}}"#)).1;
        assert_eq!(total("600.10").as_deref(), Some("600.10"));
        assert_eq!(total("\"0.30000000000000004\"").as_deref(), Some("0.30000000000000004"));
        assert_eq!(total("\"999999999999.99\"").as_deref(), Some("999999999999.99"));
        for absent in ["\"1e400\"", "9999999999999", "\"free\"", "{}", "[1]", "null", "true", "\"1,000.00\""]
        {
            assert_eq!(total(absent), None, "{absent}");
        }
    }

    #[test]
    fn a_currency_is_three_letters_or_absent() {
        for json in ["\"\"", "\"AU\"", "\"AUDX\"", "\"A$D\"", "1", "{}", "null"] {
            assert_eq!(order(&format!(r#"{{"currency":{json},"total_price":"1"}}"#)).0, None, "{json}");
        }
    }

    #[test]
    fn a_price_is_in_the_currency_of_its_order() {
        let price = Some(Field::document("\"45.62\""));
        let set = Some(Field::document(
            r#"{"shop_money":{"amount":"45.62","currency_code":"AUD"},"presentment_money":{"amount":"34.67","currency_code":"USD"}}"#,
        ));
        let abroad = Currency { code: Some("USD".into()), foreign: true };
        let home = Currency { code: Some("AUD".into()), foreign: false };
        assert_eq!(of_line(price, set, &abroad).as_deref(), Some("34.67"));
        assert_eq!(of_line(price, None, &abroad), None);
        assert_eq!(of_line(price, set, &home).as_deref(), Some("45.62"));
        assert_eq!(of_line(None, set, &home).as_deref(), Some("45.62"));
    }
}
