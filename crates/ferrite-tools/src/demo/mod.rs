//! One live migration from beginning to end on this machine: two servers, a data set, an
//! application that writes all the while, and this program run the way a user runs it.
//!
//! ```text
//! servers.rs       two Ferrites inside of this process, or two real servers
//! data.rs          what is in the source
//! application.rs   who writes, and counts what became of it
//! commands.rs      this program, run by its own commands
//! ```

mod application;
mod commands;
mod data;
mod servers;

use std::path::Path;
use std::time::{Duration, Instant};

use ferrite_client::{Address, ClientError, Connection, Connector};
use serde::Serialize;
use tempfile::TempDir;
use tokio::time::sleep;

use crate::args::OutputArgs;
use crate::render::Output;
use crate::term::error::Failure;
use crate::term::signals::Signals;
use crate::term::units::{count, milliseconds};
use application::{Application, Written};
use commands::Program;
use servers::Server;

pub use application::RATE_MAX;

/// Writes that the application makes on its new server before it ends.
const WRITES_AFTERWARDS: u64 = 10_000;
/// How often it is looked whether something has happened.
const LOOK_EVERY: Duration = Duration::from_millis(1);
/// Exit code when a write was lost or made twice.
const DIFFERENT: u8 = 4;

/// What is shown.
pub struct Settings {
    /// Keys that are copied.
    pub keys: u64,
    /// Writes of the application in a second.
    pub writes: u64,
    /// Whether the servers are real ones.
    pub with_redis: bool,
    /// How the commands speak.
    pub how: OutputArgs,
}

/// Shows it; gives the exit code.
///
/// # Errors
/// A server that does not start or does not answer; an interruption.
pub async fn run(settings: &Settings, output: &Output) -> Result<u8, Failure> {
    let mut signals = Signals::new()
        .map_err(|error| Failure::system("taking over the handling of signals", &error))?;
    tokio::select! {
        shown = show(settings, output) => shown,
        () = signals.next() => Err(Failure::interrupted(
            "the demo",
            "both servers are stopped and their folders are removed",
            0,
        )),
    }
}

async fn show(settings: &Settings, output: &Output) -> Result<u8, Failure> {
    let folder = tempfile::tempdir().map_err(|error| Failure::system("making a folder", &error))?;
    output.line(&format!(
        "This moves {} keys, and an application that goes on writing, from one server to another.",
        count(settings.keys)
    ));
    let source = start("source", settings, &folder, output).await?;
    let target = start("target", settings, &folder, output).await?;
    load(settings.keys, source.address(), output).await?;
    let application = Application::start(source.address(), settings.writes).await.map_err(lost)?;
    let rate = count(settings.writes);
    output.line(&format!("An application writes to the source, {rate} times a second."));
    let code = migrate(settings, &folder, [&source, &target], &application, output).await?;
    if code != 0 {
        return Ok(code);
    }
    application.wait_for(WRITES_AFTERWARDS).await?;
    let written = application.stop().await;
    let wrong = written.check(&mut connect(target.address()).await.map_err(lost)?).await;
    Ok(summary(&written, &wrong.map_err(lost)?, output))
}

async fn start(
    role: &str,
    settings: &Settings,
    folder: &TempDir,
    output: &Output,
) -> Result<Server, Failure> {
    let dir = folder.path().join(role);
    std::fs::create_dir(&dir).map_err(|error| Failure::system("making a folder", &error))?;
    let server = match settings.with_redis {
        true => Server::real(&dir).await?,
        false => Server::ferrite(&dir)?,
    };
    output.line(&format!("Started the {role}, {}: {}", server.name(), server.address()));
    Ok(server)
}

async fn load(keys: u64, source: &Address, output: &Output) -> Result<(), Failure> {
    output.line("Loading strings, hashes, lists, sets, sorted sets and streams into the source …");
    let began = Instant::now();
    data::load(&mut connect(source).await.map_err(lost)?, keys).await?;
    let seconds = began.elapsed().as_secs_f64();
    output.line(&format!("Loaded {} keys in {seconds:.1} s.", count(keys)));
    Ok(())
}

/// Migrates while the application writes, and moves the application; gives the exit code.
async fn migrate(
    settings: &Settings,
    folder: &TempDir,
    [source, target]: [&Server; 2],
    application: &Application,
    output: &Output,
) -> Result<u8, Failure> {
    let program = Program::new(folder.path().join("state"), settings.how, output)?;
    let (from, to) = (source.address().to_string(), target.address().to_string());
    let mut migration = program
        .start(&["migrate", "--source", &from, "--target", &to, "--mode", "live", "--verify"])?;
    // The command that moves the application: it leaves a note, and the application reads it.
    let note = folder.path().join("moved");
    let hook = format!("touch '{}'", note.display());
    if let Some(code) = program.wait_for_job(&mut migration).await? {
        return Ok(code);
    }
    let mut cutover = program.start(&["cutover", "--when-ready", "--hook", &hook])?;
    let code = tokio::select! {
        code = commands::end(&mut cutover) => code?,
        never = move_at(&note, application, target) => match never {},
    };
    if code != 0 {
        commands::interrupt(&migration);
    }
    let ended = commands::end(&mut migration).await?;
    Ok(if code == 0 { ended } else { code })
}

/// Moves the application as soon as the note is there.
async fn move_at(
    note: &Path,
    application: &Application,
    target: &Server,
) -> std::convert::Infallible {
    while !note.exists() {
        sleep(LOOK_EVERY).await;
    }
    application.move_to(target.address());
    std::future::pending().await
}

/// What became of the application's writes; gives the exit code.
fn summary(written: &Written, wrong: &[String], output: &Output) -> u8 {
    #[derive(Serialize)]
    struct Demo<'a> {
        writes: u64,
        longest_wait_us: u64,
        lost_or_doubled: &'a [String],
    }
    let code = if wrong.is_empty() { 0 } else { DIFFERENT };
    let (writes, longest_wait_us) = (written.writes, written.longest_wait_us);
    if output.is_json() {
        output.ending(&Demo { writes, longest_wait_us, lost_or_doubled: wrong }, code);
        return code;
    }
    let mut text = format!(
        "\nThe application goes on against the target. All in all:\n\
         \x20 {} writes, {} of them counted exactly\n\
         \x20 longest wait for an answer: {}\n\
         \x20 counted writes lost or made twice: {}",
        count(writes),
        count(written.counted()),
        milliseconds(longest_wait_us),
        wrong.len()
    );
    for line in wrong {
        text += &format!("\n    {line}");
    }
    output.screen().result(&text);
    code
}

async fn connect(address: &Address) -> Result<Connection, ClientError> {
    Connector::new(address.clone()).client_name("ferrite-migrate:demo").connect().await
}

/// A server of the demo does not answer.
fn lost(error: ClientError) -> Failure {
    let system = std::io::Error::other(error.to_string());
    Failure::system("talking to a server of the demo", &system)
}
