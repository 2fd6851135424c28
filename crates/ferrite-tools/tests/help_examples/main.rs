//! The examples in the help of all commands: each is executed by a shell, against real servers and
//! files. Those about one migration that goes on are in [`orders`].
//!
//! ```text
//! redis://old   a server with ordinary keys, some of them `user:…`, in the databases 0 and 2
//! redis://new   a server that is empty before each example
//! memcached://  one with a key
//! old-1, new-1  a node of a cluster with keys, and of one that is empty before each example
//! the folder    has every file that the examples of a command read, and none that they write
//! ```
#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test fails by panicking")]

mod orders;

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

use ferrite_testkit::{Cluster, Dataset, Etcd, Memcached, Peer, Server};

/// The commands whose examples are executed here.
const EXECUTED: [&str; 27] = [
    "migrate",
    "sync",
    "list",
    "status",
    "cutover",
    "rollback",
    "complete",
    "abort",
    "pause",
    "resume",
    "stop",
    "throttle",
    "demo",
    "cluster",
    "import",
    "import-rdb",
    "import-aof",
    "import-json",
    "export-json",
    "import-csv",
    "export-csv",
    "verify",
    "analyze",
    "analyze-rdb",
    "export-rdb",
    "convert",
    "diff-rdb",
];
/// Prints the help of the others, and has no examples of its own.
const HELP: &str = "help";

fn program(args: &[&str]) -> String {
    let ended = Command::new(env!("CARGO_BIN_EXE_ferrite-migrate")).args(args).output().unwrap();
    let said = String::from_utf8_lossy(&[ended.stdout, ended.stderr].concat()).into_owned();
    assert!(ended.status.success(), "{args:?}: {said}");
    said
}

/// The examples in the help of a command, each as one line of a shell.
fn examples(verb: &str) -> Vec<String> {
    let help = program(&[verb, "--help"]);
    let (_, examples) = help.split_once("\nExamples:\n").expect("examples");
    let examples = examples.replace("\\\n", "");
    let lines = examples.lines().take_while(|line| line.starts_with("  "));
    let lines: Vec<_> = lines.map(|line| line.trim().to_owned()).collect();
    assert!(lines.len() >= 2, "{verb}: {lines:?}");
    lines
}

#[test]
fn every_command_is_executed_somewhere() {
    let help = program(&["--help"]);
    let (_, commands) = help.split_once("\nCommands:\n").expect("commands");
    let commands = commands.lines().take_while(|line| line.starts_with("  "));
    let names = commands.filter_map(|line| line.strip_prefix("  ")?.split(' ').next());
    let named: BTreeSet<_> = names.filter(|name| !name.is_empty()).collect();
    let executed: BTreeSet<_> = EXECUTED.into_iter().chain([HELP]).collect();
    assert_eq!(named, executed);
}

/// Runs a script, which must succeed; what it says.
fn run(mut script: Command, line: &str) -> String {
    let ended = script.output().unwrap();
    let said = String::from_utf8_lossy(&[ended.stdout, ended.stderr].concat()).into_owned();
    assert!(ended.status.success(), "{line}: {}\n{said}", ended.status);
    said
}

/// Servers, and a folder with the program in it.
struct Desk {
    folder: tempfile::TempDir,
    old: Peer,
    new: Peer,
    cache: Memcached,
}

impl Desk {
    fn new() -> Self {
        let (old, new) =
            (Peer::start(Server::Redis70).unwrap(), Peer::start(Server::Redis70).unwrap());
        Dataset::mixed(300).load(&mut old.client()).unwrap();
        for db in ["0", "2"] {
            let mut client = old.client();
            client.ok(&["SELECT", db]);
            client.ok(&["HSET", "user:1", "name", "Ada", "age", "36"]);
            client.ok(&["SET", "user:tmp:1", "x", "EX", "1000"]);
        }
        let cache = Memcached::start(&[]).unwrap();
        cache.client().set("key", 0, 0, b"value");
        let desk = Self { folder: tempfile::tempdir().unwrap(), old, new, cache };
        fs::create_dir(desk.path().join("bin")).unwrap();
        let program = env!("CARGO_BIN_EXE_ferrite-migrate");
        desk.install("ferrite-migrate", &format!("exec {program} \"$@\""));
        // Another machine's file.
        desk.install("ssh", "exec cat dump.rdb");
        desk.old.client().ok(&["SAVE"]);
        let dir = desk.old.client().ok(&["CONFIG", "GET", "dir"]);
        let dir = dir.items().get(1).map(ferrite_testkit::Reply::text).unwrap();
        fs::copy(Path::new(&dir).join("dump.rdb"), desk.path().join("dump.rdb")).unwrap();
        desk.shell("gzip -k dump.rdb");
        desk
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn install(&self, name: &str, words: &str) {
        let path = self.path().join("bin").join(name);
        fs::write(&path, format!("#!/bin/sh\n{words}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path().join(name), text).unwrap();
    }

    /// Runs a line of a shell, which must succeed.
    fn shell(&self, line: &str) -> String {
        run(self.script(line), line)
    }

    /// A line of a shell, with the servers of this desk.
    fn script(&self, line: &str) -> Command {
        let (old, new) = (self.old.url(), self.new.url());
        let line = line.replace("redis://old:6379", &old).replace("redis://new:6379", &new);
        let line = line.replace("memcached://old:11211", &self.cache.url());
        let line = format!("{line} ").replace("redis://old ", &format!("{old} "));
        let line = line.replace("redis://new ", &format!("{new} "));
        let script = format!("set -eu; PATH=\"$PWD/bin:$PATH\"\n{line}");
        let mut command = Command::new("sh");
        command
            .args(["-c", &script])
            .current_dir(self.path())
            .env("FERRITE_STATE_DIR", self.path().join("state"))
            .stdin(Stdio::null());
        command
    }

    /// Runs the examples of a command, each with an empty new server.
    fn examples(&self, verb: &str) {
        for example in examples(verb) {
            self.new.client().ok(&["FLUSHALL"]);
            let said = self.shell(&example);
            assert!(!said.is_empty(), "{example} says nothing");
            let writes = example.contains("redis://new") && !example.contains("--dry-run");
            if writes && verb.starts_with("import") {
                let keys = self.new.client().ok(&["INFO", "keyspace"]).text();
                assert!(keys.contains("keys="), "{example} wrote nothing: {said}");
            }
        }
    }
}

/// Commands in the format of an append-only file.
fn commands(commands: &[&[&str]]) -> String {
    let bulk = |word: &&str| format!("${}\r\n{word}\r\n", word.len());
    let one = |words: &&[&str]| {
        format!("*{}\r\n{}", words.len(), words.iter().map(bulk).collect::<String>())
    };
    commands.iter().map(one).collect()
}

#[test]
fn files_of_servers() {
    let desk = Desk::new();
    desk.shell("ferrite-migrate convert dump.rdb for-9.rdb --to valkey-9");
    desk.shell("cp dump.rdb before.rdb; cp dump.rdb after.rdb; cp dump.rdb redis-7.rdb");
    desk.shell("cp for-9.rdb valkey-9.rdb; gzip valkey-9.rdb");
    let select = ["SELECT", "0"];
    // 2026-11-20 and 2026-11-22.
    let log = [
        String::from("#TS:1795132800\r\n"),
        commands(&[&select, &["SET", "user:2", "early"]]),
        String::from("#TS:1795305600\r\n"),
        commands(&[&["SET", "user:2", "late"]]),
    ];
    desk.write("appendonly.aof", &log.concat());
    fs::create_dir(desk.path().join("appendonlydir")).unwrap();
    desk.write("appendonlydir/appendonly.aof.1.incr.aof", &log.concat());
    let manifest = "file appendonly.aof.1.incr.aof seq 1 type i\n";
    desk.write("appendonlydir/appendonly.aof.manifest", manifest);
    for verb in ["import", "import-rdb", "import-aof", "analyze-rdb", "convert", "diff-rdb"] {
        desk.examples(verb);
    }
    desk.examples("analyze");
    desk.examples("export-rdb");
}

#[test]
fn files_of_text() {
    let desk = Desk::new();
    let export = "ferrite-migrate export-json -s redis://old:6379/0 -f 'user:*' -o";
    desk.shell(&format!("{export} keys.jsonl; {export} users.json"));
    desk.shell("gzip -k keys.jsonl; cp keys.jsonl.gz keys.json.gz");
    desk.write("users.csv", "id,name,age\n1,Ada,36\n2,Grace,45\n");
    desk.write("users.yaml", "key: user:{id}\nfields: {name: name, years: age}\n");
    desk.write("names.csv", "id,name\n1,Ada\n2,Grace\n");
    desk.write("b.csv", "game,m,s\nchess,ada,7\nchess,grace,9\n");
    desk.write("log.tsv", "a\tone\na\ttwo\n");
    desk.shell("gzip log.tsv");
    let people = r#"[{"id":1,"name":"Ada","at":{"city":"London"},"tags":["a","b"]}]"#;
    desk.write("people.json", people);
    desk.write("people.yaml", "key: user:{id}\nfields: {name: name, city: at.city}\n");
    for verb in ["import-json", "import-csv"] {
        desk.examples(verb);
    }
    // Streams have no rows in CSV: exit 5 says so.
    let mut client = desk.old.client();
    for name in client.ok(&["KEYS", "events:*"]).items() {
        client.ok(&[&b"DEL"[..], name.bytes().unwrap()]);
    }
    desk.shell("rm keys.jsonl* users.json users.csv names.csv");
    for verb in ["export-json", "export-csv"] {
        desk.examples(verb);
    }
}

#[test]
fn comparisons() {
    let desk = Desk::new();
    for example in examples("verify") {
        desk.new.client().ok(&["FLUSHALL"]);
        let source = match example.contains("memcached") {
            true => "memcached://old:11211",
            false => "redis://old:6379",
        };
        desk.shell(&format!("ferrite-migrate migrate -s {source} -t redis://new:6379"));
        desk.shell(&example);
    }
}

#[test]
fn clusters() {
    let (desk, etcd) = (Desk::new(), Etcd::start().unwrap());
    let cluster = || Cluster::builder(Server::Redis70).start().unwrap();
    let (old, new) = (cluster(), cluster());
    desk.shell(&format!("ferrite-migrate migrate -s redis://old:6379/0 -t {}/0", old.url()));
    for example in examples("cluster") {
        new.primaries().iter_mut().for_each(|node| {
            node.ok(&["FLUSHALL"]);
        });
        let example = example
            .replace("redis://old-1:6379", &old.url())
            .replace("redis://new-1:6379", &new.url())
            .replace("redis://old-1", &old.url())
            .replace("redis://new-1", &new.url())
            .replace("etcd://etcd-1/move-1", &etcd.url("move-1"));
        desk.shell(&example);
        if example.contains("--detach") {
            let is_equal = || old.snapshot().unwrap().diff(&new.snapshot().unwrap()).is_empty();
            ferrite_testkit::wait_until("the cluster is followed", is_equal);
            desk.shell("ferrite-migrate stop");
        }
        if !example.contains("--dry-run") {
            let differences = old.snapshot().unwrap().diff(&new.snapshot().unwrap());
            assert!(differences.is_empty(), "{example}: {}", differences.join("\n"));
        }
    }
}
