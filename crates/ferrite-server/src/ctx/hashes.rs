//! The hashes of the keys that a call names: each is computed once, when its shard is looked for.
//!
//! They are found again by where a word lies, not by what it says. That is enough as long as the
//! words of the call stay where they are, which is as long as they are borrowed: whoever notes
//! keys forgets them before the words may go.

use std::cell::Cell;

use ferrite_store::table;
use smallvec::SmallVec;

/// Most keys of one call whose hashes are kept.
const MOST: usize = 16;

#[derive(Debug, Clone, Copy)]
struct Known {
    /// The address of the word's first byte.
    at: usize,
    length: usize,
    hash: u64,
}

/// The hashes of some words.
#[derive(Debug, Default)]
pub struct Hashes {
    known: SmallVec<[Known; MOST]>,
    /// Which was asked for last: the next is it again, or the one behind it.
    last: Cell<usize>,
}

impl Hashes {
    /// Hashes a key of the call and remembers it.
    pub fn note(&mut self, key: &[u8]) -> u64 {
        self.find(key).unwrap_or_else(|| {
            let hash = table::hash(key);
            self.know(key, hash);
            hash
        })
    }

    /// Remembers the hash of a key of the call.
    pub fn know(&mut self, key: &[u8], hash: u64) {
        if self.known.len() < MOST {
            self.known.push(Known { at: key.as_ptr().addr(), length: key.len(), hash });
        }
    }

    /// The hash of any key, computed where it is not known.
    pub fn of(&self, key: &[u8]) -> u64 {
        self.find(key).unwrap_or_else(|| table::hash(key))
    }

    fn find(&self, key: &[u8]) -> Option<u64> {
        let is_it = |known: &&Known| known.at == key.as_ptr().addr() && known.length == key.len();
        let last = self.last.get();
        if let Some(known) = self.known.get(last).filter(is_it) {
            return Some(known.hash);
        }
        let next = if last + 1 < self.known.len() { last + 1 } else { 0 };
        let known = self.known.get(next).filter(is_it)?;
        self.last.set(next);
        Some(known.hash)
    }

    /// All that are known.
    pub fn all(&self) -> impl ExactSizeIterator<Item = u64> {
        self.known.iter().map(|known| known.hash)
    }

    /// Forgets all, before the words may go.
    pub fn forget(&mut self) {
        self.known.clear();
        self.last.set(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_has_its_own_hash_whether_it_is_known_or_not() {
        let line = b"one two three four".to_vec();
        let words: Vec<&[u8]> = line.split(|byte| *byte == b' ').collect();
        let mut hashes = Hashes::default();
        for word in &words[..3] {
            assert_eq!(hashes.note(word), table::hash(word));
        }
        for word in words.iter().chain(words.iter().rev()).chain(&words) {
            assert_eq!(hashes.of(word), table::hash(word));
        }
        assert_eq!(hashes.of(&line[..2]), table::hash(b"on"), "another word at the same place");
        hashes.forget();
        assert_eq!(hashes.of(words[1]), table::hash(b"two"));
    }
}
