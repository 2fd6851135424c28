//! What threads tell each other: a letterbox for each, and a bell that wakes its owner.

use std::net::SocketAddr;
use std::sync::Arc;

use mio::Waker;
use parking_lot::Mutex;

use super::listen::Listener;
use super::stream::Stream;

/// Something for a connection of another thread, or for the thread itself.
#[derive(Debug)]
pub enum Mail {
    /// A connection that is its own from now on.
    Connection(Stream),
    /// Bytes for a client that did not ask for them.
    Output {
        /// The client's seat.
        seat: usize,
        /// The client.
        id: u64,
        /// What it is sent.
        bytes: Arc<[u8]>,
        /// Bytes that are not counted as used while they are on their way.
        uncounted: usize,
    },
    /// The reply to the command with which a client waited.
    Served {
        /// The client's seat.
        seat: usize,
        /// The client.
        id: u64,
        /// The reply.
        reply: Vec<u8>,
        /// Messages behind it, which are no reply.
        pushed: Vec<u8>,
    },
    /// A client is to wait no longer (`CLIENT UNBLOCK`).
    Unblock {
        /// The client's seat.
        seat: usize,
        /// The client.
        id: u64,
        /// Whether it is answered an error, or as if its time were over.
        error: bool,
    },
    /// A client's connection is to be closed.
    Kill {
        /// The client's seat.
        seat: usize,
        /// The client.
        id: u64,
    },
    /// Other places to listen at in place of the network addresses of before.
    Listen {
        /// The new ones.
        listeners: Vec<Listener>,
        /// Those of before that stay.
        kept: Vec<SocketAddr>,
    },
    /// A pause is over, or the server ends: look at everything again.
    Wake,
}

/// One thread's letterbox.
#[derive(Debug)]
pub struct Mailbox {
    letters: Mutex<Vec<Mail>>,
    bell: Waker,
}

impl Mailbox {
    /// A letterbox whose owner is woken by `bell`.
    pub fn new(bell: Waker) -> Self {
        Self { letters: Mutex::default(), bell }
    }

    /// Puts something in.
    pub fn put(&self, mail: Mail) {
        let mut letters = self.letters.lock();
        letters.push(mail);
        let is_first = letters.len() == 1;
        drop(letters);
        // A bell that cannot ring is a thread that is gone; its letters go with it.
        if is_first && let Err(error) = self.bell.wake() {
            tracing::warn!("waking a thread for a letter: {error}");
        }
    }

    /// Takes everything out.
    pub fn take(&self) -> Vec<Mail> {
        std::mem::take(&mut *self.letters.lock())
    }
}
