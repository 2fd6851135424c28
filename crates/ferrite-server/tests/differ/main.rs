//! Streams of random commands given to a real server and to ours: replies must be the same, and
//! all keys, their encodings and DUMP bytes at checkpoints. A stream that differs is shortened and
//! printed as a scenario.
//!
//! ```text
//! cargo test -p ferrite-server --test differ                                 some seconds
//! cargo test -p ferrite-server --test differ -- --steps 1000000 --seed 7 --server redis-7.0
//! ```
//!
//! `make differ` runs long. Each stream of a run has its own seed, which is said when it differs;
//! `--seed` with it runs that one first.
#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(clippy::print_stderr, reason = "it is a program")]

mod anything;
#[path = "../common/mod.rs"]
mod common;
mod compare;
mod grammar;
mod keyspace;
mod stream;
mod words;

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::time::Instant;

use ferrite_commands::Command;
use ferrite_server::Server;
use ferrite_testkit::dataset::Random;
use ferrite_testkit::{Peer, Server as Real};

use grammar::Grammar;
use stream::{Call, PARAMETERS, Pair, known_to_both, scenario};

/// Commands of a run that says nothing, with each server.
const STEPS: usize = 3_000;
/// Commands of one stream.
const STREAM: usize = 600;
/// One command of so many has arbitrary words.
const ANYTHING: u64 = 6;
/// Differences that a run shortens and prints before it ends.
const MOST_DIFFERENCES: usize = 12;

/// Which servers streams are compared with, and whether their DUMP bytes are those of RDB 11.
const SERVERS: [(Real, bool); 2] = [(Real::Valkey81, true), (Real::Redis80, false)];

struct Wanted {
    steps: usize,
    seed: u64,
    server: Option<Real>,
}

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let Some(wanted) = wanted(&words) else { return ExitCode::SUCCESS };
    let servers: Vec<(Real, bool)> = match wanted.server {
        Some(server) => vec![(server, server == Real::Valkey81)],
        None => SERVERS.to_vec(),
    };
    let found: usize = servers.into_iter().map(|(real, dump)| run(real, dump, &wanted)).sum();
    if found == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Options; `None` when the test runner asks for tests of other names.
fn wanted(words: &[String]) -> Option<Wanted> {
    let mut wanted = Wanted { steps: STEPS, seed: 1, server: None };
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let mut number = || words.next().and_then(|word| word.parse().ok()).expect("a number");
        match word.as_str() {
            "--steps" => wanted.steps = number() as usize,
            "--seed" => wanted.seed = number(),
            "--server" => {
                let name = words.next().expect("a server's name");
                wanted.server = Some(Real::from_name(name).expect("a server's name"));
            }
            "--list" => return None,
            name if !name.starts_with('-') && !"differ".contains(name) => return None,
            _ => {}
        }
    }
    Some(wanted)
}

/// Compares with one server; how many streams differed.
fn run(real: Real, dump: bool, wanted: &Wanted) -> usize {
    let began = Instant::now();
    let peer = Peer::start(real).unwrap_or_else(|error| panic!("{error}"));
    let folder = std::env::temp_dir().join("ferrite-without-a-snapshot");
    let ours = Server::builder().bind("127.0.0.1:0".parse().unwrap());
    let ours = ours.snapshot(folder, "none.rdb").start().unwrap();
    let mut pair = Pair { real: peer.addr(), ours: ours.addresses()[0], resp3: false, dump };
    let mut maker = Maker::new(&pair);
    let mut differences: BTreeMap<String, String> = BTreeMap::new();
    for number in 0..wanted.steps.div_ceil(STREAM) as u64 {
        let seed = wanted.seed + number;
        pair.resp3 = seed.is_multiple_of(2);
        let calls = maker.stream(seed, wanted.steps.min(STREAM));
        let Some(first) = pair.run(&calls) else { continue };
        let shortest = pair.shorten(calls);
        let difference = pair.run(&shortest).unwrap_or(first);
        let name = real.name();
        let last = shortest.last().map(|call| String::from_utf8_lossy(&call[0]).to_lowercase());
        let text = format!(
            "{name} seed {seed} {}\n{}  real {}\n  ours {}",
            if pair.resp3 { "RESP3" } else { "RESP2" },
            scenario(&shortest),
            difference.real,
            difference.ours
        );
        eprintln!("differ: {text}\n");
        differences.insert(last.unwrap_or_default() + &text, text);
        if differences.len() >= MOST_DIFFERENCES {
            break;
        }
    }
    let seconds = began.elapsed().as_secs_f64();
    let (name, steps, found) = (real.name(), wanted.steps, differences.len());
    eprintln!("differ: {name}, {steps} commands in {seconds:.1} s, {found} streams differ");
    found
}

/// Makes streams of what both servers know.
struct Maker {
    grammar: Grammar,
    commands: Vec<&'static Command>,
}

impl Maker {
    fn new(pair: &Pair) -> Self {
        let mut grammar = Grammar::read();
        // Redis 8 shows places with fewer digits than 7.2.
        let wanted = |name: &[u8]| {
            (pair.dump || !name.to_ascii_lowercase().starts_with(b"geo"))
                && known_to_both(pair, name)
        };
        grammar.retain(wanted);
        let commands = anything::commands(wanted);
        assert!(commands.len() > 100, "both know {} commands", commands.len());
        Self { grammar, commands }
    }

    fn stream(&mut self, seed: u64, length: usize) -> Vec<Call> {
        let random = &mut Random::new(seed);
        let mut calls = Vec::with_capacity(length);
        if random.below(2) == 0 {
            for (name, _) in PARAMETERS {
                let few = (2 + random.below(6)).to_string();
                calls.push(["CONFIG", "SET", name, &few].map(|word| word.into()).to_vec());
            }
        }
        let mut open = false;
        while calls.len() < length {
            let call = match random.below(ANYTHING) {
                0 => anything::command(&self.commands, &self.grammar, random),
                _ => self.grammar.command(random),
            };
            // Whether MULTI in MULTI ends the transaction depends on the version.
            match call[0].as_slice() {
                b"MULTI" | b"WATCH" if open => continue,
                b"MULTI" => open = true,
                b"EXEC" | b"DISCARD" => open = false,
                _ => {}
            }
            calls.push(call);
        }
        calls
    }
}
