//! HyperLogLogs: strings that estimate how many different elements were added to them, in the very
//! bytes Redis keeps them in.
//!
//! ```text
//! HYLL | encoding (1): 0 dense, 1 sparse | unused (3) | estimate (8, LE), top bit: outdated
//!      | registers: 16384 of six bits (see `dense`), or runs of equal ones (see `sparse`)
//! ```
//!
//! A register keeps the longest run of zero bits seen in the hashes that belong to it. Elements are
//! hashed with MurmurHash64A; the estimate is Otmar Ertl's.

mod dense;
mod estimate;
mod hash;
mod sparse;

pub use sparse::describe;

/// How many registers there are.
pub const REGISTERS: usize = 1 << INDEX_BITS;
const INDEX_BITS: u32 = 14;
/// Bits of a hash that are not the register's number.
const RUN_BITS: u32 = 64 - INDEX_BITS;
const HEADER: usize = 16;
const DENSE_LEN: usize = HEADER + dense::BYTES;
const DENSE: u8 = 0;
const SPARSE: u8 = 1;
const ENCODING_AT: usize = 4;
const CACHE_AT: usize = 8;
const OUTDATED: u64 = 1 << 63;

/// Why a string is not taken as a HyperLogLog.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Invalid {
    /// It does not begin as one, or has the wrong length.
    Type,
    /// It begins as one, but its registers make no sense.
    Corrupt,
}

/// A HyperLogLog to which nothing was added.
#[must_use]
pub fn empty() -> Vec<u8> {
    let mut bytes = Vec::with_capacity(HEADER + 2);
    bytes.extend_from_slice(b"HYLL");
    bytes.resize(HEADER, 0);
    bytes[ENCODING_AT] = SPARSE;
    sparse::push_zeros(&mut bytes, REGISTERS);
    bytes
}

/// Looks whether a string is one, as far as its header tells.
///
/// # Errors
/// [`Invalid::Type`].
pub fn check(bytes: &[u8]) -> Result<(), Invalid> {
    let is_whole = match bytes.get(ENCODING_AT) {
        Some(&DENSE) => bytes.len() == DENSE_LEN,
        Some(&SPARSE) => bytes.len() >= HEADER,
        _ => false,
    };
    if is_whole && bytes.starts_with(b"HYLL") { Ok(()) } else { Err(Invalid::Type) }
}

/// Whether the registers are dense.
#[must_use]
pub fn is_dense(bytes: &[u8]) -> bool {
    bytes.get(ENCODING_AT) == Some(&DENSE)
}

/// The estimate in the header, unless it is outdated.
#[must_use]
pub fn cached(bytes: &[u8]) -> Option<u64> {
    let cache = bytes.get(CACHE_AT..)?.first_chunk()?;
    let estimate = u64::from_le_bytes(*cache);
    (estimate & OUTDATED == 0).then_some(estimate)
}

fn write_cache(bytes: &mut [u8], cache: u64) {
    if let Some(field) = bytes.get_mut(CACHE_AT..HEADER) {
        field.copy_from_slice(&cache.to_le_bytes());
    }
}

/// Writes the estimate into the header.
pub fn set_cached(bytes: &mut [u8], estimate: u64) {
    write_cache(bytes, estimate & !OUTDATED);
}

/// Marks the estimate in the header as outdated.
pub fn outdate(bytes: &mut [u8]) {
    if let Some(last) = bytes.get_mut(HEADER - 1) {
        *last |= 1 << 7;
    }
}

/// The register an element belongs to, and what it would set it to.
fn register_of(element: &[u8]) -> (usize, u8) {
    let hash = hash::murmur64a(element);
    let index = hash as usize & (REGISTERS - 1);
    let run = (hash >> INDEX_BITS | 1 << RUN_BITS).trailing_zeros() + 1;
    (index, run as u8)
}

/// Adds an element; whether that changed anything. The sparse form is left when it would be longer
/// than `sparse_max_bytes` (`hll-sparse-max-bytes`).
///
/// # Errors
/// [`Invalid::Corrupt`].
pub fn add(bytes: &mut Vec<u8>, element: &[u8], sparse_max_bytes: usize) -> Result<bool, Invalid> {
    let (index, value) = register_of(element);
    raise(bytes, index, value, sparse_max_bytes)
}

/// Raises a register to a value; whether it was below.
fn raise(
    bytes: &mut Vec<u8>,
    index: usize,
    value: u8,
    sparse_max_bytes: usize,
) -> Result<bool, Invalid> {
    let changed = if is_dense(bytes) {
        dense::raise(bytes.get_mut(HEADER..).ok_or(Invalid::Type)?, index, value)
    } else {
        match sparse::raise(bytes, index, value, sparse_max_bytes)? {
            sparse::Raised::No => false,
            sparse::Raised::Yes => true,
            sparse::Raised::NoRoom => {
                to_dense(bytes)?;
                return raise(bytes, index, value, sparse_max_bytes);
            }
        }
    };
    if changed {
        outdate(bytes);
    }
    Ok(changed)
}

/// Makes the registers dense, if they are not.
///
/// # Errors
/// [`Invalid::Corrupt`].
pub fn to_dense(bytes: &mut Vec<u8>) -> Result<(), Invalid> {
    if is_dense(bytes) {
        return Ok(());
    }
    let mut registers = Registers::new();
    registers.merge(bytes)?;
    let mut whole = vec![0; DENSE_LEN];
    whole[..HEADER].copy_from_slice(bytes.get(..HEADER).ok_or(Invalid::Type)?);
    whole[ENCODING_AT] = DENSE;
    for (index, &value) in registers.values.iter().enumerate() {
        dense::raise(&mut whole[HEADER..], index, value);
    }
    *bytes = whole;
    Ok(())
}

/// Estimates how many different elements were added.
///
/// # Errors
/// [`Invalid::Corrupt`].
pub fn count(bytes: &[u8]) -> Result<u64, Invalid> {
    let mut registers = Registers::new();
    registers.merge(bytes)?;
    Ok(registers.count())
}

/// All registers, unpacked: for counting and merging several HyperLogLogs.
#[derive(Clone, Debug)]
pub struct Registers {
    values: Vec<u8>,
}

impl Default for Registers {
    fn default() -> Self {
        Self::new()
    }
}

impl Registers {
    /// Those of an empty one.
    #[must_use]
    pub fn new() -> Self {
        Self { values: vec![0; REGISTERS] }
    }

    /// Their values.
    #[must_use]
    pub fn values(&self) -> &[u8] {
        &self.values
    }

    /// Raises each register to the value it has in a HyperLogLog.
    ///
    /// # Errors
    /// [`Invalid::Corrupt`].
    pub fn merge(&mut self, bytes: &[u8]) -> Result<(), Invalid> {
        let registers = bytes.get(HEADER..).ok_or(Invalid::Type)?;
        if is_dense(bytes) {
            dense::merge(registers, &mut self.values);
            return Ok(());
        }
        sparse::merge(registers, &mut self.values)
    }

    /// Estimates how many different elements were added.
    #[must_use]
    pub fn count(&self) -> u64 {
        estimate::estimate(&self.values)
    }

    /// Raises the registers of a HyperLogLog to these.
    ///
    /// # Errors
    /// [`Invalid::Corrupt`].
    pub fn store(&self, bytes: &mut Vec<u8>, sparse_max_bytes: usize) -> Result<(), Invalid> {
        for (index, &value) in self.values.iter().enumerate().filter(|(_, value)| **value > 0) {
            raise(bytes, index, value, sparse_max_bytes)?;
        }
        outdate(bytes);
        Ok(())
    }
}

/// Elements that the self test adds.
const TESTED: u64 = 100_000;
/// An estimate further off than so many standard errors fails the self test.
const TOLERATED_ERRORS: f64 = 6.0;

/// Adds numbers to a HyperLogLog in both forms and looks whether estimates are near.
///
/// # Errors
/// What is wrong.
pub fn self_test() -> Result<(), String> {
    let (mut sparse, mut dense) = (empty(), empty());
    let damaged = |_| "registers are corrupt".to_owned();
    to_dense(&mut dense).map_err(damaged)?;
    let allowed = TOLERATED_ERRORS * 1.04 / (REGISTERS as f64).sqrt();
    let mut check_at = 1;
    for number in 1..=TESTED {
        let element = number.to_le_bytes();
        for bytes in [&mut sparse, &mut dense] {
            add(bytes, &element, DENSE_LEN).map_err(damaged)?;
        }
        if number == check_at {
            let (one, other) = (count(&sparse).map_err(damaged)?, count(&dense).map_err(damaged)?);
            let error = (one as f64 / number as f64 - 1.0).abs();
            // Of a few elements one more or less is much.
            if one != other || (error > allowed && one.abs_diff(number) > 1) {
                return Err(format!("{number} elements are estimated as {one} and {other}"));
            }
            check_at *= 10;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
