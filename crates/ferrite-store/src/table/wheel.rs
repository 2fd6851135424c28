//! The entries that expire, by time: a wheel of wheels, so that expired ones are found at no cost
//! for the others.
//!
//! Time is counted in ticks of 64 ms. Level 0 has a slot for each of the next 64 ticks, level 1 for
//! each of the next 64 groups of 64 ticks, and so on. When time reaches a slot of a higher level,
//! its entries move to lower ones, a few at each call. Each level knows up to which group its slots
//! are drained; an entry goes to the lowest level that has its group among the next 64.

/// Milliseconds of a tick, as bits.
const TICK_BITS: u32 = 6;

/// Slots of a level, as bits.
const SLOT_BITS: u32 = 6;

const SLOTS: usize = 1 << SLOT_BITS;

/// Enough levels for every 64-bit time.
const LEVELS: usize = 10;

/// The longest that an entry stays after its time, in milliseconds.
pub const EXPIRY_GRANULARITY: i64 = 1 << TICK_BITS;

/// Where an entry is in the wheel.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Seat {
    /// Level and slot.
    pub(super) slot: u16,
    /// Index in the slot.
    pub(super) index: u32,
}

#[derive(Debug, Default)]
pub(super) struct Wheel {
    levels: [Option<Box<Level>>; LEVELS],
    /// The group up to which each level's slots are drained.
    drained: [i64; LEVELS],
    len: usize,
}

#[derive(Debug)]
struct Level {
    slots: [Vec<u32>; SLOTS],
    /// Slots that are not empty, as bits.
    used: u64,
}

impl Wheel {
    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn memory(&self) -> usize {
        let levels = self.levels.iter().flatten();
        levels
            .map(|level| {
                let entries: usize = level.slots.iter().map(Vec::capacity).sum();
                size_of::<Level>() + entries * size_of::<u32>()
            })
            .sum()
    }

    /// Adds an item that expires at a time.
    pub(super) fn add(&mut self, expires_at: i64, item: u32) -> Seat {
        let tick = expires_at.max(0) >> TICK_BITS;
        let (level, group) = (0..LEVELS)
            .map(|level| (level, tick >> (SLOT_BITS as usize * level)))
            .find(|&(level, group)| group - self.drained[level] <= SLOTS as i64)
            .unwrap_or_else(|| unreachable!("the last level has a slot for every time"));
        // What is late already goes to the slot that is drained next.
        let group = group.max(self.drained[level] + 1);
        let slot = group as usize % SLOTS;
        let wheel = self.levels[level].get_or_insert_with(|| {
            Box::new(Level { slots: std::array::from_fn(|_| Vec::new()), used: 0 })
        });
        wheel.used |= 1 << slot;
        wheel.slots[slot].push(item);
        self.len += 1;
        Seat { slot: (level * SLOTS + slot) as u16, index: (wheel.slots[slot].len() - 1) as u32 }
    }

    /// Removes an entry. Returns the item that has moved to its seat, if one has.
    pub(super) fn remove(&mut self, seat: Seat) -> Option<u32> {
        let (level, slot) = self.slot_mut(seat);
        let entries = &mut level.slots[slot];
        entries.swap_remove(seat.index as usize);
        let moved = entries.get(seat.index as usize).copied();
        if entries.is_empty() {
            *entries = Vec::new();
            level.used &= !(1 << slot);
        }
        self.len -= 1;
        moved
    }

    /// Renames the item at a seat.
    pub(super) fn set(&mut self, seat: Seat, item: u32) {
        let (level, slot) = self.slot_mut(seat);
        level.slots[slot][seat.index as usize] = item;
    }

    /// An item whose slot time has reached: it has expired, or is to be added again, at a level
    /// below.
    pub(super) fn due(&mut self, now: i64) -> Option<u32> {
        let tick = now.max(0) >> TICK_BITS;
        for level in 0..LEVELS {
            // All of a tick has passed before its slot is drained; the group of a higher level is
            // spread over the level below as soon as it begins.
            let group = tick >> (SLOT_BITS as usize * level);
            let limit = if level == 0 { group - 1 } else { group };
            if let Some(item) = self.next_in(level, limit) {
                return Some(item);
            }
        }
        None
    }

    /// The entry of this number, counted through all slots.
    pub(super) fn nth(&self, mut number: usize) -> Option<u32> {
        for level in self.levels.iter().flatten() {
            for entries in &level.slots {
                if let Some(&item) = entries.get(number) {
                    return Some(item);
                }
                number -= entries.len();
            }
        }
        None
    }

    /// The last entry of the first slot of a level that is not drained, up to a group.
    fn next_in(&mut self, level: usize, limit: i64) -> Option<u32> {
        let drained = &mut self.drained[level];
        let behind = limit - *drained;
        if behind <= 0 {
            return None;
        }
        let used = self.levels[level].as_ref().map_or(0, |level| level.used);
        // The slots in the order in which they are drained.
        let ahead = used.rotate_right(((*drained + 1) as usize % SLOTS) as u32);
        let empty = i64::from(ahead.trailing_zeros());
        if ahead == 0 || empty >= behind {
            *drained = limit;
            return None;
        }
        *drained += empty;
        let slot = (*drained + 1) as usize % SLOTS;
        self.levels[level].as_ref()?.slots[slot].last().copied()
    }

    fn slot_mut(&mut self, seat: Seat) -> (&mut Level, usize) {
        let level = self.levels[usize::from(seat.slot) / SLOTS].as_mut();
        let level = level.unwrap_or_else(|| unreachable!("an item's seat is in no level"));
        (level, usize::from(seat.slot) % SLOTS)
    }
}
