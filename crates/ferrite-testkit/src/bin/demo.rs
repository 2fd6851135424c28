//! `demo`: shows one live migration from beginning to end on this machine, and cleans up after
//! itself.
//!
//! Two servers on free ports, a data set in one of them, an application that writes all the time,
//! the tool run the way a user would run it. The exit code is the tool's, or 4 if the application
//! misses a write.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program for people at a terminal"
)]

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use clap::Parser;
use ferrite_testkit::client::Connector;
use ferrite_testkit::interrupt::{Interrupt, on_interrupt};
use ferrite_testkit::{Binary, Dataset, Load, Peer, Server};
use rustix::process::{Pid, Signal, kill_process};

/// Exit code of an interrupted run.
const INTERRUPTED: u8 = 130;
/// How long everything may take to end after Ctrl-C.
const PATIENCE: Duration = Duration::from_secs(10);

/// Move a data set and its application between two servers on this machine, with ferrite-migrate
#[derive(Parser)]
#[command(name = "demo")]
struct Arguments {
    /// Keys to copy
    #[arg(long, default_value_t = 100_000)]
    keys: u64,
}

/// What is running, for the thread that answers Ctrl-C.
#[derive(Default)]
struct Running {
    interrupted: AtomicBool,
    peers: Mutex<Vec<Peer>>,
    tool: Mutex<Option<u32>>,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let running = Arc::new(Running::default());
    let result = listen(&running).map_err(Into::into).and_then(|()| demo(&arguments, &running));
    lock(&running.peers).clear();
    match result {
        Ok(code) => {
            println!("\nBoth servers are stopped and their folders removed.");
            ExitCode::from(code)
        }
        Err(_) if running.interrupted.load(Ordering::SeqCst) => {
            println!("\nInterrupted; the servers are stopped and their folders removed.");
            ExitCode::from(INTERRUPTED)
        }
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// On a signal, tells the tool and lets the main thread end in its own way; ends the program when
/// that takes too long.
fn listen(running: &Arc<Running>) -> std::io::Result<()> {
    let running = Arc::clone(running);
    on_interrupt(move |interrupt| {
        running.interrupted.store(true, Ordering::SeqCst);
        if interrupt == Interrupt::Terminate {
            signal_tool(&running, Signal::TERM);
        }
        thread::sleep(PATIENCE);
        signal_tool(&running, Signal::KILL);
        lock(&running.peers).clear();
        end();
    })
}

#[expect(clippy::exit, reason = "the main thread is stuck and everything is cleaned up")]
fn end() {
    std::process::exit(i32::from(INTERRUPTED));
}

fn signal_tool(running: &Running, signal: Signal) {
    let pid = lock(&running.tool).and_then(|pid| i32::try_from(pid).ok());
    if let Some(pid) = pid.and_then(Pid::from_raw) {
        // An error means the tool has ended.
        let _ = kill_process(pid, signal);
    }
}

fn demo(arguments: &Arguments, running: &Running) -> Result<u8, Box<dyn Error>> {
    let tool = tool()?;
    println!(
        "This moves {} keys, and an application that goes on writing, from one server to another.",
        arguments.keys
    );
    println!("Nothing is installed: the servers use free ports and temporary folders.");
    let (server, binary) = choose()?;
    let start = |role: &str| -> Result<String, Box<dyn Error>> {
        let peer = Peer::builder_for(server, binary.clone()).own_process_group().start()?;
        let url = peer.url();
        lock(&running.peers).push(peer);
        println!("Started the {role}: {url}");
        go_on(running)?;
        Ok(url)
    };
    let (source, target) = (start("source")?, start("target")?);
    load(arguments.keys, &source)?;
    go_on(running)?;
    migrate(&tool, &source, &target, running)
}

fn go_on(running: &Running) -> Result<(), Box<dyn Error>> {
    if running.interrupted.load(Ordering::SeqCst) { Err("interrupted".into()) } else { Ok(()) }
}

/// The tool, beside this program.
fn tool() -> Result<PathBuf, Box<dyn Error>> {
    let tool = std::env::current_exe()?.with_file_name("ferrite-migrate");
    if tool.is_file() {
        return Ok(tool);
    }
    let missing = format!("{} is missing; build it: cargo build -p ferrite-tools", tool.display());
    Err(missing.into())
}

/// The machine's own server if it is new enough, else Redis 7.0, fetched when needed.
fn choose() -> Result<(Server, Binary), Box<dyn Error>> {
    let server = Server::Redis70;
    if let Some(version) = version_on_path()
        && version
            .split('.')
            .next()
            .is_some_and(|major| major.parse().is_ok_and(|major: u32| major >= 7))
    {
        println!("Server: this machine's redis-server {version}.");
        return Ok((server, Binary::at("redis-server".as_ref())));
    }
    let binary = server.binary()?;
    println!("Server: {}, kept in your cache folder for tests.", server.name());
    Ok((server, binary))
}

/// `7.0.15` out of `Redis server v=7.0.15 sha=…`.
fn version_on_path() -> Option<String> {
    let output = Command::new("redis-server").arg("--version").output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.split_whitespace().find_map(|word| word.strip_prefix("v=").map(str::to_owned))
}

fn load(keys: u64, url: &str) -> Result<(), Box<dyn Error>> {
    println!("Loading strings, hashes, lists, sets, sorted sets and streams into the source …");
    let start = Instant::now();
    Dataset::mixed(keys).load(&mut Connector::from_url(url)?.connect()?)?;
    println!("Loaded {keys} keys in {:.1} s.", start.elapsed().as_secs_f64());
    Ok(())
}

/// What the application does meanwhile: writes of every kind, as fast as this.
const WRITES_PER_SECOND: u64 = 5_000;
/// Writes the application makes on its new server before it ends.
const WRITES_AFTERWARDS: u64 = 10_000;
/// How often it is looked whether something has happened.
const LOOK_EVERY: Duration = Duration::from_millis(1);

/// Migrates while an application writes; gives the exit code.
fn migrate(
    tool: &Path,
    source: &str,
    target: &str,
    running: &Running,
) -> Result<u8, Box<dyn Error>> {
    let state = tempfile::tempdir()?;
    let tool = Tool { path: tool, state: state.path(), running };
    let (here, there) = (Connector::from_url(source)?, Connector::from_url(target)?);
    let load = Load::builder().rate(Some(WRITES_PER_SECOND)).start(here)?;
    println!("An application writes to the source, {WRITES_PER_SECOND} times a second.");
    let arguments =
        ["migrate", "--source", source, "--target", target, "--mode", "live", "--verify"];
    let migration = tool.start(&arguments)?;
    // The command that moves the application: it leaves a note, and the application reads it.
    let note = state.path().join("moved");
    let hook = format!("touch {}", note.display());
    let cutover = tool.start(&["cutover", "--when-ready", "--hook", &hook]);
    let mut cutover = cutover.inspect_err(|_| tool.stop())?;
    let code = loop {
        if note.exists() {
            load.switch_to(there.clone());
        }
        if let Some(status) = cutover.try_wait()? {
            break status.code();
        }
        thread::sleep(LOOK_EVERY);
    };
    if code != Some(0) {
        tool.stop();
        println!("\nThe cutover ended with {code:?}.");
    }
    let code = tool.end(migration)?;
    go_on(running)?;
    if code == 0 { go_on_writing(load, &there) } else { Ok(code) }
}

/// The application goes on against the target, and then counts.
fn go_on_writing(load: Load, target: &Connector) -> Result<u8, Box<dyn Error>> {
    load.wait_for(WRITES_AFTERWARDS);
    let stall = load.longest_stall();
    let written = load.stop();
    let wrong = written.lost_or_doubled(&mut target.connect()?)?;
    println!("\nThe application goes on against the target. All in all:");
    println!("  {} operations, {} counters", written.operations, written.counters.len());
    println!("  longest wait for an answer: {:.1} ms", stall.as_secs_f64() * 1000.0);
    println!("  increments lost or made twice: {}", wrong.len());
    for line in &wrong {
        println!("    {line}");
    }
    Ok(if wrong.is_empty() { 0 } else { DIFFERENT })
}

/// Exit code when the application misses something.
const DIFFERENT: u8 = 4;

/// The tool, as a user runs it.
struct Tool<'a> {
    path: &'a Path,
    state: &'a Path,
    running: &'a Running,
}

impl Tool<'_> {
    fn start(&self, arguments: &[&str]) -> Result<Child, Box<dyn Error>> {
        println!("\n$ ferrite-migrate {}\n", arguments.join(" "));
        if arguments.first() == Some(&"cutover") {
            self.wait_for_a_job()?;
        }
        let cannot = |error| format!("cannot run {}: {error}", self.path.display());
        let mut command = Command::new(self.path);
        let child = command.args(arguments).env("FERRITE_STATE_DIR", self.state).spawn();
        let child = child.map_err(cannot)?;
        if arguments.first() == Some(&"migrate") {
            *lock(&self.running.tool) = Some(child.id());
        }
        Ok(child)
    }

    /// Waits until the migration takes orders.
    fn wait_for_a_job(&self) -> Result<(), Box<dyn Error>> {
        let deadline = Instant::now() + PATIENCE;
        let takes_orders = || {
            let jobs = std::fs::read_dir(self.state).into_iter().flatten().flatten();
            jobs.map(|job| job.path())
                .any(|job| job.join("control.sock").exists() || job.join("control.path").exists())
        };
        while !takes_orders() {
            go_on(self.running)?;
            if Instant::now() > deadline {
                return Err("the migration does not begin".into());
            }
            thread::sleep(LOOK_EVERY);
        }
        Ok(())
    }

    fn stop(&self) {
        signal_tool(self.running, Signal::TERM);
    }

    /// Waits for the end of the migration; its exit code.
    fn end(&self, mut migration: Child) -> Result<u8, Box<dyn Error>> {
        let status = migration.wait()?;
        *lock(&self.running.tool) = None;
        if status.code() != Some(0) {
            println!("\nferrite-migrate ended with {status}.");
        }
        Ok(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(INTERRUPTED))
    }
}
