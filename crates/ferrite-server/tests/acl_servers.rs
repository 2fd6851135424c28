//! Access control against a running Redis: the same rules, in random order, give the same
//! description, the same refusals of rules, and the same answers about commands.

use std::collections::HashSet;

use ferrite_commands::resolve;
use ferrite_server::acl::{Acl, Commands};
use ferrite_testkit::{Client, Peer, Server};

/// How many users are made of random rules.
const USERS: u64 = 400;

const RULES: &[&str] = &[
    "on",
    "off",
    "nopass",
    "resetpass",
    ">one",
    ">two",
    "<one",
    "reset",
    "clearselectors",
    "skip-sanitize-payload",
    "sanitize-payload",
    "allkeys",
    "resetkeys",
    "~*",
    "~a*",
    "%R~r*",
    "%W~w*",
    "%RW~a*",
    "%W~r*",
    "%R~*",
    "%~x",
    "%RR~x",
    "&*",
    "&news.*",
    "allchannels",
    "resetchannels",
    "+@all",
    "-@all",
    "allcommands",
    "nocommands",
    "+@read",
    "-@read",
    "+@string",
    "-@dangerous",
    "+@nosuch",
    "+get",
    "-get",
    "+GET",
    "+set",
    "-set",
    "+config",
    "-config",
    "+config|get",
    "-config|get",
    "+config|nosuch",
    "+select|0",
    "+select|1",
    "-select|0",
    "+select",
    "+client|id|x",
    "+nosuch",
    "-nosuch",
    "(+get ~a*)",
    "(+@all -set %R~r* &x)",
    "(allkeys +set)",
    "(+get",
    "(nosuch)",
    "~with space",
    "+memory|usage",
    "-@keyspace",
    "+mget",
    "+eval",
    "+publish",
    "+psubscribe",
    "#abc",
    "!abc",
];

const CALLS: &[&[&str]] = &[
    &["get", "a1"],
    &["get", "r1"],
    &["get", "w1"],
    &["set", "w1", "v"],
    &["set", "w1", "v", "get"],
    &["set", "a1", "v"],
    &["mget", "a1", "r1"],
    &["config", "get", "x"],
    &["config", "set", "x", "y"],
    &["select", "0"],
    &["select", "1"],
    &["exists", "w1", "r1"],
    &["memory", "usage", "r1"],
    &["eval", "return 1", "1", "a1"],
    &["publish", "news.x", "m"],
    &["publish", "x", "m"],
    &["psubscribe", "news.*"],
    &["flushall"],
    &["copy", "r1", "w1"],
    &["ping"],
];

/// Numbers that look random, the same on every run.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % limit as u64).unwrap_or(0)
    }
}

fn known(client: &mut Client) -> HashSet<String> {
    let reply = client.ok(&["COMMAND"]);
    let mut names = HashSet::new();
    let mut open: Vec<_> = reply.items().to_vec();
    while let Some(command) = open.pop() {
        names.insert(command.items()[0].text().to_ascii_lowercase());
        open.extend(command.items()[9].items().iter().cloned());
    }
    names
}

#[test]
fn rules_mean_the_same() {
    let peer = Peer::start(Server::Redis80).unwrap_or_else(|error| panic!("{error}"));
    let mut client = peer.client();
    let names = known(&mut client);
    let acl = Acl::new(Commands::new(|command| names.contains(command.name)));
    let mut random = Random(42);
    for user in 0..USERS {
        let name = format!("user-{user}");
        let mut said = Vec::new();
        for _ in 0..=random.below(8) {
            let rule = RULES[random.below(RULES.len())];
            said.push(rule);
            let theirs = client.call(&["ACL", "SETUSER", &name, rule]).text();
            let ours = match acl.set_user(name.as_bytes(), &[rule], false) {
                Ok(()) => "OK".to_owned(),
                Err(why) => format!("(error) ERR {}", String::from_utf8_lossy(&why)),
            };
            assert_eq!(ours, theirs, "{said:?}");
        }
        compare(&mut client, &acl, &name, &said);
    }
}

fn compare(client: &mut Client, acl: &Acl, name: &str, said: &[&str]) {
    let lines = client.ok(&["ACL", "LIST"]);
    let start = format!("user {name} ");
    let lines = lines.items().iter().map(|line| line.text());
    let theirs: Vec<String> = lines.filter(|line| line.starts_with(&start)).collect();
    let ours: Vec<String> = acl
        .account(name.as_bytes())
        .map(|it| format!("user {}", String::from_utf8_lossy(&it.user().describe())))
        .into_iter()
        .collect();
    assert_eq!(ours, theirs, "{said:?}");
    let Some(account) = acl.account(name.as_bytes()) else { return };
    for call in CALLS {
        let words: Vec<&str> = ["ACL", "DRYRUN", name].iter().chain(*call).copied().collect();
        let theirs = client.ok(&words).text();
        let command = resolve(call).unwrap_or_else(|| panic!("{call:?} is in the catalogue"));
        let id = acl.commands().id(command).unwrap_or_else(|| panic!("{call:?} is known"));
        let ours = match account.check(command, id, call) {
            Ok(()) => "OK".to_owned(),
            Err(denied) => {
                let object = call[denied.word].as_bytes();
                let text = denied.verbose(&account.user(), command, object);
                String::from_utf8_lossy(&text).into_owned()
            }
        };
        assert_eq!(ours, theirs, "{said:?} {call:?}");
    }
}
