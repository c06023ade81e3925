//! Flavour and size of the primary line.
//!
//! A variant title is Shopify's `Large / Vanilla`: options joined by ` / `. A token *looks like a size* when all its
//! words are numbers (`8`, `10x20`), numbers with a unit (`20cm`, `6"`, `1.5 kg`), size words (`S`, `XL`, `Large`,
//! `mini`), counting words (`serves`, `inch`, `tier`, `pack`) or fillers (`of`, `round`), and at least one of them is a
//! number or a size word. So `Serves 10-12`, `Large (8")` and `Box of 12` are sizes; `Large Chocolate` and `Box` are not.

use super::settings::{NormalizeSettings, same_name};
use super::text;

/// Longest size, in characters.
const LONGEST_SIZE: usize = 100;
/// What Shopify calls the only variant of a product without options.
const NO_VARIANT: &str = "Default Title";
/// The one size without a word or number of its own.
const ONE_SIZE: &str = "one size";

const SIZES: [&str; 38] = [
    "xxs",
    "xs",
    "s",
    "m",
    "l",
    "xl",
    "xxl",
    "xxxl",
    "2xl",
    "3xl",
    "4xl",
    "mini",
    "tiny",
    "petite",
    "small",
    "sml",
    "medium",
    "med",
    "regular",
    "standard",
    "large",
    "lge",
    "big",
    "jumbo",
    "giant",
    "mega",
    "single",
    "double",
    "triple",
    "half",
    "quarter",
    "full",
    "whole",
    "individual",
    "family",
    "party",
    "short",
    "tall",
];
const UNITS: [&str; 60] = [
    "inch", "inches", "in", "\"", "''", "cm", "mm", "m", "metre", "metres", "meter", "meters", "ft", "foot",
    "feet", "kg", "kgs", "g", "gm", "gms", "gram", "grams", "mg", "ml", "l", "lt", "ltr", "litre", "litres",
    "liter", "liters", "oz", "lb", "lbs", "serve", "serves", "serving", "servings", "people", "person",
    "persons", "ppl", "pax", "guests", "slice", "slices", "tier", "tiers", "layer", "layers", "pack",
    "packs", "pk", "pc", "pcs", "piece", "pieces", "box", "dozen", "doz",
];
const FILLERS: [&str; 22] = [
    "of",
    "to",
    "and",
    "or",
    "for",
    "x",
    "by",
    "approx",
    "about",
    "up",
    "size",
    "extra",
    "one",
    "round",
    "square",
    "rectangle",
    "slab",
    "sheet",
    "diameter",
    "dia",
    "feeds",
    "each",
];

/// Flavours: of the line's properties, else the first token of the variant title that is not a size.
pub(super) fn flavour(
    properties: &[(String, String)],
    variant: Option<&str>,
    settings: &NormalizeSettings,
) -> Option<String> {
    let named: Vec<&str> = properties
        .iter()
        .filter(|(name, _)| settings.is_flavour(name))
        .flat_map(|(_, value)| value.split(['\n', ',', '/']))
        .map(str::trim)
        .filter(|flavour| !flavour.is_empty())
        .collect();
    if !named.is_empty() {
        return text::line(&named.join(", "), text::LINE);
    }
    tokens(variant?).into_iter().find(|token| !looks_like_a_size(token)).map(str::to_owned)
}

/// Size: the token of the variant title that looks like one, else the property.
pub(super) fn size(
    properties: &[(String, String)],
    variant: Option<&str>,
    settings: &NormalizeSettings,
) -> Option<String> {
    let token = variant.map(tokens).unwrap_or_default().into_iter().find(|token| looks_like_a_size(token));
    let property = || {
        let named = properties.iter().find(|(name, _)| same_name(name, &settings.size_property));
        named.map(|(_, value)| value.as_str())
    };
    text::line(token.or_else(property)?, LONGEST_SIZE)
}

fn tokens(variant: &str) -> Vec<&str> {
    if variant == NO_VARIANT {
        return Vec::new();
    }
    let separator = if variant.contains(" / ") { " / " } else { "/" };
    // A title that is a size as a whole ("6/8 serves") is one token.
    let whole = separator == "/" && looks_like_a_size(variant);
    let parts: Vec<&str> = if whole { vec![variant] } else { variant.split(separator).collect() };
    parts
        .into_iter()
        .flat_map(|part| part.split('|'))
        .map(|token| token.trim_matches(|c: char| c.is_whitespace() || c == '/'))
        .filter(|token| !token.is_empty())
        .collect()
}

/// See the module's description.
pub(super) fn looks_like_a_size(token: &str) -> bool {
    let token = token.to_lowercase().replace(['”', '“', '″'], "\"").replace('×', "x");
    if token == ONE_SIZE {
        return true;
    }
    let mut sizes = 0;
    for word in
        token.split(|c: char| c.is_whitespace() || matches!(c, '(' | ')' | '-' | '–' | ',' | '+' | ':' | '/'))
    {
        let word = word.trim_start_matches(['#', '~']).trim_end_matches('.');
        let unit = word.trim_start_matches(is_digit).trim_start_matches('.');
        let number = word.len() > unit.len() && word.contains(|c: char| c.is_ascii_digit() || is_fraction(c));
        if SIZES.contains(&word) || (number && (unit.is_empty() || UNITS.contains(&unit))) || word == "dozen"
        {
            sizes += 1;
        } else if !(word.is_empty() || UNITS.contains(&word) || FILLERS.contains(&word)) {
            return false;
        }
    }
    sizes > 0
}

/// Digits, decimal points and the `x` of dimensions.
fn is_digit(c: char) -> bool {
    c.is_ascii_digit() || c == '.' || c == 'x' || is_fraction(c)
}

fn is_fraction(c: char) -> bool {
    matches!(c, '½' | '¼' | '¾' | '⅓' | '⅔')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(variant: &str) -> (Option<String>, Option<String>) {
        let settings = NormalizeSettings::default();
        (flavour(&[], Some(variant), &settings), size(&[], Some(variant), &settings))
    }

    fn properties(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn knows_sizes() {
        for token in [
            "S",
            "m",
            "XL",
            "2XL",
            "Small",
            "MEDIUM",
            "Extra Large",
            "x-large",
            "Large (8\")",
            "Mini",
            "One Size",
            "8",
            "6\"",
            "6 inch",
            "6-inch",
            "8 Inches",
            "20cm",
            "20 cm",
            "10” round",
            "1kg",
            "1.5 KG",
            "500ml",
            "Serves 10",
            "10-12 serves",
            "Serves 10 - 12 people",
            "Feeds 20",
            "6/8 serves",
            "3 tier",
            "Box of 12",
            "6 Pack",
            "Half Dozen",
            "10x20 cm",
            "10 x 20",
            "2400X1000X10Mm",
            "#6",
            "½ slab",
            "Regular",
            "Small - 6 inch",
            "12 pcs",
            "5 lbs.",
        ] {
            assert!(looks_like_a_size(token), "{token}");
        }
    }

    #[test]
    fn knows_what_is_no_size() {
        for token in [
            "",
            " ",
            "Vanilla",
            "Fine",
            "Bordeaux",
            "Large Chocolate",
            "Box",
            "Serves",
            "Round",
            "of",
            "Milk",
            "Lemon",
            "Number 5",
            "3 Milk",
            "Inch",
            "$10",
            "Ü",
            "測試",
            "-",
            "x",
            "Extra",
            "Salted Caramel 70%",
        ] {
            assert!(!looks_like_a_size(token), "{token}");
        }
    }

    #[test]
    fn takes_a_variant_title_apart() {
        let cases: [(&str, Option<&str>, Option<&str>); 12] = [
            ("Large / Vanilla", Some("Vanilla"), Some("Large")),
            ("Vanilla / 8 inch", Some("Vanilla"), Some("8 inch")),
            ("Vanilla / Chocolate / 20cm", Some("Vanilla"), Some("20cm")),
            ("Fine / Bordeaux", Some("Fine"), None),
            ("Small", None, Some("Small")),
            ("Pistachio", Some("Pistachio"), None),
            ("Large/Mango", Some("Mango"), Some("Large")),
            ("6/8 serves", None, Some("6/8 serves")),
            ("Small | Lemon", Some("Lemon"), Some("Small")),
            ("Default Title", None, None),
            (" / / ", None, None),
            ("Choc/Mint / Large", Some("Choc/Mint"), Some("Large")),
        ];
        for (variant, flavour, size) in cases {
            assert_eq!(of(variant), (flavour.map(str::to_owned), size.map(str::to_owned)), "{variant}");
        }
    }

    #[test]
    fn properties_name_the_flavour_first() {
        let settings = NormalizeSettings::default();
        let cases: [(&[(&str, &str)], &str); 5] = [
            (&[("Gelato Flavours", "Vanilla / Pistachio"), ("_LocalDeliveryID", "x")], "Vanilla, Pistachio"),
            (&[("gelato FLAVOURS", "Vanilla\nMango,  Lemon//")], "Vanilla, Mango, Lemon"),
            (&[("Flavour 1", "A"), ("Colour", "red"), ("Flavour 2", "B, A")], "A, B, A"),
            (&[("_flavour", "x"), ("Flavour_raw", "y"), ("GWP Flavour", "z")], "Rose"),
            (&[("Flavour", " , / \n")], "Rose"),
        ];
        for (pairs, expected) in cases {
            assert_eq!(
                flavour(&properties(pairs), Some("Large / Rose"), &settings).as_deref(),
                Some(expected)
            );
        }
        assert_eq!(flavour(&[], None, &settings), None);
    }

    #[test]
    fn the_variant_names_the_size_first() {
        let settings = NormalizeSettings::default();
        let sized = properties(&[("Colour", "red"), (" size ", "Serves 20")]);
        assert_eq!(size(&sized, Some("Large / Rose"), &settings).as_deref(), Some("Large"));
        assert_eq!(size(&sized, Some("Rose"), &settings).as_deref(), Some("Serves 20"));
        assert_eq!(size(&sized, None, &settings).as_deref(), Some("Serves 20"));
        assert_eq!(size(&[], None, &settings), None);
    }
}
