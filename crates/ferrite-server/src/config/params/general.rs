//! Databases, logs, files of the process.

use super::super::scalar::choices;
use super::super::setting::{Number, Structured, section};
use super::super::spec::{choice, integer, text, yes_no};
use super::super::values::{Bytes, Folder};

choices! {
    /// How much is logged.
    LogLevel {
        /// Everything.
        Debug "debug",
        /// Much.
        Verbose "verbose",
        /// What an operator wants to know.
        Notice "notice",
        /// What an operator must know.
        Warning "warning",
        /// Nothing.
        Nothing "nothing",
    }
}

section! {
    /// Databases, logs, files of the process.
    General "server" {
        /// How many databases there are.
        databases: Number<usize> = integer("databases", "16", 1, 16_384).at_start();
        /// The folder that files are in.
        dir: Structured<Folder> = text("dir", ".").protected();
        /// The file that is logged to; empty for standard output.
        logfile: Structured<Bytes> = text("logfile", "").at_start();
        /// How much is logged.
        loglevel: Number<LogLevel> = choice("loglevel", "notice", LogLevel::WORDS);
        /// The file with the number of the process; empty for none.
        pidfile: Structured<Bytes> = text("pidfile", "").at_start();
        /// How often a second things in the background have their turn.
        hz: Number<u32> = integer("hz", "10", 0, i32::MAX as i64);
        /// Whether hz grows with the number of clients.
        dynamic_hz: Number<bool> =
            yes_no("dynamic-hz", "yes").stored("each thread looks after its own clients");
        /// Whether the logo is shown.
        always_show_logo: Number<bool> =
            yes_no("always-show-logo", "no").at_start();
        /// Whether a crash leaves a report in the log.
        crash_log_enabled: Number<bool> =
            yes_no("crash-log-enabled", "yes").stored("a crash always leaves a report");
        /// Whether the process exits where it would crash, for tests.
        use_exit_on_panic: Number<bool> = yes_no("use-exit-on-panic", "no").hidden()
            .stored("a crash is a crash");
        /// How often the server looks whether a command takes too long, in milliseconds.
        watchdog_period: Number<u64> = integer("watchdog-period", "0", 0, i32::MAX as i64).hidden()
            .only(&["0"], "there is no watchdog; the slow log says what took long");
        /// Whether a crash tests the memory.
        crash_memcheck_enabled: Number<bool> =
            yes_no("crash-memcheck-enabled", "yes").stored("a crash does not test the memory");
        /// Warnings that are not given at the start.
        ignore_warnings: Structured<Bytes> =
            text("ignore-warnings", "").stored("no warning stops the start");
        /// The order of texts in SORT ALPHA.
        locale_collate: Structured<Bytes> = text("locale-collate", "")
            .only(&["", "C", "POSIX"], "texts are compared byte by byte");
        /// Whether what users store is kept out of the log.
        hide_user_data_from_log: Number<bool> = yes_no("hide-user-data-from-log", "no")
            .stored("names and values of keys are never logged");
    }
}
