//! Files of commands and of text, several times the memory limit, pass through a process that stays
//! below it; what is too long to pass is refused by its place.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use ferrite_testkit::Peer;

use crate::command::{Ended, Running, program};
use crate::empty;

/// The default of `--memory-limit`.
const MEMORY_LIMIT: u64 = 128 << 20;
/// A command of an append-only file may take a tenth of it: this is just below.
const LONG: usize = 12 << 20;
/// A record of JSON, too.
const RECORD: usize = 12 << 20;

fn write(folder: &Path, name: &str, content: impl FnOnce(&mut BufWriter<File>)) -> PathBuf {
    let path = folder.join(name);
    let mut file = BufWriter::with_capacity(1 << 20, File::create(&path).unwrap());
    content(&mut file);
    file.flush().unwrap();
    path
}

/// Imports a file; the process must have stayed below its limit.
#[track_caller]
fn import(verb: &str, path: &Path, target: &Peer, options: &[&str]) -> Ended {
    let mut command = program();
    command.arg(verb).arg(path).args(["-t", &target.url()]).args(options).stdin(Stdio::null());
    let (ended, peak) = Running::start_command(command).end_and_measure();
    assert!(peak > 4 << 20, "the memory was not measured: {peak}");
    assert!(peak <= MEMORY_LIMIT, "{verb}: {} MiB at the peak", peak >> 20);
    ended
}

/// A command of words that are all alike from the second on.
fn command(file: &mut impl Write, first: &[&str], word: &str, times: usize) {
    write!(file, "*{}\r\n", first.len() + times).unwrap();
    for word in first {
        write!(file, "${}\r\n{word}\r\n", word.len()).unwrap();
    }
    let bulk = format!("${}\r\n{word}\r\n", word.len());
    file.write_all(bulk.repeat(times).as_bytes()).unwrap();
}

#[test]
fn long_commands_stay_below_the_limit() {
    let (folder, target) = (tempfile::tempdir().unwrap(), empty());
    let value = "v".repeat(LONG);
    let path = write(folder.path(), "long.aof", |file| {
        writeln!(file, "#TS:1795132800\r").unwrap();
        for key in ["a", "b", "c", "d", "e", "f", "g"] {
            command(file, &["SET", key], &value, 1);
        }
        command(file, &["SET", "g", &value, "PXAT"], "4000000000000", 1);
        // As many words as fit: what each costs besides its bytes counts.
        for key in ["l", "m"] {
            command(file, &["RPUSH", key], "x", LONG / 7);
        }
        command(file, &["DEL", "a"], "b", LONG / 7);
        command(file, &["SET", "b"], &value, 1);
        writeln!(file, "#TS:1795305600\r").unwrap();
        command(file, &["SET", "late"], &value, 1);
    });
    import("import-aof", &path, &target, &["--before", "2026-11-21T03:00:00Z"]).exits(0);
    assert_eq!(target.client().ok(&["DBSIZE"]), 8);
    assert_eq!(target.client().ok(&["LLEN", "m"]).int(), i64::try_from(LONG / 7).ok());
    // Keys that are written are deleted first, and some are left out of a command.
    let options = ["-f", "[b-fl]", "--on-conflict", "replace"];
    import("import-aof", &path, &target, &options).exits(0);
    assert_eq!(target.client().ok(&["LLEN", "l"]).int(), i64::try_from(LONG / 7).ok());
}

#[test]
fn a_long_transaction_stays_below_the_limit() {
    const COMMANDS: usize = 2_000_000;
    let (folder, target) = (tempfile::tempdir().unwrap(), empty());
    let path = write(folder.path(), "transaction.aof", |file| {
        command(file, &["MULTI"], "", 0);
        for _ in 0..COMMANDS {
            command(file, &["INCR", "count"], "", 0);
        }
        command(file, &["EXEC"], "", 0);
    });
    import("import-aof", &path, &target, &[]).exits(0);
    assert_eq!(target.client().ok(&["GET", "count"]), COMMANDS.to_string().as_str());
}

#[test]
fn a_document_of_json_of_any_size_stays_below_the_limit() {
    let (folder, target) = (tempfile::tempdir().unwrap(), empty());
    let long = "\\nv".repeat(RECORD / 3);
    let member = "\"é\",".repeat(RECORD / 5);
    let path = write(folder.path(), "document.json", |file| {
        write!(file, "[").unwrap();
        for key in 0..10 {
            write!(file, r#"{{"key":"s{key}","type":"string","value":"{long}"}},"#).unwrap();
            write!(file, r#"{{"key":"l{key}","type":"list","value":[{member}"é"]}},"#).unwrap();
        }
        write!(file, r#"{{"key":"last","type":"string","value":"v"}}]"#).unwrap();
    });
    import("import-json", &path, &target, &[]).exits(0);
    assert_eq!(target.client().ok(&["DBSIZE"]), 21);
}

#[test]
fn a_value_of_json_that_is_longer_than_the_limit_is_refused_by_its_place() {
    let (folder, target) = (tempfile::tempdir().unwrap(), empty());
    let part = "v".repeat(1 << 20);
    let path = write(folder.path(), "value.jsonl", |file| {
        writeln!(file, r#"{{"key":"first","type":"string","value":"v"}}"#).unwrap();
        write!(file, r#"{{"key":"long","type":"string","value":""#).unwrap();
        (0..256).for_each(|_| file.write_all(part.as_bytes()).unwrap());
        writeln!(file, "\"}}").unwrap();
    });
    let ended = import("import-json", &path, &target, &[]).exits(2);
    ended.explains(&["line 2", "13421772 bytes", "--memory-limit"]);
}
