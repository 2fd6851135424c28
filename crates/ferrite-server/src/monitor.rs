//! MONITOR: clients that are shown every command as it is executed.
//!
//! ```text
//! 1700000000.123456 [<database> <address>|lua|unix:<path>] "set" "key" "value"
//! ```

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use parking_lot::Mutex;

use crate::clients::Client;
use crate::config::words::quote;
use crate::shared::Shared;
use crate::slow_log::is_secret;

/// Who is shown commands.
#[derive(Debug, Default)]
pub struct Monitors {
    list: Mutex<Vec<Arc<Client>>>,
    /// Whether there is anybody: looked at with every command.
    any: AtomicBool,
}

impl Monitors {
    /// Whether anybody is shown commands.
    pub fn any(&self) -> bool {
        self.any.load(Ordering::Relaxed)
    }

    /// A client is shown commands from now on.
    pub fn add(&self, client: &Arc<Client>) {
        let mut list = self.list.lock();
        if !list.iter().any(|other| other.id == client.id) {
            list.push(Arc::clone(client));
        }
        self.any.store(true, Ordering::Relaxed);
    }

    /// It is not any more.
    pub fn remove(&self, client: &Client) {
        let mut list = self.list.lock();
        list.retain(|other| other.id != client.id);
        self.any.store(!list.is_empty(), Ordering::Relaxed);
    }

    /// Shows everybody a command of the client `from`; `script` says that a script called it.
    pub fn show(&self, shared: &Shared, from: &Client, db: usize, script: bool, call: Call<'_>) {
        let bytes: Arc<[u8]> = line(from, db, script, call).into();
        for client in self.list.lock().iter() {
            shared.send(client, Arc::clone(&bytes));
        }
    }
}

/// A command that is shown.
#[derive(Debug, Clone, Copy)]
pub struct Call<'a> {
    /// Its full name, by which its secrets are known.
    pub name: &'a str,
    /// Its words.
    pub words: &'a [&'a [u8]],
}

fn line(from: &Client, db: usize, script: bool, call: Call<'_>) -> Vec<u8> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let source = match (script, from.local.starts_with('/')) {
        (true, _) => "lua".to_owned(),
        (false, true) => format!("unix:{}", from.local),
        (false, false) => from.peer.clone(),
    };
    let (seconds, micros) = (now.as_secs(), now.subsec_micros());
    let mut line = format!("+{seconds}.{micros:06} [{db} {source}]").into_bytes();
    for (at, word) in call.words.iter().enumerate() {
        line.push(b' ');
        let secret = is_secret(call.name, call.words, at);
        line.extend(quote(if secret { b"(redacted)" } else { word }));
    }
    line.extend_from_slice(b"\r\n");
    line
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clients::Address;

    #[test]
    fn a_line_says_who_called_what_and_no_secret() {
        let address = Address { thread: 0, seat: 0 };
        let of = |peer: &str, local: &str| Client::new(1, address, peer.into(), local.into(), 0);
        let words: [&[u8]; 2] = [b"AUTH", b"password"];
        let shown = |from: &Client, script| {
            let text = line(from, 3, script, Call { name: "auth", words: &words });
            String::from_utf8(text).unwrap()
        };
        let tcp = shown(&of("127.0.0.1:5", "127.0.0.1:6379"), false);
        assert!(tcp.ends_with(" [3 127.0.0.1:5] \"AUTH\" \"(redacted)\"\r\n"), "{tcp}");
        let unix = shown(&of("/s:0", "/s:0"), false);
        assert!(unix.contains(" [3 unix:/s:0] "), "{unix}");
        assert!(shown(&of("127.0.0.1:5", ""), true).contains(" [3 lua] "));
    }
}
