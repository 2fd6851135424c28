//! Channels: who listens, and how a message gets there.
//!
//! A message is written once for each protocol and sent to the threads of those who listen. The
//! one who publishes gets its own message behind the reply to its command, as on Redis 7.2.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use parking_lot::RwLock;

use crate::clients::{Caller, Client};
use crate::reply::Reply;
use crate::shared::Shared;

/// A kind of subscription.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// SUBSCRIBE.
    Channel,
    /// PSUBSCRIBE.
    Pattern,
    /// SSUBSCRIBE.
    Shard,
}

impl Scope {
    /// The word for subscribing, as messages carry it.
    pub fn subscribe(self) -> &'static str {
        match self {
            Self::Channel => "subscribe",
            Self::Pattern => "psubscribe",
            Self::Shard => "ssubscribe",
        }
    }

    /// The word for the end of it.
    pub fn unsubscribe(self) -> &'static str {
        match self {
            Self::Channel => "unsubscribe",
            Self::Pattern => "punsubscribe",
            Self::Shard => "sunsubscribe",
        }
    }

    /// Its place in [`Client::subscriptions`].
    pub fn index(self) -> usize {
        match self {
            Self::Channel => 0,
            Self::Pattern => 1,
            Self::Shard => 2,
        }
    }
}

type Listeners = HashMap<Vec<u8>, Vec<Arc<Client>>>;

/// Who listens to what.
#[derive(Debug, Default)]
pub struct PubSub {
    listeners: [RwLock<Listeners>; 3],
}

/// A message in both protocols, written when the first listener of a protocol is met.
struct Message<'a> {
    parts: &'a [&'a [u8]],
    written: [Option<Arc<[u8]>>; 2],
}

impl<'a> Message<'a> {
    fn new(parts: &'a [&'a [u8]]) -> Self {
        Self { parts, written: [None, None] }
    }

    fn bytes(&mut self, resp3: bool) -> Arc<[u8]> {
        let parts = self.parts;
        let written = self.written[usize::from(resp3)].get_or_insert_with(|| {
            let mut reply = Reply::new(resp3);
            reply.push(parts.len());
            parts.iter().for_each(|part| reply.bulk(part));
            reply.into_bytes().into()
        });
        Arc::clone(written)
    }
}

impl PubSub {
    fn of(&self, scope: Scope) -> &RwLock<Listeners> {
        &self.listeners[scope.index()]
    }

    /// The channels and patterns a client listens to, and which of them are patterns.
    pub fn listened_by(&self, client: &Client) -> Vec<(Vec<u8>, bool)> {
        let all = [Scope::Channel, Scope::Pattern, Scope::Shard].into_iter();
        let of = |scope: Scope| {
            let listeners = self.of(scope).read();
            let listened = listeners
                .iter()
                .filter(|(_, clients)| clients.iter().any(|other| other.id == client.id));
            listened.map(|(name, _)| (name.clone(), scope == Scope::Pattern)).collect::<Vec<_>>()
        };
        all.flat_map(of).collect()
    }

    /// A client listens from now on.
    pub fn subscribe(&self, scope: Scope, name: &[u8], client: &Arc<Client>) {
        let mut listeners = self.of(scope).write();
        listeners.entry(name.to_vec()).or_default().push(Arc::clone(client));
    }

    /// It does not any more.
    pub fn unsubscribe(&self, scope: Scope, name: &[u8], client: &Client) {
        let mut listeners = self.of(scope).write();
        if let Some(clients) = listeners.get_mut(name) {
            clients.retain(|other| other.id != client.id);
            if clients.is_empty() {
                listeners.remove(name);
            }
        }
    }

    /// Sends a message to everybody who listens to a channel, or to a pattern that fits it; how
    /// many that were.
    pub fn publish(
        &self,
        shared: &Shared,
        channel: &[u8],
        message: &[u8],
        caller: &mut Caller<'_>,
    ) -> usize {
        let mut received = 0;
        let listeners = self.of(Scope::Channel).read();
        if let Some(clients) = listeners.get(channel) {
            let parts: [&[u8]; 3] = [b"message", channel, message];
            let mut message = Message::new(&parts);
            received += deliver(shared, clients, &mut message, caller);
        }
        drop(listeners);
        let patterns = self.of(Scope::Pattern).read();
        for (pattern, clients) in patterns.iter() {
            if ferrite_commands::matches_glob(pattern, channel) {
                let parts: [&[u8]; 4] = [b"pmessage", pattern, channel, message];
                let mut message = Message::new(&parts);
                received += deliver(shared, clients, &mut message, caller);
            }
        }
        received
    }

    /// The same for a shard channel.
    pub fn publish_shard(
        &self,
        shared: &Shared,
        channel: &[u8],
        message: &[u8],
        caller: &mut Caller<'_>,
    ) -> usize {
        let listeners = self.of(Scope::Shard).read();
        let Some(clients) = listeners.get(channel) else { return 0 };
        let parts: [&[u8]; 3] = [b"smessage", channel, message];
        let mut message = Message::new(&parts);
        deliver(shared, clients, &mut message, caller)
    }

    /// The names somebody listens to, and how many do.
    pub fn names(&self, scope: Scope) -> Vec<(Vec<u8>, usize)> {
        let listeners = self.of(scope).read();
        listeners.iter().map(|(name, clients)| (name.clone(), clients.len())).collect()
    }

    /// How many listen to a name.
    pub fn count(&self, scope: Scope, name: &[u8]) -> usize {
        self.of(scope).read().get(name).map_or(0, Vec::len)
    }
}

fn deliver(
    shared: &Shared,
    clients: &[Arc<Client>],
    message: &mut Message<'_>,
    caller: &mut Caller<'_>,
) -> usize {
    for client in clients {
        caller.send(shared, client, message.bytes(client.resp3.load(Ordering::Relaxed)));
    }
    clients.len()
}
