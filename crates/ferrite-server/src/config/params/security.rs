//! Passwords, users, protected commands.

use super::super::scalar::choices;
use super::super::setting::{Number, Structured, section};
use super::super::spec::{choice, integer, text};
use super::super::values::Bytes;

choices! {
    /// Who may do what is protected.
    Protection {
        /// Nobody.
        No "no",
        /// Everybody.
        Yes "yes",
        /// Connections from this machine.
        Local "local",
    }
}

choices! {
    /// The channels of a new user.
    PubSubDefault {
        /// All of them.
        AllChannels "allchannels",
        /// None.
        ResetChannels "resetchannels",
    }
}

section! {
    /// Passwords, users, protected commands.
    Security "security" {
        /// The password of the user `default`; empty for none.
        requirepass: Structured<Bytes> = text("requirepass", "");
        /// The file of users; empty for none.
        aclfile: Structured<Bytes> = text("aclfile", "").at_start();
        /// How many refusals ACL LOG remembers.
        acllog_max_len: Number<usize> = integer("acllog-max-len", "128", 0, i32::MAX as i64);
        /// The channels of a new user.
        acl_pubsub_default: Number<PubSubDefault> =
            choice("acl-pubsub-default", "resetchannels", PubSubDefault::WORDS);
        /// Who may change protected parameters.
        enable_protected_configs: Number<Protection> =
            choice("enable-protected-configs", "no", Protection::WORDS).at_start();
        /// Who may use DEBUG.
        enable_debug_command: Number<Protection> =
            choice("enable-debug-command", "no", Protection::WORDS).at_start();
        /// Who may use MODULE.
        enable_module_command: Number<Protection> =
            choice("enable-module-command", "no", Protection::WORDS).at_start()
            .stored("there are no modules");
    }
}
