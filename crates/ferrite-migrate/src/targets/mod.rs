//! Where keys can go: one folder a target, one line each in this list.
//!
//! What a target owes the engine:
//! * a key it has acknowledged is there whole, with its expiry; a key it has not acknowledged is
//!   either there whole or not at all;
//! * it applies the conflict policy itself, at the moment of the write, not only before the run;
//! * a value it cannot hold is named in the tally with the reason, never dropped silently;
//! * any other failure ends the run with an error that names the address and the key.

pub mod redis;
pub mod redis_cluster;
