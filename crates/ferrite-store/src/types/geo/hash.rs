//! From places to scores and back.

/// Latitudes go from minus this to this: those of the Mercator projection.
pub const MAX_LATITUDE: f64 = 85.05112878;
/// Longitudes go from minus this to this.
pub const MAX_LONGITUDE: f64 = 180.0;
/// Bits of a score for each of the two.
pub(super) const STEPS: u32 = 26;
/// The letters of a geohash in text.
const ALPHABET: &[u8; 32] = b"0123456789bcdefghjkmnpqrstuvwxyz";
/// Letters of a geohash in text.
const TEXT_LEN: u32 = 11;

/// A place, in degrees.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// East is positive.
    pub longitude: f64,
    /// North is positive.
    pub latitude: f64,
}

impl Point {
    /// A place, if a score can tell it.
    #[must_use]
    pub fn new(longitude: f64, latitude: f64) -> Option<Self> {
        let is_there = (-MAX_LONGITUDE..=MAX_LONGITUDE).contains(&longitude)
            && (-MAX_LATITUDE..=MAX_LATITUDE).contains(&latitude);
        is_there.then_some(Self { longitude, latitude })
    }
}

/// A cell of the grid that halves both ranges `steps` times.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cell {
    pub(super) bits: u64,
    pub(super) steps: u32,
}

/// A cell's sides, in degrees.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sides {
    pub(super) west: f64,
    pub(super) east: f64,
    pub(super) south: f64,
    pub(super) north: f64,
}

/// Spreads 32 bits over the even bits of 64.
fn spread(value: u32) -> u64 {
    let mut bits = u64::from(value);
    bits = (bits | bits << 16) & 0x0000_ffff_0000_ffff;
    bits = (bits | bits << 8) & 0x00ff_00ff_00ff_00ff;
    bits = (bits | bits << 4) & 0x0f0f_0f0f_0f0f_0f0f;
    bits = (bits | bits << 2) & 0x3333_3333_3333_3333;
    (bits | bits << 1) & 0x5555_5555_5555_5555
}

/// Takes the even bits together.
fn gather(bits: u64) -> u32 {
    let mut bits = bits & 0x5555_5555_5555_5555;
    bits = (bits | bits >> 1) & 0x3333_3333_3333_3333;
    bits = (bits | bits >> 2) & 0x0f0f_0f0f_0f0f_0f0f;
    bits = (bits | bits >> 4) & 0x00ff_00ff_00ff_00ff;
    bits = (bits | bits >> 8) & 0x0000_ffff_0000_ffff;
    (bits | bits >> 16) as u32
}

/// The cell a place is in; latitudes go from `-max_latitude` to `max_latitude`.
pub(super) fn cell(point: Point, steps: u32, max_latitude: f64) -> Cell {
    let parts = (1_u64 << steps) as f64;
    let latitude = (point.latitude + max_latitude) / (2.0 * max_latitude) * parts;
    let longitude = (point.longitude + MAX_LONGITUDE) / (2.0 * MAX_LONGITUDE) * parts;
    Cell { bits: spread(latitude as u32) | spread(longitude as u32) << 1, steps }
}

impl Cell {
    pub(super) fn sides(self) -> Sides {
        let parts = (1_u64 << self.steps) as f64;
        let (south, west) = (f64::from(gather(self.bits)), f64::from(gather(self.bits >> 1)));
        let (height, width) = (2.0 * MAX_LATITUDE, 2.0 * MAX_LONGITUDE);
        Sides {
            south: -MAX_LATITUDE + (south / parts) * height,
            north: -MAX_LATITUDE + ((south + 1.0) / parts) * height,
            west: -MAX_LONGITUDE + (west / parts) * width,
            east: -MAX_LONGITUDE + ((west + 1.0) / parts) * width,
        }
    }

    /// The cell so many to the east and to the north; the grid goes round.
    pub(super) fn neighbour(self, east: i32, north: i32) -> Self {
        let mask = ((1_u64 << self.steps) - 1) as u32;
        let latitude = gather(self.bits).wrapping_add_signed(north) & mask;
        let longitude = gather(self.bits >> 1).wrapping_add_signed(east) & mask;
        Self { bits: spread(latitude) | spread(longitude) << 1, ..self }
    }

    /// The scores of places in it: from the first to below the second.
    pub(super) fn scores(self) -> (f64, f64) {
        let shift = 2 * (STEPS - self.steps);
        ((self.bits << shift) as f64, ((self.bits + 1) << shift) as f64)
    }
}

/// The score of a place.
#[must_use]
pub fn encode(point: Point) -> f64 {
    // A place on the very edge would be in a cell beyond it; Redis lets it wrap there, too.
    cell(point, STEPS, MAX_LATITUDE).bits as f64
}

/// The place of a score: the middle of its cell.
#[must_use]
pub fn decode(score: f64) -> Point {
    let Sides { west, east, south, north } = Cell { bits: score as u64, steps: STEPS }.sides();
    Point {
        longitude: f64::midpoint(west, east).clamp(-MAX_LONGITUDE, MAX_LONGITUDE),
        latitude: f64::midpoint(south, north).clamp(-MAX_LATITUDE, MAX_LATITUDE),
    }
}

/// The geohash of a score in eleven letters. The grid of those goes to the poles.
#[must_use]
pub fn text(score: f64) -> String {
    let bits = cell(decode(score), STEPS, 90.0).bits;
    let letter = |at: u32| {
        // 52 bits are ten letters and two bits; the eleventh is always the first of the alphabet.
        let index = if at == TEXT_LEN - 1 { 0 } else { bits >> (52 - (at + 1) * 5) & 31 };
        char::from(ALPHABET[index as usize])
    };
    (0..TEXT_LEN).map(letter).collect()
}
