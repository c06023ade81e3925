//! What the state of an order must be, as a function of the set of its deliveries.
