//! What is wrong with a configuration, in the words Redis has for it.

use std::fmt;
use std::path::PathBuf;

use crate::commands::REDIS_VERSION;

/// A configuration that the server cannot start with.
#[derive(Debug)]
pub enum LoadError {
    /// A line is wrong.
    Line {
        /// Its number, from 1; options of the command line follow the lines of the file.
        number: usize,
        /// The line.
        text: String,
        /// What is wrong with it.
        why: String,
    },
    /// A file cannot be read.
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        why: String,
    },
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line { number, text, why } => write!(
                f,
                "\n*** FATAL CONFIG FILE ERROR (Redis {}) ***\nReading the configuration file, \
                 at line {number}\n>>> '{text}'\n{why}",
                REDIS_VERSION
            ),
            Self::File { path, why } => {
                write!(f, "Fatal error, can't open config file '{}': {why}", path.display())
            }
        }
    }
}

impl std::error::Error for LoadError {}

/// Why CONFIG SET changed nothing; displayed as Redis answers it, behind `ERR `.
#[derive(Debug, PartialEq, Eq)]
pub enum SetError {
    /// A name without a value.
    Syntax,
    /// There is no such parameter.
    Unknown(String),
    /// A value cannot be taken.
    Refused {
        /// The parameter as it was named.
        name: String,
        /// Why.
        why: String,
    },
}

impl fmt::Display for SetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Syntax => f.write_str("syntax error"),
            Self::Unknown(name) => {
                write!(f, "Unknown option or number of arguments for CONFIG SET - '{name}'")
            }
            Self::Refused { name, why } => {
                write!(f, "CONFIG SET failed (possibly related to argument '{name}') - {why}")
            }
        }
    }
}

impl std::error::Error for SetError {}

/// What the system says, without its number.
pub(crate) fn system(error: &std::io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or_default().to_owned()
}
