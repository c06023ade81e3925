//! What every edge function shares.
