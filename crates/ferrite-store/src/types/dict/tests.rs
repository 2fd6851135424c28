//! The dictionary against the standard library's, and its promises to SCAN and RANDMEMBER.

use std::collections::{BTreeMap, HashSet};

use proptest::prelude::*;

use super::*;

/// A number's hash: its bits well mixed.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "as the dictionary calls it")]
fn hash(value: &u64) -> u64 {
    value.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29) ^ (value >> 7)
}

fn add(dict: &mut Dict<u64>, value: u64) -> bool {
    let is_new = dict.find(hash(&value), |&other| other == value).is_none();
    if is_new {
        dict.insert(hash(&value), value, hash);
    }
    is_new
}

fn remove(dict: &mut Dict<u64>, value: u64) -> bool {
    dict.remove(hash(&value), |&other| other == value, hash).is_some()
}

/// Random numbers that are the same every time.
fn numbers(mut state: u64) -> impl FnMut() -> u64 {
    move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }
}

proptest! {
    #[test]
    fn is_a_set(changes in proptest::collection::vec((any::<bool>(), 0..600_u64), 0..2000)) {
        let mut dict = Dict::new();
        let mut model = HashSet::new();
        for (adds, value) in changes {
            if adds {
                prop_assert_eq!(add(&mut dict, value), model.insert(value));
            } else {
                prop_assert_eq!(remove(&mut dict, value), model.remove(&value));
            }
            prop_assert_eq!(dict.len(), model.len());
        }
        prop_assert_eq!(dict.iter().copied().collect::<HashSet<_>>(), model.clone());
        prop_assert_eq!(dict.clone().drain().collect::<HashSet<_>>(), model);
    }

    #[test]
    fn a_scan_finds_all_that_stay_while_the_table_grows_and_shrinks(
        start in 0..1000_u64,
        steps in proptest::collection::vec((any::<bool>(), 0..400_u64), 1..40),
    ) {
        let mut dict = Dict::new();
        // The even values stay, the odd ones come and go.
        let mut most = start;
        for value in 0..start {
            add(&mut dict, value * 2);
            add(&mut dict, value * 2 + 1);
        }
        let mut seen = HashSet::new();
        let mut cursor = 0;
        let mut steps = steps.into_iter();
        loop {
            cursor = dict.scan(cursor, |&value| { seen.insert(value); });
            match steps.next() {
                Some((true, count)) => {
                    for value in most..most + count * 10 {
                        add(&mut dict, value * 2 + 1);
                    }
                    most += count * 10;
                }
                Some((false, _)) => {
                    for value in 0..most {
                        remove(&mut dict, value * 2 + 1);
                    }
                }
                None => {}
            }
            if cursor == 0 {
                break;
            }
        }
        for value in 0..start {
            prop_assert!(seen.contains(&(value * 2)), "{} was not seen", value * 2);
        }
    }
}

#[test]
fn a_scan_without_changes_sees_each_once() {
    for len in [0, 1, 12, 13, 24, 25, 1000, 4096, 5001] {
        let mut dict = Dict::with_capacity(len as usize / 3);
        for value in 0..len {
            add(&mut dict, value);
        }
        let (mut seen, mut cursor) = (Vec::new(), 0);
        loop {
            cursor = dict.scan(cursor, |&value| seen.push(value));
            if cursor == 0 {
                break;
            }
        }
        seen.sort_unstable();
        assert_eq!(seen, (0..len).collect::<Vec<_>>());
    }
}

#[test]
fn every_item_is_as_likely_to_be_drawn() {
    let mut dict = Dict::new();
    for value in 0..2000 {
        add(&mut dict, value);
    }
    for value in 100..2000 {
        remove(&mut dict, value);
    }
    let mut number = numbers(7);
    let mut drawn = BTreeMap::new();
    for _ in 0..100_000 {
        *drawn.entry(*dict.random(&mut number).unwrap()).or_insert(0_u32) += 1;
    }
    assert_eq!(drawn.len(), 100);
    // 1000 each on average, with a standard deviation of 31.
    let (least, most) = (drawn.values().min().unwrap(), drawn.values().max().unwrap());
    assert!(*least > 850 && *most < 1150, "{least} to {most}");
    assert!(Dict::<u64>::new().random(number).is_none());
}

#[test]
fn little_is_kept_for_an_item() {
    let mut dict = Dict::new();
    for value in 0..100_000 {
        add(&mut dict, value);
    }
    let each = dict.memory() as f64 / 100_000.0;
    assert!(each < 13.0, "{each} bytes for an item of 8");
    for value in 0..100_000 {
        remove(&mut dict, value);
    }
    assert!(dict.memory() < 200, "{} bytes", dict.memory());
}

#[test]
fn items_are_dropped_once() {
    let items: Vec<_> = (0..500_u64).map(std::sync::Arc::new).collect();
    let mut dict = Dict::new();
    for item in &items {
        dict.insert(hash(item), item.clone(), |item| hash(item));
    }
    for item in &items[..250] {
        dict.remove(hash(item), |other| other == item, |item| hash(item));
    }
    let copy = dict.clone();
    assert_eq!(dict.drain().take(10).count(), 10);
    drop(copy);
    assert!(items.iter().all(|item| std::sync::Arc::strong_count(item) == 1));
}
