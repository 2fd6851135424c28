//! The pages in `docs/guides`: every command on them is executed, in order, against real servers.
//!
//! ```text
//! ```sh                     one shell for each page, which ends at the first command that fails
//! old.example.org:6379  →   a server with every kind of value
//! new.example.org:6379  →   an empty one
//! dump.rdb, *.sh            in the folder the shell starts in
//! ```
#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use ferrite_testkit::{Cluster, Dataset, Peer, Server, snapshot};

/// The pages that are executed, and what serves as the old server and as the new one.
const PAGES: [(&str, Server, Server); 5] = [
    ("redis.md", Server::Redis70, Server::Valkey81),
    ("valkey.md", Server::Valkey81, Server::Redis80),
    ("keydb.md", Server::Redis62, Server::Redis70),
    ("managed.md", Server::Redis70, Server::Redis70),
    ("file.md", Server::Redis70, Server::Redis70),
];

/// The pages that are executed elsewhere: in a test of their own below, in `end_to_end/memcached.rs`.
const OTHERS: [&str; 2] = ["cluster.md", "memcached.md"];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/guides")
}

/// The commands of a page, as one script.
fn script(page: &str) -> String {
    let text = fs::read_to_string(folder().join(page)).unwrap();
    let blocks = text.split("```sh\n").skip(1);
    let script: String = blocks.map(|block| block.split("```").next().unwrap_or("")).collect();
    assert!(!script.is_empty(), "{page} has no commands");
    script
}

/// A program that a shell finds by its name.
fn install(bin: &Path, name: &str, words: &str) {
    let path = bin.join(name);
    fs::write(&path, format!("#!/bin/sh\nexec {words} \"$@\"\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
}

/// The folder a page's shell starts in, with what the page takes for granted.
fn desk(source: &Peer) -> tempfile::TempDir {
    let desk = tempfile::tempdir().unwrap();
    let bin = desk.path().join("bin");
    fs::create_dir(&bin).unwrap();
    install(&bin, "ferrite-migrate", env!("CARGO_BIN_EXE_ferrite-migrate"));
    let client = Server::Redis70.cli().unwrap().expect("redis-cli");
    // One that is found by its name needs no other.
    if client.to_string() != "redis-cli" {
        install(&bin, "redis-cli", &client.to_string());
    }
    install(desk.path(), "move-traffic.sh", "true");
    source.client().ok(&["SAVE"]);
    let dir = source.client().ok(&["CONFIG", "GET", "dir"]);
    let dir = dir.items().get(1).map(ferrite_testkit::Reply::text).unwrap();
    fs::copy(Path::new(&dir).join("dump.rdb"), desk.path().join("dump.rdb")).unwrap();
    desk
}

/// Runs a page; both ends are equal afterwards.
fn follow(page: &str, old: Server, new: Server) {
    let (source, target) = (Peer::start(old).unwrap(), Peer::start(new).unwrap());
    Dataset::everything().load(&mut source.client()).unwrap();
    let desk = desk(&source);
    let names = [
        ("old.example.org:6379", source.addr().to_string()),
        ("new.example.org:6379", target.addr().to_string()),
    ];
    execute(page, desk.path(), &names);
    let (ours, theirs) = (snapshot(&mut source.client()), snapshot(&mut target.client()));
    let differences = ours.unwrap().diff(&theirs.unwrap());
    assert!(differences.is_empty(), "{page}:\n{}", differences.join("\n"));
}

/// Executes a page's commands, with other names for the servers.
fn execute(page: &str, desk: &Path, names: &[(&str, String)]) {
    let script = script(page);
    let script = names.iter().fold(script, |script, (name, addr)| script.replace(name, addr));
    let script = format!("PATH=\"$PWD/bin:$PATH\"\n{script}");
    let ended = Command::new("sh")
        .args(["-eu", "-c", &script])
        .current_dir(desk)
        .env("FERRITE_STATE_DIR", desk.join("state"))
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = [ended.stdout, ended.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    assert!(ended.status.success(), "{page}: {}\n{script}\n{said}", ended.status);
}

#[test]
fn every_page_is_executed() {
    let pages = fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().file_name());
    let mut pages: BTreeSet<_> = pages.map(|name| name.into_string().unwrap()).collect();
    pages.remove("README.md");
    let executed = PAGES.iter().map(|(page, ..)| *page).chain(OTHERS);
    let executed: BTreeSet<_> = executed.map(str::to_owned).collect();
    assert_eq!(pages, executed);
}

#[test]
fn the_commands_of_the_page_about_clusters_work() {
    let from = Peer::start(Server::Redis70).unwrap();
    Dataset::mixed(2000).load(&mut from.client()).unwrap();
    let cluster = || Cluster::builder(Server::Redis70).start().unwrap();
    let (old, new) = (cluster(), cluster());
    let (desk, server) = (desk(&from), Peer::start(Server::Redis70).unwrap());
    let filled = Command::new(env!("CARGO_BIN_EXE_ferrite-migrate"))
        .args(["migrate", "-s", &format!("{}/0", from.url()), "-t", &format!("{}/0", old.url())])
        .output()
        .unwrap();
    assert!(filled.status.success(), "{}", String::from_utf8_lossy(&filled.stderr));
    let names = [
        ("old-1:6379", old.node(0).addr().to_string()),
        ("new-1:6379", new.node(2).addr().to_string()),
        ("server:6379", server.addr().to_string()),
    ];
    execute("cluster.md", desk.path(), &names);
    let (ours, theirs) = (old.snapshot().unwrap(), new.snapshot().unwrap());
    assert!(ours.len() > 1000, "only {} keys", ours.len());
    assert_eq!(ours.diff(&theirs), Vec::<String>::new());
}

#[test]
fn the_commands_of_the_pages_work() {
    std::thread::scope(|scope| {
        for (page, old, new) in PAGES {
            scope.spawn(move || follow(page, old, new));
        }
    });
}
