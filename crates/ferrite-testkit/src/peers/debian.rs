//! Servers out of Debian packages, for any release the machine's own mirror carries, without root
//! and without touching the system.
//!
//! `apt-get` runs with a configuration of its own: the machine's mirror and proxy, another release,
//! an empty list of installed packages. With nothing installed, its resolver names every library
//! down to libc, so the unpacked tree is complete and runs through its own dynamic loader:
//!
//! ```text
//! root/usr/lib/<triplet>/ld-linux-x86-64.so.2 --library-path <folders> root/usr/bin/redis-server …
//! ```

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::apt_sources::{self, Archive};
use super::cache;
use super::error::run;

/// One release of Debian and the packages wanted of it.
#[derive(Debug)]
pub(super) struct Release {
    /// Code name of the release, as the mirror spells it.
    pub suite: &'static str,
    /// Folder in the cache; its number changes when what we keep changes.
    pub folder: &'static str,
    /// What is being fetched, for the reader.
    pub what: &'static str,
    /// The packages; their dependencies come along.
    pub packages: &'static [&'static str],
}

/// The package with the keys of all of Debian's releases.
const KEYRING_PACKAGE: &str = "debian-archive-keyring";
/// Where that package keeps them.
const KEYRING: &str = "usr/share/keyrings/debian-archive-keyring.gpg";
/// Parts of the unpacked tree no server needs.
const UNNEEDED: [&str; 5] = ["usr/share", "usr/sbin", "usr/lib/systemd", "etc", "var"];

impl Release {
    /// The unpacked tree; fetched when missing.
    pub(super) fn tree(&self) -> Result<Tree, String> {
        let root = cache::bundle(self.folder, self.what, |root, scratch| {
            fetch(self.suite, self.packages, root, scratch)
        })?;
        Tree::of(root)
    }
}

fn fetch(suite: &str, packages: &[&str], root: &Path, scratch: &Path) -> Result<(), String> {
    let archive = apt_sources::debian_archive(Path::new("/etc/apt"))?;
    let first = download(&archive, suite, packages, &scratch.join("apt"));
    let debs = match first {
        Err(reason) if reason.contains("NO_PUBKEY") || reason.contains("not signed") => {
            let keyring = newer_keyring(&archive, &scratch.join("keys"))
                .map_err(|second| format!("{reason}\nand no newer keys were found: {second}"))?;
            let archive = Archive { keyring: Some(keyring), ..archive };
            download(&archive, suite, packages, &scratch.join("again"))?
        }
        other => other?,
    };
    unpack(&debs, root)?;
    for part in UNNEEDED {
        remove(&root.join(part)).map_err(|error| format!("cannot remove {part}: {error}"))?;
    }
    Ok(())
}

fn remove(folder: &Path) -> io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

/// Debian's present keys, from the release the machine already trusts.
fn newer_keyring(archive: &Archive, scratch: &Path) -> Result<PathBuf, String> {
    let debs = download(archive, &archive.suite, &[KEYRING_PACKAGE], scratch)?;
    let root = scratch.join("root");
    unpack(&debs, &root)?;
    Ok(root.join(KEYRING))
}

/// Downloads packages and all they depend on; gives the paths of the package files.
fn download(
    archive: &Archive,
    suite: &str,
    packages: &[&str],
    scratch: &Path,
) -> Result<Vec<PathBuf>, String> {
    let configuration = configure(archive, suite, scratch)
        .map_err(|error| format!("cannot write a configuration for apt-get: {error}"))?;
    let apt = || {
        let mut command = Command::new("apt-get");
        command.env("APT_CONFIG", &configuration).env("LC_ALL", "C.UTF-8").arg("-q");
        command
    };
    run(apt().arg("update").arg("--error-on=any"))?;
    run(apt()
        .args(["install", "--yes", "--download-only", "--no-install-recommends"])
        .args(packages))?;
    let archives = scratch.join("cache/archives");
    let mut debs: Vec<PathBuf> = fs::read_dir(&archives)
        .map_err(|error| format!("cannot read {}: {error}", archives.display()))?
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "deb"))
        .collect();
    debs.sort();
    Ok(debs)
}

/// Writes an `apt.conf` under which apt-get knows one release and nothing of this system.
fn configure(archive: &Archive, suite: &str, scratch: &Path) -> io::Result<PathBuf> {
    for folder in ["state/lists/partial", "cache/archives/partial", "parts"] {
        fs::create_dir_all(scratch.join(folder))?;
    }
    fs::write(scratch.join("status"), "")?;
    let signed_by = match &archive.keyring {
        Some(keyring) => format!("[signed-by={}] ", keyring.display()),
        None => String::new(),
    };
    let source = format!("deb {signed_by}{} {suite} main\n", archive.uri);
    fs::write(scratch.join("sources.list"), source)?;
    let here = scratch.display();
    let text = format!(
        "{machine}\
         Dir::State \"{here}/state\";\n\
         Dir::State::status \"{here}/status\";\n\
         Dir::Cache \"{here}/cache\";\n\
         Dir::Etc::main \"/dev/null\";\n\
         Dir::Etc::parts \"{here}/parts\";\n\
         Dir::Etc::sourcelist \"{here}/sources.list\";\n\
         Dir::Etc::sourceparts \"{here}/parts\";\n\
         Dir::Etc::preferencesparts \"{here}/parts\";\n\
         Acquire::Languages \"none\";\n\
         Acquire::Retries \"3\";\n\
         APT::Sandbox::User \"root\";\n\
         Debug::NoLocking \"true\";\n",
        machine = apt_sources::network_settings()
    );
    let path = scratch.join("apt.conf");
    fs::write(&path, text)?;
    Ok(path)
}

fn unpack(debs: &[PathBuf], root: &Path) -> Result<(), String> {
    fs::create_dir_all(root)
        .map_err(|error| format!("cannot create {}: {error}", root.display()))?;
    for deb in debs {
        run(Command::new("dpkg").arg("--extract").arg(deb).arg(root))?;
    }
    Ok(())
}

/// An unpacked set of packages that runs by its own loader and libraries.
#[derive(Debug)]
pub(super) struct Tree {
    root: PathBuf,
    loader: PathBuf,
    folders: Vec<PathBuf>,
    libraries: String,
}

impl Tree {
    fn of(root: PathBuf) -> Result<Tree, String> {
        let folders: Vec<PathBuf> =
            ["lib", "usr/lib"].iter().flat_map(|lib| triplet_folders(&root.join(lib))).collect();
        let loader = folders
            .iter()
            .find_map(|folder| loader_in(folder))
            .ok_or_else(|| format!("no dynamic loader under {}", root.display()))?;
        let names: Vec<String> = folders.iter().map(|path| path.display().to_string()).collect();
        Ok(Tree { root, loader, libraries: names.join(":"), folders })
    }

    /// A file beside the libraries of the tree.
    pub(super) fn library(&self, name: &str) -> Option<PathBuf> {
        self.folders.iter().map(|folder| folder.join(name)).find(|path| path.is_file())
    }

    /// A program of the tree: what to execute and the arguments that come first.
    pub(super) fn program(&self, name: &str) -> Option<(PathBuf, Vec<String>)> {
        let program = self.root.join("usr/bin").join(name);
        let arguments = vec![
            "--library-path".to_owned(),
            self.libraries.clone(),
            program.display().to_string(),
        ];
        program.exists().then(|| (self.loader.clone(), arguments))
    }
}

/// Folders such as `lib/x86_64-linux-gnu`.
fn triplet_folders(lib: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(lib) else { return Vec::new() };
    entries
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.is_dir() && path.to_string_lossy().contains("-linux-gnu"))
        .collect()
}

fn loader_in(folder: &Path) -> Option<PathBuf> {
    let entries = fs::read_dir(folder).ok()?;
    entries.flatten().map(|entry| entry.path()).find(|path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        path.is_file() && name.starts_with("ld-linux") && name.contains(".so")
    })
}
