//! Commands sent together.

use ferrite_resp::encode;

/// Commands to be sent in one go, already encoded.
#[derive(Debug, Clone, Default)]
pub struct Pipeline {
    encoded: Vec<u8>,
    commands: usize,
}

impl Pipeline {
    /// An empty pipeline.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a command.
    #[inline]
    pub fn push<A: AsRef<[u8]>>(&mut self, arguments: &[A]) -> &mut Self {
        encode::command(&mut self.encoded, arguments);
        self.commands += 1;
        self
    }

    /// Adds `commands` commands encoded by the caller, who gets that many replies.
    pub fn push_encoded(&mut self, encoded: &[u8], commands: usize) -> &mut Self {
        self.encoded.extend_from_slice(encoded);
        self.commands += commands;
        self
    }

    /// Number of commands.
    pub fn len(&self) -> usize {
        self.commands
    }

    /// Whether there are no commands.
    pub fn is_empty(&self) -> bool {
        self.commands == 0
    }

    /// Bytes it takes on the wire.
    pub fn encoded(&self) -> &[u8] {
        &self.encoded
    }

    /// Removes all commands and keeps the memory.
    pub fn clear(&mut self) {
        self.encoded.clear();
        self.commands = 0;
    }
}
