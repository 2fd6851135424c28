//! How the process presents itself to the system.

use super::super::setting::{Number, Structured, section};
use super::super::spec::{choice, text, words, yes_no};
use super::super::values::{Bytes, OomScores};

const CPUS: &str = "threads are not bound to processors";
const SYSLOG: &str = "syslog-enabled is refused";

/// Who supervises the process.
const SUPERVISORS: &[(&str, i64)] = &[("no", 0), ("upstart", 1), ("systemd", 2), ("auto", 3)];

/// How scores of the out-of-memory killer are set.
const OOM: &[(&str, i64)] = &[("no", 0), ("yes", 1), ("relative", 1), ("absolute", 2)];

/// Facilities of syslog.
const FACILITIES: &[(&str, i64)] = &[
    ("user", 1),
    ("local0", 16),
    ("local1", 17),
    ("local2", 18),
    ("local3", 19),
    ("local4", 20),
    ("local5", 21),
    ("local6", 22),
    ("local7", 23),
];

section! {
    /// How the process presents itself to the system.
    Process "process" {
        /// Whether the process goes to the background.
        daemonize: Number<bool> = yes_no("daemonize", "no").at_start();
        /// Who supervises the process.
        supervised: Number<i64> = choice("supervised", "no", SUPERVISORS).at_start()
            .only(&["no", "auto"], "no supervisor is notified");
        /// Whether it logs to syslog.
        syslog_enabled: Number<bool> =
            yes_no("syslog-enabled", "no").at_start().only(&["no"], "logs do not go to syslog");
        /// Under which name.
        syslog_ident: Structured<Bytes> =
            text("syslog-ident", "redis").at_start().stored(SYSLOG);
        /// To which facility.
        syslog_facility: Number<i64> =
            choice("syslog-facility", "local0", FACILITIES).at_start().stored(SYSLOG);
        /// Whether the title of the process says where it listens.
        set_proc_title: Number<bool> = yes_no("set-proc-title", "yes").at_start()
            .stored("the process keeps its title");
        /// What it says.
        proc_title_template: Structured<Bytes> =
            text("proc-title-template", "{title} {listen-addr} {server-mode}")
            .stored("the process keeps its title");
        /// Whether the score of the out-of-memory killer is set.
        oom_score_adj: Number<i64> = choice("oom-score-adj", "no", OOM);
        /// To which values: primary, replica, background process. There are only primaries.
        oom_score_adj_values: Structured<OomScores> = words("oom-score-adj-values", "0 200 800");
        /// Whether transparent huge pages are turned off.
        disable_thp: Number<bool> = yes_no("disable-thp", "yes").at_start()
            .stored("nothing is forked, so huge pages do no harm; they are used from 32 MiB on");
        /// Processors for the server.
        server_cpulist: Structured<Bytes> =
            text("server_cpulist", "").at_start().only(&[""], CPUS);
        /// Processors for work in the background.
        bio_cpulist: Structured<Bytes> =
            text("bio_cpulist", "").at_start().only(&[""], CPUS);
        /// Processors for rewriting the append-only file.
        aof_rewrite_cpulist: Structured<Bytes> =
            text("aof_rewrite_cpulist", "").at_start()
            .only(&[""], CPUS);
        /// Processors for snapshots.
        bgsave_cpulist: Structured<Bytes> =
            text("bgsave_cpulist", "").at_start().only(&[""], CPUS);
    }
}
