//! Threads.

use super::super::setting::{Number, section};
use super::super::spec::{integer, yes_no};

section! {
    /// Threads.
    Threads "threads" {
        /// How many threads serve clients; 0 for as many as there are processors.
        io_threads: Number<usize> = integer("io-threads", "0", 0, 128).at_start();
        /// Whether they also read.
        io_threads_do_reads: Number<bool> = yes_no("io-threads-do-reads", "no").at_start()
            .stored("threads read, run and answer commands themselves");
    }
}
