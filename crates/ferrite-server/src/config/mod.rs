//! The configuration: what there is, how it is read, asked for, changed and written back.
//!
//! ```text
//! redis.conf ─┐                      ┌─► typed values: config.memory.maxmemory.get()
//! stdin       ├─ load ──► Parameters ┼─► CONFIG GET (get), CONFIG SET (set)
//! --options  ─┤           one        └─► CONFIG REWRITE (rewrite), into the file it came from
//! ferrite.toml┘           descriptor each (params/)
//! ```
//!
//! Every directive of Redis 7.2 is known. Each acts, or is kept without effect where it has no
//! meaning here, or is refused by name where it asks for what this version does not have; its
//! descriptor says which, and why. None is ignored.

mod error;
mod get;
mod load;
mod params;
mod redis_conf;
mod rewrite;
mod scalar;
mod set;
mod setting;
mod spec;
#[cfg(test)]
mod tests;
mod toml;
mod values;
pub mod words;

use std::ops::Deref;
use std::path::{Path, PathBuf};

pub use error::{LoadError, SetError};
pub use load::{Load, Start};
pub use params::Parameters;
pub use rewrite::RewriteError;
pub use scalar::Scalar;
pub use set::Apply;
pub use setting::{Number, Origin, Setting, Structure, Structured, Value};
pub use spec::{Change, Effect, Kind, Spec};
pub use values::*;

pub(crate) use error::system;
pub(crate) use rewrite::replace;
pub(crate) use scalar::bytes;

/// What sections' words stand for.
pub mod choices {
    pub use super::params::{AuthClients, EvictionPolicy, LogLevel, Protection, PubSubDefault};
}

/// The configuration of one server. Values are read by any thread at any time.
#[derive(Debug)]
pub struct Config {
    parameters: Parameters,
    /// The file it was read from and is written back to.
    file: Option<ConfigFile>,
}

/// The file a configuration came from.
#[derive(Debug, Clone)]
struct ConfigFile {
    path: PathBuf,
    form: Form,
}

/// How a file is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    RedisConf,
    Toml,
}

impl Form {
    fn of(path: &Path) -> Self {
        let toml = path.extension().is_some_and(|extension| extension == "toml");
        if toml { Self::Toml } else { Self::RedisConf }
    }
}

impl Deref for Config {
    type Target = Parameters;

    fn deref(&self) -> &Parameters {
        &self.parameters
    }
}

impl Config {
    /// The configuration nobody wrote: all defaults, files in `folder`.
    pub fn new(folder: &Path) -> Self {
        let config = Self { parameters: Parameters::new(), file: None };
        config.general.dir.set(Folder(folder.to_path_buf()));
        config
    }

    /// Sets one parameter as a line of a configuration file does.
    pub fn put(&self, name: &str, words: &[&str]) -> Result<(), String> {
        let setting = self.find(name.as_bytes()).ok_or("Bad directive")?;
        let words: Vec<Vec<u8>> = words.iter().map(|word| word.as_bytes().to_vec()).collect();
        setting.store(&setting.check(&words, Origin::Start { again: false })?);
        Ok(())
    }

    /// The text of a `ferrite.toml` with every parameter, each with what it is and its default.
    pub fn template() -> String {
        toml::template(&Self::new(Path::new("/")))
    }

    /// The folder that files are in, as an absolute path.
    pub fn folder(&self) -> PathBuf {
        self.general.dir.get().0.clone()
    }

    /// The file the configuration was read from.
    pub fn path(&self) -> Option<&Path> {
        self.file.as_ref().map(|file| file.path.as_path())
    }

    /// The parameter of this name, in any case.
    fn find(&self, name: &[u8]) -> Option<&dyn Setting> {
        self.settings().into_iter().find(|setting| setting.spec().is(name))
    }
}
