//! Edge function stage-actions.
