//! Clients and their buffers.

use super::super::setting::{Number, Structured, section};
use super::super::spec::{integer, memory, share, words};
use super::super::values::BufferLimits;

section! {
    /// Clients and their buffers.
    Clients "clients" {
        /// How many clients there may be at once.
        maxclients: Number<usize> = integer("maxclients", "10000", 1, u32::MAX as i64);
        /// How much may wait for a client that does not read, by class.
        client_output_buffer_limit: Structured<BufferLimits> = words(
            "client-output-buffer-limit",
            "normal 0 0 0 slave 268435456 67108864 60 pubsub 33554432 8388608 60",
        );
        /// How much a client may send before its command is complete.
        client_query_buffer_limit: Number<usize> =
            memory("client-query-buffer-limit", "1gb", 1 << 20, i64::MAX);
        /// How long one word of a command may be.
        proto_max_bulk_len: Number<usize> =
            memory("proto-max-bulk-len", "512mb", 1 << 20, i64::MAX);
        /// How much all clients may take together, in bytes or as a share of maxmemory.
        maxmemory_clients: Number<i64> = share("maxmemory-clients", "0");
        /// How many keys are remembered for clients that track them.
        tracking_table_max_keys: Number<usize> =
            integer("tracking-table-max-keys", "1000000", 0, i64::MAX);
    }
}
