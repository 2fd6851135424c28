//! Addresses, ports and sockets.

use super::super::setting::{Number, Structured, section};
use super::super::spec::{integer, octal, text, words, yes_no};
use super::super::values::{Bytes, List};

section! {
    /// Addresses, ports and sockets.
    Network "network" {
        /// Addresses to listen at; one with a minus before it may be missing. None at all: no TCP.
        bind: Structured<List> = words("bind", "127.0.0.1 -::1");
        /// The TCP port; 0 for none.
        port: Number<u16> = integer("port", "6379", 0, 65535);
        /// The path of the Unix socket to listen at; empty for none.
        unixsocket: Structured<Bytes> = text("unixsocket", "").at_start();
        /// The permissions of the Unix socket; 0 leaves them to the process's mask.
        unixsocketperm: Number<u32> = octal("unixsocketperm", "0").at_start();
        /// How many connections the kernel holds that were not accepted yet.
        tcp_backlog: Number<i32> = integer("tcp-backlog", "511", 0, i32::MAX as i64).at_start();
        /// Seconds between signs of life on idle connections; 0 for none.
        tcp_keepalive: Number<u32> = integer("tcp-keepalive", "300", 0, i32::MAX as i64);
        /// Seconds after which an idle client is disconnected; 0 for never.
        timeout: Number<u64> = integer("timeout", "0", 0, i32::MAX as i64);
        /// Whether strangers are refused while there is no password and no address was chosen.
        protected_mode: Number<bool> = yes_no("protected-mode", "yes");
        /// The address that connections to a primary come from.
        bind_source_addr: Structured<Bytes> = text("bind-source-addr", "")
            .only(&[""], "there are no connections of ours to bind");
        /// The mark of sockets for the firewall.
        socket_mark_id: Number<u32> = integer("socket-mark-id", "0", 0, u32::MAX as i64)
            .at_start().only(&["0"], "sockets are not marked");
        /// How many connections are accepted at once.
        max_new_connections_per_cycle: Number<u32> =
            integer("max-new-connections-per-cycle", "10", 1, 1000)
            .stored("one thread accepts, and the others serve meanwhile");
    }
}
