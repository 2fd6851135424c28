//! The commands a rewritten one becomes.

use ferrite_resp::encode;

/// Appends commands and counts them.
#[derive(Debug)]
pub struct Output<'a> {
    out: &'a mut Vec<u8>,
    written: usize,
}

impl<'a> Output<'a> {
    /// Appends to `out`.
    pub fn new(out: &'a mut Vec<u8>) -> Self {
        Self { out, written: 0 }
    }

    /// How many commands were appended.
    #[must_use]
    pub fn written(&self) -> usize {
        self.written
    }

    /// Appends a command of words, a number, and more words.
    pub fn command(&mut self, head: &[&[u8]], number: i64, tail: &[&[u8]]) {
        encode::array_header(self.out, head.len() + 1 + tail.len());
        self.words(head);
        encode::bulk_integer(self.out, number);
        self.words(tail);
        self.written += 1;
    }

    /// Begins a command of so many words; [`Self::word`] and [`Self::number`] must add them.
    pub fn begin(&mut self, words: usize) {
        encode::array_header(self.out, words);
        self.written += 1;
    }

    /// Adds a word to the command begun.
    pub fn word(&mut self, word: &[u8]) {
        encode::bulk(self.out, word);
    }

    /// Adds words to the command begun.
    pub fn words(&mut self, words: &[&[u8]]) {
        words.iter().for_each(|word| encode::bulk(self.out, word));
    }

    /// Adds a number to the command begun.
    pub fn number(&mut self, number: i64) {
        encode::bulk_integer(self.out, number);
    }
}
