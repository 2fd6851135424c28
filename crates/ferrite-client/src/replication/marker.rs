//! Finds the 40 bytes that end an RDB of unknown length.
//!
//! Horspool's search: look at the last byte of the window; when it occurs nowhere in the marker
//! the window moves on by all 40 bytes, so that most bytes are never looked at.

/// Length of the marker, in bytes; the server makes it of random hexadecimal digits.
pub(super) const MARKER_LENGTH: usize = 40;

/// A marker and how far each byte lets the search move.
#[derive(Debug, Clone)]
pub(super) struct Marker {
    bytes: [u8; MARKER_LENGTH],
    shifts: [u8; 256],
}

impl Marker {
    pub(super) fn new(bytes: [u8; MARKER_LENGTH]) -> Self {
        let mut shifts = [MARKER_LENGTH as u8; 256];
        let [before_last @ .., _] = &bytes;
        for (distance, byte) in (1..).zip(before_last.iter().rev()) {
            let shift = &mut shifts[usize::from(*byte)];
            *shift = (*shift).min(distance);
        }
        Self { bytes, shifts }
    }

    /// Where the marker begins in `text`.
    pub(super) fn find(&self, text: &[u8]) -> Option<usize> {
        let mut start = 0;
        while let Some(window) = text.get(start..start + MARKER_LENGTH) {
            if window == self.bytes {
                return Some(start);
            }
            let last = window.last().copied().unwrap_or_default();
            start += usize::from(self.shifts[usize::from(last)]);
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Markers that are hard: repeated bytes, periods, ordinary digits.
    fn markers() -> Vec<[u8; 40]> {
        let period = std::array::from_fn(|index| b"ab"[index % 2]);
        let almost = std::array::from_fn(|index| if index == 0 { b'b' } else { b'a' });
        let digits = *b"0123456789abcdef0123456789abcdef01234567";
        vec![[b'a'; 40], period, almost, digits]
    }

    #[test]
    fn found_wherever_it_stands() {
        for bytes in markers() {
            let marker = Marker::new(bytes);
            for before in 0..130 {
                let text = [vec![b'#'; before], bytes.to_vec(), vec![b'a'; 50]].concat();
                assert_eq!(marker.find(&text), Some(before));
                assert_eq!(marker.find(&text[..before + 39]), None);
            }
        }
    }

    #[test]
    fn agrees_with_a_plain_search_on_lookalikes() {
        for bytes in markers() {
            let marker = Marker::new(bytes);
            // Pieces of the marker itself, in every order of cutting.
            for cut in 1..40 {
                let pieces = [&bytes[cut..], &bytes[..cut], &bytes[1..], &bytes[..cut]];
                let text = [pieces.concat(), bytes.to_vec(), b"tail".to_vec()].concat();
                let plain = text.windows(40).position(|window| window == bytes);
                assert_eq!(marker.find(&text), plain, "cut at {cut}");
            }
        }
    }
}
