//! Passwords: only their SHA-256 is kept.

use std::fs::File;
use std::io::Read;

use sha2::{Digest, Sha256};

/// The hash of a password.
pub fn hash(password: &[u8]) -> [u8; 32] {
    Sha256::digest(password).into()
}

/// Whether two hashes are equal, in a time that does not depend on where they differ.
pub(super) fn same(a: &[u8; 32], b: &[u8; 32]) -> bool {
    a.iter().zip(b).fold(0, |difference, (a, b)| difference | (a ^ b)) == 0
}

/// A hash as 64 digits.
pub(super) fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The hash that 64 digits stand for; capital letters are refused, as Redis does.
pub(super) fn parse(text: &[u8]) -> Option<[u8; 32]> {
    let mut hash = [0; 32];
    let (pairs, rest) = text.as_chunks::<2>();
    if pairs.len() != hash.len() || !rest.is_empty() {
        return None;
    }
    let digit = |digit: u8| match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    };
    for (byte, [high, low]) in hash.iter_mut().zip(pairs) {
        *byte = digit(*high)? * 16 + digit(*low)?;
    }
    Some(hash)
}

/// The most bits a generated password may have.
const MAX_BITS: u32 = 4096;

/// A password of so many random bits, a hexadecimal digit for each four; `None` where there
/// would be none or too many.
pub fn generate(bits: u32) -> Option<std::io::Result<String>> {
    if bits == 0 || bits > MAX_BITS {
        return None;
    }
    let digits = bits.div_ceil(4) as usize;
    let mut bytes = vec![0; digits.div_ceil(2)];
    let read = File::open("/dev/urandom").and_then(|mut file| file.read_exact(&mut bytes));
    Some(read.map(|()| {
        let mut text = hexadecimal(&bytes);
        text.truncate(digits);
        text
    }))
}
