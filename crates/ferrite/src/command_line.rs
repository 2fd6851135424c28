//! What the command line asks for.

use std::ffi::OsString;
use std::io::Read;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

use ferrite_server::commands::REDIS_VERSION;
use ferrite_server::config::Load;

const HELP: &str = "\
Usage: ferrite [<file>] [--<parameter> <value> ...] [-]
       ferrite --config <file> [--<parameter> <value> ...]
       ferrite init [<file>]

  <file>          ferrite.toml, or a redis.conf under any other ending
  --<parameter>   any parameter of redis.conf: --port 6380
  -               more lines of redis.conf come from standard input

  --test-config   read the configuration, say whether it is right, and end
  --version, -v   say which version this is
  --help, -h      say this

init writes a file with every parameter, its default and what it is
(ferrite.toml, where no other is named).

Examples:
  ferrite
  ferrite --config ferrite.toml
  ferrite /etc/redis/redis.conf --port 7777 --loglevel verbose
  echo 'maxmemory 128mb' | ferrite -
";

/// The most bytes of standard input that are read as configuration.
const MAX_INPUT: u64 = 16 << 20;

/// What is to be done.
#[derive(Debug)]
pub enum Task {
    /// Print this.
    Print(String),
    /// Write a file with every parameter.
    Init(PathBuf),
    /// Read the configuration only.
    Test(Load),
    /// Serve.
    Serve(Load),
}

/// Reads the words behind the program's name.
pub fn read(words: impl Iterator<Item = OsString>) -> Result<Task, String> {
    let mut words: Vec<Vec<u8>> = words.map(OsString::into_vec).collect();
    let is = |word: &str| words.first().is_some_and(|first| first == word.as_bytes());
    if words.len() == 1 && (is("--help") || is("-h")) {
        return Ok(Task::Print(HELP.to_owned()));
    }
    if words.len() == 1 && (is("--version") || is("-v")) {
        let own = env!("CARGO_PKG_VERSION");
        return Ok(Task::Print(format!("Ferrite server v={own} redis_version={REDIS_VERSION}\n")));
    }
    if is("init") {
        return match words.as_slice() {
            [_] => Ok(Task::Init(PathBuf::from("ferrite.toml"))),
            [_, file] => Ok(Task::Init(path(file))),
            _ => Err("ferrite init takes one file; see ferrite --help".to_owned()),
        };
    }
    let test = words.iter().position(|word| word == b"--test-config");
    if let Some(at) = test {
        words.remove(at);
    }
    let load = configuration(words)?;
    Ok(if test.is_some() { Task::Test(load) } else { Task::Serve(load) })
}

fn configuration(mut words: Vec<Vec<u8>>) -> Result<Load, String> {
    let folder = std::env::current_dir()
        .map_err(|error| format!("the folder ferrite was started in cannot be told: {error}"))?;
    let mut load = Load { folder, ..Load::default() };
    match words.as_slice() {
        [first, rest @ ..] if !first.starts_with(b"-") => {
            load.file = Some(path(first));
            words = rest.to_vec();
        }
        [option, file, rest @ ..] if option == b"--config" => {
            load.file = Some(path(file));
            words = rest.to_vec();
        }
        [option] if option == b"--config" => {
            return Err("--config needs a file: ferrite --config ferrite.toml".to_owned());
        }
        _ => {}
    }
    if words.last().is_some_and(|last| last == b"-") {
        words.pop();
        let read = std::io::stdin().take(MAX_INPUT).read_to_end(&mut load.input);
        read.map_err(|error| format!("reading the configuration from standard input: {error}"))?;
    }
    load.options = words;
    Ok(load)
}

fn path(word: &[u8]) -> PathBuf {
    OsString::from_vec(word.to_vec()).into()
}
