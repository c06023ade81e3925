//! Names of the attributes, properties and tags that an order is read from; each store may have its own.

use serde::Deserialize;

/// Per-store names. All are compared without regard to case and surrounding space.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct NormalizeSettings {
    /// Order attribute with the due date; what follows "between" in it is a time window.
    pub due_date_attribute: String,
    /// Order attribute that tells pickup from delivery.
    pub delivery_method_attribute: String,
    /// Order attribute with instructions for the notes.
    pub instructions_attribute: String,
    /// A delivery method that contains one of these is a pickup.
    pub pickup_words: Vec<String>,
    /// Tag prefix of a delivery date.
    pub delivery_tag: String,
    /// Tag prefix of a pickup date.
    pub pickup_tag: String,
    /// Line property that holds the size.
    pub size_property: String,
    /// Line properties whose name contains one of these hold flavours.
    pub flavour_properties: Vec<String>,
    /// Line properties whose name contains one of these never do; nor does any whose name starts with `_`.
    pub ignored_properties: Vec<String>,
    /// Whether the store has a kitchen, so that an order without flavour lacks something.
    pub kitchen: bool,
}

impl Default for NormalizeSettings {
    fn default() -> Self {
        let list = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Self {
            due_date_attribute: "Local Delivery Date and Time".into(),
            delivery_method_attribute: "Delivery Method".into(),
            instructions_attribute: "Delivery Instructions".into(),
            pickup_words: list(&["pickup", "pick up", "pick-up"]),
            delivery_tag: "DEL:".into(),
            pickup_tag: "PICKUP:".into(),
            size_property: "Size".into(),
            flavour_properties: list(&["gelato flavour", "flavour"]),
            ignored_properties: list(&["_origin", "_raw", "gwp", "_LocalDeliveryID"]),
            kitchen: true,
        }
    }
}

impl NormalizeSettings {
    /// Whether a line property holds flavours.
    pub(super) fn is_flavour(&self, property: &str) -> bool {
        let name = property.trim().to_lowercase();
        let contains = |part: &String| !part.is_empty() && name.contains(&part.to_lowercase());
        !name.starts_with('_')
            && !self.ignored_properties.iter().any(contains)
            && self.flavour_properties.iter().any(contains)
    }
}

/// Whether two names are the same to a human.
pub(super) fn same_name(a: &str, b: &str) -> bool {
    a.trim().to_lowercase() == b.trim().to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_flavour_properties_and_their_impostors() {
        let settings = NormalizeSettings::default();
        for name in ["Gelato Flavours", "gelato flavour 2", "Cake FLAVOUR", " Flavours "] {
            assert!(settings.is_flavour(name), "{name}");
        }
        for name in [
            "_flavour",
            "Flavour_origin",
            "flavour_RAW",
            "GWP flavour",
            "flavour_LocalDeliveryID",
            "Filling",
            "",
        ] {
            assert!(!settings.is_flavour(name), "{name}");
        }
    }

    #[test]
    fn a_store_overrides_only_what_it_names() {
        let settings: NormalizeSettings = serde_json::from_str(r#"{"size_property":"Tier"}"#).unwrap();
        assert_eq!(
            settings,
            NormalizeSettings { size_property: "Tier".into(), ..NormalizeSettings::default() }
        );
    }
}
