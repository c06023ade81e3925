//! The order itself: identity, parties, notes, dates, state.

use super::settings::same_name;
use super::{
    NormalizeError, NormalizeSettings, NormalizedOrder, due_date, lines, money, product, refunds, text,
};
use crate::calendar::{Date, Timestamp};
use crate::field::{Field, Members};

pub(super) const ORDER: &str = "Order";
const SEPARATOR: &str = " • ";
const LONGEST_NUMBER: usize = 32;
/// Longest status or reason, in characters.
const LONGEST_WORD: usize = 100;
/// An object with an id and none of these is something else than an order.
const SIGNS_OF_AN_ORDER: [&str; 10] = [
    "line_items",
    "order_number",
    "financial_status",
    "total_price",
    "current_total_price",
    "currency",
    "presentment_currency",
    "note_attributes",
    "updated_at",
    "processed_at",
];

/// Everything of an order that is read.
pub(super) const READ: [&str; 23] = [
    "admin_graphql_api_id",
    "id",
    "order_number",
    "updated_at",
    "financial_status",
    "cancelled_at",
    "cancel_reason",
    "note",
    "tags",
    "line_items",
    "refunds",
    "note_attributes",
    "customer",
    "shipping_address",
    "billing_address",
    "currency",
    "presentment_currency",
    "current_total_price",
    "current_total_price_set",
    "total_price",
    "total_price_set",
    "processed_at",
    "order",
];

/// An order, taken apart in one pass: bodies are long, and most of them is never read.
pub(super) type Parts<'a> = Members<'a, 23>;

/// Shopify's GraphQL id of an order.
pub(super) fn gid(id: &str) -> String {
    format!("gid://shopify/{ORDER}/{id}")
}

/// The numeric id in a GraphQL id of that kind. It is preferred to a numeric one beside it: a text survives the tools
/// that round numbers.
pub(super) fn id_of_gid(field: Field<'_>, kind: &str) -> Option<String> {
    let gid = field.text()?;
    let id = gid.trim().strip_prefix("gid://shopify/")?.strip_prefix(kind)?.strip_prefix('/')?;
    let id = id.split('?').next()?;
    let digits = id.trim_start_matches('0');
    let plain = id.bytes().all(|b| b.is_ascii_digit()) && digits.parse::<i64>().is_ok();
    plain.then(|| digits.to_owned())
}

/// Reads a whole order.
///
/// # Errors
/// When it has no usable id, is something else, or has too many lines.
pub(super) fn read(
    topic_rank: u8,
    root: Field<'_>,
    settings: &NormalizeSettings,
) -> Result<NormalizedOrder, NormalizeError> {
    let (order, id) = identify(root).ok_or(NormalizeError::NotAnOrder)?;
    let [number, updated_at, status, cancelled_at, reason, note, tags, items, refunded] = order.pick([
        "order_number",
        "updated_at",
        "financial_status",
        "cancelled_at",
        "cancel_reason",
        "note",
        "tags",
        "line_items",
        "refunds",
    ]);
    let (currency, total_amount) = money::of_order(&order);
    let refunds = refunds::of_order(refunded);
    let lines = lines::read(items, &currency, &refunds.gone)?;
    let attributes = lines::pairs(order.get("note_attributes"));
    let attribute = |name: &str| {
        attributes.iter().find(|(known, _)| same_name(known, name)).map(|(_, value)| value.as_str())
    };
    let tagged = read_tags(tags, settings);
    let primary = lines::primary(&lines);
    let variant = primary.and_then(|line| line.variant_title.as_deref());
    let properties = primary.map(|line| line.properties.as_slice()).unwrap_or_default();
    let due_date = attribute(&settings.due_date_attribute).and_then(due_date::of_attribute).or(tagged.date);
    let mut read = NormalizedOrder {
        gid: gid(&id),
        shopify_id: id,
        snapshot: true,
        order_number: number.and_then(order_number),
        updated_at: updated_at.and_then(instant),
        topic_rank,
        customer_name: customer_name(&order),
        product_title: primary.and_then(|line| line.title.clone()),
        flavour: product::flavour(properties, variant, settings),
        size: product::size(properties, variant, settings),
        notes: notes(note, attribute(&settings.instructions_attribute)),
        due_date: due_date.map(|date| date.to_string()),
        delivery_method: attribute(&settings.delivery_method_attribute)
            .map(|method| method_of(method, settings))
            .or(tagged.method),
        currency: currency.code,
        total_amount,
        payment_status: status.and_then(word).map(|status| status.to_lowercase()),
        cancelled_at: cancelled_at.and_then(instant),
        cancel_reason: reason.and_then(word),
        customer_id: order.get("customer").and_then(customer_id),
        missing_fields: Vec::new(),
        refunds: refunds.ids,
        lines: lines.into_iter().map(|line| line.line).collect(),
    };
    read.missing_fields = missing(&read, settings);
    Ok(read)
}

/// The object that is the order, wrapped in `order` or not, and its id.
fn identify(root: Field<'_>) -> Option<(Parts<'_>, String)> {
    let of = |order: &Parts<'_>| {
        let [gid, id] = order.pick(["admin_graphql_api_id", "id"]);
        if let Some(gid) = gid.filter(|gid| gid.text().is_some_and(|text| !text.trim().is_empty())) {
            return id_of_gid(gid, ORDER);
        }
        let signs = order.pick(SIGNS_OF_AN_ORDER).iter().any(Option::is_some);
        id.and_then(Field::id).filter(|_| signs)
    };
    let root = root.members(READ);
    if let Some(id) = of(&root) {
        return Some((root, id));
    }
    let order = root.get("order")?.members(READ);
    let id = of(&order)?;
    Some((order, id))
}

/// The number as people see it. It becomes part of the id that a scanner types.
fn order_number(field: Field<'_>) -> Option<String> {
    if let Some(number) = field.id() {
        return Some(number);
    }
    let text = field.text()?;
    let number = text.trim().trim_start_matches('#');
    let fits = (1..=LONGEST_NUMBER).contains(&number.len())
        && number.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
        && number.bytes().next().is_some_and(|b| b.is_ascii_alphanumeric())
        && number.bytes().any(|b| b.is_ascii_digit() && b != b'0');
    fits.then(|| number.to_owned())
}

fn instant(field: Field<'_>) -> Option<String> {
    Timestamp::parse(&field.text()?).map(|at| at.to_string())
}

fn word(field: Field<'_>) -> Option<String> {
    text::line(&field.text()?, LONGEST_WORD)
}

fn customer_id(customer: Field<'_>) -> Option<String> {
    let [gid, id] = customer.pick(["admin_graphql_api_id", "id"]);
    gid.and_then(|gid| id_of_gid(gid, "Customer")).or_else(|| id.and_then(Field::id))
}

/// Shipping name, else customer, else billing name.
fn customer_name(order: &Parts<'_>) -> Option<String> {
    let [shipping, customer, billing] = order.pick(["shipping_address", "customer", "billing_address"]);
    [shipping, customer, billing].into_iter().flatten().find_map(name_of)
}

/// `name`, else first and last name, of an address or a customer.
fn name_of(person: Field<'_>) -> Option<String> {
    let [name, first, last] = person.pick(["name", "first_name", "last_name"]);
    let words =
        |field: Option<Field<'_>>| field.and_then(Field::text).and_then(|text| text::line(&text, text::LINE));
    words(name).or_else(|| {
        let parts: Vec<String> = [words(first), words(last)].into_iter().flatten().collect();
        text::line(&parts.join(" "), text::LINE)
    })
}

fn notes(note: Option<Field<'_>>, instructions: Option<&str>) -> Option<String> {
    let note = note.and_then(Field::text).and_then(|note| text::block(&note, text::BLOCK));
    let instructions = instructions.and_then(|instructions| text::block(instructions, text::BLOCK));
    match (note, instructions) {
        (Some(note), Some(instructions)) if note != instructions => {
            Some([note, instructions].join(SEPARATOR))
        }
        (note, instructions) => note.or(instructions),
    }
}

fn method_of(method: &str, settings: &NormalizeSettings) -> &'static str {
    let method = method.to_lowercase();
    let pickup =
        settings.pickup_words.iter().any(|word| !word.is_empty() && method.contains(&word.to_lowercase()));
    if pickup { "pickup" } else { "delivery" }
}

#[derive(Default)]
struct Tagged {
    date: Option<Date>,
    method: Option<&'static str>,
}

/// The first `DEL:` or `PICKUP:` tag decides the method, the first of them with a date the date. Tags come as one
/// comma-separated text or as a list.
fn read_tags(tags: Option<Field<'_>>, settings: &NormalizeSettings) -> Tagged {
    let mut found = Tagged::default();
    let Some(tags) = tags else { return found };
    let mut see = |text: String| {
        for tag in text.split(',') {
            let prefixes = [(&settings.delivery_tag, "delivery"), (&settings.pickup_tag, "pickup")];
            for (prefix, method) in prefixes {
                if let Some(date) = after_prefix(tag, prefix) {
                    found.method = found.method.or(Some(method));
                    found.date = found.date.or_else(|| due_date::parse(date));
                }
            }
        }
    };
    tags.text().map(&mut see);
    tags.elements(&mut |tag| {
        tag.text().map(&mut see);
        true
    });
    found
}

fn after_prefix<'a>(tag: &'a str, prefix: &str) -> Option<&'a str> {
    let (tag, prefix) = (tag.trim(), prefix.trim());
    let head =
        tag.get(..prefix.len()).filter(|head| !prefix.is_empty() && head.eq_ignore_ascii_case(prefix))?;
    tag.get(head.len()..)
}

fn missing(order: &NormalizedOrder, settings: &NormalizeSettings) -> Vec<&'static str> {
    let wanted = [
        ("customer", order.customer_name.is_none()),
        ("product", order.product_title.is_none()),
        ("due_date", order.due_date.is_none()),
        ("flavour", order.flavour.is_none() && settings.kitchen),
    ];
    wanted.into_iter().filter(|(_, absent)| *absent).map(|(name, _)| name).collect()
}
