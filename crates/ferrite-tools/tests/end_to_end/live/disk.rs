//! The disk with the migration's directory is full.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};

use ferrite_testkit::{Peer, Proxy, Server};
use rustix::process::Signal;

use super::{Jobs, assert_exact, load};
use crate::command::Running;
use crate::{start, with_keys};

/// Bytes that are free on a small disk at first.
const FREE: u64 = 12 << 20;
/// Bytes of a filler on it: as many are free when that is deleted.
const FILLER: u64 = 48 << 20;
/// Bytes of one value, and how many make a disk full.
const VALUE: usize = 200_000;
const VALUES: usize = 150;

/// A file system of a few megabytes: a tmpfs of our own, where the system lets us mount one (it
/// does not need root), else the shared memory of a container, which is small.
struct SmallDisk {
    dir: PathBuf,
    filler: PathBuf,
    /// Holds the mount as long as it lives; it ends with our end of its input.
    holder: Option<Child>,
    _folder: tempfile::TempDir,
    _alone: MutexGuard<'static, ()>,
}

/// Shared memory is one disk for all tests.
static ALONE: Mutex<()> = Mutex::new(());

impl SmallDisk {
    fn new() -> Self {
        let alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
        let folder = tempfile::tempdir().unwrap();
        let (mount, reason) = match mounted(folder.path()) {
            Ok(mount) => (Some(mount), String::new()),
            Err(reason) => (None, reason),
        };
        let (holder, folder) = match mount {
            Some(holder) => (Some(holder), folder),
            None => (None, tempfile::tempdir_in("/dev/shm").unwrap()),
        };
        // Seen from outside, the mount is behind its holder.
        let dir = match &holder {
            Some(holder) => {
                let inside = folder.path().strip_prefix("/").unwrap();
                Path::new("/proc").join(holder.id().to_string()).join("root").join(inside)
            }
            None => folder.path().to_owned(),
        };
        let available = available(&dir);
        assert!(
            (FREE..=4 * FILLER).contains(&available),
            "this test needs a small disk: user namespaces (unshare --map-root-user --mount), or a \
             /dev/shm of at most {} MiB; {reason}",
            (4 * FILLER) >> 20
        );
        let filler = dir.join("filler");
        fill(&filler, available - FREE);
        Self { dir, filler, holder, _folder: folder, _alone: alone }
    }

    /// Gives space back.
    fn free(&self) {
        fs::remove_file(&self.filler).unwrap();
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        if let Some(holder) = &mut self.holder {
            // An error means that it has ended, which is what is wanted.
            let _ = holder.kill();
            let _ = holder.wait();
        }
    }
}

/// Mounts a tmpfs on a folder, in a name space of its own.
fn mounted(folder: &Path) -> Result<Child, String> {
    let script = format!(
        "mount -t tmpfs -o size={} tmpfs \"$0\" && echo mounted && exec cat",
        FREE + FILLER
    );
    let mut command = Command::new("unshare");
    command.args(["--map-root-user", "--mount", "sh", "-c", &script]).arg(folder);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut holder = command.spawn().map_err(|error| format!("unshare: {error}"))?;
    let mut line = String::new();
    BufReader::new(holder.stdout.take().unwrap()).read_line(&mut line).unwrap();
    if line.trim() == "mounted" {
        return Ok(holder);
    }
    let said = holder.wait_with_output().unwrap().stderr;
    Err(String::from_utf8_lossy(&said).into_owned())
}

/// Bytes that are free where a folder is.
fn available(dir: &Path) -> u64 {
    let told = Command::new("stat").args(["-f", "-c", "%a %S"]).arg(dir).output().unwrap();
    let told = String::from_utf8(told.stdout).unwrap();
    let numbers: Vec<u64> = told.split_whitespace().filter_map(|word| word.parse().ok()).collect();
    let [blocks, size] = numbers[..] else { panic!("stat -f {}: {told}", dir.display()) };
    blocks * size
}

fn fill(path: &Path, bytes: u64) {
    let mut file = File::create(path).unwrap();
    let zeros = vec![0; 1 << 20];
    let mut left = bytes;
    while left > 0 {
        let now = left.min(zeros.len() as u64);
        file.write_all(&zeros[..usize::try_from(now).unwrap()]).unwrap();
        left -= now;
    }
}

/// Writes more to a source than a small disk has space for, in bytes that no one can compress.
fn write_much(source: &Peer) {
    let mut client = source.client();
    let mut state = 1_u64;
    for number in 0..VALUES {
        let mut value = Vec::with_capacity(VALUE);
        while value.len() < VALUE {
            // Marsaglia's xorshift.
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            value.extend_from_slice(&state.to_le_bytes());
        }
        let key = format!("much:{}", number % 10);
        client.ok(&[b"SET", key.as_bytes(), &value]);
    }
}

/// A migration whose target stands still, and whose disk is full.
struct Full {
    disk: SmallDisk,
    jobs: Jobs,
    source: Peer,
    target: Peer,
    way: Proxy,
    running: Running,
    id: String,
}

impl Full {
    fn new() -> Self {
        let disk = SmallDisk::new();
        let jobs = Jobs::at(disk.dir.clone());
        let (source, target) = (with_keys(1000), start(Server::Redis70));
        let way = Proxy::start(target.addr()).unwrap();
        let (running, id) = jobs.live(&source.url(), &way.url(), &[]);
        jobs.until_live(&id);
        way.stall();
        write_much(&source);
        running.says("warning: the source keeps it waiting: cannot ");
        running.says(": the disk is full (");
        running.says("free space there, nothing is lost meanwhile");
        running.says(disk.dir.to_str().unwrap());
        Self { disk, jobs, source, target, way, running, id }
    }
}

#[test]
fn a_full_disk_is_waited_for() {
    let Full { disk, jobs, source, target, way, running, id } = Full::new();
    let load = load(&source, 50);
    load.wait_for(2000);
    let status = jobs.status(&id);
    let reasons = status["reasons"].to_string();
    assert!(reasons.contains("the disk is full"), "{reasons}");
    jobs.run(&["cutover", "--id", &id]).exits(6).explains(&["the disk is full"]);
    disk.free();
    running.says("the source no longer keeps it waiting");
    way.resume();
    load.wait_for(2000);
    jobs.cut_over(&id);
    running.end().exits(0).reports(&["COMPLETED"]);
    assert_exact(&source, &target, &load.stop());
}

#[test]
fn a_process_killed_on_a_full_disk_is_resumed_when_there_is_space() {
    let Full { disk, jobs, source, target, way, running, id } = Full::new();
    let load = load(&source, 51);
    load.wait_for(2000);
    running.signal(Signal::KILL);
    running.end();
    way.resume();
    disk.free();
    let running = jobs.resume(&id, &[]);
    load.wait_for(2000);
    jobs.cut_over(&id);
    running.end().exits(0).reports(&["COMPLETED"]);
    assert_exact(&source, &target, &load.stop());
}

#[test]
fn a_process_stopped_on_a_full_disk_is_resumed_when_there_is_space() {
    let Full { disk, jobs, source, target, way, running, id } = Full::new();
    let load = load(&source, 52);
    load.wait_for(2000);
    way.resume();
    running.interrupt();
    running.end().exits(130).reports(&["PAUSED"]);
    disk.free();
    let running = jobs.resume(&id, &[]);
    load.wait_for(2000);
    jobs.cut_over(&id);
    running.end().exits(0).reports(&["COMPLETED"]);
    assert_exact(&source, &target, &load.stop());
}
