//! Connections that are not accepted: too many, or from strangers to an open server.

use super::stream::Stream;
use crate::shared::Shared;

const TOO_MANY: &[u8] = b"-ERR max number of clients reached\r\n";

/// What a stranger is told. It begins as on Redis, because clients know these words.
const PROTECTED: &[u8] = b"-DENIED Redis is running in protected mode because protected mode is \
    enabled and no password is set for the default user. In this mode connections are only \
    accepted from the loopback interface. To connect from other machines, set a password \
    (requirepass, or ACL SETUSER default), or switch the mode off there: CONFIG SET \
    protected-mode no.\r\n";

/// Why a connection is refused, if it is.
pub fn refusal(shared: &Shared, stream: &Stream) -> Option<&'static [u8]> {
    if shared.clients.len() >= shared.config.clients.maxclients.get() {
        return Some(TOO_MANY);
    }
    let open = shared.acl.default_account().user().needs_no_password();
    let strangers = open && shared.config.network.protected_mode.get() && !stream.is_local();
    strangers.then_some(PROTECTED)
}
