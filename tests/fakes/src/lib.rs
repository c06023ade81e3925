//! Fakes of other systems.
