//! Transactions and scripts that append to several lists and read them: what each saw orders them,
//! and together with the clock there must be no cycle (as Elle does it).
//!
//! ```text
//! wr  who appended what I saw last is before me      rw  I am before who appended what I did not see
//! ww  appends to one list in its order               rt  who was done before I was called is before me
//! ```

use std::collections::BTreeMap;
use std::net::SocketAddr;

use ferrite_testkit::dataset::Random;
use ferrite_testkit::{Client, Reply};

use crate::clock::{Clock, Span};
use crate::on_both;

const CLIENTS: u64 = 8;
const TRANSACTIONS: u64 = 250;
const LISTS: u64 = 5;

#[derive(Debug, Clone, PartialEq)]
enum Step {
    Append { list: u64, element: u64, length: usize },
    Read { list: u64, seen: Vec<u64> },
}

#[derive(Debug, Clone)]
struct Transaction {
    span: Span,
    steps: Vec<Step>,
}

/// The script that does what a transaction would: pairs of a list and an element to append, or an
/// empty word to read.
const SCRIPT: &str = "local out = {} \
    for i = 1, #KEYS do \
      if ARGV[i] == '' then out[i] = redis.call('LRANGE', KEYS[i], 0, -1) \
      else out[i] = redis.call('RPUSH', KEYS[i], ARGV[i]) end \
    end return out";

/// Says what is wrong with a history.
fn check(history: &[Transaction]) -> Result<(), String> {
    let orders = orders(history)?;
    let mut writers = BTreeMap::new();
    for (number, transaction) in history.iter().enumerate() {
        for step in &transaction.steps {
            let Step::Append { list, element, length } = step else { continue };
            let order: &[u64] = orders.get(list).map_or(&[], Vec::as_slice);
            if order.get(length - 1) != Some(element) {
                return Err(format!("list {list} has {order:?}, but {transaction:?}"));
            }
            writers.insert((*list, *element), number);
        }
    }
    let mut edges = Edges::new(history);
    for (list, order) in &orders {
        let all = order.iter().map(|element| writers.get(&(*list, *element)).copied());
        let all: Option<Vec<usize>> = all.collect();
        let all = all.ok_or_else(|| format!("list {list} has what nobody appended: {order:?}"))?;
        all.windows(2).for_each(|pair| edges.add(pair[0], pair[1]));
        for (number, transaction) in history.iter().enumerate() {
            for step in &transaction.steps {
                let Step::Read { list: read, seen } = step else { continue };
                if read != list {
                    continue;
                }
                if !seen.is_empty() {
                    edges.add(all[seen.len() - 1], number);
                }
                if let Some(later) = all.get(seen.len()) {
                    edges.add(number, *later);
                }
            }
        }
    }
    match edges.cycle() {
        None => Ok(()),
        Some(cycle) => {
            let shown: Vec<_> = cycle.into_iter().map(|number| &history[number]).collect();
            Err(format!("a cycle among {shown:#?}"))
        }
    }
}

/// The order of each list: its longest reading, of which all others must be the beginning.
fn orders(history: &[Transaction]) -> Result<BTreeMap<u64, Vec<u64>>, String> {
    let mut orders: BTreeMap<u64, Vec<u64>> = BTreeMap::new();
    let reads = history.iter().flat_map(|transaction| &transaction.steps);
    for step in reads {
        let Step::Read { list, seen } = step else { continue };
        let order = orders.entry(*list).or_default();
        let common = seen.len().min(order.len());
        if seen[..common] != order[..common] {
            return Err(format!("list {list} was read as {seen:?} and as {order:?}"));
        }
        if seen.len() > order.len() {
            order.clone_from(seen);
        }
    }
    Ok(orders)
}

/// Who is before whom. Beside the transactions there is a node for each end of one: a chain through
/// which the clock's order goes without an edge for each pair.
struct Edges {
    to: Vec<Vec<usize>>,
    transactions: usize,
}

impl Edges {
    fn new(history: &[Transaction]) -> Self {
        let transactions = history.len();
        let mut edges = Self { to: vec![Vec::new(); transactions * 2], transactions };
        let mut ends: Vec<usize> = (0..transactions).collect();
        ends.sort_by_key(|number| history[*number].span.done);
        for (place, number) in ends.iter().enumerate() {
            edges.to[*number].push(transactions + place);
            if place > 0 {
                edges.to[transactions + place - 1].push(transactions + place);
            }
        }
        for (number, transaction) in history.iter().enumerate() {
            let before =
                ends.partition_point(|end| history[*end].span.done < transaction.span.call);
            if before > 0 {
                edges.to[transactions + before - 1].push(number);
            }
        }
        edges
    }

    fn add(&mut self, from: usize, to: usize) {
        if from != to {
            self.to[from].push(to);
        }
    }

    /// Transactions that are on or between cycles, when there are any.
    fn cycle(&self) -> Option<Vec<usize>> {
        let mut waits = vec![0_usize; self.to.len()];
        self.to.iter().flatten().for_each(|to| waits[*to] += 1);
        let mut free: Vec<usize> = (0..waits.len()).filter(|node| waits[*node] == 0).collect();
        while let Some(node) = free.pop() {
            for to in &self.to[node] {
                waits[*to] -= 1;
                if waits[*to] == 0 {
                    free.push(*to);
                }
            }
        }
        let left: Vec<usize> =
            (0..self.transactions).filter(|node| waits[*node] > 0).take(20).collect();
        (!waits.iter().all(|count| *count == 0)).then_some(left)
    }
}

/// Sends a transaction and notes what came back.
fn transact(
    client: &mut Client,
    clock: Clock,
    random: &mut Random,
    element: &mut u64,
) -> Transaction {
    let wanted: Vec<(u64, Option<u64>)> = (0..1 + random.below(4))
        .map(|_| {
            *element += 1;
            (random.below(LISTS), (random.below(2) == 0).then_some(*element))
        })
        .collect();
    let names: Vec<String> = wanted.iter().map(|(list, _)| format!("list:{list}")).collect();
    let elements: Vec<String> = wanted
        .iter()
        .map(|(_, element)| element.map_or(String::new(), |e| e.to_string()))
        .collect();
    let script = random.below(3) == 0;
    let (span, replies) = clock.time(|| match script {
        true => {
            let count = names.len().to_string();
            let mut words = vec!["EVAL", SCRIPT, &count];
            words.extend(names.iter().chain(&elements).map(String::as_str));
            client.ok(&words)
        }
        false => {
            client.queue(&["MULTI"]);
            for (name, element) in names.iter().zip(&elements) {
                match element.is_empty() {
                    true => client.queue(&["LRANGE", name, "0", "-1"]),
                    false => client.queue(&["RPUSH", name, element]),
                }
            }
            client.queue(&["EXEC"]);
            client.flush().unwrap();
            (0..=names.len()).for_each(|_| drop(client.read().unwrap()));
            client.read().unwrap()
        }
    });
    assert_eq!(replies.items().len(), wanted.len(), "{replies}");
    let steps = wanted.iter().zip(replies.items()).map(|((list, element), reply)| match element {
        Some(element) => {
            let length = reply.int().unwrap() as usize;
            Step::Append { list: *list, element: *element, length }
        }
        None => {
            let numbers = |item: &Reply| item.int().unwrap() as u64;
            Step::Read { list: *list, seen: reply.items().iter().map(numbers).collect() }
        }
    });
    Transaction { span, steps: steps.collect() }
}

fn load(address: SocketAddr) {
    let clock = Clock::new();
    let mut history = Vec::new();
    std::thread::scope(|scope| {
        let client = |number| {
            let mut client = Client::connect(address).unwrap();
            let (mut random, mut element) = (Random::new(number), number * 1_000_000);
            let mut next = || transact(&mut client, clock, &mut random, &mut element);
            (0..TRANSACTIONS).map(|_| next()).collect::<Vec<_>>()
        };
        let clients: Vec<_> = (0..CLIENTS).map(|n| scope.spawn(move || client(n))).collect();
        history.extend(clients.into_iter().flat_map(|client| client.join().unwrap()));
    });
    let mut reader = Client::connect(address).unwrap();
    for list in 0..LISTS {
        let name = format!("list:{list}");
        let (span, reply) = clock.time(|| reader.ok(&["LRANGE", &name, "0", "-1"]));
        let seen = reply.items().iter().map(|item| item.int().unwrap() as u64).collect();
        history.push(Transaction { span, steps: vec![Step::Read { list, seen }] });
    }
    check(&history).unwrap_or_else(|why| panic!("{address}: {why}"));
}

#[test]
fn transactions_and_scripts_are_strictly_serializable() {
    on_both(load);
}

fn at(call: u64, done: u64, steps: Vec<Step>) -> Transaction {
    Transaction { span: Span { call, done }, steps }
}

fn append(list: u64, element: u64, length: usize) -> Step {
    Step::Append { list, element, length }
}

fn read(list: u64, seen: &[u64]) -> Step {
    Step::Read { list, seen: seen.to_vec() }
}

#[test]
fn half_a_transaction_that_is_seen_is_a_cycle() {
    let both = at(0, 9, vec![append(1, 10, 1), append(2, 20, 1)]);
    let torn = at(0, 9, vec![read(1, &[10]), read(2, &[])]);
    let whole = at(0, 9, vec![read(1, &[10]), read(2, &[20])]);
    let end = at(20, 30, vec![read(1, &[10]), read(2, &[20])]);
    assert!(check(&[both.clone(), whole, end.clone()]).is_ok());
    assert!(check(&[both, torn, end]).unwrap_err().contains("cycle"));
}

#[test]
fn a_read_of_the_past_is_a_cycle_with_the_clock() {
    let history = [
        at(0, 9, vec![append(1, 10, 1)]),
        at(20, 30, vec![read(1, &[])]),
        at(40, 50, vec![read(1, &[10])]),
    ];
    assert!(check(&history).unwrap_err().contains("cycle"));
}

#[test]
fn a_lost_or_torn_element_is_found() {
    let history = [at(0, 9, vec![append(1, 10, 1)]), at(20, 30, vec![read(1, &[])])];
    assert!(check(&history).is_err(), "lost");
    let history = [
        at(0, 9, vec![append(1, 10, 1)]),
        at(0, 9, vec![append(1, 11, 2)]),
        at(20, 30, vec![read(1, &[11, 10])]),
    ];
    assert!(check(&history).is_err(), "in another order");
}
