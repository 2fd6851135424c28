//! How much memory all clients may take together (`maxmemory-clients`).

use std::sync::atomic::Ordering;

use crate::clients::{Client, Mark};
use crate::ctx::{Counts, count};
use crate::rates::Totals;
use crate::shared::Shared;

impl Shared {
    /// Bytes that all clients may take together; 0 for no limit.
    fn client_memory_limit(&self) -> usize {
        let limit = self.config.clients.maxmemory_clients.get();
        let bytes = match limit {
            // A share of maxmemory in percent.
            ..0 => {
                let maxmemory = u128::from(self.config.memory.maxmemory.get());
                maxmemory * u128::from(limit.unsigned_abs()) / 100
            }
            bytes => u128::from(bytes.unsigned_abs()),
        };
        usize::try_from(bytes).unwrap_or(usize::MAX)
    }

    /// Notes what a client takes now, and disconnects those that take most where all together
    /// take too much; whether the client itself is to go.
    pub fn evict_clients(&self, client: &Client, counts: &Counts) -> bool {
        let limit = self.client_memory_limit();
        if limit == 0 || !self.clients.account(client, limit) {
            return client.has(Mark::Evicted);
        }
        self.evict_down_to(limit, client, counts);
        client.has(Mark::Evicted)
    }

    /// The limit has changed, by a command of this client: all are looked at.
    pub fn evict_clients_now(&self, client: &Client, counts: &Counts) {
        let limit = self.client_memory_limit();
        if limit > 0 {
            self.evict_down_to(limit, client, counts);
        }
    }

    fn evict_down_to(&self, limit: usize, caller: &Client, counts: &Counts) {
        for evicted in self.clients.evict(limit) {
            tracing::info!("Evicting client: {}", evicted.line(crate::shared::unix_ms()));
            count(&counts.evicted_clients, 1);
            if evicted.id != caller.id {
                self.disconnect(&evicted);
            }
        }
    }

    /// What is measured per second.
    pub fn totals(&self) -> Totals {
        let sum = |of: fn(&Counts) -> &std::sync::atomic::AtomicU64| -> u64 {
            self.counts.iter().map(|counts| of(counts).load(Ordering::Relaxed)).sum()
        };
        Totals {
            commands: sum(|it| &it.commands),
            input: sum(|it| &it.input),
            output: sum(|it| &it.output),
            cycles: sum(|it| &it.cycles),
            busy: sum(|it| &it.busy),
        }
    }
}
