//! Why something about a job's directory could not be done.

use std::io;
use std::path::{Path, PathBuf};

/// A job that cannot be made, found, read or run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JobError {
    /// No job can have this id.
    #[error("`{id}` is not the id of a migration: those begin with mig_")]
    BadId {
        /// As it was given.
        id: String,
    },
    /// There is no such job.
    #[error("there is no migration {id}{}", those_there(.nearest))]
    NotFound {
        /// The one that was asked for.
        id: String,
        /// Those that exist and are called most alike, at most [`JobError::NEAREST_MAX`].
        nearest: Vec<String>,
    },
    /// There is one of this id already.
    #[error("there is a migration {id} already")]
    Exists {
        /// The id.
        id: String,
    },
    /// Another process runs it.
    #[error("the migration {id} is being run{}", by_process(*.pid))]
    Running {
        /// The id.
        id: String,
        /// The process that holds the lock, where the lock file says so.
        pid: Option<u32>,
    },
    /// Its files are those of a version that keeps them differently, or knows more.
    #[error(
        "the migration {id} is kept by version {program} of this program, whose files this one \
         (version {}) does not know",
        env!("CARGO_PKG_VERSION")
    )]
    OtherVersion {
        /// The id.
        id: String,
        /// That version.
        program: String,
    },
    /// A file does not hold what it should.
    #[error("{} is damaged: {why}", .path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong, and where in it.
        why: String,
    },
    /// The system refused.
    #[error("{doing} {}: {source}", .path.display())]
    Io {
        /// What was being done to the file.
        doing: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl JobError {
    /// How many ids are named when one is not found.
    pub const NEAREST_MAX: usize = 3;

    /// What to do next: a command, where there is one.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::BadId { .. } | Self::NotFound { .. } => Some("ferrite-migrate list".to_owned()),
            Self::Running { id, .. } => Some(format!("ferrite-migrate status --id {id}")),
            Self::OtherVersion { program, .. } => Some(format!(
                "go on with version {program}, or begin again with this one: \
                     ferrite-migrate migrate … --on-conflict replace"
            )),
            Self::Exists { .. } | Self::Damaged { .. } | Self::Io { .. } => None,
        }
    }

    /// A file in a job's directory was written by that version.
    pub(super) fn other_version(file: &Path, program: String) -> Self {
        let id = file.parent().and_then(Path::file_name).unwrap_or_default();
        Self::OtherVersion { id: id.to_string_lossy().into_owned(), program }
    }

    pub(super) fn damaged(path: &Path, why: impl ToString) -> Self {
        Self::Damaged { path: path.to_owned(), why: why.to_string() }
    }

    /// Turns what the system said into an error that names the file.
    pub(super) fn io(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { doing, path, source }
    }
}

fn those_there(ids: &[String]) -> String {
    match ids {
        [] => " (there is none at all)".to_owned(),
        ids => format!("; there is {}", ids.join(", ")),
    }
}

fn by_process(pid: Option<u32>) -> String {
    pid.map_or(String::new(), |pid| format!(" by process {pid}"))
}
