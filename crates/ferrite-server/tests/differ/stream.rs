//! One stream of commands on both servers, and the shortest part of it that still differs.

use std::net::SocketAddr;

use ferrite_commands::lookup;

use crate::common::Connection;
use crate::compare::{How, comparable, how};
use crate::keyspace::picture;

/// Commands between two looks at all keys.
const CHECKPOINT_EVERY: usize = 40;
/// Runs that shortening may take.
const MOST_RUNS: usize = 800;

/// Words of a command.
pub type Call = Vec<Vec<u8>>;

/// Two servers that ought to be alike.
#[derive(Debug, Clone, Copy)]
pub struct Pair {
    pub real: SocketAddr,
    pub ours: SocketAddr,
    pub resp3: bool,
    /// Whether encodings and DUMP payloads are compared, too: of one version only.
    pub dump: bool,
}

/// Where both were not alike.
#[derive(Debug, Clone)]
pub struct Difference {
    /// The number of the command; the next one's when the keys differ.
    pub at: usize,
    pub real: String,
    pub ours: String,
}

/// Parameters that streams change, with their defaults.
pub const PARAMETERS: [(&str, &str); 6] = [
    ("hash-max-listpack-entries", "128"),
    ("zset-max-listpack-entries", "128"),
    ("set-max-listpack-entries", "128"),
    ("set-max-intset-entries", "512"),
    ("list-max-listpack-size", "128"),
    ("stream-node-max-entries", "100"),
];

impl Pair {
    /// Runs a stream on empty servers; the first difference.
    pub fn run(&self, calls: &[Call]) -> Option<Difference> {
        let mut ends = [self.real, self.ours].map(|address| {
            let mut keys = Connection::new(address, false);
            keys.call(&["FLUSHALL"]);
            for (name, value) in PARAMETERS {
                keys.call(&["CONFIG", "SET", name, value]);
            }
            (Connection::new(address, self.resp3), keys)
        });
        let mut queued: Option<Vec<How>> = None;
        for (at, call) in calls.iter().enumerate() {
            let replies = ends.each_mut().map(|(connection, _)| connection.call(call));
            let name = call[0].to_ascii_lowercase();
            let [real, ours] = match (&mut queued, name.as_slice()) {
                (Some(hows), b"exec") => replies.each_ref().map(|reply| match reply.as_array() {
                    Some(items) => {
                        let hows = hows.iter().chain(std::iter::repeat(&How::Exactly));
                        let items = items.iter().zip(hows);
                        items
                            .map(|(item, how)| comparable(item, *how))
                            .collect::<Vec<_>>()
                            .join("\n")
                    }
                    None => comparable(reply, How::Exactly),
                }),
                _ => replies.each_ref().map(|reply| comparable(reply, how(call))),
            };
            if real != ours && !same(&real, &ours) {
                return Some(first_difference(at, lines(&real), lines(&ours)));
            }
            match (&mut queued, name.as_slice()) {
                (_, b"multi") if !replies[0].is_error() => queued = Some(Vec::new()),
                (_, b"exec" | b"discard") => queued = None,
                (Some(hows), _) if !replies[0].is_error() => hows.push(how(call)),
                _ => {}
            }
            if (at + 1) % CHECKPOINT_EVERY == 0 || at + 1 == calls.len() {
                let [real, ours] = ends.each_mut().map(|(_, keys)| picture(keys, self.dump));
                if real != ours {
                    return Some(first_difference(at + 1, real, ours));
                }
            }
        }
        None
    }

    /// The shortest stream found that still differs: parts of it are left out for as long as it
    /// does.
    pub fn shorten(&self, mut calls: Vec<Call>) -> Vec<Call> {
        if let Some(difference) = self.run(&calls) {
            calls.truncate(difference.at + 1);
        }
        let (mut part, mut runs) = (calls.len().div_ceil(2), 0);
        while part > 0 && runs < MOST_RUNS {
            let mut from = 0;
            while from < calls.len() && runs < MOST_RUNS {
                let mut shorter = calls.clone();
                shorter.drain(from..(from + part).min(calls.len()));
                runs += 1;
                match self.run(&shorter) {
                    Some(difference) => {
                        shorter.truncate(difference.at + 1);
                        calls = shorter;
                    }
                    None => from += part,
                }
            }
            part /= 2;
        }
        self.shorten_words(calls)
    }

    /// The same for the words of its commands.
    fn shorten_words(&self, mut calls: Vec<Call>) -> Vec<Call> {
        for number in 0..calls.len() {
            let mut step = calls.get(number).map_or(0, Vec::len) / 2;
            while step > 0 {
                let mut from = 1;
                while calls.get(number).is_some_and(|call| from + step <= call.len()) {
                    let mut shorter = calls.clone();
                    shorter[number].drain(from..from + step);
                    match self.run(&shorter).is_some() && self.run(&shorter).is_some() {
                        true => calls = shorter,
                        false => from += step,
                    }
                }
                step /= 2;
            }
        }
        calls
    }
}

fn lines(text: &str) -> Vec<String> {
    text.lines().map(str::to_owned).collect()
}

/// What servers of other versions say for the same.
const SAME: &[(&str, &str)] = &[
    ("Command not allowed inside a transaction", "WATCH inside MULTI is not allowed"),
    ("Command not allowed inside a transaction", "MULTI calls can not be nested"),
    ("Wrong number of args calling command", "Wrong number of args calling Redis command"),
    // A hash none of whose fields expires.
    ("\"listpackex\"", "\"listpack\""),
    ("NOSCRIPT No matching script.", "NOSCRIPT No matching script."),
    ("-ERR Command arguments must be", "-ERR Lua redis lib command arguments must be"),
    ("an ID, '+', or '$' must", "an ID or '$' must"),
];

fn same(real: &str, ours: &str) -> bool {
    SAME.iter().any(|(theirs, text)| real.contains(theirs) && ours.contains(text))
}

fn first_difference(at: usize, real: Vec<String>, ours: Vec<String>) -> Difference {
    let both = real.iter().zip(&ours).position(|(real, ours)| real != ours);
    let place = both.unwrap_or(real.len().min(ours.len()));
    let line = |lines: &[String]| lines.get(place).cloned().unwrap_or("nothing".into());
    Difference { at, real: line(&real), ours: line(&ours) }
}

/// A stream as a scenario, to be put beside a command.
pub fn scenario(calls: &[Call]) -> String {
    calls.iter().map(|call| line(call) + "\n").collect()
}

fn line(call: &Call) -> String {
    let sign = match how(call) {
        How::Exactly => "",
        How::AnyOrder | How::Pairs => "~ ",
        How::Shape | How::WithoutNumbers | How::Times => "? ",
    };
    let words: Vec<_> = call.iter().map(|word| quoted(word)).collect();
    format!("{sign}{}", words.join(" "))
}

fn quoted(word: &[u8]) -> String {
    let plain = |byte: &u8| byte.is_ascii_graphic() && !b"\"'\\#".contains(byte);
    if !word.is_empty() && word.iter().all(plain) {
        return String::from_utf8_lossy(word).into_owned();
    }
    let escaped: String = word
        .iter()
        .map(|byte| match byte {
            b'"' | b'\\' => format!("\\{}", char::from(*byte)),
            32..=126 => char::from(*byte).to_string(),
            _ => format!("\\x{byte:02x}"),
        })
        .collect();
    format!("\"{escaped}\"")
}

/// Whether both servers have the command of this name.
pub fn known_to_both(pair: &Pair, name: &[u8]) -> bool {
    let has = |address| {
        let info = Connection::new(address, false).call(&[b"COMMAND".as_slice(), b"INFO", name]);
        info.as_array().is_some_and(|all| !all.is_empty() && !all[0].is_null())
    };
    lookup(name).is_some() && has(pair.real) && has(pair.ours)
}
