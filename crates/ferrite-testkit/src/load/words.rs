//! Commands as lists of words, and a macro that makes them from words of any kind.

/// One command: its name and its arguments.
pub(super) type Command = Vec<Vec<u8>>;

/// What can be a word of a command.
pub(super) trait Word {
    /// The bytes to send.
    fn bytes(self) -> Vec<u8>;
}

impl Word for &str {
    fn bytes(self) -> Vec<u8> {
        self.as_bytes().to_vec()
    }
}

impl Word for Vec<u8> {
    fn bytes(self) -> Vec<u8> {
        self
    }
}

impl Word for String {
    fn bytes(self) -> Vec<u8> {
        self.into_bytes()
    }
}

macro_rules! numbers {
    ($($kind:ty),*) => {
        $(impl Word for $kind {
            fn bytes(self) -> Vec<u8> {
                self.to_string().into_bytes()
            }
        })*
    };
}
numbers!(u32, u64, i64, f64, usize);

/// A [`Command`] of the given words, evaluated from left to right.
macro_rules! command {
    ($($word:expr),+ $(,)?) => {
        vec![$($crate::load::words::Word::bytes($word)),+]
    };
}
pub(super) use command;
