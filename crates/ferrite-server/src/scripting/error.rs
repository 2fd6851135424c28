//! What went wrong in a script, and how clients are told.

use super::interpreter::first_line;

/// An error that ended a script.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScriptError {
    /// The message with its code, such as `ERR user_script:1: x`.
    pub message: Vec<u8>,
    /// The chunk and the line, as far as known.
    pub place: Option<(Vec<u8>, Vec<u8>)>,
    /// Whether the error came from a command, which has been counted already.
    pub counted: bool,
}

impl ScriptError {
    pub(super) fn new(message: &str) -> Self {
        Self { message: message.as_bytes().to_vec(), place: None, counted: false }
    }

    pub(super) fn from_lua(error: &mlua::Error) -> Self {
        Self::new(&format!("ERR {}", first_line(error)))
    }

    /// The text of the error reply, without the dash: one line.
    ///
    /// ```text
    /// ERR user_script:1: x script: <name>, on @user_script:1.
    /// ```
    pub fn reply(&self, name: &str) -> Vec<u8> {
        let mut text = self.message.clone();
        if let Some((source, line)) = &self.place {
            text.extend_from_slice(b" script: ");
            text.extend_from_slice(name.as_bytes());
            text.extend_from_slice(b", on ");
            text.extend_from_slice(source);
            text.push(b':');
            text.extend_from_slice(line);
            text.push(b'.');
        }
        super::to_resp::one_line(&text)
    }
}
