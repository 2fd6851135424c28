//! What a load may contain, to be left out or let in.

/// A group of commands of the load.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Feature {
    /// Strings, numbers, bitmaps.
    Strings,
    /// Lists.
    Lists,
    /// Sets.
    Sets,
    /// Sorted sets and places.
    SortedSets,
    /// Hashes.
    Hashes,
    /// Streams, and groups that are made together with their consumers, in a transaction.
    Streams,
    /// XREADGROUP without NOACK, and XACK. Redis 7.0 does not replicate what these do to the
    /// entries-read of a group.
    GroupReads,
    /// XCLAIM and XAUTOCLAIM. Redis 7.0 and later drop claimed entries that were deleted, also
    /// when they replicate from Redis 6.2, which keeps them.
    Claims,
    /// HyperLogLog.
    HyperLogLogs,
    /// Keys that expire; many live for 50 to 3,000 ms, some are renewed shortly before their end.
    Expiry,
    /// Fields of hashes that expire, where the server has them.
    FieldExpiry,
    /// RENAME, COPY, DEL and other commands on keys of any type.
    Keys,
    /// MOVE and COPY into another database; only with at least two of them.
    Databases,
    /// RESTORE of what DUMP gave before.
    Restore,
    /// EVAL with several effects, some of which fail half-way.
    Scripts,
    /// MULTI … EXEC over several keys.
    Transactions,
    /// PUBLISH.
    Publish,
    /// On demand: groups without consumers, and consumers deleted, so that reading and claiming make
    /// them. Redis 8.0 and Valkey do not replicate a consumer that was made while there was nothing
    /// to read or claim, so that no replica is equal.
    UntoldConsumers,
    /// Rare: FUNCTION LOAD, FUNCTION DELETE and FCALL, where the server has them.
    Functions,
    /// Rare: FLUSHDB of a database other than the first; needs at least two databases.
    FlushDb,
    /// Rare: SWAPDB of two databases other than the first; needs at least three databases.
    SwapDb,
    /// Rare: FLUSHALL. It takes the counters with it, so that they only have an upper bound.
    FlushAll,
}

impl Feature {
    /// What a load contains unless told otherwise: all but the rare and what is on demand.
    pub(super) const USUAL: [Feature; 17] = [
        Feature::Strings,
        Feature::Lists,
        Feature::Sets,
        Feature::SortedSets,
        Feature::Hashes,
        Feature::Streams,
        Feature::GroupReads,
        Feature::Claims,
        Feature::HyperLogLogs,
        Feature::Expiry,
        Feature::FieldExpiry,
        Feature::Keys,
        Feature::Databases,
        Feature::Restore,
        Feature::Scripts,
        Feature::Transactions,
        Feature::Publish,
    ];

    /// Databases the load must have to contain this.
    pub(super) const fn databases(self) -> usize {
        match self {
            Feature::SwapDb => 3,
            Feature::FlushDb | Feature::Databases => 2,
            _ => 1,
        }
    }
}
