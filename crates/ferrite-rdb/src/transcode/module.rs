//! The type name at the beginning of module data.
//!
//! ```text
//! 0x81 | 8 B big endian: nine letters of 6 bits, then 10 bits of encoding version
//! ```

/// The alphabet of type names, by 6-bit value.
const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
/// First byte of a 64-bit length; ids are too large for the shorter forms.
const LENGTH_64: u8 = 0x81;

/// The nine letters of the type of some module data; `None` when it does not begin with an id.
pub(super) fn type_name(body: &[u8]) -> Option<[u8; 9]> {
    let (&first, rest) = body.split_first()?;
    let id = u64::from_be_bytes(*rest.first_chunk()?);
    let letter = |at: usize| LETTERS[(id >> (58 - 6 * at)) as usize & 63];
    (first == LENGTH_64).then(|| std::array::from_fn(letter))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// The beginning of the data of that type.
    pub(in crate::transcode) fn id(name: &[u8; 9], version: u64) -> Vec<u8> {
        let letters = name.iter().fold(0, |id: u64, letter| {
            id << 6 | LETTERS.iter().position(|known| known == letter).unwrap() as u64
        });
        let mut body = vec![LENGTH_64];
        body.extend_from_slice(&(letters << 10 | version).to_be_bytes());
        body
    }

    #[test]
    fn names_are_nine_letters() {
        assert_eq!(type_name(&id(b"vectorset", 1)).unwrap(), *b"vectorset");
        assert_eq!(type_name(&[0x80, 0, 0, 0, 0, 0, 0, 0, 0]), None);
        assert_eq!(type_name(&[0x81, 0]), None);
    }
}
