//! What the target can do that decides how an expiry is written to it.

use ferrite_rdb::transcode::{Target, Transcoder};
use ferrite_rdb::{Dialect, Format};

/// The target's abilities, and how payloads get from the source to it.
#[derive(Debug, Clone)]
pub struct Abilities {
    /// `SET … PXAT` (Redis 6.2).
    pub set_pxat: bool,
    /// `SET … KEEPTTL` (Redis 6.0).
    pub set_keepttl: bool,
    /// `RESTORE … ABSTTL`, `IDLETIME`, `FREQ` (Redis 5.0).
    pub restore_absttl: bool,
    /// `HPEXPIREAT` (Redis 7.4, Valkey 9.0).
    pub field_expiry: bool,
    /// `HSETEX` (Redis 8.0, Valkey 9.0).
    pub hsetex: bool,
    /// `PEXPIREMEMBERAT` (KeyDB).
    pub member_expiry: bool,
    /// Whether members of a KeyDB that expire are taken for fields of hashes, which the target can
    /// have expire; those of sets it will refuse.
    pub members_as_fields: bool,
    /// The format of the source's `DUMP` payloads.
    pub source: Format,
    /// Turns the source's payloads into the target's.
    pub payloads: Transcoder,
}

impl Abilities {
    /// For a source that writes payloads in `source`, and a target that holds the values of
    /// `target` and has the commands of this Redis version (major, minor).
    #[must_use]
    pub fn new(source: Format, target: &Target, redis_version: (u32, u32)) -> Self {
        let dialect = target.format.dialect;
        let field_expiry = target.has_field_expiry();
        Self {
            set_pxat: redis_version >= (6, 2),
            set_keepttl: redis_version >= (6, 0),
            restore_absttl: redis_version >= (5, 0),
            field_expiry,
            hsetex: field_expiry && (dialect == Dialect::Valkey || redis_version >= (8, 0)),
            member_expiry: dialect == Dialect::KeyDb,
            members_as_fields: field_expiry && source.dialect == Dialect::KeyDb,
            source,
            payloads: Transcoder::new(source, target),
        }
    }
}
