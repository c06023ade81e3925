//! Pure decisions of Ordak.
