//! What a table promises of many entries: SCAN under growth and shrinking, chance, expiry that
//! costs what expires, and memory.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::HashSet;

use ferrite_store::table::{CURSOR_LIMIT, Content, EXPIRY_GRANULARITY, Table, hash};

type Strings = Table<()>;

fn key(number: u32) -> Vec<u8> {
    format!("key:{number:012}").into_bytes()
}

fn add(table: &mut Strings, number: u32, expires_at: Option<i64>) {
    let key = key(number);
    table.insert(hash(&key), &key, Content::Bytes(b"eight by"), expires_at);
}

fn remove(table: &mut Strings, number: u32) {
    let key = key(number);
    drop(table.remove(hash(&key), &key).unwrap());
}

fn random(state: &mut u64) -> u64 {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
    let high = *state >> 32;
    high << 32 | high ^ *state
}

/// Scans to the end; between the calls the table is changed.
fn scan(table: &mut Strings, mut change: impl FnMut(&mut Strings)) -> HashSet<Vec<u8>> {
    let mut seen = HashSet::new();
    let mut cursor = 0;
    loop {
        let mut keys = Vec::new();
        cursor = table.scan(cursor, &mut |at| keys.push(table.key(at).to_vec()));
        assert!(cursor < CURSOR_LIMIT);
        seen.extend(keys);
        if cursor == 0 {
            return seen;
        }
        change(table);
    }
}

#[test]
fn a_scan_of_a_table_at_rest_visits_every_entry_once() {
    for seat in [0, 31, 63] {
        let mut table = Strings::new(seat);
        assert_eq!(scan(&mut table, |_| {}).len(), 0);
        for number in 0..20_000 {
            add(&mut table, number, None);
        }
        let mut count = 0;
        let mut cursor = 0;
        loop {
            cursor = table.scan(cursor, &mut |_| count += 1);
            if cursor == 0 {
                break;
            }
        }
        assert_eq!(count, 20_000);
    }
}

#[test]
fn a_scan_sees_what_stays_while_the_table_grows() {
    let mut table = Strings::new(5);
    for number in 0..1000 {
        add(&mut table, number, None);
    }
    let mut next = 1000;
    let seen = scan(&mut table, |table| {
        for _ in 0..200 {
            if next < 30_000 {
                add(table, next, None);
                next += 1;
            }
        }
    });
    assert_eq!(next, 30_000);
    assert!((0..1000).all(|number| seen.contains(&key(number))));
}

#[test]
fn a_scan_sees_what_stays_while_the_table_shrinks() {
    let mut table = Strings::new(5);
    for number in 0..50_000 {
        add(&mut table, number, None);
    }
    let mut next = 100;
    let seen = scan(&mut table, |table| {
        for _ in 0..20 {
            if next < 50_000 {
                remove(table, next);
                next += 1;
            }
        }
    });
    assert!(next > 20_000, "the table has shrunk by {next}");
    assert!((0..100).all(|number| seen.contains(&key(number))));
}

#[test]
fn a_table_gives_its_memory_back() {
    let mut table = Strings::new(9);
    for number in 0..100_000 {
        add(&mut table, number, Some(i64::from(number)));
    }
    let full = table.memory();
    for number in 100..100_000 {
        remove(&mut table, number);
    }
    assert!(table.memory() < full / 4, "{} of {full} are left", table.memory());
    for number in 0..100 {
        remove(&mut table, number);
    }
    assert!(table.memory() < full / 20, "{} of {full} are left", table.memory());
}

#[test]
fn every_entry_is_about_as_likely_at_random() {
    const KEYS: usize = 2000;
    const ROUNDS: usize = 400_000;
    let mut table = Strings::new(17);
    for number in 0..KEYS as u32 {
        add(&mut table, number, Some(i64::from(number) * 1000));
    }
    let mut counts = [vec![0usize; KEYS], vec![0; KEYS]];
    let mut state = 1;
    let number_of = |key: &[u8]| -> usize {
        let text = std::str::from_utf8(&key[4..]).unwrap();
        text.parse().unwrap()
    };
    for _ in 0..ROUNDS {
        let at = table.random(random(&mut state)).unwrap();
        counts[0][number_of(table.key(at))] += 1;
        table.sample_expiring(random(&mut state), 1, &mut |at| {
            counts[1][number_of(table.key(at))] += 1;
        });
    }
    for counts in counts {
        let (least, most) = (counts.iter().min().unwrap(), counts.iter().max().unwrap());
        let mean = ROUNDS / KEYS;
        assert!(*least > mean / 3 && *most < mean * 3, "from {least} to {most}");
    }
}

#[test]
fn all_that_expires_is_found_in_time_and_nothing_else() {
    const START: i64 = 1_700_000_000_000;
    const DAY: i64 = 86_400_000;
    let mut table = Strings::new(3);
    let mut state = 7;
    for number in 0..30_000 {
        // Some in seconds, some in days, some never.
        let within = [10_000, DAY, 40 * DAY][number as usize % 3];
        let expires_at = START + (random(&mut state) % within as u64) as i64;
        add(&mut table, number, Some(expires_at));
    }
    let mut now = START;
    let mut removed = 0;
    while !table.is_empty() {
        // Steps of a tenth of a second first, longer ones later.
        now += ((now - START) / 50).max(100);
        let mut calls = 0;
        loop {
            calls += 1;
            let Some(at) = table.next_expired(now) else {
                if calls < 1000 && overdue(&table, now) {
                    continue;
                }
                break;
            };
            assert!(table.expires_at(at).unwrap() <= now);
            drop(table.remove_at(at));
            removed += 1;
        }
        assert!(!overdue(&table, now), "expired entries are left at {now}");
    }
    assert_eq!(removed, 30_000);
}

fn overdue(table: &Strings, now: i64) -> bool {
    let mut overdue = false;
    let mut cursor = 0;
    loop {
        cursor = table.scan(cursor, &mut |at| {
            let expires_at = table.expires_at(at);
            overdue |= expires_at.is_some_and(|at| at <= now - EXPIRY_GRANULARITY);
        });
        if cursor == 0 {
            return overdue;
        }
    }
}

#[test]
fn a_small_pair_takes_44_bytes_at_most_at_any_larger_count() {
    // Many shards, as in a server: their tables grow at different times.
    let mut tables: Vec<_> = (0..64).map(Strings::new).collect();
    let mut worst: f64 = 0.0;
    let mut added = 0;
    for limit in (0..19).map(|step| (250_000.0 * 1.08f64.powi(step)) as u32) {
        while added < limit {
            let key = key(added);
            let hash = hash(&key);
            let table = &mut tables[(hash >> 58) as usize];
            table.insert(hash, &key, Content::Bytes(b"eight by"), None);
            added += 1;
        }
        let memory: usize = tables.iter().map(Table::memory).sum();
        worst = worst.max(memory as f64 / f64::from(added));
    }
    assert!(worst <= 44.0, "{worst} bytes");
}
