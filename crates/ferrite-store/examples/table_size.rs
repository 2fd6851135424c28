//! Bytes for a key of 16 bytes with a value of 8, by how many there are, and the time to add and
//! to find one: `cargo run --release -p ferrite-store --example table_size`.

#![allow(clippy::print_stdout, reason = "an example shows what it measures")]

use std::hint::black_box;
use std::time::Instant;

use ferrite_store::table::{Content, Table, hash};

const LAST: u32 = 6_500_000;

fn key(out: &mut Vec<u8>, number: u32) {
    use std::io::Write;
    out.clear();
    // Writing to memory does not fail.
    drop(write!(out, "key:{number:012}"));
}

fn main() {
    let mut tables: Vec<Table<()>> = (0..64).map(Table::new).collect();
    let mut bytes = Vec::new();
    let (mut added, mut limit) = (0u32, 50_000u32);
    let start = Instant::now();
    let mut longest = 0;
    while added < LAST {
        while added < limit.min(LAST) {
            key(&mut bytes, added);
            let hash = hash(&bytes);
            let before = Instant::now();
            tables[(hash >> 58) as usize].insert(hash, &bytes, Content::Bytes(b"eight by"), None);
            longest = before.elapsed().as_micros().max(longest);
            added += 1;
        }
        let memory: usize = tables.iter().map(Table::memory).sum();
        println!("{added:>9} keys  {:.2} bytes each", memory as f64 / f64::from(added));
        limit = (f64::from(limit) * 1.2) as u32;
    }
    let each = start.elapsed().as_nanos() / u128::from(added);
    println!("{each} ns to add one, {longest} us the longest");
    let start = Instant::now();
    let mut number = 0u32;
    for _ in 0..LAST {
        number = (number + 2_654_435) % LAST;
        key(&mut bytes, number);
        let hash = hash(&bytes);
        let table = &tables[(hash >> 58) as usize];
        black_box(table.find(hash, &bytes).map(|at| table.value(at)));
    }
    let each = start.elapsed().as_nanos() / u128::from(LAST);
    println!("{each} ns to find one of them at random");
}
