//! Every scenario (`.scn`) beside the commands, given to a real Redis and to ours: the replies
//! must be the same, byte for byte, in RESP2 and in RESP3.
//!
//! ```text
//! # a remark; `# server redis-8.0` names the real server (redis-7.0 where nothing is said)
//! SET k "a b"          a command, its words quoted as in redis-cli
//! ~ SMEMBERS s         elements in any order, here and in what is inside
//! ? TTL k              only the kind of reply is compared: time or chance decide its value
//! 2: BLPOP l 0         over connection 2; nobody waits for its reply
//! 2< …                 the reply to what connection 2 sent last (the rest is a remark)
//! ```
//!
//! A scenario begins with empty servers.
#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use common::{Connection, shown, unordered};
use ferrite_resp::Value;
use ferrite_resp::request::split_words;
use ferrite_server::Server;
use ferrite_server::config::Config;
use ferrite_testkit::{Peer, Server as Real};

/// The connections of a scenario to one server.
struct End {
    address: SocketAddr,
    resp3: bool,
    connections: BTreeMap<u32, Connection>,
}

impl End {
    fn connection(&mut self, number: u32) -> &mut Connection {
        let (address, resp3) = (self.address, self.resp3);
        self.connections.entry(number).or_insert_with(|| Connection::new(address, resp3))
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Compare {
    Exactly,
    AnyOrder,
    Kind,
}

fn comparable(value: Value, how: Compare) -> String {
    match how {
        Compare::Exactly => shown(&value),
        Compare::AnyOrder => unordered(&value),
        Compare::Kind => format!("{value:?}").split(['(', ' ']).next().unwrap().into(),
    }
}

/// Runs a scenario on both; what differs.
fn differences(
    path: &Path,
    text: &str,
    real: SocketAddr,
    ours: SocketAddr,
    resp3: bool,
) -> Vec<String> {
    let end = |address| End { address, resp3, connections: BTreeMap::new() };
    let mut ends = [end(real), end(ours)];
    let mut differences = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let (how, rest) = match line.split_once(' ') {
            Some(("~", rest)) => (Compare::AnyOrder, rest),
            Some(("?", rest)) => (Compare::Kind, rest),
            _ => (Compare::Exactly, line),
        };
        let replies = match prefixed(rest) {
            Some((which, ':', rest)) => {
                let words = split_words(rest.as_bytes()).expect("quotes");
                ends.iter_mut().for_each(|end| end.connection(which).send(&words));
                continue;
            }
            Some((which, _, _)) => ends.each_mut().map(|end| end.connection(which).reply()),
            None => {
                let words = split_words(rest.as_bytes()).expect("quotes");
                ends.each_mut().map(|end| {
                    end.connection(1).send(&words);
                    end.connection(1).reply()
                })
            }
        };
        let [real, ours] = replies.map(|value| comparable(value, how));
        if real != ours {
            let protocol = if resp3 { "RESP3" } else { "RESP2" };
            let place = format!("{}:{} {protocol}", path.display(), number + 1);
            differences.push(format!("{place}: {line}\n  real {real}\n  ours {ours}"));
        }
    }
    differences
}

/// `2: …` and `2< …`.
fn prefixed(line: &str) -> Option<(u32, char, &str)> {
    let sign = line.find([':', '<'])?;
    let which = line.get(..sign)?.parse().ok()?;
    Some((which, line[sign..].chars().next()?, line[sign + 1..].trim()))
}

fn scenarios(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => found.extend(scenarios(&path)),
            false if path.extension().is_some_and(|end| end == "scn") => found.push(path),
            false => {}
        }
    }
    found.sort();
    found
}

/// A server of ours in an empty folder, as open to DEBUG as the real ones.
fn ours(folder: &Path) -> Server {
    let config = Arc::new(Config::new(folder));
    for (name, value) in [("enable-debug-command", "yes"), ("port", "0"), ("save", "")] {
        config.put(name, &[value]).unwrap();
    }
    let builder = Server::builder().bind("127.0.0.1:0".parse().unwrap());
    builder.configured(&config, Vec::new()).start().unwrap()
}

fn named(text: &str) -> Real {
    let line = text.lines().find_map(|line| line.strip_prefix("# server "));
    let name = line.unwrap_or("redis-7.0").split_whitespace().next().unwrap();
    Real::from_name(name).unwrap_or_else(|| panic!("no server is called {name}"))
}

#[test]
fn every_scenario_is_answered_as_the_real_server_answers() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/commands");
    #[expect(clippy::disallowed_methods, reason = "to run one scenario by hand")]
    let only = std::env::var("SCENARIO").unwrap_or_default();
    let mut reals: BTreeMap<String, Peer> = BTreeMap::new();
    let (mut differences_found, mut ran) = (Vec::new(), 0);
    for path in scenarios(&root) {
        let shown = path.strip_prefix(&root).unwrap();
        if !shown.to_string_lossy().contains(&only) {
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        let server = named(&text);
        let real = reals.entry(format!("{server:?}")).or_insert_with(|| {
            Peer::builder(server).start().unwrap_or_else(|error| panic!("{error}"))
        });
        for resp3 in [false, true] {
            real.client().ok(&["FLUSHALL"]);
            let folder = tempfile::tempdir().unwrap();
            let ours = ours(folder.path());
            let ends = [real.addr(), ours.addresses()[0]];
            differences_found.extend(differences(shown, &text, ends[0], ends[1], resp3));
        }
        ran += 1;
    }
    assert!(ran > 0, "no scenario is called {only}");
    assert!(differences_found.is_empty(), "{}", differences_found.join("\n"));
}
