//! One connection on its thread: bytes in, commands, bytes out.

use std::io::{self, ErrorKind, Read, Write};
use std::mem;
use std::sync::atomic::Ordering;
use std::time::Instant;

use ferrite_resp::request::{Progress, RequestError, RequestLimits, RequestParser};

use super::stream::Stream;
use crate::config::BufferLimits;
use crate::ctx::{Counts, Ctx, count};
use crate::dispatch::ahead::{self, Ahead, Request};
use crate::dispatch::{Next, slices};
use crate::error::CommandError;
use crate::reply::Reply;
use crate::session::{Muted, Session};

/// How many commands run before the locks that are kept between them are given to whoever waits.
const COMMANDS_PER_LOCK: usize = 64;

/// Output above this goes to the client before its next command runs.
const FLUSH_ABOVE: usize = 256 * 1024;

/// The largest buffer that a thread keeps for the output of whichever connection is next.
const MOST_SPARE: usize = 2 * FLUSH_ABOVE;

/// What has become of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It goes on.
    Open,
    /// It is over.
    Closed,
}

/// One connection.
#[derive(Debug)]
pub struct Connection {
    stream: Stream,
    parser: RequestParser,
    /// Received and not executed yet; empty most of the time.
    input: Vec<u8>,
    /// Written by commands and not taken by the system yet; empty most of the time.
    output: Vec<u8>,
    /// What the client is, unless its commands are being executed.
    pub session: Box<Session>,
    /// The next command waits until a pause is over.
    pub paused: bool,
    /// Since when more output waits than the soft limit of its class, Unix milliseconds.
    above_soft: Option<i64>,
}

impl Connection {
    /// A connection that was just accepted.
    pub fn new(stream: Stream, session: Session) -> Self {
        Self {
            stream,
            parser: RequestParser::new(),
            input: Vec::new(),
            output: Vec::new(),
            session: Box::new(session),
            paused: false,
            above_soft: None,
        }
    }

    /// Its stream and what it has not been sent yet, for a replica's threads.
    pub fn into_stream(self) -> (Stream, Vec<u8>, Box<Session>) {
        (self.stream, self.output, self.session)
    }

    /// Its stream, to be announced or taken out of a poll.
    pub fn stream_mut(&mut self) -> &mut Stream {
        &mut self.stream
    }

    /// Reads what has come and executes it. `scratch` is the thread's buffer; `ends` says that the
    /// client sends nothing more, which is not told again: so all is read up to the end.
    pub fn readable(&mut self, ctx: &mut Ctx<'_>, scratch: &mut [u8], ends: bool) -> Fate {
        loop {
            let read = match self.stream.read(scratch) {
                Ok(0) => return Fate::Closed,
                Ok(read) => read,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Fate::Open,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(_) => return Fate::Closed,
            };
            count(&ctx.counts.input, read as u64);
            count(&ctx.counts.reads, 1);
            let received = scratch.get(..read).unwrap_or_default();
            if self.execute(ctx, received) == Fate::Closed {
                return Fate::Closed;
            }
            if self.input.len() > ctx.shared.config.clients.client_query_buffer_limit.get() {
                tracing::warn!("client {}: closed, it sent too far ahead", self.session.client.id);
                return Fate::Closed;
            }
            if read < scratch.len() && !ends {
                return Fate::Open;
            }
        }
    }

    /// Executes what was received before and `received` now, as far as it can be.
    pub fn execute(&mut self, ctx: &mut Ctx<'_>, received: &[u8]) -> Fate {
        let client = &self.session.client;
        client.input.store(self.input.len() + received.len(), Ordering::Relaxed);
        if ctx.shared.evict_clients(client, ctx.counts) {
            return Fate::Closed;
        }
        let waits = self.session.is_parked() || self.session.psync.is_some();
        if waits || self.paused || self.session.closing {
            self.input.extend_from_slice(received);
            return Fate::Open;
        }
        let mut kept = mem::take(&mut self.input);
        let input: &[u8] = match kept.is_empty() {
            true => received,
            false => {
                kept.extend_from_slice(received);
                &kept
            }
        };
        self.enter(ctx);
        let used = self.run(ctx, input);
        ctx.held.release();
        self.leave(ctx);
        if used < input.len() {
            match kept.is_empty() {
                true => self.input.extend_from_slice(received.get(used..).unwrap_or_default()),
                false => {
                    kept.drain(..used);
                    self.input = kept;
                }
            }
        }
        self.session.client.input.store(self.input.len(), Ordering::Relaxed);
        let fate = self.send(ctx.counts);
        if self.output.is_empty() {
            let spare = mem::take(&mut self.output);
            if spare.capacity() <= MOST_SPARE {
                ctx.spare = spare;
            }
        }
        fate
    }

    /// Puts session and output into the context.
    fn enter(&mut self, ctx: &mut Ctx<'_>) {
        mem::swap(&mut ctx.session, &mut self.session);
        let output = match self.output.capacity() {
            0 => mem::take(&mut ctx.spare),
            _ => mem::take(&mut self.output),
        };
        let limits = ctx.shared.config.clients.client_output_buffer_limit.peek();
        let limit = match ctx.session.is_subscribed() {
            true => limits.pubsub.hard,
            false => limits.normal.hard,
        };
        let limit = usize::try_from(limit).ok().filter(|limit| *limit > 0);
        ctx.reply = Reply::onto(output, ctx.session.resp3).limited(limit.unwrap_or(usize::MAX));
        ctx.now = crate::shared::unix_ms();
        ctx.clock = Instant::now();
        ctx.session.client.active.store(ctx.now, Ordering::Relaxed);
    }

    fn leave(&mut self, ctx: &mut Ctx<'_>) {
        mem::swap(&mut ctx.session, &mut self.session);
        let reply = mem::take(&mut ctx.reply);
        let is_over = reply.is_over();
        self.output = reply.into_bytes();
        if is_over {
            self.tell_over(ctx.now);
            self.output = Vec::new();
            self.session.closing = true;
        }
    }

    /// Tells the log that it is closed because too much waits to be sent to it.
    pub fn tell_over(&self, now: i64) {
        let line = self.session.client.line(now);
        tracing::warn!(
            "Client {line} scheduled to be closed ASAP for overcoming of output buffer limits."
        );
    }

    /// Executes the requests in `input`; how many of its bytes were used.
    fn run(&mut self, ctx: &mut Ctx<'_>, input: &[u8]) -> usize {
        let (mut used, mut commands) = (0, 0);
        while !ctx.session.closing && ctx.session.psync.is_none() {
            let mut ahead = Ahead::default();
            let behind = self.look_ahead(ctx, &mut ahead, input.get(used..).unwrap_or_default());
            if ahead.len() > 1 {
                ctx.fetch(&ahead);
            }
            if !self.run_together(ctx, &ahead, &mut used, &mut commands) {
                // What was looked at and not executed will be looked at again.
                self.parser = RequestParser::new();
                break;
            }
            match behind {
                Ok(Progress::Request { .. }) => {}
                Ok(Progress::Incomplete) => break,
                Ok(Progress::Nothing { used: nothing }) => used += nothing,
                Ok(Progress::Inline { used: line, words }) => {
                    let words = slices(&words);
                    let request = Request::alone(&ctx.shared.names, &words, line);
                    if !self.run_one(ctx, &request, &mut used, &mut commands) {
                        break;
                    }
                }
                Err(error) => {
                    let text = format!("ERR Protocol error: {error}");
                    ctx.reply.error(&CommandError::new(text));
                    ctx.session.closing = true;
                    return input.len();
                }
            }
        }
        used
    }

    /// Collects the requests at the start of `input`; returns what is behind them, which is a
    /// request only where there are as many as may be.
    fn look_ahead<'i>(
        &mut self,
        ctx: &Ctx<'_>,
        ahead: &mut Ahead<'i>,
        input: &'i [u8],
    ) -> Result<Progress, RequestError> {
        let word = ctx.shared.config.clients.proto_max_bulk_len.get();
        // What may be sent depends on whether the request before has logged in.
        let (limits, most) = match ctx.session.account.is_some() {
            true => (RequestLimits { word, ..RequestLimits::default() }, ahead::MOST),
            false => (RequestLimits::UNAUTHENTICATED, 1),
        };
        let mut at = 0;
        loop {
            let rest = input.get(at..).unwrap_or_default();
            let progress = self.parser.next(rest, &limits)?;
            let Progress::Request { used } = progress else { return Ok(progress) };
            ahead.add(&ctx.shared.names, self.parser.words(rest), used);
            at += used;
            if ahead.len() >= most {
                return Ok(progress);
            }
        }
    }

    /// Executes requests; whether the next may come behind them.
    fn run_together(
        &mut self,
        ctx: &mut Ctx<'_>,
        ahead: &Ahead<'_>,
        used: &mut usize,
        commands: &mut usize,
    ) -> bool {
        ahead.requests().all(|request| {
            let goes_on = self.run_one(ctx, &request, used, commands);
            goes_on && !ctx.session.closing && ctx.session.psync.is_none()
        })
    }

    /// Executes a request; whether the next may come.
    fn run_one(
        &mut self,
        ctx: &mut Ctx<'_>,
        request: &Request<'_, '_>,
        used: &mut usize,
        commands: &mut usize,
    ) -> bool {
        let next = ctx.execute(request);
        if next == Next::Paused {
            self.paused = true;
            ctx.session.client.paused.store(true, Ordering::Relaxed);
            return false;
        }
        *used += request.used;
        *commands += 1;
        if commands.is_multiple_of(COMMANDS_PER_LOCK) {
            ctx.held.yield_now();
        }
        next != Next::Parked && ctx.reply.len() <= FLUSH_ABOVE && !ctx.reply.is_over()
    }

    /// Writes the reply to a command that waited, unless replies are not sent.
    pub fn answer(&mut self, reply: &[u8]) {
        match self.session.muted {
            Muted::No => self.output.extend_from_slice(reply),
            Muted::Once | Muted::Always => self.session.mute_once(),
        }
    }

    /// Writes messages.
    pub fn push(&mut self, bytes: &[u8]) {
        self.output.extend_from_slice(bytes);
    }

    /// Sends what is to be sent, as far as the system takes it.
    pub fn flush(&mut self, counts: &Counts) -> Fate {
        let fate = self.send(counts);
        if self.output.is_empty() {
            // An idle connection keeps no buffer.
            self.output = Vec::new();
        }
        fate
    }

    fn send(&mut self, counts: &Counts) -> Fate {
        let (mut sent, mut writes) = (0, 0);
        let fate = loop {
            let rest = self.output.get(sent..).unwrap_or_default();
            if rest.is_empty() {
                break Fate::Open;
            }
            writes += 1;
            match self.stream.write(rest) {
                Ok(0) => break Fate::Closed,
                Ok(written) => sent += written,
                Err(error) => match error.kind() {
                    ErrorKind::WouldBlock => break Fate::Open,
                    ErrorKind::Interrupted => {}
                    _ => break Fate::Closed,
                },
            }
        };
        let fate = match fate == Fate::Open && self.stream.has_unsent() {
            true if self.stream.flush().is_err() => Fate::Closed,
            _ => fate,
        };
        count(&counts.output, sent as u64);
        count(&counts.writes, writes);
        self.forget_sent(sent);
        match self.session.closing && !self.is_stuck() {
            true => Fate::Closed,
            false => fate,
        }
    }

    fn forget_sent(&mut self, sent: usize) {
        match sent == self.output.len() {
            true => self.output.clear(),
            false => {
                drop(self.output.drain(..sent));
                // It may wait for long: no more than what waits.
                self.output.shrink_to_fit();
            }
        }
        self.session.client.output.store(self.output.len(), Ordering::Relaxed);
    }

    /// Whether more output waits than the client's class may have
    /// (`client-output-buffer-limit`).
    pub fn exceeds(&mut self, limits: &BufferLimits, now: i64) -> bool {
        let waiting = self.output.len() as u64;
        let limit = match (self.session.psync.is_some(), self.session.is_subscribed()) {
            (true, _) => limits.replica,
            (false, true) => limits.pubsub,
            (false, false) => limits.normal,
        };
        if limit.soft == 0 || waiting <= limit.soft {
            self.above_soft = None;
        }
        let since =
            (limit.soft > 0 && waiting > limit.soft).then(|| *self.above_soft.get_or_insert(now));
        // In whole seconds, as Redis looks at its clock.
        let seconds = i64::try_from(limit.seconds).unwrap_or(i64::MAX);
        let too_long = since.is_some_and(|since| now / 1000 - since / 1000 > seconds);
        (limit.hard > 0 && waiting > limit.hard) || too_long
    }

    /// Whether there is input that could be executed now.
    pub fn has_work(&self) -> bool {
        let waits = self.session.is_parked() || self.paused || self.session.closing;
        !waits && !self.input.is_empty() && self.output.is_empty()
    }

    /// Whether the system refused to take more output.
    pub fn is_stuck(&self) -> bool {
        !self.output.is_empty() || self.stream.has_unsent()
    }
}

/// Whether an error of accepting is about one connection only, so that the next may be tried.
pub fn is_passing(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::ConnectionAborted | ErrorKind::Interrupted)
}
