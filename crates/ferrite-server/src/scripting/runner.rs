//! The thread that runs scripts of which it is not known that they are quick.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use super::runtime::Job;
use crate::commands;
use crate::ctx::{Counts, Ctx, Within};
use crate::dispatch::slices;
use crate::net::mail::Mail;
use crate::reply::Reply;
use crate::shared::{Shared, unix_ms};
use crate::store::ShardSet;

/// How often the thread looks whether the server ends.
const PATIENCE: Duration = Duration::from_millis(200);

/// Runs calls until the server ends.
pub(super) fn run(shared: &Arc<Shared>, jobs: &Receiver<Job>) {
    let own = Counts::default();
    let mut ctx = Ctx::apart(shared, shared.counts.last().unwrap_or(&own));
    while !shared.is_stopping() {
        match jobs.recv_timeout(PATIENCE) {
            Ok(job) => execute(&mut ctx, job),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}

fn execute(ctx: &mut Ctx<'_>, job: Job) {
    let Job { session, words } = job;
    let words = slices(&words);
    let client = Arc::clone(&session.client);
    ctx.reply = Reply::new(session.resp3);
    *ctx.session = session;
    ctx.now = unix_ms();
    ctx.clock = Instant::now();
    if let Some(entry) = words.first().and_then(|name| commands::lookup(name)) {
        ctx.held.acquire(ShardSet::ALL);
        // Inside of a transaction a script is not handed over again, and nothing waits.
        ctx.begin_unit(Within::Transaction);
        ctx.call(entry, &words);
        ctx.end_unit();
        ctx.held.release();
    }
    let reply = std::mem::take(&mut ctx.reply).into_bytes();
    let pushed = std::mem::take(&mut ctx.effects.own);
    let (seat, id) = (client.address.seat, client.id);
    ctx.shared.mail(client.address.thread, Mail::Served { seat, id, reply, pushed });
}
