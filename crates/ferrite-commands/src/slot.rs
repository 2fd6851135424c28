//! The cluster slot of a key.
//!
//! ```text
//! slot = CRC16(tag) mod 16384
//! tag  = the bytes between the first `{` and the first `}` after it, when there are any;
//!        else the whole key
//! ```
//!
//! The checksum is CRC-16/XMODEM: polynomial 0x1021, start 0, no reflection, no final xor
//! (the cluster specification names it; its check value for `123456789` is 0x31C3).

/// How many slots a cluster has.
pub const SLOTS: u16 = 16_384;

const TABLE: [u16; 256] = table();

const fn table() -> [u16; 256] {
    let mut table = [0u16; 256];
    let mut byte = 0;
    while byte < 256 {
        let mut sum = (byte as u16) << 8;
        let mut bit = 0;
        while bit < 8 {
            sum = if sum & 0x8000 != 0 { (sum << 1) ^ 0x1021 } else { sum << 1 };
            bit += 1;
        }
        table[byte] = sum;
        byte += 1;
    }
    table
}

fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0, |sum: u16, byte| (sum << 8) ^ TABLE[usize::from((sum >> 8) as u8 ^ *byte)])
}

/// The part of `key` that decides its slot: what stands between the first `{` and the next `}`,
/// or the whole key when there is no such pair or nothing between them.
pub fn hash_tag(key: &[u8]) -> &[u8] {
    let Some(open) = key.iter().position(|byte| *byte == b'{') else { return key };
    let inside = key.get(open + 1..).unwrap_or_default();
    match inside.iter().position(|byte| *byte == b'}') {
        None | Some(0) => key,
        Some(close) => inside.get(..close).unwrap_or(key),
    }
}

/// The cluster slot of `key`, below [`SLOTS`].
pub fn slot(key: &[u8]) -> u16 {
    crc16(hash_tag(key)) % SLOTS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksum_has_the_published_check_value() {
        assert_eq!(crc16(b"123456789"), 0x31c3);
    }

    #[test]
    fn tag_is_the_first_non_empty_pair_of_braces() {
        let cases: [(&[u8], &[u8]); 7] = [
            (b"{user1000}.following", b"user1000"),
            (b"foo{}{bar}", b"foo{}{bar}"),
            (b"foo{{bar}}zap", b"{bar"),
            (b"foo{bar}{zap}", b"bar"),
            (b"open{only", b"open{only"),
            (b"}{a}", b"a"),
            (b"", b""),
        ];
        for (key, tag) in cases {
            assert_eq!(hash_tag(key), tag);
        }
    }

    #[test]
    fn slots_are_those_of_a_real_cluster() {
        // CLUSTER KEYSLOT on Redis 7.0.15.
        assert_eq!(slot(b"foo"), 12182);
        assert_eq!(slot(b"{foo}bar"), 12182);
        assert_eq!(slot(b""), 0);
        assert_eq!(slot(b"somekey"), 11058);
    }
}
