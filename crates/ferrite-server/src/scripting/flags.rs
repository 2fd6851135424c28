//! What a script says of itself in its first line.
//!
//! ```text
//! #!lua flags=no-writes,allow-stale
//! #!lua name=library
//! ```

/// What a script or a function may do, and in which state of the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Flags {
    /// It says what it does. A script without a first line of this kind is judged by what it
    /// calls, one command after the other.
    pub declared: bool,
    /// It never writes.
    pub no_writes: bool,
    /// It may run when the server has no memory to give.
    pub allow_oom: bool,
    /// It may run on a replica whose data may be old.
    pub allow_stale: bool,
    /// It must not run in cluster mode.
    pub no_cluster: bool,
    /// It may use keys of several slots.
    pub allow_cross_slot_keys: bool,
}

impl Flags {
    /// Sets the flag of this name; whether there is one.
    pub fn set(&mut self, name: &str) -> bool {
        let flag = match name {
            "no-writes" => &mut self.no_writes,
            "allow-oom" => &mut self.allow_oom,
            "allow-stale" => &mut self.allow_stale,
            "no-cluster" => &mut self.no_cluster,
            "allow-cross-slot-keys" => &mut self.allow_cross_slot_keys,
            _ => return false,
        };
        *flag = true;
        true
    }

    /// The names of the flags that are set, in the order in which they are listed.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        [
            (self.no_writes, "no-writes"),
            (self.allow_oom, "allow-oom"),
            (self.allow_stale, "allow-stale"),
            (self.no_cluster, "no-cluster"),
            (self.allow_cross_slot_keys, "allow-cross-slot-keys"),
        ]
        .into_iter()
        .filter_map(|(set, name)| set.then_some(name))
    }

    /// The flags of a script of EVAL, and what is to be compiled: its text with an empty line in
    /// place of the first, so that lines keep their numbers.
    ///
    /// # Errors
    /// The whole error reply.
    pub(super) fn of_script(text: &[u8]) -> Result<(Self, Vec<u8>), String> {
        if !text.starts_with(b"#!") {
            return Ok((Self::default(), text.to_vec()));
        }
        let Some(end) = text.iter().position(|byte| *byte == b'\n') else {
            return Err("ERR Invalid script shebang".to_owned());
        };
        let (line, body) = text.split_at(end);
        let line = String::from_utf8_lossy(line);
        let mut words = line.split_ascii_whitespace();
        match words.next() {
            Some("#!lua") => {}
            engine => {
                let engine = engine.unwrap_or_default();
                return Err(format!("ERR Unexpected engine in script shebang: {engine}"));
            }
        }
        let mut flags = Self { declared: true, ..Self::default() };
        for word in words {
            let Some(list) = word.strip_prefix("flags=") else {
                return Err(format!("ERR Unknown lua shebang option: {word}"));
            };
            for name in list.split(',').filter(|name| !name.is_empty()) {
                if !flags.set(name) {
                    return Err(format!("ERR Unexpected flag in script shebang: {name}"));
                }
            }
        }
        Ok((flags, body.to_vec()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_is_read() {
        let (flags, body) =
            Flags::of_script(b"#!lua flags=no-writes,allow-stale\nreturn 1").unwrap();
        assert_eq!(flags.names().collect::<Vec<_>>(), ["no-writes", "allow-stale"]);
        assert!(flags.declared);
        assert_eq!(body, b"\nreturn 1");
        assert_eq!(Flags::of_script(b"return 1").unwrap().0, Flags::default());
        for (text, error) in [
            ("#!lua", "ERR Invalid script shebang"),
            ("#!python\n", "ERR Unexpected engine in script shebang: #!python"),
            ("#!lua flags=bad\n", "ERR Unexpected flag in script shebang: bad"),
            ("#!lua name=x\n", "ERR Unknown lua shebang option: name=x"),
        ] {
            assert_eq!(Flags::of_script(text.as_bytes()).unwrap_err(), error);
        }
    }
}
