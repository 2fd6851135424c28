//! A TCP proxy between a client and a server that breaks the connection on demand: cuts it now or
//! after some bytes, stalls it, slows it down, delays it, damages a byte.
//!
//! ```text
//! client ── ToServer ──▶ proxy ──▶ server        two threads per connection, one per direction
//! client ◀── ToClient ── proxy ◀── server
//! ```

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// Bytes moved at a time.
const CHUNK: usize = 16 * 1024;
/// Chunks a second under throttle, so that slow means a trickle and not bursts.
const CHUNKS_PER_SECOND: u64 = 20;
/// How long the connection to the server may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Which way bytes flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// From the client to the server: commands.
    ToServer,
    /// From the server to the client: replies, the replication stream.
    ToClient,
}

/// State of one direction, over all connections.
#[derive(Debug, Default, Clone, Copy)]
struct Flow {
    moved: u64,
    cut_after: Option<u64>,
    damage_after: Option<u64>,
    bytes_per_second: Option<u64>,
    delay: Duration,
}

#[derive(Debug)]
struct State {
    upstream: SocketAddr,
    stopped: bool,
    refusing: bool,
    stalled: bool,
    to_server: Flow,
    to_client: Flow,
    accepted: u64,
    live: Vec<Connection>,
}

#[derive(Debug)]
struct Connection {
    number: u64,
    ends: [TcpStream; 2],
}

impl State {
    fn flow(&mut self, direction: Direction) -> &mut Flow {
        match direction {
            Direction::ToServer => &mut self.to_server,
            Direction::ToClient => &mut self.to_client,
        }
    }

    fn cut(&mut self) -> usize {
        let cut = std::mem::take(&mut self.live);
        for end in cut.iter().flat_map(|connection| &connection.ends) {
            // An end that is closed already needs no closing.
            let _ = end.shutdown(Shutdown::Both);
        }
        cut.len()
    }

    fn is_live(&self, number: u64) -> bool {
        self.live.iter().any(|connection| connection.number == number)
    }
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let result = change(&mut self.lock());
        self.changed.notify_all();
        result
    }
}

/// A running proxy on a free port of 127.0.0.1; dropping it cuts everything and stops it.
#[derive(Debug)]
pub struct Proxy {
    addr: SocketAddr,
    shared: Arc<Shared>,
    acceptor: Option<JoinHandle<()>>,
}

impl Proxy {
    /// Starts a proxy to a server.
    ///
    /// # Errors
    /// When there is no port to listen on.
    pub fn start(upstream: SocketAddr) -> io::Result<Proxy> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let addr = listener.local_addr()?;
        let state = State {
            upstream,
            stopped: false,
            refusing: false,
            stalled: false,
            to_server: Flow::default(),
            to_client: Flow::default(),
            accepted: 0,
            live: Vec::new(),
        };
        let shared = Arc::new(Shared { state: Mutex::new(state), changed: Condvar::new() });
        let acceptor = thread::spawn({
            let shared = Arc::clone(&shared);
            move || accept_all(&listener, &shared)
        });
        Ok(Proxy { addr, shared, acceptor: Some(acceptor) })
    }

    /// Where clients connect to.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// The port of [`addr`](Proxy::addr).
    pub fn port(&self) -> u16 {
        self.addr.port()
    }

    /// `redis://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("redis://{}", self.addr)
    }

    /// Sends new connections to another server; those that exist stay where they are.
    pub fn set_upstream(&self, upstream: SocketAddr) {
        self.shared.change(|state| state.upstream = upstream);
    }

    /// Cuts all connections now and says how many there were. New ones are let through.
    pub fn cut(&self) -> usize {
        self.shared.change(State::cut)
    }

    /// Lets this many more bytes through in a direction, counted over all connections, then cuts
    /// all connections, once.
    pub fn cut_after(&self, direction: Direction, bytes: u64) {
        self.shared.change(|state| state.flow(direction).cut_after = Some(bytes));
    }

    /// Inverts the byte that comes after this many more bytes in a direction, counted over all
    /// connections, once.
    pub fn damage_after(&self, direction: Direction, bytes: u64) {
        self.shared.change(|state| state.flow(direction).damage_after = Some(bytes));
    }

    /// Accepts new connections only to close them at once, until told otherwise.
    pub fn refuse(&self, refuse: bool) {
        self.shared.change(|state| state.refusing = refuse);
    }

    /// Moves nothing in either direction until [`resume`](Proxy::resume); connections stay open.
    pub fn stall(&self) {
        self.shared.change(|state| state.stalled = true);
    }

    /// Ends a [`stall`](Proxy::stall).
    pub fn resume(&self) {
        self.shared.change(|state| state.stalled = false);
    }

    /// Limits every connection to this many bytes a second in each direction; `None` lifts the
    /// limit.
    pub fn throttle(&self, bytes_per_second: Option<u64>) {
        self.shared.change(|state| {
            state.to_server.bytes_per_second = bytes_per_second;
            state.to_client.bytes_per_second = bytes_per_second;
        });
    }

    /// Holds every chunk (16 KiB at most) back for so long, in each direction: a round trip takes
    /// twice as long more. [`Duration::ZERO`] lifts it, at once.
    pub fn delay(&self, delay: Duration) {
        self.shared.change(|state| {
            state.to_server.delay = delay;
            state.to_client.delay = delay;
        });
    }

    /// Connections accepted since the start.
    pub fn accepted(&self) -> u64 {
        self.shared.lock().accepted
    }

    /// Connections open now.
    pub fn live(&self) -> usize {
        self.shared.lock().live.len()
    }

    /// Bytes moved in a direction since the start.
    pub fn moved(&self, direction: Direction) -> u64 {
        self.shared.lock().flow(direction).moved
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.change(|state| {
            state.stopped = true;
            state.cut();
        });
        // Wakes the thread that waits for connections; without it there is nothing to wake.
        if TcpStream::connect(self.addr).is_ok()
            && let Some(acceptor) = self.acceptor.take()
        {
            let _ = acceptor.join();
        }
    }
}

fn accept_all(listener: &TcpListener, shared: &Arc<Shared>) {
    for client in listener.incoming().flatten() {
        let (stopped, refusing, upstream) = {
            let state = shared.lock();
            (state.stopped, state.refusing, state.upstream)
        };
        if stopped {
            return;
        }
        if !refusing {
            // A server that cannot be reached closes the client's connection: it sees the end.
            let _ = connect(&client, upstream, shared);
        }
    }
}

/// Joins a client to the server by two threads.
fn connect(client: &TcpStream, upstream: SocketAddr, shared: &Arc<Shared>) -> io::Result<()> {
    let server = TcpStream::connect_timeout(&upstream, CONNECT_TIMEOUT)?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let ends = [client.try_clone()?, server.try_clone()?];
    let ways = [
        (client.try_clone()?, server.try_clone()?, Direction::ToServer),
        (server, client.try_clone()?, Direction::ToClient),
    ];
    let number = shared.change(|state| {
        state.accepted += 1;
        state.live.push(Connection { number: state.accepted, ends });
        state.accepted
    });
    for (from, to, direction) in ways {
        let shared = Arc::clone(shared);
        thread::spawn(move || {
            // However the way ends, both ends learn of it by the connection closing.
            let _ = pump(&from, &to, direction, number, &shared);
            let _ = to.shutdown(Shutdown::Write);
            let _ = from.shutdown(Shutdown::Read);
            if direction == Direction::ToClient {
                shared.change(|state| state.live.retain(|connection| connection.number != number));
                let _ = from.shutdown(Shutdown::Both);
            }
        });
    }
    Ok(())
}

/// Moves bytes until the end of the connection.
fn pump(
    mut from: &TcpStream,
    mut to: &TcpStream,
    direction: Direction,
    number: u64,
    shared: &Shared,
) -> io::Result<()> {
    let mut buffer = vec![0; CHUNK];
    loop {
        let rate = shared.lock().flow(direction).bytes_per_second;
        let most = chunk_size(rate);
        let length = from.read(buffer.get_mut(..most).unwrap_or_default())?;
        if length == 0 {
            return Ok(());
        }
        pace(length, direction, number, shared);
        wait_out(direction, number, shared);
        let Some(allowed) = admit(length as u64, direction, number, shared) else { return Ok(()) };
        let allowed = usize::try_from(allowed).unwrap_or(length);
        if let Some(byte) = damaged(allowed, direction, shared).and_then(|at| buffer.get_mut(at)) {
            *byte = !*byte;
        }
        to.write_all(buffer.get(..allowed).unwrap_or_default())?;
        if allowed < length {
            shared.change(State::cut);
            return Ok(());
        }
    }
}

/// Waits as long as these bytes take at the throttled rate, or until the connection is cut.
fn pace(bytes: usize, direction: Direction, number: u64, shared: &Shared) {
    let mut state = shared.lock();
    let Some(rate) = state.flow(direction).bytes_per_second else { return };
    let wait = Duration::from_secs_f64(bytes as f64 / rate.max(1) as f64);
    let goes_on = |state: &mut State| {
        state.is_live(number) && state.flow(direction).bytes_per_second.is_some()
    };
    // Whether time passed or the connection ended shows in the state itself.
    let _ = shared.changed.wait_timeout_while(state, wait, goes_on);
}

/// Waits as long as the delay is, or until that is lifted or the connection is cut.
fn wait_out(direction: Direction, number: u64, shared: &Shared) {
    let mut state = shared.lock();
    let delay = state.flow(direction).delay;
    if delay.is_zero() {
        return;
    }
    let goes_on =
        |state: &mut State| state.is_live(number) && !state.flow(direction).delay.is_zero();
    // Whether time passed or the connection ended shows in the state itself.
    let _ = shared.changed.wait_timeout_while(state, delay, goes_on);
}

/// The place of the byte to damage among the next `length`, if it is one of them.
fn damaged(length: usize, direction: Direction, shared: &Shared) -> Option<usize> {
    let mut state = shared.lock();
    let due = &mut state.flow(direction).damage_after;
    let left = usize::try_from((*due)?).unwrap_or(usize::MAX);
    *due = left.checked_sub(length).map(|left| left as u64);
    (left < length).then_some(left)
}

fn chunk_size(bytes_per_second: Option<u64>) -> usize {
    let most = bytes_per_second.map_or(CHUNK as u64, |rate| rate / CHUNKS_PER_SECOND);
    usize::try_from(most).unwrap_or(CHUNK).clamp(1, CHUNK)
}

/// Waits out a stall, then says how many of these bytes may go; fewer than all of them means that
/// the cut is due. `None` when the connection was cut meanwhile.
fn admit(bytes: u64, direction: Direction, number: u64, shared: &Shared) -> Option<u64> {
    let state = shared.lock();
    let waits = |state: &mut State| state.stalled && state.is_live(number);
    let mut state = shared.changed.wait_while(state, waits).unwrap_or_else(PoisonError::into_inner);
    if !state.is_live(number) {
        return None;
    }
    let flow = state.flow(direction);
    let allowed = match flow.cut_after {
        Some(left) if left < bytes => left,
        _ => bytes,
    };
    flow.moved += allowed;
    if allowed < bytes {
        flow.cut_after = None;
    } else if let Some(left) = &mut flow.cut_after {
        *left -= bytes;
    }
    Some(allowed)
}
