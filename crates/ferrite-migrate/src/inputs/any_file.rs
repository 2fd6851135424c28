//! A file whose kind its first bytes tell.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use super::aof::{AofInput, AofOptions};
use super::json::JsonInput;
use super::rdb_file::RdbFile;
use super::{Bytes, Comparing, Kind, Opened, Place};
use crate::engine::Job;
use crate::error::MigrateError;
use crate::files::FileBytes;
use crate::key_template::KeyTemplate;
use crate::report::PreflightReport;
use crate::sources::BoxFuture;
use crate::verify::{FileComparer, WrittenTo};

/// Bytes of a foreign file that are shown.
const BEGINS_SHOWN: usize = 16;

/// One kind of file.
struct FileFormat {
    /// In words.
    name: &'static str,
    /// Whether a file that begins so is of this kind.
    is_begun_by: fn(&[u8]) -> bool,
    /// Reads it from its beginning.
    open: fn(&AnyFile, Arc<Job>, Bytes, &mut PreflightReport) -> Opened,
    /// Reads it again and compares it with the target.
    compare: fn(&AnyFile, Arc<Job>, WrittenTo) -> Comparing<'_>,
}

/// All kinds of file that are told apart.
const FORMATS: &[FileFormat] = &[
    FileFormat {
        name: "an RDB",
        is_begun_by: RdbFile::is_begun_by,
        open: |file, job, bytes, report| {
            RdbFile::new(file.place.clone(), file.rename.clone()).look(job, bytes, report)
        },
        compare: |file, job, target| {
            let comparer = FileComparer::new(job, file.rename.clone(), target);
            Box::pin(async { comparer.run(&file.place).await.map(Some) })
        },
    },
    FileFormat {
        name: "JSON",
        is_begun_by: JsonInput::is_begun_by,
        open: |file, job, bytes, report| {
            if file.rename.is_some() || job.config.verify {
                let detail = format!("{} is JSON, which is read as it stands, once", file.place);
                report.block("source file", detail, "leave --transform-keys and --verify out");
            }
            JsonInput::new(file.place.clone()).look(&job, bytes, report)
        },
        compare: |_, _, _| Box::pin(async { Ok(None) }),
    },
];

/// A file of any kind.
pub struct AnyFile {
    place: Place,
    rename: Option<KeyTemplate>,
}

impl AnyFile {
    /// The file at that place, whose keys get other names where there is a template for them.
    #[must_use]
    pub fn new(place: Place, rename: Option<KeyTemplate>) -> Self {
        Self { place, rename }
    }
}

impl AnyFile {
    /// The append-only file it is, if it is one: it is read by its path, more than once.
    async fn append_only(&self, begins: &[u8]) -> Result<Option<AofInput>, MigrateError> {
        match &self.place {
            Place::File(path) if AofInput::is_begun_by(begins) => Ok(Some(aof(path))),
            place => AofInput::behind_rdb(place, begins).await,
        }
    }
}

fn aof(path: &Path) -> AofInput {
    AofInput::new(path, AofOptions::default())
}

impl fmt::Debug for AnyFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AnyFile").field("place", &self.place).finish_non_exhaustive()
    }
}

impl Kind for AnyFile {
    fn name(&self) -> &'static str {
        "file"
    }

    fn place(&self) -> String {
        self.place.to_string()
    }

    fn has_databases(&self) -> bool {
        true
    }

    fn whole_rdb(&self) -> Option<&Path> {
        self.place.whole_rdb(self.rename.is_some())
    }

    fn is_comparable(&self) -> bool {
        matches!(self.place, Place::File(_))
    }

    fn compare(&self, job: Arc<Job>, target: WrittenTo) -> Comparing<'_> {
        Box::pin(async {
            let begins = FileBytes::open(&self.place)?;
            let format = FORMATS.iter().find(|format| (format.is_begun_by)(begins.head()));
            match format {
                Some(format) => (format.compare)(self, job, target).await,
                None => Ok(None),
            }
        })
    }

    fn open<'a>(
        &'a self,
        job: Arc<Job>,
        report: &'a mut PreflightReport,
    ) -> BoxFuture<'a, Result<Opened, MigrateError>> {
        Box::pin(async move {
            let renames = self.rename.is_some();
            if let Place::File(path) = &self.place
                && path.is_dir()
            {
                return aof(path).look_instead(renames, job, report).await;
            }
            let bytes = Bytes::open(&self.place).await?;
            let begins = bytes.available();
            if let Some(file) = self.append_only(begins).await? {
                return file.look_instead(renames, job, report).await;
            }
            let format = FORMATS.iter().find(|format| (format.is_begun_by)(begins));
            if let Some(format) = format {
                return Ok((format.open)(self, job, bytes, report));
            }
            let known: Vec<&str> =
                FORMATS.iter().map(|format| format.name).chain(["an append-only file"]).collect();
            let known = known.join(" or ");
            let begins = begins.get(..BEGINS_SHOWN).unwrap_or(begins).escape_ascii();
            let detail = format!("{} is not {known}: it begins with \"{begins}\"", self.place);
            report.block("source file", detail, format!("give {known}, plain or gzip"));
            let other = RdbFile::new(self.place.clone(), None);
            Ok(other.look(job, bytes, &mut PreflightReport::default()))
        })
    }
}
