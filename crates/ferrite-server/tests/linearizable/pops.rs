//! Blocking pops: every element comes to exactly one client, in the order it was pushed, whatever
//! becomes of those who wait.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};

use ferrite_testkit::dataset::Random;
use ferrite_testkit::{Client, Reply};

use crate::clock::{Clock, Span};
use crate::on_both;

const PRODUCERS: u64 = 3;
const CONSUMERS: u64 = 6;
/// Elements of each producer.
const ELEMENTS: u64 = 400;
const LISTS: [&str; 3] = ["queue:0", "queue:1", "queue:2"];
/// Seconds that a pop waits; short, so that waits end while elements come.
const WAIT: &str = "0.01";

/// An element, the list it came to, and when.
#[derive(Debug, Clone, PartialEq)]
struct Event {
    span: Span,
    list: String,
    element: String,
}

/// Says what is wrong with what was pushed and popped.
fn check(pushed: &[Event], popped: &[Event]) -> Result<(), String> {
    let mut pops: BTreeMap<&str, &Event> = BTreeMap::new();
    for event in popped {
        if let Some(other) = pops.insert(&event.element, event) {
            return Err(format!("popped twice: {event:?} {other:?}"));
        }
    }
    for push in pushed {
        let pop = pops.get(push.element.as_str()).ok_or(format!("never popped: {push:?}"))?;
        if pop.list != push.list || pop.span.done < push.span.call {
            return Err(format!("{pop:?} of {push:?}"));
        }
    }
    for list in LISTS {
        let mut all: Vec<&Event> = pushed.iter().filter(|push| push.list == list).collect();
        all.sort_by_key(|push| push.span.call);
        for (place, early) in all.iter().enumerate() {
            for late in &all[place + 1..] {
                let (first, second) = (pops[&*early.element], pops[&*late.element]);
                if early.span.done < late.span.call && second.span.done < first.span.call {
                    return Err(format!("{late:?} overtook {early:?}"));
                }
            }
        }
    }
    Ok(())
}

fn produce(address: SocketAddr, clock: Clock, number: u64) -> Vec<Event> {
    let mut client = Client::connect(address).unwrap();
    let mut random = Random::new(number);
    let mut pushed = Vec::new();
    let mut next = 0;
    while next < ELEMENTS {
        let list = LISTS[random.below(3) as usize];
        let many = 1 + random.below(3);
        let elements: Vec<String> = (0..many).map(|n| format!("{number}:{}", next + n)).collect();
        next += many;
        let mut words = vec!["RPUSH", list];
        words.extend(elements.iter().map(String::as_str));
        let (span, _) = clock.time(|| match random.below(3) {
            0 => {
                client.ok(&["MULTI"]);
                client.ok(&words);
                client.ok(&["EXEC"])
            }
            1 => {
                let script = "return redis.call('RPUSH', KEYS[1], unpack(ARGV))";
                let script = [&["EVAL", script, "1"], &words[1..]].concat();
                client.ok(&script)
            }
            _ => client.ok(&words),
        });
        let list = list.to_owned();
        pushed.extend(elements.into_iter().map(|element| Event {
            span,
            list: list.clone(),
            element,
        }));
    }
    pushed
}

/// Pops until all is popped; the ways of popping take turns.
fn consume(address: SocketAddr, clock: Clock, number: u64, left: &AtomicU64) -> Vec<Event> {
    let mut client = Client::connect(address).unwrap();
    let mut random = Random::new(1000 + number);
    let mut popped = Vec::new();
    let own = format!("processed:{number}");
    while left.load(Ordering::Relaxed) > 0 {
        let list = LISTS[random.below(3) as usize];
        let (span, reply) = clock.time(|| match random.below(3) {
            0 => client.ok(&["BLPOP", LISTS[0], LISTS[1], LISTS[2], WAIT]),
            1 => client.ok(&["BLMOVE", list, &own, "LEFT", "RIGHT", WAIT]),
            _ => client.ok(&["BLMPOP", WAIT, "2", list, LISTS[0], "LEFT", "COUNT", "2"]),
        });
        let elements: Vec<(String, String)> = match &reply {
            Reply::Nil => continue,
            Reply::Array(items) if items[1].items().is_empty() => {
                vec![(items[0].text(), items[1].text())]
            }
            Reply::Array(items) => {
                items[1].items().iter().map(|item| (items[0].text(), item.text())).collect()
            }
            one => vec![(list.to_owned(), one.text())],
        };
        left.fetch_sub(elements.len() as u64, Ordering::Relaxed);
        let events = elements.into_iter().map(|(list, element)| Event { span, list, element });
        popped.extend(events);
    }
    popped
}

/// Ends waits of others with CLIENT UNBLOCK, and leaves in the middle of its own.
fn disturb(address: SocketAddr, left: &AtomicU64) {
    let mut client = Client::connect(address).unwrap();
    let mut ids: Vec<String> = Vec::new();
    while left.load(Ordering::Relaxed) > 0 {
        if ids.is_empty() {
            let list = client.ok(&["CLIENT", "LIST"]).text();
            let words = list.lines().filter_map(|line| line.split_whitespace().next());
            ids = words.filter_map(|word| Some(word.strip_prefix("id=")?.to_owned())).collect();
        }
        if let Some(id) = ids.pop() {
            client.ok(&["CLIENT", "UNBLOCK", &id]);
        }
        let mut leaving = Client::connect(address).unwrap();
        leaving.queue(&["BLPOP", "nothing comes here", "0"]);
        leaving.flush().unwrap();
    }
}

fn load(address: SocketAddr) {
    let clock = Clock::new();
    // Producers round up to whole pushes: what is left is known when they are done.
    let left = AtomicU64::new(u64::MAX / 2);
    let (mut pushed, mut popped) = (Vec::new(), Vec::new());
    std::thread::scope(|scope| {
        let left = &left;
        let producers: Vec<_> =
            (0..PRODUCERS).map(|n| scope.spawn(move || produce(address, clock, n))).collect();
        let consumers: Vec<_> =
            (0..CONSUMERS).map(|n| scope.spawn(move || consume(address, clock, n, left))).collect();
        scope.spawn(move || disturb(address, left));
        pushed.extend(producers.into_iter().flat_map(|producer| producer.join().unwrap()));
        left.fetch_sub(u64::MAX / 2 - pushed.len() as u64, Ordering::Relaxed);
        popped.extend(consumers.into_iter().flat_map(|consumer| consumer.join().unwrap()));
    });
    let mut client = Client::connect(address).unwrap();
    for list in LISTS {
        assert_eq!(client.ok(&["LLEN", list]), 0, "{address}");
    }
    check(&pushed, &popped).unwrap_or_else(|why| panic!("{address}: {why}"));
}

#[test]
fn every_element_comes_to_one_client_in_order() {
    on_both(load);
}

#[test]
fn elements_lost_doubled_or_overtaken_are_found() {
    let event = |call, done, element: &str| Event {
        span: Span { call, done },
        list: LISTS[0].into(),
        element: element.into(),
    };
    let pushed = [event(0, 1, "a"), event(2, 3, "b")];
    let good = [event(4, 5, "a"), event(6, 7, "b")];
    assert_eq!(check(&pushed, &good), Ok(()));
    assert!(check(&pushed, &good[..1]).unwrap_err().contains("never popped"));
    assert!(
        check(&pushed, &[event(4, 5, "b"), event(6, 7, "a")]).unwrap_err().contains("overtook")
    );
    let twice = [good[0].clone(), good[1].clone(), event(8, 9, "b")];
    assert!(check(&pushed, &twice).unwrap_err().contains("twice"));
}
