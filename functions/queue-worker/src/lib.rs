//! Edge function queue-worker.
