//! Which keys take part, by glob patterns over their names.

pub use ferrite_commands::matches_glob;

/// Which keys take part, by name.
#[derive(Clone, Debug, Default)]
pub struct KeyFilter {
    include: Vec<Vec<u8>>,
    exclude: Vec<Vec<u8>>,
}

impl KeyFilter {
    /// Keys that match one of `include` (all keys, if it is empty) and none of `exclude`.
    #[must_use]
    pub fn new(include: Vec<Vec<u8>>, exclude: Vec<Vec<u8>>) -> Self {
        Self { include, exclude }
    }

    /// The patterns of which a key must match one, unless there are none.
    #[must_use]
    pub fn included(&self) -> &[Vec<u8>] {
        &self.include
    }

    /// The patterns of which a key must match none.
    #[must_use]
    pub fn excluded(&self) -> &[Vec<u8>] {
        &self.exclude
    }

    /// Whether the key takes part.
    #[must_use]
    pub fn accepts(&self, key: &[u8]) -> bool {
        (self.include.is_empty() || self.include.iter().any(|glob| matches_glob(glob, key)))
            && !self.exclude.iter().any(|glob| matches_glob(glob, key))
    }

    /// Whether every key takes part.
    #[must_use]
    pub fn is_all(&self) -> bool {
        self.include.is_empty() && self.exclude.is_empty()
    }

    /// Whether only keys that match a pattern take part.
    #[must_use]
    pub fn is_selective(&self) -> bool {
        !self.include.is_empty()
    }

    /// The pattern a server can apply for us: the only include pattern, if there is just one.
    #[must_use]
    pub fn server_pattern(&self) -> Option<&[u8]> {
        match self.include.as_slice() {
            [only] => Some(only),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exclusion_wins() {
        let filter = KeyFilter::new(vec![b"user:*".to_vec()], vec![b"*:tmp".to_vec()]);
        assert!(filter.accepts(b"user:1"));
        assert!(!filter.accepts(b"user:tmp"));
        assert!(!filter.accepts(b"other"));
    }
}
