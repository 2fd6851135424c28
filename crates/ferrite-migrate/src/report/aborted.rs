//! How a migration that was aborted has left the target.

use serde::{Deserialize, Serialize};

/// The end of a migration that was given up before its cutover.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Aborted {
    /// Whether the target was brought back to what it was; else it keeps what was copied.
    pub cleaned: bool,
    /// Whether the expiries of what it keeps are held.
    #[serde(default)]
    pub expiries_held: bool,
    /// Keys that were deleted: all of the target that take part, whoever wrote them.
    pub keys_removed: u64,
    /// Keys the target had before the migration, and has again.
    pub keys_restored: u64,
    /// Keys the target had before the migration which would have expired since.
    pub keys_expired: u64,
    /// Whether the function libraries were others, and are as they were before.
    pub functions_restored: bool,
    /// What the operator should know.
    pub warnings: Vec<String>,
}
