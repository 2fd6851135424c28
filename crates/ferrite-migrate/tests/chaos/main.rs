//! Rounds of everything at once: a live migration of a server under load, its process killed, both
//! servers killed, both links cut, in an order that a seed decides; then the cutover, and both ends
//! compared.
//!
//! ```text
//! cargo test -p ferrite-migrate --test chaos                              a few rounds
//! cargo test -p ferrite-migrate --test chaos -- --rounds 100 --seed 7     seeds 7 to 106
//! cargo test -p ferrite-migrate --test chaos -- --rungs 300000            no faults, see `rungs`
//!     --only "Valkey 9.1, replica"                                        one of them
//! ```
//!
//! `make chaos` runs many. A round that fails says its seed: `--rounds 1 --seed …` runs it again.
//! This program is the job's process, too: it starts itself, so that there is something to kill.
#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(clippy::print_stderr, clippy::exit, reason = "it is a program")]

#[path = "../common/mod.rs"]
mod common;

mod job;
mod round;
mod rungs;

use std::panic::catch_unwind;
use std::process::ExitCode;
use std::time::Instant;

/// Rounds that every test run has.
const ROUNDS: u64 = 2;
/// The seed of the first of them.
const SEED: u64 = 9;

/// What to run.
struct Wanted {
    rounds: u64,
    seed: u64,
    /// Operations of each calm round, instead of the others.
    rungs: Option<u64>,
    /// What the names of the calm rounds have in them.
    only: String,
}

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if words.first().is_some_and(|word| word == job::RUN) {
        return job::run(&words[1..]);
    }
    let Some(wanted) = wanted(&words) else { return ExitCode::SUCCESS };
    if let Some(operations) = wanted.rungs {
        return rungs::run(operations, &wanted.only);
    }
    let began = Instant::now();
    let failed: Vec<u64> = (wanted.seed..).take(wanted.rounds as usize).filter(fails).collect();
    let (rounds, seconds) = (wanted.rounds, began.elapsed().as_secs());
    eprintln!("chaos: {rounds} rounds in {seconds} s, {} failed: {failed:?}", failed.len());
    if failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Options; `None` when the test runner asks for tests of other names. What it says to its own
/// kind of tests means nothing here.
fn wanted(words: &[String]) -> Option<Wanted> {
    let mut wanted = Wanted { rounds: ROUNDS, seed: SEED, rungs: None, only: String::new() };
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let mut number = || words.next().and_then(|word| word.parse().ok()).expect("a number");
        match word.as_str() {
            "--rounds" => wanted.rounds = number(),
            "--seed" => wanted.seed = number(),
            "--rungs" => wanted.rungs = Some(number()),
            "--only" => wanted.only = words.next().cloned().unwrap_or_default(),
            "--list" => return None,
            name if !name.starts_with('-') && !"chaos".contains(name) => return None,
            _ => {}
        }
    }
    Some(wanted)
}

/// Runs one round; whether it failed.
fn fails(seed: &u64) -> bool {
    let began = Instant::now();
    let ended = catch_unwind(|| round::run(*seed));
    let seconds = began.elapsed().as_secs_f64();
    match &ended {
        Ok(done) => eprintln!("chaos: seed {seed} {done} in {seconds:.1} s"),
        Err(_) => eprintln!("chaos: seed {seed} FAILED: -- --rounds 1 --seed {seed}"),
    }
    ended.is_err()
}
