//! What all our commands say and how they look on a terminal: numbers with units, colors,
//! progress, errors, signals.

pub mod clean;
pub mod color;
pub mod error;
pub mod meter;
pub mod progress;
pub mod screen;
pub mod signals;
pub mod units;
