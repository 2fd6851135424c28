//! Values of parameters that have a form of their own.

mod buffer_limits;
mod events;
mod plain;
mod save;
mod small;

pub use buffer_limits::{BufferLimit, BufferLimits};
pub use events::EventClasses;
pub use plain::{Bytes, FileName, Folder, List};
pub use save::{SavePoint, SavePoints};
pub use small::{OomScores, Percentiles, ReplicaOf};
