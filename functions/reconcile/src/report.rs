//! The figures of a run, as the function answers them. What became of what differs is in the database's report, later.

use serde::Serialize;
use serde_json::{Value, json};

/// How far one store came.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Figures {
    /// The store.
    pub store: String,
    /// Its report in the database.
    pub run_id: i64,
    /// Pages that were compared now.
    pub pages: u64,
    /// SKUs that were compared, by this run and those that it goes on with.
    pub compared: u64,
    /// SKUs that were taken in.
    pub imported: u64,
    /// Levels that differ and are looked at once more.
    pub suspected: u64,
    /// Whether every level was met.
    pub complete: bool,
    /// In a word, why it was left.
    pub stopped: Option<&'static str>,
    /// In a sentence.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// What came of a run.
#[derive(Debug, Default)]
pub struct Report {
    /// Its stores.
    pub stores: Vec<Figures>,
    /// Stores that another run was reading.
    pub busy: Vec<String>,
    /// How long it took.
    pub ms: u64,
}

impl Report {
    /// Stores that were left before their end.
    #[must_use]
    pub fn stopped(&self) -> usize {
        self.stores.iter().filter(|figures| figures.stopped.is_some()).count()
    }

    /// Whether there is work that nobody has been told of.
    #[must_use]
    pub fn has_found(&self) -> bool {
        self.stores.iter().any(|figures| figures.suspected + figures.imported > 0)
    }

    /// As the function answers it.
    #[must_use]
    pub fn to_json(&self) -> Value {
        json!({"stores": self.stores, "busy": self.busy, "stopped": self.stopped(), "ms": self.ms})
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_left_is_counted() {
        let stores = vec![
            Figures { store: "a".into(), complete: true, ..Figures::default() },
            Figures { store: "b".into(), stopped: Some("access"), suspected: 1, ..Figures::default() },
        ];
        let report = Report { stores, busy: vec!["c".into()], ms: 7 };
        assert!(report.has_found() && !Report::default().has_found());
        let report = report.to_json();
        assert_eq!((&report["stopped"], &report["busy"][0]), (&json!(1), &json!("c")));
        assert!(report["stores"][0].get("reason").is_none());
    }
}
