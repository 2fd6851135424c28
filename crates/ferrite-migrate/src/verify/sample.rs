//! Chooses keys at random.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;

use crate::glob::KeyFilter;
use crate::scan::Names;

/// Keys of a sample that are compared together.
const SAMPLE_BATCH: usize = 100;

/// A stream of random numbers, seeded by the randomness the standard library gives its hash maps
/// (splitmix64 steps).
#[derive(Debug)]
struct Random(u64);

impl Random {
    fn new() -> Self {
        Self(RandomState::new().hash_one(0_u8))
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Between 0 and 1, without 1.
    fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// Random numbers between 0 and 1, without 1.
pub fn unit_random() -> impl FnMut() -> f64 + Send {
    let mut random = Random::new();
    move || random.unit()
}

/// Each of the names with this probability.
pub fn each(names: Names, filter: &KeyFilter, rate: f64) -> Names {
    let mut random = Random::new();
    let mut chosen = Names::new(names.db);
    for name in names.iter().filter(|name| filter.accepts(name)) {
        if random.unit() < rate {
            chosen.push(name);
        }
    }
    chosen
}

/// A sample of fixed size, each key as likely as every other, however many there are.
#[derive(Debug)]
pub struct Reservoir {
    size: u64,
    seen: u64,
    kept: Vec<(u32, Vec<u8>)>,
    random: Random,
}

impl Reservoir {
    /// An empty sample that will hold `size` keys.
    #[must_use]
    pub fn new(size: u64) -> Self {
        Self { size, seen: 0, kept: Vec::new(), random: Random::new() }
    }

    /// Offers names.
    pub fn add(&mut self, names: &Names, filter: &KeyFilter) {
        for name in names.iter().filter(|name| filter.accepts(name)) {
            self.seen += 1;
            if (self.kept.len() as u64) < self.size {
                self.kept.push((names.db, name.to_vec()));
                continue;
            }
            let place = usize::try_from(self.random.next() % self.seen).unwrap_or(usize::MAX);
            if let Some(kept) = self.kept.get_mut(place) {
                *kept = (names.db, name.to_vec());
            }
        }
    }

    /// The sample, in batches of one database each.
    pub fn into_names(mut self) -> Vec<Names> {
        self.kept.sort_by_key(|(db, _)| *db);
        let mut batches: Vec<Names> = Vec::new();
        for (db, name) in self.kept {
            match batches.last_mut() {
                Some(batch) if batch.db == db && batch.len() < SAMPLE_BATCH => batch.push(&name),
                _ => {
                    let mut batch = Names::new(db);
                    batch.push(&name);
                    batches.push(batch);
                }
            }
        }
        batches
    }
}
