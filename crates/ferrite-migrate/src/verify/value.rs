//! Fingerprints of values.

use ferrite_rdb::digest::{Digest, DigestOptions, StreamDetail, digest};
use ferrite_rdb::{Error, Format, dump};

use crate::engine::now_ms;

/// What counts as equal between these two formats, at this moment.
#[must_use]
pub fn options(source: Format, target: Format) -> DigestOptions {
    /// The RDB version that brought the stream counters (Redis 7.0).
    const COUNTERS_SINCE: u32 = 10;
    let both = source.version.min(target.version) >= COUNTERS_SINCE;
    let stream_detail = if both { StreamDetail::Counters } else { StreamDetail::Entries };
    DigestOptions { now_ms: now_ms(), stream_detail }
}

/// The fingerprint of a stored value, at the least detail.
///
/// # Errors
/// A value that cannot be understood.
pub fn digest_value(format: Format, type_byte: u8, value: &[u8]) -> Result<Digest, Error> {
    let options = DigestOptions { now_ms: now_ms(), stream_detail: StreamDetail::Entries };
    digest(format, type_byte, value, &options)
}

/// The fingerprint of a `DUMP` payload, at the least detail.
///
/// # Errors
/// A value that cannot be understood.
pub fn digest_payload(format: Format, payload: &[u8]) -> Result<Digest, Error> {
    let payload = dump::split(payload)?;
    digest_value(format, payload.type_byte, payload.body)
}
