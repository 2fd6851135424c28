//! When a value changes its encoding.

use super::super::setting::{Number, section};
use super::super::spec::{integer, memory};

section! {
    /// When a value changes its encoding.
    Encodings "encodings" {
        /// How many fields a hash may have that is kept as a listpack.
        hash_max_listpack_entries: Number<usize> =
            integer("hash-max-listpack-entries", "512", 0, i64::MAX)
            .alias("hash-max-ziplist-entries");
        /// How long its fields and values may be.
        hash_max_listpack_value: Number<usize> =
            memory("hash-max-listpack-value", "64", 0, i64::MAX).alias("hash-max-ziplist-value");
        /// How many elements, or by -1 to -5 how many bytes, a node of a list has.
        list_max_listpack_size: Number<i64> =
            integer("list-max-listpack-size", "-2", i32::MIN as i64, i32::MAX as i64)
            .alias("list-max-ziplist-size");
        /// How many nodes at each end of a list are not compressed; 0 for all.
        list_compress_depth: Number<u32> =
            integer("list-compress-depth", "0", 0, i32::MAX as i64);
        /// How many numbers a set may have that is kept as a sorted array.
        set_max_intset_entries: Number<usize> =
            integer("set-max-intset-entries", "512", 0, i64::MAX);
        /// How many members a set may have that is kept as a listpack.
        set_max_listpack_entries: Number<usize> =
            integer("set-max-listpack-entries", "128", 0, i64::MAX);
        /// How long its members may be.
        set_max_listpack_value: Number<usize> =
            memory("set-max-listpack-value", "64", 0, i64::MAX);
        /// How many members a sorted set may have that is kept as a listpack.
        zset_max_listpack_entries: Number<usize> =
            integer("zset-max-listpack-entries", "128", 0, i64::MAX)
            .alias("zset-max-ziplist-entries");
        /// How long its members may be.
        zset_max_listpack_value: Number<usize> =
            memory("zset-max-listpack-value", "64", 0, i64::MAX).alias("zset-max-ziplist-value");
        /// How long a sparse HyperLogLog may be.
        hll_sparse_max_bytes: Number<usize> = memory("hll-sparse-max-bytes", "3000", 0, i64::MAX);
        /// How many bytes a node of a stream has; 0 for no limit.
        stream_node_max_bytes: Number<usize> =
            memory("stream-node-max-bytes", "4096", 0, i64::MAX);
        /// How many entries a node of a stream has; 0 for no limit.
        stream_node_max_entries: Number<usize> =
            integer("stream-node-max-entries", "100", 0, i64::MAX);
    }
}
