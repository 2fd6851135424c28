//! One round: a pair of servers, a load, faults, the cutover.

use ferrite_migrate::control::Request;
use ferrite_migrate::{State, Strategy};
use ferrite_testkit::client::Connector;
use ferrite_testkit::load::{Feature, LoadBuilder};
use ferrite_testkit::{Dataset, Direction, Load, Peer, Proxy, Server, wait_until};

use super::job::Job;
use crate::common::live::{assert_nothing_held, assert_same_soon, cutover};

/// The servers, as sources and as targets.
pub const SERVERS: [Server; 4] =
    [Server::Redis62, Server::Redis70, Server::Redis80, Server::Valkey91];
/// Operations a second.
pub const RATE: u64 = 20_000;
/// Bytes a second that a copy is held back to in some rounds: it takes some seconds then.
const SLOW: u64 = 1 << 20;
/// Keys that are there when the job begins.
pub const KEYS: u64 = 10_000;
/// Fewest and most faults of a round.
const FAULTS: (u64, u64) = (4, 8);
/// The longest time between two faults, in operations: less than half a second.
const BETWEEN: u64 = 8000;
/// How long what was lost stays away at most, in operations.
const AWAY: u64 = 6000;
/// How often it is looked whether a cutover has begun, each after some operations.
const LOOKS: u64 = 4000;
/// How often its journal is read at most between the beginning of a cutover and its process's end.
const KILLED_WITHIN: u64 = 400;
/// How often a cutover may be given up: a pause may be too short for a machine that is busy.
const CUTOVERS: usize = 3;

/// The same choices for the same seed.
struct Dice(u64);

impl Dice {
    /// A number below a limit, by Steele, Lea and Flood's SplitMix64.
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % limit
    }

    fn once_in(&mut self, times: u64) -> bool {
        self.below(times) == 0
    }
}

struct Round {
    dice: Dice,
    // Ends before the servers do: what it tells of itself is then about the round.
    job: Job,
    source: Peer,
    target: Peer,
    from: Proxy,
    to: Proxy,
    load: Load,
    told: Told,
}

/// Runs a round; what it was, in words.
///
/// # Panics
/// When the ends differ, or anything does not go on.
pub fn run(seed: u64) -> String {
    let mut dice = Dice(seed);
    let count = SERVERS.len() as u64;
    let server = |number: u64| SERVERS[(number % count) as usize];
    let faults = FAULTS.0 + dice.below(FAULTS.1 - FAULTS.0 + 1);
    let faults: Vec<u64> = (0..faults).map(|_| dice.below(NAMES.len() as u64)).collect();
    let source = start(server(seed), faults.contains(&SOURCE_KILLED));
    let target = start(server(seed / count), faults.contains(&TARGET_KILLED));
    Dataset::mixed(KEYS).load(&mut source.client()).unwrap();
    let load = load(source.server(), target.server(), dice.once_in(2)).seed(seed);
    let load = load.start(Connector::new(source.addr())).unwrap();
    let (from, to) = (Proxy::start(source.addr()).unwrap(), Proxy::start(target.addr()).unwrap());
    let verify = dice.once_in(2);
    let strategy = match dice.below(3) {
        0 => Strategy::Psync,
        1 => Strategy::Fenced,
        _ => Strategy::Scan,
    };
    // A last round takes as long as the others: too long to hold writes back for.
    let rate = (dice.once_in(3) && strategy != Strategy::Scan).then_some(SLOW);
    let ends = format!("{} to {}", source.server().name(), target.server().name());
    let what = format!("{ends}, {}", strategy.name());
    let what = if verify { format!("{what}, verified") } else { what };
    let what = if rate.is_some() { format!("{what}, held back") } else { what };
    load.wait_for(1 + dice.below(BETWEEN));
    let job = Job::start(&from.url(), &to.url(), verify, strategy, rate);
    let mut round = Round { dice, job, source, target, from, to, load, told: Told::default() };
    for fault in faults {
        round.load.wait_for(1 + round.dice.below(BETWEEN));
        round.fault(fault);
    }
    let told = round.told.0.join(", ");
    let operations = round.end();
    format!("{what}: {told}: {operations} operations")
}

/// A server; one that is to be killed keeps every write.
pub fn start(server: Server, is_killed: bool) -> Peer {
    let mut builder = Peer::builder(server);
    if is_killed {
        builder = builder.arg("appendonly", "yes").arg("appendfsync", "always");
    }
    builder.start().unwrap_or_else(|error| panic!("{error}"))
}

/// Everything that both servers have and replicate, with databases that change places or without.
pub fn load(source: Server, target: Server, swaps: bool) -> LoadBuilder {
    // What an older target refuses is read again, which takes longer.
    let rate = if target.version() < source.version() { RATE / 2 } else { RATE };
    let mut load = Load::builder().writers(3).dbs(&[0, 1, 2]).rate(Some(rate));
    // PFCOUNT stores the number it tells, and replicates that by the way at best.
    load = load.without(Feature::HyperLogLogs);
    load = load.with(Feature::FlushDb);
    // Between versions keys are read again, and at each SWAPDB all of those once more, or even
    // everything (docs/limits.md): with several a second, it would do nothing else.
    if source == target && swaps {
        load = load.with(Feature::SwapDb);
    }
    let both = |has: fn(Server) -> bool| has(source) && has(target);
    if both(Server::has_functions) {
        load = load.with(Feature::Functions);
    }
    if !both(Server::has_field_expiry) || source != target {
        load = load.without(Feature::FieldExpiry);
    }
    if source != target {
        load = load.without(Feature::Claims);
    }
    match [source, target].contains(&Server::Redis70) {
        true => load.without(Feature::GroupReads),
        false => load,
    }
}

impl Round {
    /// Something happens, and is over.
    fn fault(&mut self, which: u64) {
        let away = 1 + self.dice.below(AWAY);
        self.told.0.push(NAMES[which as usize]);
        match which {
            0..3 => {
                self.job.kill();
                self.load.wait_for(away);
                self.job.resume();
            }
            SOURCE_KILLED => {
                self.source.kill();
                self.source.restart().unwrap();
            }
            TARGET_KILLED => {
                self.target.kill();
                self.load.wait_for(away);
                self.target.restart().unwrap();
            }
            5 => drop(self.from.cut()),
            6 => drop(self.to.cut()),
            7 => self.cut_after(Direction::ToClient, true, 400_000),
            8 => self.cut_after(Direction::ToServer, false, 400_000),
            9 => self.cut_after(Direction::ToClient, false, 5000),
            10 => {
                let way = if self.dice.once_in(2) { &self.from } else { &self.to };
                way.stall();
                self.load.wait_for(away);
                way.resume();
            }
            11 => {
                // While it copies it cannot, and says so.
                let paused = self.job.order(&Request::Pause).is_ok();
                self.load.wait_for(away);
                if paused {
                    self.job.order(&Request::Resume).expect("a job that runs");
                }
            }
            _ => {
                self.job.stop();
                self.load.wait_for(away);
                self.job.resume();
            }
        }
    }

    /// Cuts a link after some more bytes.
    fn cut_after(&mut self, direction: Direction, source: bool, most: u64) {
        let bytes = self.dice.below(most);
        let way = if source { &self.from } else { &self.to };
        let links = way.accepted();
        way.cut_after(direction, bytes);
        wait_until("the link is there again", || way.accepted() > links);
    }

    /// Cuts over, and compares; the operations there were.
    fn end(mut self) -> u64 {
        if self.dice.once_in(4) {
            // Its process dies on the way, or just after.
            self.told.0.push("cutover killed");
            self.job.order_and_forget(&cutover());
            self.until_cutting_over();
            // Not so many operations: writes may be held back.
            for _ in 0..self.dice.below(KILLED_WITHIN) {
                self.job.state();
            }
            self.job.kill();
        }
        if self.job.state() != State::Completed {
            if self.told.0.last() == Some(&"cutover killed") {
                self.job.resume();
            }
            self.cut_over();
        }
        let written = self.load.stop();
        assert_same_soon(&self.source, &self.target);
        let wrong = written.lost_or_doubled(&mut self.target.client()).unwrap();
        assert!(wrong.is_empty(), "{wrong:?}");
        assert_nothing_held(&self.target);
        written.operations
    }

    /// Waits until a cutover that was ordered begins.
    fn until_cutting_over(&mut self) {
        for _ in 0..LOOKS {
            // By now it may have been given up, or be over.
            if self.job.has_been(State::CuttingOver) {
                return;
            }
            self.load.wait_for(RATE / 20);
        }
        panic!("no cutover began in {} operations", LOOKS * RATE / 20);
    }

    fn cut_over(&mut self) {
        cut_over(&mut self.job);
    }
}

/// Cuts a job over; a few times it may be given up.
pub fn cut_over(job: &mut Job) {
    let mut said = Vec::new();
    while said.len() < CUTOVERS {
        match job.order(&cutover()) {
            Ok(_) => break,
            Err(error) => said.push(format!("{error:?}")),
        }
    }
    assert!(said.len() < CUTOVERS, "{}", said.join("\n"));
    assert!(job.wait().success());
    assert_eq!(job.state(), State::Completed);
}

/// What has happened; told when a round fails.
#[derive(Default)]
struct Told(Vec<&'static str>);

impl Drop for Told {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("what happened: {}", self.0.join(", "));
        }
    }
}

/// The faults that need a server that keeps every write.
const SOURCE_KILLED: u64 = 3;
const TARGET_KILLED: u64 = 4;

/// The faults by their numbers.
const NAMES: [&str; 13] = [
    "job killed",
    "job killed",
    "job killed",
    "source killed",
    "target killed",
    "source cut",
    "target cut",
    "source cut later",
    "target cut later",
    "target's answer cut",
    "a link stalled",
    "paused",
    "stopped",
];
