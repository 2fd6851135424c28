//! Everything that is configured before the server starts, in its order: the file, standard
//! input, the options of the command line. What comes last counts.

use std::path::{Path, PathBuf};

use super::error::LoadError;
use crate::commands::Names;

use super::{Config, ConfigFile, Form, redis_conf, system, toml};

/// What is to be read.
#[derive(Debug, Default, Clone)]
pub struct Load {
    /// The configuration file: `ferrite.toml`, or a `redis.conf` under any other ending.
    pub file: Option<PathBuf>,
    /// More directives in the form of `redis.conf`, as standard input brings them.
    pub input: Vec<u8>,
    /// Options of the command line: `--port`, `6380`.
    pub options: Vec<Vec<u8>>,
    /// Where relative paths begin.
    pub folder: PathBuf,
}

/// A configuration, and what a file may say that is no parameter.
#[derive(Debug)]
pub struct Start {
    /// The values.
    pub config: Config,
    /// The words of every `user` directive, without `user` itself.
    pub users: Vec<Vec<Vec<u8>>>,
    /// What commands are called by (`rename-command`).
    pub names: Names,
}

impl Load {
    /// Reads it all.
    pub fn load(&self) -> Result<Start, LoadError> {
        let (config, names) = (Config::new(&self.folder), Names::default());
        let mut start = Start { config, users: Vec::new(), names };
        let mut rest = self.input.clone();
        if !rest.is_empty() && !rest.ends_with(b"\n") {
            rest.push(b'\n');
        }
        rest.extend(redis_conf::options(&self.options));
        let mut text = Vec::new();
        if let Some(path) = &self.file {
            let path = self.folder.join(path);
            let form = Form::of(&path);
            text = read(&path)?;
            start.config.file =
                Some(ConfigFile { path: path.canonicalize().unwrap_or(path), form });
            if form == Form::Toml {
                toml::load(&mut start, &text)?;
                text.clear();
            }
        }
        if !text.is_empty() && !text.ends_with(b"\n") {
            text.push(b'\n');
        }
        text.extend(rest);
        redis_conf::load(&mut start, &text)?;
        Ok(start)
    }
}

/// The most bytes a configuration file may have.
const MAX_FILE: u64 = 64 << 20;

pub(super) fn read(path: &Path) -> Result<Vec<u8>, LoadError> {
    let fail = |why: String| LoadError::File { path: path.to_path_buf(), why };
    let size = std::fs::metadata(path).map_err(|error| fail(system(&error)))?.len();
    if size > MAX_FILE {
        return Err(fail(format!("it has {size} bytes; a configuration has {MAX_FILE} at most")));
    }
    std::fs::read(path).map_err(|error| fail(system(&error)))
}
