//! Finds the objects in a stream of JSON: on lines, in an array, or just one behind the other.
//!
//! Only braces and strings are looked at; what is inside is for the parser. Each byte is looked at
//! once, however the stream is cut into pieces.

/// What is said of an object above the limit.
pub const TOO_LONG: &str = "the record is longer than the memory limit allows";

/// What is next in the stream.
#[derive(Debug, PartialEq, Eq)]
pub enum Next {
    /// An object, by its bytes in the input.
    Object {
        /// Where it begins.
        start: usize,
        /// Where it ends.
        end: usize,
    },
    /// Nothing but space between objects; so many bytes are done with.
    Skip(usize),
    /// An object that does not end in the input: call again with the same bytes and more.
    NeedMore,
}

/// Finds objects one by one.
#[derive(Debug)]
pub struct Objects {
    limit: usize,
    /// The line of the next byte, counted from 1.
    line: u64,
    /// Where the object that was begun begins in the input, and how far it was looked at.
    begun: Option<(usize, usize)>,
    depth: u32,
    in_string: bool,
    is_escaped: bool,
    /// Lines ended in what was looked at and not consumed.
    lines_ahead: u64,
    /// Whether an array was opened and not closed.
    in_array: bool,
}

impl Objects {
    /// Objects of at most `limit` bytes.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self {
            limit,
            line: 1,
            begun: None,
            depth: 0,
            in_string: false,
            is_escaped: false,
            lines_ahead: 0,
            in_array: false,
        }
    }

    /// The line in which the object that is looked at begins.
    #[must_use]
    pub fn line(&self) -> u64 {
        self.line
    }

    /// The caller has let so many bytes go: those of the last object, or all that were skipped.
    pub fn consumed(&mut self, _count: usize) {
        self.line += std::mem::take(&mut self.lines_ahead);
    }

    /// Finds the next object.
    ///
    /// # Errors
    /// What is wrong: bytes between objects that do not belong there, an object above the limit.
    pub fn next(&mut self, input: &[u8]) -> Result<Next, String> {
        let (start, from) = match self.begun {
            Some(begun) => begun,
            None => match self.between(input)? {
                Some(start) => (start, start),
                None => return Ok(Next::Skip(input.len())),
            },
        };
        for (at, byte) in input.iter().enumerate().skip(from) {
            self.lines_ahead += u64::from(*byte == b'\n');
            if self.step(*byte) {
                self.begun = None;
                return Ok(Next::Object { start, end: at + 1 });
            }
        }
        if input.len() - start > self.limit {
            return Err(TOO_LONG.to_owned());
        }
        self.begun = Some((start, input.len()));
        Ok(Next::NeedMore)
    }

    /// Where the next object begins.
    fn between(&mut self, input: &[u8]) -> Result<Option<usize>, String> {
        for (at, byte) in input.iter().enumerate() {
            match byte {
                b'{' => {
                    // The line is told of the object, not of the space before it.
                    self.line += std::mem::take(&mut self.lines_ahead);
                    return Ok(Some(at));
                }
                b'\n' => self.lines_ahead += 1,
                b'[' if !self.in_array => self.in_array = true,
                b']' if self.in_array => self.in_array = false,
                b',' if self.in_array => {}
                byte if byte.is_ascii_whitespace() => {}
                byte => {
                    self.line += std::mem::take(&mut self.lines_ahead);
                    let byte = byte.escape_ascii();
                    return Err(format!("'{byte}' stands where a record should begin with {{"));
                }
            }
        }
        Ok(None)
    }

    /// Takes a byte of an object; whether it is the last one.
    fn step(&mut self, byte: u8) -> bool {
        if self.in_string {
            match byte {
                _ if self.is_escaped => self.is_escaped = false,
                b'\\' => self.is_escaped = true,
                b'"' => self.in_string = false,
                _ => {}
            }
            return false;
        }
        match byte {
            b'"' => self.in_string = true,
            b'{' => self.depth += 1,
            b'}' => self.depth = self.depth.saturating_sub(1),
            _ => {}
        }
        byte == b'}' && self.depth == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The objects of a stream that comes in pieces of this size, each with its line.
    fn objects(stream: &str, size: usize) -> Result<Vec<(u64, String)>, String> {
        let (mut objects, mut found) = (Objects::new(64), Vec::new());
        let (mut start, mut end) = (0, 0);
        loop {
            let input = &stream.as_bytes()[start..end];
            match objects.next(input)? {
                Next::Object { start: from, end: to } => {
                    let text = String::from_utf8_lossy(&input[from..to]).into_owned();
                    found.push((objects.line(), text));
                    start += to;
                    objects.consumed(to);
                    continue;
                }
                Next::Skip(count) => {
                    start += count;
                    objects.consumed(count);
                }
                Next::NeedMore => {}
            }
            if end == stream.len() {
                return Ok(found);
            }
            end = (end + size).min(stream.len());
        }
    }

    #[test]
    fn lines_and_arrays_give_the_same_objects() {
        let expected = [(1, "{\"a\":{\"}\":1}}"), (3, "{\"b\":\"\\\"}\\\\\"}"), (3, "{}")];
        let expected: Vec<_> =
            expected.into_iter().map(|(line, text)| (line, text.to_owned())).collect();
        let lines = "{\"a\":{\"}\":1}}\n\n{\"b\":\"\\\"}\\\\\"} {}\n";
        let array = "[{\"a\":{\"}\":1}},\n\n{\"b\":\"\\\"}\\\\\"},{}]\n";
        for size in 1..lines.len() {
            assert_eq!(objects(lines, size).unwrap(), expected, "{size}");
            assert_eq!(objects(array, size).unwrap(), expected, "{size}");
        }
    }

    #[test]
    fn what_is_between_objects_and_too_long_ones_are_refused() {
        assert!(objects("{}\nx{}", 1).unwrap_err().contains("'x'"));
        assert!(objects("{},{}", 1).is_err());
        let long = format!("{{\"a\":\"{}\"}}", "x".repeat(100));
        assert_eq!(objects(&long, 8).unwrap_err(), TOO_LONG);
        assert_eq!(objects("{\"a\":1", 3).unwrap(), []);
    }
}
