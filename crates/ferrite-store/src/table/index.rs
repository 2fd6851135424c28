//! The index: extendible hashing. A directory of hash ranges leads to segments; one segment at a
//! time is split when it is full, or joined with its other half when both are nearly empty.
//!
//! ```text
//! position (40 bits of the hash)
//! | depth bits: entry of the directory | rest × buckets >> … : home bucket | … |
//! ```
//!
//! All of it is in the order of positions, so a position is a cursor that splits do not disturb.
//! The index knows items by number only; `hash_of` reads an item's key where a hash is needed.

use super::bucket::STASH;
use super::hash::{POSITION_BITS, position, print};
use super::segment::{Place, Segment};

/// Home buckets of a segment of the first seat; that of the last has about half as many.
const HOMES_MAX: f64 = 60.0;

/// Seats whose segments are of different sizes.
const SEATS: u8 = 64;

/// Depth of the directory that is never reached: 2³⁰ segments of hundreds of keys.
const DEPTH_LIMIT: u32 = 30;

/// Two halves are joined when together they fill less than a third of one segment.
const JOIN_DIVISOR: usize = 3;

/// How many items ahead of its use an item is fetched.
const FETCH_AHEAD: usize = 16;

/// Tries to hit a slot in use at random before the used slots are counted.
const RANDOM_TRIES: usize = 8;

/// The place of an entry in its table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ref {
    segment: u32,
    place: Place,
}

#[derive(Debug)]
pub(super) struct Index {
    homes: usize,
    len: usize,
    depth: u32,
    /// Empty until the first key is added; then 2^depth numbers of segments.
    directory: Vec<u32>,
    segments: Vec<Option<Segment>>,
    spare: Vec<u32>,
    /// How many segments there are of each depth.
    depths: [u32; DEPTH_LIMIT as usize + 1],
    memory: usize,
}

impl Index {
    pub(super) fn new(seat: u8) -> Self {
        let share = f64::from(seat % SEATS) / f64::from(SEATS);
        Self {
            homes: (HOMES_MAX * (-share).exp2()) as usize,
            len: 0,
            depth: 0,
            directory: Vec::new(),
            segments: Vec::new(),
            spare: Vec::new(),
            depths: [0; DEPTH_LIMIT as usize + 1],
            memory: 0,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn memory(&self) -> usize {
        self.memory
            + self.directory.capacity() * size_of::<u32>()
            + self.segments.capacity() * size_of::<Option<Segment>>()
            + self.spare.capacity() * size_of::<u32>()
    }

    pub(super) fn get(&self, at: Ref) -> u32 {
        self.segment(at.segment).get(at.place)
    }

    pub(super) fn set(&mut self, at: Ref, item: u32) {
        self.segment_mut(at.segment).set(at.place, item);
    }

    /// Finds an item of this hash for which `is_it` says yes.
    pub(super) fn find(&self, hash: u64, mut is_it: impl FnMut(u32) -> bool) -> Option<Ref> {
        let number = *self.directory.get(self.entry(position(hash)))?;
        let segment = self.segment(number);
        let home = home(segment, position(hash));
        let place = segment.find(home, print(hash), &mut is_it)?;
        Some(Ref { segment: number, place })
    }

    /// The bucket where a hash is at home, to be fetched ahead.
    pub(super) fn bucket(&self, hash: u64) -> Option<&super::bucket::Bucket> {
        let number = *self.directory.get(self.entry(position(hash)))?;
        let segment = self.segment(number);
        Some(segment.bucket(home(segment, position(hash))))
    }

    /// Adds an item, which must not be there.
    pub(super) fn insert(
        &mut self,
        hash: u64,
        item: u32,
        hash_of: &impl Fn(u32) -> u64,
        fetch: &impl Fn(u32),
    ) -> Ref {
        if self.directory.is_empty() {
            let number = self.add_segment(Segment::new(0, self.homes));
            self.directory.push(number);
            self.depth = 0;
        }
        loop {
            let position = position(hash);
            let number = self.directory[self.entry(position)];
            let segment = self.segment_mut(number);
            let home = home(segment, position);
            if let Some(place) = segment.insert(home, print(hash), item) {
                self.len += 1;
                return Ref { segment: number, place };
            }
            self.split(position, hash_of, fetch);
        }
    }

    /// Removes an item of this hash.
    pub(super) fn remove(&mut self, at: Ref, hash: u64, hash_of: &impl Fn(u32) -> u64) {
        let segment = self.segment_mut(at.segment);
        let home = home(segment, position(hash));
        segment.remove(at.place, home);
        self.len -= 1;
        if self.len == 0 {
            self.clear();
        } else {
            self.join(position(hash), hash_of);
        }
    }

    /// Visits the items of the bucket at a position; returns the position of the next bucket.
    pub(super) fn visit(
        &self,
        at: u64,
        hash_of: &impl Fn(u32) -> u64,
        mut visit: impl FnMut(Ref),
    ) -> u64 {
        let Some(&number) = self.directory.get(self.entry(at)) else {
            return 0;
        };
        let segment = self.segment(number);
        let bucket = home(segment, at);
        segment.visit_home(
            bucket,
            &mut |item| home(segment, position(hash_of(item))),
            &mut |place| {
                visit(Ref { segment: number, place });
            },
        );
        let width = 1 << (POSITION_BITS - segment.depth);
        let end = ((bucket as u64 + 1) * width).div_ceil(segment.homes() as u64);
        let next = (at & !(width - 1)) + end;
        if next >> POSITION_BITS == 0 { next } else { 0 }
    }

    /// An item at random; every item is about as likely.
    pub(super) fn random(&self, random: u64) -> Option<Ref> {
        if self.len == 0 {
            return None;
        }
        // Segments are chosen by their share of the hashes, which is their share of the items.
        let first = self.entry(random >> (64 - POSITION_BITS));
        let numbers = self.directory[first..].iter().chain(&self.directory);
        let (&number, segment) = numbers
            .map(|number| (number, self.segment(*number)))
            .find(|(_, segment)| segment.len() > 0)?;
        let mut mixed = random;
        for _ in 0..RANDOM_TRIES {
            mixed = mix(mixed);
            let slot = (mixed % segment.capacity() as u64) as usize;
            if let Some(place) = segment.at(slot) {
                return Some(Ref { segment: number, place });
            }
        }
        let place = segment.nth((mix(mixed) % segment.len() as u64) as usize)?;
        Some(Ref { segment: number, place })
    }

    /// All items.
    pub(super) fn items(&self) -> impl Iterator<Item = u32> {
        self.segments.iter().flatten().flat_map(Segment::items)
    }

    fn entry(&self, position: u64) -> usize {
        (position >> (POSITION_BITS - self.depth)) as usize
    }

    fn segment(&self, number: u32) -> &Segment {
        let segment = self.segments[number as usize].as_ref();
        segment.unwrap_or_else(|| unreachable!("the directory led to a segment that is gone"))
    }

    fn segment_mut(&mut self, number: u32) -> &mut Segment {
        let segment = self.segments[number as usize].as_mut();
        segment.unwrap_or_else(|| unreachable!("the directory led to a segment that is gone"))
    }

    fn add_segment(&mut self, segment: Segment) -> u32 {
        self.depths[segment.depth as usize] += 1;
        self.memory += segment.memory();
        match self.spare.pop() {
            Some(number) => {
                self.segments[number as usize] = Some(segment);
                number
            }
            None => {
                self.segments.push(Some(segment));
                (self.segments.len() - 1) as u32
            }
        }
    }

    fn take_segment(&mut self, number: u32) -> Segment {
        let segment = self.segments[number as usize].take();
        let segment =
            segment.unwrap_or_else(|| unreachable!("the directory led to a segment that is gone"));
        self.depths[segment.depth as usize] -= 1;
        self.memory -= segment.memory();
        self.spare.push(number);
        segment
    }

    fn clear(&mut self) {
        self.directory = Vec::new();
        self.segments = Vec::new();
        self.spare = Vec::new();
        self.depths = [0; DEPTH_LIMIT as usize + 1];
        self.depth = 0;
        self.memory = 0;
    }

    /// Splits the segment of a position into its two halves. Items lie anywhere in memory:
    /// `fetch` has one brought closer that `hash_of` will be asked for.
    fn split(&mut self, position: u64, hash_of: &impl Fn(u32) -> u64, fetch: &impl Fn(u32)) {
        let number = self.directory[self.entry(position)];
        let segment = self.take_segment(number);
        let items: Vec<_> = segment.items().collect();
        let hash_next = |(at, &item): (usize, &u32)| {
            items.get(at + FETCH_AHEAD).copied().into_iter().for_each(fetch);
            (hash_of(item), item)
        };
        let hashes: Vec<_> = items.iter().enumerate().map(hash_next).collect();
        let width = 1 << (POSITION_BITS - segment.depth);
        self.build(position & !(width - 1), segment.depth + 1, &hashes);
        self.build((position & !(width - 1)) | (width / 2), segment.depth + 1, &hashes);
    }

    /// Makes the segment of one range, or several where one cannot take all of its items.
    fn build(&mut self, start: u64, depth: u32, hashes: &[(u64, u32)]) {
        assert!(depth <= DEPTH_LIMIT, "the table has reached its limit");
        while self.depth < depth {
            self.directory = self.directory.iter().flat_map(|&n| [n, n]).collect();
            self.depth += 1;
        }
        let width = 1 << (POSITION_BITS - depth);
        let mut segment = Segment::new(depth, self.homes);
        for &(hash, item) in hashes {
            let position = position(hash);
            if position & !(width - 1) != start {
                continue;
            }
            let home = home(&segment, position);
            if segment.insert(home, print(hash), item).is_none() {
                self.build(start, depth + 1, hashes);
                self.build(start | (width / 2), depth + 1, hashes);
                return;
            }
        }
        let number = self.add_segment(segment);
        self.point(start, depth, number);
    }

    /// Has the directory's entries of a range lead to a segment.
    fn point(&mut self, start: u64, depth: u32, number: u32) {
        let first = self.entry(start);
        let count = 1 << (self.depth - depth);
        self.directory[first..first + count].fill(number);
    }

    /// Joins the segment of a position with its other half if both are nearly empty.
    fn join(&mut self, position: u64, hash_of: &impl Fn(u32) -> u64) {
        let number = self.directory[self.entry(position)];
        let segment = self.segment(number);
        let depth = segment.depth;
        if depth == 0 {
            return;
        }
        let width = 1 << (POSITION_BITS - depth);
        let other_number = self.directory[self.entry(position ^ width)];
        let other = self.segment(other_number);
        let fits = (segment.len() + other.len()) * JOIN_DIVISOR < segment.capacity();
        if other.depth != depth || !fits {
            return;
        }
        let mut joined = Segment::new(depth - 1, self.homes);
        for item in segment.items().chain(other.items()) {
            let hash = hash_of(item);
            let home = home(&joined, super::hash::position(hash));
            if joined.insert(home, print(hash), item).is_none() {
                return;
            }
        }
        drop(self.take_segment(number));
        drop(self.take_segment(other_number));
        let number = self.add_segment(joined);
        self.point(position & !(2 * width - 1), depth - 1, number);
        while self.depth > 0 && self.depths[self.depth as usize] == 0 {
            self.directory = self.directory.iter().copied().step_by(2).collect();
            self.depth -= 1;
        }
    }
}

/// The bucket where a position is at home in its segment.
fn home(segment: &Segment, position: u64) -> usize {
    let bits = POSITION_BITS - segment.depth;
    let rest = position & ((1 << bits) - 1);
    ((rest * segment.homes() as u64) >> bits) as usize
}

/// One more random number out of one (SplitMix64).
pub(super) fn mix(number: u64) -> u64 {
    let mut z = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

const _: () = assert!(HOMES_MAX as usize + STASH <= 64, "a segment has 64 buckets at most");
