//! What a path below `stage-actions` stands for: an action to post or a read to get.
//!
//! Knows names and methods; parameters are the table's business.

use ordak_core::action::{self, Action};

/// An entry of the table, with what is done with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// Changes something: `POST` with a JSON body.
    Action(&'static Action),
    /// Changes nothing: `GET` with a query.
    Read(&'static Action),
}

impl Target {
    /// Looks the rest of a path up. The two tables share no name.
    #[must_use]
    pub fn find(rest: &str) -> Option<Self> {
        action::find(rest).map(Self::Action).or_else(|| action::find_read(rest).map(Self::Read))
    }

    /// The table's entry.
    #[must_use]
    pub fn action(self) -> &'static Action {
        match self {
            Self::Action(action) | Self::Read(action) => action,
        }
    }

    /// The only method that is possible.
    #[must_use]
    pub fn method(self) -> &'static str {
        match self {
            Self::Action(_) => "POST",
            Self::Read(_) => "GET",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn actions_are_posted_and_reads_are_got() {
        assert_eq!(Target::find("scan").unwrap().method(), "POST");
        assert_eq!(Target::find("queue").unwrap().method(), "GET");
        assert_eq!(Target::find("unassigned/list").unwrap().action().rpc, "get_unassigned_list");
        for rest in ["", "Scan", "scan/x", "delete_order", "get_queue", "p_scan"] {
            assert_eq!(Target::find(rest), None, "{rest}");
        }
    }

    #[test]
    fn no_name_is_both() {
        for action in action::ACTIONS {
            assert!(action::find_read(action.name).is_none(), "{}", action.name);
        }
    }
}
