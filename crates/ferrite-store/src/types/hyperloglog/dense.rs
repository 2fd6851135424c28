//! Dense registers: 16384 times six bits, the lowest bits first.
//!
//! ```text
//! byte 0    byte 1    byte 2
//! 11000000  22221111  33333322
//! ```

use super::REGISTERS;

const BITS: usize = 6;
const MASK: u16 = 0x3f;
/// Bytes of all registers.
pub(super) const BYTES: usize = REGISTERS * BITS / 8;

fn get(registers: &[u8], index: usize) -> u8 {
    let (at, shift) = (index * BITS / 8, index * BITS % 8);
    let byte = |at: usize| u16::from(registers.get(at).copied().unwrap_or_default());
    ((byte(at) | byte(at + 1) << 8) >> shift & MASK) as u8
}

/// Raises a register; whether it was below.
pub(super) fn raise(registers: &mut [u8], index: usize, value: u8) -> bool {
    if value <= get(registers, index) {
        return false;
    }
    let (at, shift) = (index * BITS / 8, index * BITS % 8);
    let (mask, bits) = (!(MASK << shift), u16::from(value) << shift);
    for (byte, (mask, bits)) in
        registers[at..].iter_mut().zip(mask.to_le_bytes().into_iter().zip(bits.to_le_bytes()))
    {
        *byte = *byte & mask | bits;
    }
    true
}

/// Raises unpacked registers to these.
pub(super) fn merge(registers: &[u8], into: &mut [u8]) {
    // Four registers are three bytes.
    for (packed, values) in registers.as_chunks::<3>().0.iter().zip(into.chunks_exact_mut(4)) {
        let word = u32::from_le_bytes([packed[0], packed[1], packed[2], 0]);
        for (at, value) in values.iter_mut().enumerate() {
            *value = (*value).max((word >> (at * BITS)) as u8 & MASK as u8);
        }
    }
}
