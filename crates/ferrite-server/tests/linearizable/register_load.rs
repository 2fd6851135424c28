//! Many clients on few keys, with every plain kind of write, and expiry.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use ferrite_testkit::dataset::Random;
use ferrite_testkit::{Client, Reply};

use crate::clock::Clock;
use crate::on_both;
use crate::register::{Done, Operation, check};

const CLIENTS: u64 = 8;
const OPERATIONS: u64 = 600;
/// Few enough that clients meet.
const KEYS: u64 = 12;
/// Expiries of keys, in milliseconds.
const SHORTEST: u64 = 2;

type Histories = BTreeMap<String, Vec<Operation>>;

struct Writer {
    client: Client,
    clock: Clock,
    random: Random,
    number: u64,
    histories: Histories,
}

impl Writer {
    fn note(&mut self, key: &str, words: &[&str], done: impl FnOnce(Reply) -> Done) {
        let clock = self.clock;
        let (span, reply) = clock.time(|| self.client.call(words));
        self.histories.entry(key.into()).or_default().push(Operation { span, done: done(reply) });
    }

    /// Reads and writes under WATCH. One that did not go through did nothing.
    fn swap(&mut self, key: &str, value: &str, script: bool) {
        if script {
            let text = "local v = redis.call('GET', KEYS[1]) \
                        redis.call('SET', KEYS[1], ARGV[1]) return v";
            let words = ["EVAL", text, "1", key, value];
            return self.note(key, &words, |seen| Done::Swapped(bytes(&seen), value.into()));
        }
        let clock = self.clock;
        let (span, swapped) = clock.time(|| {
            self.client.ok(&["WATCH", key]);
            let seen = bytes(&self.client.ok(&["GET", key]));
            self.client.ok(&["MULTI"]);
            self.client.ok(&["SET", key, value]);
            (self.client.ok(&["EXEC"]) != Reply::Nil).then_some(seen)
        });
        if let Some(seen) = swapped {
            let done = Done::Swapped(seen, value.into());
            self.histories.entry(key.into()).or_default().push(Operation { span, done });
        }
    }

    /// One operation on a key whose name says what is done to it.
    fn step(&mut self) {
        let number = self.random.below(KEYS);
        let value = format!("{}-{}", self.number, self.random.below(1_000_000));
        let read = |reply: Reply| Done::Read(bytes(&reply));
        match (number % 3, self.random.below(8)) {
            (0, 0..=4) => {
                let key = format!("counter:{number}");
                self.note(&key, &["INCR", &key], |reply| Done::Increased(reply.int().unwrap()));
            }
            (0, 5) => {
                let key = format!("counter:{number}");
                self.note(&key, &["GETDEL", &key], |reply| Done::Taken(bytes(&reply)));
            }
            (0, _) => {
                let key = format!("counter:{number}");
                self.note(&key, &["GET", &key], read);
            }
            (1, what) => {
                let key = format!("expiring:{number}");
                let after = SHORTEST + self.random.below(4);
                match what {
                    0..=2 => self.note(&key, &["SET", &key, &value, "PX", &after.to_string()], {
                        let value = value.clone();
                        move |_| Done::Write(value.into(), Some(after * 1_000_000))
                    }),
                    3 => self.note(&key, &["SET", &key, &value, "NX"], |reply| {
                        Done::WroteIfMissing(value.clone().into(), reply != Reply::Nil)
                    }),
                    _ => self.note(&key, &["GET", &key], read),
                }
            }
            (_, what) => {
                let key = format!("text:{number}");
                match what {
                    0 => self.note(&key, &["SET", &key, &value], |_| {
                        Done::Write(value.clone().into(), None)
                    }),
                    1 | 2 => self.note(&key, &["APPEND", &key, "x"], |length| {
                        Done::Appended(b"x".to_vec(), length.int().unwrap() as usize)
                    }),
                    3 | 4 => self.swap(&key, &value, what == 3),
                    5 => self.note(&key, &["GETDEL", &key], |reply| Done::Taken(bytes(&reply))),
                    _ => self.note(&key, &["GET", &key], read),
                }
            }
        }
    }
}

fn bytes(reply: &Reply) -> Option<Vec<u8>> {
    reply.bytes().map(<[u8]>::to_vec)
}

fn load(address: SocketAddr) {
    let clock = Clock::new();
    let writer = |number| {
        let client = Client::connect(address).unwrap();
        let random = Random::new(number);
        let mut writer = Writer { client, clock, random, number, histories: Histories::new() };
        (0..OPERATIONS).for_each(|_| writer.step());
        writer.histories
    };
    let mut histories = Histories::new();
    std::thread::scope(|scope| {
        let writers: Vec<_> =
            (0..CLIENTS).map(|number| scope.spawn(move || writer(number))).collect();
        for (key, history) in writers.into_iter().flat_map(|writer| writer.join().unwrap()) {
            histories.entry(key).or_default().extend(history);
        }
    });
    assert_eq!(histories.len() as u64, KEYS);
    for (key, history) in histories {
        check(&history).unwrap_or_else(|why| panic!("{address} {key}: {why}"));
    }
}

#[test]
fn single_keys_are_linearizable() {
    on_both(load);
}
