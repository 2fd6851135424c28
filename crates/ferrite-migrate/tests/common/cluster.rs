//! Writers of a cluster that follow its slots, and count what was acknowledged.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use ferrite_commands::slot;
use ferrite_testkit::{Client, Reply, wait_until};

/// Names of keys that are written to, besides the counters.
const KEYS: u64 = 2000;
/// Counters of each writer.
const COUNTERS: u64 = 50;
/// The pause after each command of a writer: two of them do some thousand commands a second.
const PAUSE: Duration = Duration::from_micros(300);

/// Writers that run.
pub struct ClusterLoad {
    stop: Arc<AtomicBool>,
    done: Arc<AtomicU64>,
    seeds: Arc<Vec<String>>,
    writers: Vec<JoinHandle<HashMap<String, Counter>>>,
}

/// Increments of one counter.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counter {
    /// Those that were acknowledged.
    pub acknowledged: i64,
    /// Those of which nobody knows.
    pub unknown: i64,
}

/// Finds the node that takes a command.
struct Router {
    seeds: Arc<Vec<String>>,
    nodes: HashMap<String, Client>,
    slots: HashMap<u16, String>,
}

/// What became of a command.
pub enum Sent {
    Reply(Reply),
    /// It may have been executed.
    Unknown,
    /// It was not.
    Refused,
}

impl Router {
    fn client(&mut self, node: &str) -> Option<&mut Client> {
        if !self.nodes.contains_key(node) {
            let mut client = Client::connect(node.parse().ok()?).ok()?;
            client.set_timeout(Some(Duration::from_secs(5))).ok()?;
            self.nodes.insert(node.to_owned(), client);
        }
        self.nodes.get_mut(node)
    }

    /// Sends a command about one key, or keys of one slot.
    fn send(&mut self, key: &str, command: &[String]) -> Sent {
        let slot = slot(key.as_bytes());
        let (mut asking, mut at) = (false, self.slots.get(&slot).cloned());
        for attempt in 0..5 {
            let seeds = Arc::clone(&self.seeds);
            let node = at.take().unwrap_or_else(|| {
                let turn = (usize::from(slot) + attempt) % seeds.len();
                seeds[turn].clone()
            });
            let Some(client) = self.client(&node) else {
                self.slots.remove(&slot);
                continue;
            };
            if asking {
                client.queue(&["ASKING"]);
            }
            client.queue(command);
            let sent = client.flush().and_then(|()| {
                if asking {
                    client.read()?;
                }
                client.read()
            });
            let Ok(reply) = sent else {
                self.nodes.remove(&node);
                self.slots.remove(&slot);
                return Sent::Unknown;
            };
            let Reply::Error(text) = &reply else {
                if !asking {
                    self.slots.insert(slot, node);
                }
                return Sent::Reply(reply);
            };
            let to = text.rsplit(' ').next().map(str::to_owned);
            match text.split(' ').next() {
                Some("MOVED") => (asking, at) = (false, to),
                Some("ASK") => (asking, at) = (true, to),
                Some("TRYAGAIN" | "CLUSTERDOWN" | "READONLY" | "LOADING" | "NOREPLICAS") => {
                    self.slots.remove(&slot);
                    return Sent::Refused;
                }
                _ => return Sent::Reply(reply),
            }
        }
        Sent::Refused
    }
}

impl ClusterLoad {
    /// Begins to write, through these nodes (`host:port`) to wherever the keys belong.
    pub fn start(nodes: Vec<String>, writers: u64) -> Self {
        let (stop, done, seeds) = (Arc::default(), Arc::default(), Arc::new(nodes));
        let writers = (0..writers).map(|writer| {
            let (stop, done) = (Arc::clone(&stop), Arc::clone(&done));
            let (nodes, slots) = (HashMap::new(), HashMap::new());
            let router = Router { seeds: Arc::clone(&seeds), nodes, slots };
            std::thread::spawn(move || write(writer, router, &stop, &done))
        });
        let writers = writers.collect();
        Self { stop, done, seeds, writers }
    }

    /// Waits until so many commands more were acknowledged.
    pub fn wait_for(&self, commands: u64) {
        let until = self.done.load(Ordering::Relaxed) + commands;
        wait_until("the load goes on", || self.done.load(Ordering::Relaxed) >= until);
    }

    /// Ends it; what became of the counters.
    pub fn stop(self) -> HashMap<String, Counter> {
        assert!(!self.seeds.is_empty(), "there are nodes");
        self.stop.store(true, Ordering::Relaxed);
        let ended = self.writers.into_iter();
        ended.flat_map(|writer| writer.join().expect("a writer that does not panic")).collect()
    }
}

/// A number that looks like chance.
fn random(state: &mut u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state
}

fn write(
    writer: u64,
    mut router: Router,
    stop: &AtomicBool,
    done: &AtomicU64,
) -> HashMap<String, Counter> {
    let mut counters: HashMap<String, Counter> = HashMap::new();
    let mut state = 0x9e37_79b9_7f4a_7c15 ^ (writer + 1);
    while !stop.load(Ordering::Relaxed) {
        std::thread::park_timeout(PAUSE);
        let (choice, number) = (random(&mut state) % 10, random(&mut state));
        let key = format!("key:{}", number % KEYS);
        let words = |text: String| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let (key, command) = match choice {
            0..=3 => {
                let key = format!("counter:{writer}:{}", number % COUNTERS);
                (key.clone(), words(format!("INCR {key}")))
            }
            4 => (key.clone(), words(format!("SET {key} {number}"))),
            5 => (key.clone(), words(format!("SET {key} {number} PX {}", 50 + number % 500))),
            6 => (key.clone(), words(format!("DEL {key}"))),
            7 => {
                let key = format!("hash:{}", number % KEYS);
                (key.clone(), words(format!("HSET {key} f{} {number}", number % 7)))
            }
            8 => {
                let key = format!("list:{}", number % 200);
                (key.clone(), words(format!("LPUSH {key} {number}")))
            }
            _ => {
                let tag = number % 100;
                (
                    format!("{{{tag}}}a"),
                    words(format!("MSET {{{tag}}}a {number} {{{tag}}}b {number}")),
                )
            }
        };
        match router.send(&key, &command) {
            Sent::Reply(reply) => {
                let is_counter = choice <= 3;
                assert!(!is_counter || reply.int().is_some(), "{command:?}: {reply}");
                if is_counter {
                    counters.entry(key).or_default().acknowledged += 1;
                }
                done.fetch_add(1, Ordering::Relaxed);
            }
            Sent::Unknown => {
                if choice <= 3 {
                    counters.entry(key).or_default().unknown += 1;
                }
            }
            Sent::Refused => std::thread::park_timeout(Duration::from_millis(5)),
        }
    }
    counters
}

/// Counters that have lost or doubled an increment, `value` telling what a counter is.
pub fn wrong(
    counters: &HashMap<String, Counter>,
    mut value: impl FnMut(&str) -> Option<i64>,
) -> Vec<String> {
    let mut wrong = Vec::new();
    for (key, Counter { acknowledged, unknown }) in counters {
        let found = value(key).unwrap_or(0);
        if !(*acknowledged..=acknowledged + unknown).contains(&found) {
            wrong.push(format!("{key} is {found}, not {acknowledged} (and {unknown} unknown)"));
        }
    }
    wrong
}
