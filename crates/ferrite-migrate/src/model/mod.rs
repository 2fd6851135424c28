//! What travels from a source to a target.

mod batch;
mod elements;

pub use batch::{Batch, BatchBuilder, LargeRecord, Record, RecordHead};
pub use elements::{Element, Elements, ElementsSink};
