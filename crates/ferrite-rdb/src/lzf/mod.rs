//! LZF, the compression of long strings inside RDB files and `DUMP` payloads.
//!
//! A sequence of instructions, each beginning with a control byte:
//!
//! ```text
//! 000nnnnn  n+1 bytes                 literal run of 1 to 32 bytes
//! lllooooo  oooooooo                  copy l+2 bytes (l 1 to 6) from o+1 bytes back
//! 111ooooo  llllllll oooooooo         copy l+9 bytes from o+1 bytes back
//! ```
//!
//! A copy reaches at most 8,192 bytes back and may overlap what it writes.

mod compress;
mod decompress;

pub use compress::compress;
pub(crate) use decompress::expand;
pub use decompress::{MAX_RATIO, WINDOW, decompress};
