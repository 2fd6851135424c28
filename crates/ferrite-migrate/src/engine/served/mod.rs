//! Has the target load a whole RDB file itself, as a replica of this process for as long as that
//! takes: a server loads a file for less than it executes the commands that write the same keys.
//!
//! ```text
//! file ──► sound? ──► walk ──────┐
//! target ◄── REPLICAOF us ── door ──► file, as far as walked ──► target
//! target ◄── REPLICAOF NO ONE, its settings as they were
//! ```
//!
//! It is done with an empty target only, and whatever goes wrong before the file is loaded leaves it
//! empty: a server keeps nothing of an RDB that did not arrive whole. Then the keys are written by
//! commands, and the report says why.

mod fits;
mod primary;
mod sound;
mod walk;

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use ferrite_client::server::{Info, ServerInfo};
use ferrite_client::{Address, ClientError, Connection, Secret};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep};

use self::primary::{Door, send};
use self::sound::Sound;
use self::walk::{Counts, Walked, walk};
use super::Job;
use crate::error::{ErrorKind, MigrateError};
use crate::live::{Before, Settings};
use crate::preflight::Server;
use crate::report::Phase;
use crate::targets::redis::{connect, target_error};

/// The setting that lets a replica load an RDB as it comes, without its disk.
const DISKLESS: &str = "repl-diskless-load";
/// Its value: a replica that has keys goes by its disk.
const WHEN_EMPTY: &str = "on-empty-db";
/// How often it is asked whether it has loaded.
const ASK_EVERY: Duration = Duration::from_millis(5);
/// How long it may take to let go of what it did not load, and to be a primary again.
const RELEASED_WITHIN: Duration = Duration::from_secs(60);

/// How it ended.
pub enum Served {
    /// All keys are on the target and counted.
    Loaded,
    /// Nothing is on the target, for this reason.
    Left(String),
}

/// Why the target did not load it.
enum Why {
    Left(String),
    Failed(MigrateError),
}

/// Has the target load the file at `path`.
///
/// # Errors
/// A target that is lost, or does not become again what it was.
pub async fn serve(
    job: &Arc<Job>,
    target: &mut Server,
    path: &Path,
) -> Result<Served, MigrateError> {
    let loads = fits::loads(job, target).await.map_err(|error| lost(target, &error))?;
    let loads = match loads {
        Ok(loads) => loads,
        Err(why) => return Ok(Served::Left(why)),
    };
    let opening = path.to_owned();
    let opened = spawn_blocking(move || Sound::open(&opening)).await;
    let opened = opened.unwrap_or_else(|panic| Err(std::io::Error::other(panic)));
    let file = match opened {
        Ok(Ok(file)) => file,
        Ok(Err(why)) => return Ok(Served::Left(why.to_owned())),
        // Whoever reads it next tells it better.
        Err(error) => return Ok(Served::Left(error.to_string())),
    };
    let mut walked = walk(&file, path.display().to_string(), loads);
    let begun = walked.wait_for(|walked| walked.offset > 0 || walked.ended.is_some()).await;
    if let Some(Err(why)) = begun.ok().and_then(|walked| walked.ended.clone()) {
        return Ok(Served::Left(why));
    }
    let address = target.connector.address();
    let there = address.host().zip(address.port());
    let door = match Door::open(there, random()).await {
        Ok(door) => door,
        Err(error) => return Ok(Served::Left(format!("no port to serve it from: {error}"))),
    };
    let before = Kept::ask(&mut target.control).await.map_err(|error| lost(target, &error))?;
    let Some(before) = before else {
        return Ok(Served::Left(String::from("CONFIG GET is refused by the target")));
    };
    job.begin(Phase::Loading, 0);
    let loaded = load(job, target, &file, walked, &door, &before).await;
    drop(door);
    release(target, &before, loaded.is_ok()).await?;
    match loaded {
        Ok(counts) => {
            job.tally(|tally| counts.tell(tally));
            Ok(Served::Loaded)
        }
        Err(Why::Left(why)) => Ok(Served::Left(why)),
        Err(Why::Failed(error)) => Err(error),
    }
}

/// Makes it a replica, and waits until it has loaded the file.
async fn load(
    job: &Arc<Job>,
    target: &mut Server,
    file: &Sound,
    mut walked: watch::Receiver<Walked>,
    door: &Door,
    before: &Kept,
) -> Result<Counts, Why> {
    let told = attach(&mut target.control, door, before).await;
    told.map_err(|error| match error.is_refusal() {
        true => Why::Left(format!("the target refuses: {error}")),
        false => Why::Failed(lost(target, &error)),
    })?;
    let link = tokio::select! {
        link = door.admit() => link.map_err(Why::Left)?,
        () = job.stop.stopped() => return Err(Why::Left(String::from("it was stopped"))),
    };
    let id = format!("{}{}", random(), &random()[..8]);
    let link = send(job, link, file, walked.clone(), &id).await.map_err(Why::Left)?;
    until_loaded(target, link).await?;
    let ended = walked.wait_for(|walked| walked.ended.is_some()).await;
    let ended = ended.ok().and_then(|walked| walked.ended.clone());
    let counts = ended.unwrap_or_else(|| Err(String::from("reading the file ended")));
    let counts = counts.map_err(Why::Left)?;
    let info = ServerInfo::probe(&mut target.control).await;
    let has = info.map_err(|error| Why::Failed(lost(target, &error)))?.keys();
    if has != counts.keys {
        job.warn(format!(
            "the file has {} keys, and the target has {has} of them after loading it; those without \
             elements are left out: ferrite-migrate import-rdb FILE --verify compares",
            counts.keys
        ));
    }
    Ok(counts)
}

/// Tells the target how it is let in, and that it is our replica.
async fn attach(target: &mut Connection, door: &Door, before: &Kept) -> Result<(), ClientError> {
    let (host, port) = (door.address.ip().to_string(), door.address.port());
    let ours = Address::tcp(host.as_str(), port);
    let ours = ours.with_password(Some(Secret::new(door.password.as_str())));
    Settings::of(&ours).apply(target, &before.settings).await?;
    if before.diskless.as_deref().is_some_and(|now| now != WHEN_EMPTY) {
        target.call(&["CONFIG", "SET", DISKLESS, WHEN_EMPTY]).await?;
    }
    target.call(&["REPLICAOF", &host, &port.to_string()]).await.map(drop)
}

/// Waits until the target has loaded what it was sent.
async fn until_loaded(target: &mut Server, mut link: TcpStream) -> Result<(), Why> {
    let mut heard = [0; 512];
    loop {
        let told = target.control.call(&["INFO", "replication"]).await;
        let told = told.map_err(|error| Why::Failed(lost(target, &error)))?;
        let info = Info::parse(told.as_bytes().unwrap_or_default());
        if info.get("master_link_status") == Some("up") {
            return Ok(());
        }
        tokio::select! {
            () = sleep(ASK_EVERY) => {}
            // Acknowledgements tell nothing that is not known.
            read = link.read(&mut heard) => if !read.is_ok_and(|len| len > 0) {
                return Err(Why::Left(String::from("the target gave the file up; its log says why")));
            },
        }
    }
}

/// Makes the target a primary with its own settings again; with the keys, or with none.
async fn release(target: &mut Server, before: &Kept, is_loaded: bool) -> Result<(), MigrateError> {
    let ends = Instant::now() + RELEASED_WITHIN;
    loop {
        let released = promote(&mut target.control, before).await;
        let error = match released {
            Ok(keys) if is_loaded || keys == 0 => return Ok(()),
            Ok(keys) => {
                let doing = "giving up to have the target load the file";
                let cause = format!("the target has {keys} keys, though it did not load it whole");
                return Err(MigrateError::new(ErrorKind::Target, doing, cause)
                    .with_hint("FLUSHALL on the target, then run the same command again"));
            }
            Err(error) => error,
        };
        let is_loading = error.reply().is_some_and(|reply| reply.code == "LOADING");
        if Instant::now() >= ends || (!is_loading && error.reply().is_some()) {
            return Err(unreleased(target, &error));
        }
        sleep(ASK_EVERY).await;
        if !is_loading {
            match connect(&target.connector).await {
                Ok(again) => target.control = again,
                Err(_) if Instant::now() < ends => sleep(Duration::from_millis(100)).await,
                Err(_) => return Err(unreleased(target, &error)),
            }
        }
    }
}

/// Once; how many keys it has.
async fn promote(target: &mut Connection, before: &Kept) -> Result<u64, ClientError> {
    target.call(&["REPLICAOF", "NO", "ONE"]).await?;
    before.settings.put_back(target).await?;
    if let Some(then) = before.diskless.as_deref().filter(|then| *then != WHEN_EMPTY) {
        target.call(&["CONFIG", "SET", DISKLESS, then]).await?;
    }
    Ok(ServerInfo::probe(target).await?.keys())
}

fn unreleased(target: &Server, error: &ClientError) -> MigrateError {
    lost(target, error).with_hint(
        "REPLICAOF NO ONE on the target, and masterauth, masteruser, tls-replication and \
         repl-diskless-load as they were (a restart does all of that)",
    )
}

fn lost(target: &Server, error: &ClientError) -> MigrateError {
    target_error("having the file loaded", &target.connector, error)
}

/// The settings of the target that are another while it loads.
struct Kept {
    settings: Before,
    diskless: Option<String>,
}

impl Kept {
    /// Asks the server; `None` if it does not tell.
    async fn ask(target: &mut Connection) -> Result<Option<Self>, ClientError> {
        let Some(settings) = Before::ask(target).await? else { return Ok(None) };
        let told = target.call(&["CONFIG", "GET", DISKLESS]).await?;
        let diskless = told.as_array().and_then(|pair| pair.get(1)?.as_str().map(str::to_owned));
        Ok(Some(Self { settings, diskless }))
    }
}

/// 128 bits in hexadecimal digits, from the randomness the standard library seeds its hash maps with.
fn random() -> String {
    let half = || RandomState::new().hash_one(std::process::id());
    format!("{:016x}{:016x}", half(), half())
}
