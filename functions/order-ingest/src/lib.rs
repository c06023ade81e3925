//! Edge function order-ingest.
