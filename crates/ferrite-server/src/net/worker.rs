//! A thread: its poll, its connections, its letterbox, its clock.

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use mio::event::Event;
use mio::{Events, Poll, Token};

use super::admission;
use super::connection::{Connection, Fate, is_passing};
use super::listen::Listener;
use super::mail::Mail;
use super::stream::Stream;
use crate::clients::{Address, Client, Mark};
use crate::ctx::{Counts, Ctx, Expiring, count};
use crate::error::CommandError;
use crate::replication;
use crate::reply::Reply;
use crate::session::Session;
use crate::shared::{Shared, unix_ms};

/// The letterbox's bell among a poll's tokens; connections are counted from 0, listeners down
/// from below it.
pub const BELL: Token = Token(usize::MAX);

/// How many times a second at most a thread looks at its clock (`hz`).
const FASTEST: u64 = 500;

/// The same while a command of this thread waits with a time limit.
const FINE_TICK: Duration = Duration::from_millis(5);

/// Most events taken from the poll at once.
const EVENTS: usize = 512;

/// Bytes read from a connection at once.
const READ_SIZE: usize = 64 * 1024;

fn microseconds(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_micros()).unwrap_or(u64::MAX)
}

/// A thread that executes commands.
pub struct Worker<'s> {
    number: usize,
    poll: Poll,
    listeners: Vec<Listener>,
    connections: Vec<Option<Connection>>,
    free: Vec<usize>,
    ctx: Ctx<'s>,
    scratch: Vec<u8>,
    /// The thread the next connection is given to.
    next_thread: usize,
    /// Seats whose command waits with a time limit.
    timed: Vec<usize>,
    /// Seats with input that is left over.
    ready: Vec<usize>,
    /// Keys whose time has come, as far as they have not expired yet.
    expiring: Option<Expiring>,
    /// When replicas were last told that the server lives, Unix milliseconds.
    last_ping: i64,
}

impl std::fmt::Debug for Worker<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Worker").field("number", &self.number).finish_non_exhaustive()
    }
}

impl<'s> Worker<'s> {
    /// A thread's state; the first thread has the listeners.
    pub fn new(
        shared: &'s Shared,
        counts: &'s Counts,
        number: usize,
        poll: Poll,
        listeners: Vec<Listener>,
    ) -> Self {
        Self {
            number,
            poll,
            listeners,
            connections: Vec::new(),
            free: Vec::new(),
            ctx: Ctx::apart(shared, counts),
            scratch: vec![0; READ_SIZE],
            next_thread: 0,
            timed: Vec::new(),
            ready: Vec::new(),
            expiring: None,
            last_ping: 0,
        }
    }

    /// Runs until the server stops.
    ///
    /// # Errors
    /// When the system's poll fails, which ends the server.
    pub fn run(&mut self) -> io::Result<()> {
        for (index, listener) in self.listeners.iter_mut().enumerate() {
            listener.register(self.poll.registry(), Token(BELL.0 - 1 - index))?;
        }
        let mut events = Events::with_capacity(EVENTS);
        let mut next_tick = unix_ms();
        while !self.ctx.shared.is_stopping() {
            match self.poll.poll(&mut events, Some(self.patience())) {
                Err(error) if error.kind() != io::ErrorKind::Interrupted => return Err(error),
                _ => {}
            }
            let began = Instant::now();
            let before = self.ctx.counts.commands.load(Ordering::Relaxed);
            for event in &events {
                self.event(event);
            }
            for seat in std::mem::take(&mut self.ready) {
                self.go_on(seat);
            }
            let now = unix_ms();
            if now >= next_tick {
                self.tick(now);
                next_tick = now + i64::try_from(self.tick_time().as_millis()).unwrap_or(100);
            }
            self.go_on_expiring(now);
            self.time_out(now);
            self.measure(began, before);
        }
        self.stop_listening();
        self.say_goodbye();
        Ok(())
    }

    /// Nobody can connect any more before anybody learns that the server ends.
    fn stop_listening(&mut self) {
        /// How long a thread waits for the one that listens.
        const PATIENCE: Duration = Duration::from_secs(1);
        let shared = self.ctx.shared;
        if self.number == 0 {
            self.listeners.clear();
            shared.deaf.store(true, Ordering::Release);
            return;
        }
        let began = Instant::now();
        while !shared.deaf.load(Ordering::Acquire) && began.elapsed() < PATIENCE {
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Counts a round of the loop.
    fn measure(&self, began: Instant, commands_before: u64) {
        let counts = self.ctx.counts;
        let took = microseconds(began);
        count(&counts.cycles, 1);
        count(&counts.busy, took);
        counts.longest_cycle.fetch_max(took, Ordering::Relaxed);
        let commands = counts.commands.load(Ordering::Relaxed).wrapping_sub(commands_before);
        counts.commands_per_cycle.fetch_max(commands, Ordering::Relaxed);
    }

    fn patience(&self) -> Duration {
        match (self.ready.is_empty() && self.expiring.is_none(), self.timed.is_empty()) {
            (false, _) => Duration::ZERO,
            (true, false) => FINE_TICK,
            (true, true) => self.tick_time(),
        }
    }

    /// How often it looks at its clock when nothing happens: whose time is over, which keys have
    /// expired.
    fn tick_time(&self) -> Duration {
        let per_second = u64::from(self.ctx.shared.config.general.hz.get());
        Duration::from_millis(1000 / per_second.clamp(1, FASTEST))
    }

    fn event(&mut self, event: &Event) {
        match event.token() {
            BELL => self.read_mail(),
            Token(token) if token >= BELL.0 - self.listeners.len() => {
                self.accept(BELL.0 - 1 - token);
            }
            Token(seat) => self.connection(seat, event),
        }
    }

    fn accept(&mut self, index: usize) {
        loop {
            let Some(listener) = self.listeners.get(index) else { return };
            match listener.accept(&self.ctx.shared.tls) {
                Ok(mut stream) => {
                    if let Some(why) = admission::refusal(self.ctx.shared, &stream) {
                        count(&self.ctx.counts.rejected, 1);
                        // Best effort: whoever is refused may be gone already.
                        let _ = std::io::Write::write(&mut stream, why);
                        continue;
                    }
                    stream.keep_alive(self.ctx.shared.config.network.tcp_keepalive.get());
                    let threads = self.ctx.shared.mailboxes.len();
                    let thread = self.next_thread % threads;
                    self.next_thread += 1;
                    match thread == self.number {
                        true => self.welcome(stream),
                        false => self.ctx.shared.mail(thread, Mail::Connection(stream)),
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(error) if is_passing(&error) => {}
                Err(error) => {
                    tracing::warn!("accepting a connection: {error}");
                    return;
                }
            }
        }
    }

    /// Takes a connection as its own.
    fn welcome(&mut self, stream: Stream) {
        let shared = self.ctx.shared;
        let seat = self.free.pop().unwrap_or(self.connections.len());
        let address = Address { thread: self.number, seat };
        let (peer, local) = (stream.peer(), stream.local());
        let client = Client::new(shared.clients.next_id(), address, peer, local, unix_ms());
        let client = std::sync::Arc::new(client);
        let mut session = Session::new(client.clone());
        std::mem::swap(&mut *self.ctx.session, &mut session);
        self.ctx.leave_account();
        std::mem::swap(&mut *self.ctx.session, &mut session);
        let mut connection = Connection::new(stream, session);
        if let Err(error) = connection.stream_mut().register(self.poll.registry(), Token(seat)) {
            tracing::warn!("a connection cannot be watched: {error}");
            self.free.push(seat);
            return;
        }
        shared.clients.add(&client);
        count(&self.ctx.counts.connections, 1);
        match self.connections.get_mut(seat) {
            Some(place) => *place = Some(connection),
            None => self.connections.push(Some(connection)),
        }
    }

    fn connection(&mut self, seat: usize, event: &Event) {
        let Some(Some(connection)) = self.connections.get_mut(seat) else { return };
        let mut fate = Fate::Open;
        if event.is_writable() && connection.is_stuck() {
            fate = connection.flush(self.ctx.counts);
        }
        if fate == Fate::Open && (event.is_readable() || event.is_read_closed()) {
            let ends = event.is_read_closed();
            fate = connection.readable(&mut self.ctx, &mut self.scratch, ends);
        }
        self.settle(seat, fate);
    }

    /// Executes input that was left over.
    fn go_on(&mut self, seat: usize) {
        let Some(Some(connection)) = self.connections.get_mut(seat) else { return };
        let fate = connection.execute(&mut self.ctx, &[]);
        self.settle(seat, fate);
    }

    /// What is to be done with a connection that was worked on.
    fn settle(&mut self, seat: usize, fate: Fate) {
        if fate == Fate::Closed {
            // At the end all are closed together.
            if !self.ctx.shared.is_stopping() {
                self.close(seat);
            }
            return;
        }
        let Some(Some(connection)) = self.connections.get(seat) else { return };
        if connection.session.psync.is_some() {
            self.hand_over(seat);
            return;
        }
        if connection.session.deadline().is_some() && !self.timed.contains(&seat) {
            self.timed.push(seat);
        }
        if connection.has_work() {
            self.ready.push(seat);
        }
        let client = std::sync::Arc::clone(&connection.session.client);
        self.close_if_slow(seat, self.ctx.now);
        if self.ctx.shared.evict_clients(&client, self.ctx.counts) {
            self.close(seat);
        }
    }

    /// Gives the connection of a replica to threads of its own.
    fn hand_over(&mut self, seat: usize) {
        let Some(Some(mut connection)) = self.connections.get_mut(seat).map(Option::take) else {
            return;
        };
        connection.stream_mut().deregister(self.poll.registry());
        self.free.push(seat);
        let (stream, output, session) = connection.into_stream();
        let shared = self.ctx.shared;
        let (client, introduction) = (session.client.clone(), session.introduction.clone());
        client.mark(Mark::Replica, true);
        let psync = session.psync.clone();
        let served = shared.in_background().and_then(|all| match psync {
            Some(psync) => replication::serve(&all, stream, client, introduction, psync, output),
            None => Ok(()),
        });
        if let Err(error) = served {
            tracing::warn!("a replica cannot be served: {error}");
            shared.clients.remove(session.client.id);
        }
    }

    /// Closes a connection for which more output waits than it may have.
    fn close_if_slow(&mut self, seat: usize, now: i64) {
        let Some(Some(connection)) = self.connections.get_mut(seat) else { return };
        if !connection.is_stuck() {
            return;
        }
        let limits = self.ctx.shared.config.clients.client_output_buffer_limit.peek();
        if connection.exceeds(&limits, now) {
            connection.tell_over(now);
            drop(limits);
            self.close(seat);
        }
    }

    fn close(&mut self, seat: usize) {
        let Some(Some(mut connection)) = self.connections.get_mut(seat).map(Option::take) else {
            return;
        };
        connection.stream_mut().say_goodbye();
        connection.stream_mut().deregister(self.poll.registry());
        std::mem::swap(&mut self.ctx.session, &mut connection.session);
        self.ctx.give_up(|_, _| {});
        self.ctx.forget_session();
        self.ctx.held.release();
        self.ctx.reply = Reply::default();
        std::mem::swap(&mut self.ctx.session, &mut connection.session);
        self.ctx.shared.clients.remove(connection.session.client.id);
        self.timed.retain(|other| *other != seat);
        self.free.push(seat);
    }

    fn of_client(&mut self, seat: usize, id: u64) -> Option<&mut Connection> {
        let connection = self.connections.get_mut(seat)?.as_mut()?;
        (connection.session.client.id == id).then_some(connection)
    }

    fn read_mail(&mut self) {
        let shared = self.ctx.shared;
        let Some(mailbox) = shared.mailboxes.get(self.number) else { return };
        for mail in mailbox.take() {
            match mail {
                Mail::Connection(stream) => self.welcome(stream),
                Mail::Output { seat, id, bytes, uncounted } => {
                    let counts = self.ctx.counts;
                    shared.eviction.uncounted.fetch_sub(uncounted, Ordering::Relaxed);
                    let Some(connection) = self.of_client(seat, id) else { continue };
                    connection.push(&bytes);
                    let fate = connection.flush(counts);
                    self.settle(seat, fate);
                }
                Mail::Served { seat, id, reply, pushed } => {
                    let Some(connection) = self.of_client(seat, id) else { continue };
                    connection.answer(&reply);
                    connection.push(&pushed);
                    connection.session.waiter = None;
                    connection.session.client.parked.store(false, Ordering::Relaxed);
                    self.timed.retain(|other| *other != seat);
                    self.go_on(seat);
                }
                Mail::Unblock { seat, id, error } => self.unblock(seat, id, error),
                Mail::Kill { seat, id } => {
                    if self.of_client(seat, id).is_some() {
                        self.close(seat);
                    }
                }
                Mail::Listen { listeners, kept } => self.listen(listeners, &kept),
                Mail::Wake => self.wake(),
            }
        }
    }

    fn unblock(&mut self, seat: usize, id: u64, error: bool) {
        if self.of_client(seat, id).is_none() {
            return;
        }
        self.end_wait(seat, |park, reply| match error {
            true => {
                reply.error(&CommandError::text("UNBLOCKED client unblocked via CLIENT UNBLOCK"))
            }
            false => (park.timeout)(reply),
        });
    }

    /// Ends the wait of a seat's command, unless it was served.
    fn end_wait(
        &mut self,
        seat: usize,
        answer: impl FnOnce(&crate::dispatch::block::Park, &mut Reply),
    ) {
        let Some(Some(connection)) = self.connections.get_mut(seat) else { return };
        std::mem::swap(&mut self.ctx.session, &mut connection.session);
        self.ctx.reply = Reply::new(self.ctx.session.resp3);
        let ended = self.ctx.give_up(answer);
        std::mem::swap(&mut self.ctx.session, &mut connection.session);
        let bytes = std::mem::take(&mut self.ctx.reply).into_bytes();
        if ended {
            connection.answer(&bytes);
            self.timed.retain(|other| *other != seat);
            self.go_on(seat);
        }
    }

    /// Listens at these addresses, and no longer at those of before but for those that are kept;
    /// Unix sockets stay.
    fn listen(&mut self, listeners: Vec<Listener>, stay: &[SocketAddr]) {
        let registry = self.poll.registry();
        let (mut kept, gone): (Vec<_>, Vec<_>) = std::mem::take(&mut self.listeners)
            .into_iter()
            .partition(|listener| listener.address().is_none_or(|one| stay.contains(&one)));
        kept.iter_mut().for_each(|listener| listener.deregister(registry));
        drop(gone);
        kept.extend(listeners);
        for (index, listener) in kept.iter_mut().enumerate() {
            if let Err(error) = listener.register(registry, Token(BELL.0 - 1 - index)) {
                tracing::error!("listening: {error}");
            }
        }
        self.listeners = kept;
    }

    /// Closes connections that were idle for too long.
    fn close_idle(&mut self, now: i64) {
        let seconds = self.ctx.shared.config.network.timeout.get();
        if seconds == 0 {
            return;
        }
        let limit = i64::try_from(seconds).unwrap_or(i64::MAX).saturating_mul(1000);
        for seat in 0..self.connections.len() {
            let Some(Some(connection)) = self.connections.get(seat) else { continue };
            let session = &connection.session;
            let client = &session.client;
            let exempt = session.is_parked()
                || session.psync.is_some()
                || session.is_subscribed()
                || client.has(Mark::Replica);
            if !exempt && now - client.active.load(Ordering::Relaxed) > limit {
                tracing::debug!("Closing idle client");
                self.close(seat);
            }
        }
    }

    /// Gives up the commands whose time is over.
    fn time_out(&mut self, now: i64) {
        for seat in self.timed.clone() {
            let Some(Some(connection)) = self.connections.get(seat) else { continue };
            if connection.session.deadline().is_some_and(|deadline| deadline <= now) {
                self.end_wait(seat, |park, reply| (park.timeout)(reply));
            }
        }
    }

    /// Lets clients go on whose pause is over.
    fn wake(&mut self) {
        for seat in 0..self.connections.len() {
            let Some(Some(connection)) = self.connections.get_mut(seat) else { continue };
            if std::mem::take(&mut connection.paused) {
                connection.session.client.paused.store(false, Ordering::Relaxed);
                self.go_on(seat);
            }
        }
    }

    fn tick(&mut self, now: i64) {
        let began = Instant::now();
        self.ctx.now = now;
        if self.ctx.shared.paused_until.load(Ordering::Relaxed) <= now {
            self.wake();
        }
        if self.ctx.shared.switches.is_still() {
            return;
        }
        let replication = &self.ctx.shared.config.replication;
        let period = i64::from(replication.repl_ping_replica_period.get()) * 1000;
        if self.number == 0 && now - self.last_ping >= period {
            self.last_ping = now;
            self.ctx.shared.log.append_alone(&["PING"]);
        }
        // No key goes, and nothing is saved, before all are there.
        if !self.ctx.shared.persistence.progress.is_loading() {
            self.ctx.housekeeping(self.number);
            self.expiring = self.expiring.or(Some(Expiring::begin(self.number)));
        }
        (0..self.connections.len()).for_each(|seat| self.close_if_slow(seat, now));
        self.close_idle(now);
        if self.number == 0 {
            self.ctx.shared.memory.look();
            self.ctx.shared.targets.close_unused();
            self.ctx.shared.rates.sample(now, self.ctx.shared.totals());
        }
        count(&self.ctx.counts.clockwork, microseconds(began));
    }

    /// Lets more keys expire, if some are due.
    fn go_on_expiring(&mut self, now: i64) {
        let Some(expiring) = self.expiring else { return };
        let began = Instant::now();
        self.ctx.now = now;
        self.expiring = self.ctx.expire_due(expiring);
        count(&self.ctx.counts.clockwork, microseconds(began));
    }

    /// Sends what is left and closes.
    fn say_goodbye(&mut self) {
        for connection in self.connections.iter_mut().flatten() {
            let _ = connection.flush(self.ctx.counts);
            connection.stream_mut().say_goodbye();
        }
    }
}
