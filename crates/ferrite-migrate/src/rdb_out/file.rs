//! A file that has its name once it is complete, or standard output.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::error::{ErrorKind, MigrateError};

/// Where the bytes go.
#[derive(Debug)]
pub struct NewFile {
    path: PathBuf,
    bytes: u64,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Stdout(io::Stdout),
    /// A file under its temporary name.
    File(File, PathBuf),
    /// It has its name.
    Complete,
}

impl NewFile {
    /// Begins a file; `-` is standard output.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn create(path: &Path) -> Result<Self, MigrateError> {
        let kind = if path == Path::new("-") {
            Kind::Stdout(io::stdout())
        } else {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let temporary = path.with_file_name(format!(".{name}.{}.part", std::process::id()));
            let file = File::create(&temporary).map_err(|error| {
                let doing = format!("writing {}", path.display());
                MigrateError::new(ErrorKind::Config, doing, error)
                    .with_hint("see that the folder is there and that we may write to it")
            })?;
            Kind::File(file, temporary)
        };
        Ok(Self { path: path.to_owned(), bytes: 0, kind })
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> String {
        match &self.kind {
            Kind::Stdout(_) => String::from("standard output"),
            _ => self.path.display().to_string(),
        }
    }

    /// Bytes written so far.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Writes all of it.
    ///
    /// # Errors
    /// The disk is full, or nobody reads any more.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), MigrateError> {
        let written = match &mut self.kind {
            Kind::Stdout(stdout) => stdout.write_all(bytes),
            Kind::File(file, _) => file.write_all(bytes),
            Kind::Complete => Err(io::Error::other("it is complete")),
        };
        self.bytes += bytes.len() as u64;
        written.map_err(|error| self.failed(&error))
    }

    /// Brings everything to the disk, then gives the file its name; a file of that name is
    /// replaced.
    ///
    /// # Errors
    /// It could not be brought there.
    pub fn complete(&mut self) -> Result<(), MigrateError> {
        let done = match &mut self.kind {
            Kind::Stdout(stdout) => stdout.flush(),
            Kind::File(file, temporary) => {
                file.sync_all().and_then(|()| fs::rename(temporary, &self.path))
            }
            Kind::Complete => Ok(()),
        };
        done.map_err(|error| self.failed(&error))?;
        self.kind = Kind::Complete;
        // The name is in the folder, which is a file too.
        let folder = self.path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let synced = File::open(folder.unwrap_or(Path::new("."))).and_then(|it| it.sync_all());
        if let Err(error) = synced {
            tracing::debug!(%error, "the folder was not synced");
        }
        Ok(())
    }

    fn failed(&self, error: &io::Error) -> MigrateError {
        let doing = format!("writing {} at byte {}", self.name(), self.bytes);
        MigrateError::new(ErrorKind::Target, doing, error)
            .with_hint("see whether the disk is full: df")
    }
}

impl Drop for NewFile {
    fn drop(&mut self) {
        if let Kind::File(_, temporary) = &self.kind {
            // Nobody knows it; whoever cleans up finds it by its ending.
            let _ = fs::remove_file(temporary);
        }
    }
}
