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
    /// Streams and their groups.
    Streams,
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
    /// What a load contains unless told otherwise: all but the rare.
    pub(super) const USUAL: [Feature; 15] = [
        Feature::Strings,
        Feature::Lists,
        Feature::Sets,
        Feature::SortedSets,
        Feature::Hashes,
        Feature::Streams,
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
