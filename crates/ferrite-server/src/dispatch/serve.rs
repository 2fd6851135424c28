//! Serving clients that wait for a key that has changed.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use ferrite_store::table;

use super::block::{Park, Waiter};
use super::slices;
use crate::ctx::{Ctx, Stop, Within, count};
use crate::net::mail::Mail;
use crate::reply::Reply;
use crate::shared::unix_ms;
use crate::store::{ShardSet, shard_of};

impl Ctx<'_> {
    /// Runs the commands that wait for these keys, first come, first served, until nothing that
    /// they change lets another go on.
    pub(super) fn serve(&mut self, ready: Vec<(usize, Vec<u8>)>) {
        // A transaction may have taken long, and what it made may have expired since.
        self.now = unix_ms().max(self.now);
        let mut queue: VecDeque<_> = ready.into();
        while let Some((db, key)) = queue.pop_front() {
            self.serve_key(db, &key);
            queue.extend(std::mem::take(&mut self.effects.ready));
        }
    }

    fn serve_key(&mut self, db: usize, key: &[u8]) {
        let hash = table::hash(key);
        let shard = shard_of(hash);
        let mut index = 0;
        loop {
            self.held.acquire(ShardSet::of_key(key));
            let table = &self.held.shard(shard).tables[db];
            let expires_at = table.find(hash, key).and_then(|at| table.expires_at(at));
            if expires_at.is_some_and(|time| time <= self.now) {
                // Nobody is served by it, and it is deleted by whoever meets it next.
                return;
            }
            let Some(waiter) = self.held.shard(shard).waiting.at(db, key, index) else { return };
            if waiter.is_done() {
                index += 1;
                continue;
            }
            if !self.held.try_add(waiter.shards) {
                // Somebody else holds a shard it needs, and may hold ours next: let all go, take
                // all in order, and look again.
                self.held.acquire(waiter.shards.with(ShardSet::of_key(key)));
                continue;
            }
            if !self.run_again(&waiter) {
                index += 1;
            }
        }
    }

    /// Runs a command that waits; whether it is through.
    fn run_again(&mut self, waiter: &Arc<Waiter>) -> bool {
        let session = Box::new(waiter.session.detached());
        let session = std::mem::replace(&mut self.session, session);
        let reply = std::mem::replace(&mut self.reply, Reply::new(waiter.session.resp3));
        let within = std::mem::replace(&mut self.within, Within::Retry);
        let own = std::mem::take(&mut self.effects.own);
        self.effects.dirty = 0;
        let (words, began) = (slices(&waiter.words), Instant::now());
        // Rights may have changed since it began to wait.
        let permitted = self.permit(waiter.entry.spec, &words);
        let refused = permitted.is_err();
        let stop = match (permitted, waiter.entry.run) {
            (Err(error), _) => Some(Stop::Error(error)),
            (Ok(()), Some(run)) => self.in_call(waiter.entry, &words, run).err(),
            (Ok(()), None) => None,
        };
        count(&self.counts.dirty, self.effects.dirty);
        self.write_log();
        let served = match stop {
            Some(Stop::Park(_) | Stop::Replicas(_)) => false,
            Some(Stop::Error(_)) if !waiter.park.answers_errors && !refused => false,
            Some(Stop::Error(error)) => {
                self.reply.truncate(0);
                self.reply.error(&error);
                match refused {
                    true => {
                        count(&self.counts.errors, 1);
                        self.observe_error(error.line());
                        self.observe_refused(waiter.entry);
                    }
                    false => self.observe_end(waiter, 0, began.elapsed()),
                }
                true
            }
            None => {
                self.observe_end(waiter, 0, began.elapsed());
                true
            }
        };
        self.within = within;
        self.session = session;
        let answer = std::mem::replace(&mut self.reply, reply);
        let pushed = std::mem::replace(&mut self.effects.own, own);
        if !served {
            if !pushed.is_empty() {
                self.shared.send(&waiter.client, pushed.into());
            }
            return false;
        }
        self.dismiss(waiter);
        let (seat, id) = (waiter.client.address.seat, waiter.client.id);
        let served = Mail::Served { seat, id, reply: answer.into_bytes(), pushed };
        self.shared.mail(waiter.client.address.thread, served);
        true
    }

    /// Takes a command out of all queues. Its shards are held.
    fn dismiss(&mut self, waiter: &Arc<Waiter>) {
        waiter.finish();
        for key in &waiter.park.keys {
            let shard = shard_of(table::hash(key));
            self.held.shard_mut(shard).waiting.remove(waiter.db, key, waiter);
        }
    }

    /// Gives up waiting for the session that is put in, unless it was served meanwhile; whether
    /// that was so, and `answer` writes the reply.
    pub fn give_up(&mut self, answer: impl FnOnce(&Park, &mut Reply)) -> bool {
        if let Some(wait) = self.session.wait.take() {
            self.shared.replicas.end_wait(&self.session.client);
            self.session.client.parked.store(false, Ordering::Relaxed);
            self.reply.count(self.shared.replicas.at(wait.offset));
            return true;
        }
        let Some(waiter) = self.session.waiter.clone() else { return false };
        if waiter.is_done() {
            return false;
        }
        self.held.acquire(waiter.shards);
        if waiter.is_done() {
            self.held.release();
            return false;
        }
        self.dismiss(&waiter);
        self.held.release();
        self.session.waiter = None;
        self.session.client.parked.store(false, Ordering::Relaxed);
        let begin = self.reply.len();
        answer(&waiter.park, &mut self.reply);
        if self.reply.len() > begin {
            self.observe_end(&waiter, begin, Duration::ZERO);
        }
        true
    }

    /// A command that waited is through; its reply stands behind `begin`.
    fn observe_end(&mut self, waiter: &Waiter, begin: usize, took: Duration) {
        let failed = self.reply.is_error_at(begin);
        if failed {
            let line = self.reply.as_bytes().get(begin + 1..).unwrap_or_default();
            let line = String::from_utf8_lossy(line).into_owned();
            count(&self.counts.errors, 1);
            self.observe_error(line.trim_end());
        }
        self.observe(waiter.entry, &slices(&waiter.words), took, failed);
    }
}
