//! All jobs of one user: a directory of directories.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::dir::{LIMITS, PLAN, STATUS};
use super::lock::{self, Lock};
use super::{JobDir, JobEntry, JobError, JobRecord, JournalRecord, Plan, State};
use super::{files, id, journal};

/// Longest plan in bytes.
const PLAN_MAX: u64 = 4 << 20;
/// Longest file of limits in bytes.
const LIMITS_MAX: u64 = 4 << 10;
/// Longest status in bytes.
const STATUS_MAX: u64 = 16 << 20;

/// Where the jobs are.
#[derive(Clone, Debug)]
pub struct JobStore {
    root: PathBuf,
}

impl JobStore {
    /// The jobs in `root`, which need not exist before the first one does.
    pub fn at(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// The directory that the jobs are in.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Makes a job and takes its lock. Its directory appears whole, in state `PLANNED`, or not.
    ///
    /// # Errors
    /// [`JobError::BadId`], [`JobError::Exists`], or a disk that does not take it.
    pub fn create(&self, id: &str, plan: Plan) -> Result<JobDir, JobError> {
        let path = self.path(id)?;
        if path.symlink_metadata().is_ok() {
            return Err(JobError::Exists { id: id.to_owned() });
        }
        files::make_dir(&self.root, true).map_err(JobError::io("making", &self.root))?;
        let unnamed = self.unnamed(id)?;
        files::make_dir(&unnamed, false).map_err(JobError::io("making", &unnamed))?;
        let lock = Lock::take(id, &unnamed)?;
        let bytes = serde_json::to_vec_pretty(&plan)
            .map_err(|error| JobError::damaged(&unnamed.join(PLAN), error))?;
        files::write_synced(&unnamed.join(PLAN), &bytes)?;
        let planned = JournalRecord::now(State::Planned, None, None);
        journal::Journal::open(&unnamed)?.append(planned)?;
        files::sync_dir(&unnamed)?;
        fs::rename(&unnamed, &path).map_err(|error| match error.kind() {
            ErrorKind::DirectoryNotEmpty | ErrorKind::AlreadyExists => {
                JobError::Exists { id: id.to_owned() }
            }
            _ => JobError::io("making", &path)(error),
        })?;
        files::sync_dir(&self.root)?;
        JobDir::new(id, path, plan, lock)
    }

    /// Takes the lock of a job in order to run it.
    ///
    /// # Errors
    /// [`JobError::NotFound`], [`JobError::Running`], [`JobError::OtherVersion`], or files that
    /// cannot be read.
    pub fn open(&self, id: &str) -> Result<JobDir, JobError> {
        let path = self.existing(id)?;
        let lock = Lock::take(id, &path)?;
        let plan = read_plan(&path)?;
        JobDir::new(id, path, plan, lock)
    }

    /// Reads what is known of a job, whether or not it runs.
    ///
    /// # Errors
    /// As [`open`](Self::open), but for [`JobError::Running`].
    pub fn read(&self, id: &str) -> Result<JobRecord, JobError> {
        let path = self.existing(id)?;
        let plan = read_plan(&path)?;
        // A job that ends meanwhile has written so before it lets go of the lock, and one that
        // starts has taken the lock before it writes so: look at the lock on both sides.
        let before = lock::holder(&path)?;
        let last = journal::read(&path)?.pop();
        let holder = before.map_or_else(|| lock::holder(&path), |pid| Ok(Some(pid)))?;
        Ok(JobRecord {
            id: id.to_owned(),
            saved: read_status(&path),
            path,
            plan,
            last,
            running: holder.is_some(),
            pid: holder.flatten(),
        })
    }

    /// All jobs, the oldest first, those that cannot be read behind them.
    ///
    /// # Errors
    /// A directory that cannot be listed. One that does not exist has no jobs.
    pub fn list(&self) -> Result<Vec<JobEntry>, JobError> {
        let read = |id: String| match self.read(&id) {
            // Removed since it was listed.
            Err(JobError::NotFound { .. }) => None,
            record => Some(JobEntry { id, record }),
        };
        let mut entries: Vec<_> = self.ids()?.into_iter().filter_map(read).collect();
        let created = |entry: &JobEntry| {
            entry.record.as_ref().map_or(u64::MAX, |record| record.plan.created_at_ms)
        };
        entries.sort_by(|a, b| created(a).cmp(&created(b)).then_with(|| a.id.cmp(&b.id)));
        Ok(entries)
    }

    /// Removes a job with everything in its directory, readable or not.
    ///
    /// # Errors
    /// [`JobError::NotFound`], [`JobError::Running`], or a disk that does not let go.
    pub fn remove(&self, id: &str) -> Result<(), JobError> {
        let path = self.existing(id)?;
        let _lock = Lock::take(id, &path)?;
        let unnamed = self.unnamed(id)?;
        fs::rename(&path, &unnamed).map_err(JobError::io("removing", &path))?;
        fs::remove_dir_all(&unnamed).map_err(JobError::io("removing", &unnamed))?;
        files::sync_dir(&self.root)
    }

    fn path(&self, id: &str) -> Result<PathBuf, JobError> {
        id::check(id)?;
        Ok(self.root.join(id))
    }

    fn existing(&self, id: &str) -> Result<PathBuf, JobError> {
        let path = self.path(id)?;
        if path.symlink_metadata().is_ok() {
            return Ok(path);
        }
        let nearest = id::nearest(id, self.ids().unwrap_or_default());
        Err(JobError::NotFound { id: id.to_owned(), nearest })
    }

    /// A directory under a name that is no id: not a job yet, or no longer. What a killed process
    /// left there goes.
    fn unnamed(&self, id: &str) -> Result<PathBuf, JobError> {
        let path = self.root.join(format!(".{id}"));
        match fs::remove_dir_all(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                Err(JobError::io("removing", &path)(error))
            }
            _ => Ok(path),
        }
    }

    fn ids(&self) -> Result<Vec<String>, JobError> {
        let entries = match fs::read_dir(&self.root) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.map_err(JobError::io("listing", &self.root))?,
        };
        let mut ids = Vec::new();
        for entry in entries {
            let name = entry.map_err(JobError::io("listing", &self.root))?.file_name();
            ids.extend(name.to_str().filter(|name| id::is_valid(name)).map(str::to_owned));
        }
        Ok(ids)
    }
}

fn read_plan(dir: &Path) -> Result<Plan, JobError> {
    let path = dir.join(PLAN);
    let mut plan = Plan::read(&path, &files::read(&path, PLAN_MAX)?)?;
    plan.limits = read_limits(dir).unwrap_or(plan.limits);
    Ok(plan)
}

/// Limits that were set later than the plan. Where they cannot be read, those of the plan count.
fn read_limits(dir: &Path) -> Option<crate::Limits> {
    let bytes = files::read(&dir.join(LIMITS), LIMITS_MAX).ok()?;
    serde_json::from_slice(&bytes).ok().filter(|limits: &crate::Limits| limits.check().is_ok())
}

/// Progress that cannot be read is progress that is not known: the journal says what counts.
fn read_status(dir: &Path) -> Option<super::JobStatus> {
    let bytes = files::read(&dir.join(STATUS), STATUS_MAX).ok()?;
    serde_json::from_slice(&bytes).ok()
}
