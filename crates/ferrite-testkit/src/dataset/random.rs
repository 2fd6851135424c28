//! Reproducible randomness and text that looks like somebody's data.

/// Words that values are made of.
const WORDS: [&str; 64] = [
    "account",
    "active",
    "amount",
    "apple",
    "april",
    "basket",
    "blue",
    "cancelled",
    "card",
    "city",
    "client",
    "complete",
    "contact",
    "currency",
    "customer",
    "date",
    "delivery",
    "device",
    "email",
    "error",
    "event",
    "family",
    "first",
    "green",
    "group",
    "house",
    "invoice",
    "item",
    "january",
    "language",
    "last",
    "login",
    "mobile",
    "monday",
    "name",
    "north",
    "number",
    "offer",
    "order",
    "paid",
    "paper",
    "payment",
    "pending",
    "phone",
    "price",
    "product",
    "profile",
    "quantity",
    "refund",
    "region",
    "return",
    "session",
    "shipped",
    "silver",
    "status",
    "stock",
    "street",
    "summer",
    "ticket",
    "token",
    "total",
    "user",
    "version",
    "weekend",
];

/// A generator (SplitMix64): the same seed gives the same sequence for ever.
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    /// A generator that begins with this seed.
    #[must_use]
    pub fn new(seed: u64) -> Random {
        Random(seed)
    }

    /// Any number.
    #[allow(clippy::should_implement_trait, reason = "it never ends")]
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `limit`, which must not be zero.
    pub fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    /// Bytes that do not compress.
    pub fn bytes(&mut self, length: usize) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(length + 8);
        while bytes.len() < length {
            bytes.extend_from_slice(&self.next().to_le_bytes());
        }
        bytes.truncate(length);
        bytes
    }

    /// Appends exactly `length` bytes of words and numbers to a buffer.
    pub(crate) fn write_text(&mut self, buffer: &mut Vec<u8>, length: usize) {
        let end = buffer.len() + length;
        while buffer.len() < end {
            let mut bits = self.next();
            // One number serves several words: it has bits enough.
            for _ in 0..4 {
                let word = WORDS.get((bits & 63) as usize).copied().unwrap_or_default();
                buffer.extend_from_slice(word.as_bytes());
                buffer.push(b' ');
                bits >>= 6;
            }
            buffer.extend_from_slice(format!("{:06} ", bits % 1_000_000).as_bytes());
        }
        buffer.truncate(end);
    }

    /// Words and numbers, exactly `length` bytes of them.
    pub(crate) fn text(&mut self, length: usize) -> Vec<u8> {
        let mut buffer = Vec::with_capacity(length + 64);
        self.write_text(&mut buffer, length);
        buffer
    }
}
