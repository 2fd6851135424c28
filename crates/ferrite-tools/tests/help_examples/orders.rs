//! The examples of `migrate`, `sync` and `demo`, and of the orders to one migration, each given to
//! one that runs.
//!
//! ```text
//! mig_…       the id of that migration
//! 2026-…Z     a moment that comes in an hour
//! ./*.sh      scripts that succeed
//! ```

use std::process::{Child, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};

use ferrite_testkit::{Etcd, Memcached, Peer, Server, TlsFiles, wait_until};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use super::{Desk, examples};

/// Ends what was started when the test is over, also where it fails.
struct Background(Child);

impl Background {
    /// As Ctrl-C does.
    fn interrupt(&self) {
        kill_process(Pid::from_child(&self.0), Signal::INT).unwrap();
    }

    /// Waits for the end; whether it ended as it should.
    fn ends(mut self, codes: &[i32]) {
        let code = self.0.wait().unwrap().code();
        assert!(code.is_some_and(|code| codes.contains(&code)), "{code:?}");
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Desk {
    /// The newest migration, as `list` shows it.
    fn newest(&self) -> Option<Value> {
        let listed = self.shell("ferrite-migrate list --json");
        listed.lines().last().and_then(|line| serde_json::from_str(line).ok())
    }

    /// The state of the newest migration.
    fn state(&self) -> String {
        let state = self.newest().map(|one| one["state"].as_str().unwrap_or_default().to_owned());
        state.unwrap_or_default()
    }

    fn until(&self, state: &str) {
        wait_until(&format!("it is {state}"), || self.state() == state);
    }

    /// `stop` ends when the process has.
    fn assert_stopped(&self) {
        assert_eq!(self.newest().unwrap()["pid"], Value::Null);
    }

    fn id(&self) -> String {
        self.newest().unwrap()["id"].as_str().unwrap().to_owned()
    }

    /// Both servers take writes, and the new one is empty.
    fn begin_anew(&self) {
        for peer in [&self.old, &self.new] {
            peer.client().ok(&["REPLICAOF", "NO", "ONE"]);
            peer.client().ok(&["CONFIG", "SET", "min-replicas-to-write", "0"]);
        }
        self.new.client().ok(&["FLUSHALL"]);
        self.shell("rm -rf state");
    }

    /// A live migration in the background.
    fn live(&self, options: &str) -> String {
        self.begin_anew();
        let ends = "-s redis://old:6379 -t redis://new:6379";
        self.shell(&format!("ferrite-migrate migrate {ends} --mode live --detach {options}"));
        self.until("LIVE");
        self.id()
    }

    /// Gives an example as an order to the migration with this id.
    fn order(&self, example: &str, id: &str) -> String {
        self.shell(&about(example, id))
    }

    /// What an example begins with: an empty target, or a migration that was stopped; its id.
    fn prepare(&self, example: &str) -> String {
        if !example.contains("--resume") {
            self.begin_anew();
            return String::from("none");
        }
        let is_elsewhere = example.contains("-t redis://new");
        let id = self.live(if is_elsewhere { "--checkpoint target" } else { "" });
        self.shell("ferrite-migrate stop");
        self.assert_stopped();
        if is_elsewhere {
            // Another machine has no files of it.
            self.shell("rm -rf state");
        }
        id
    }

    /// Begins a line of a shell that goes on.
    fn begin(&self, line: &str) -> Background {
        let mut script = self.script(&format!("exec {line}"));
        Background(script.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap())
    }

    fn abort(&self, id: &str) {
        self.shell(&format!("ferrite-migrate abort --id {id}"));
    }
}

/// The example, about this migration.
fn about(example: &str, id: &str) -> String {
    let example = example.replace("mig_abc123def456", id).replace("mig_abc123", id);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    // Any moment in RFC 3339: that of an hour later, by `date`.
    example.replace("2026-11-21T03:00:00Z", &format!("$(date -u -d @{} +%FT%TZ)", now + 3600))
}

#[test]
fn orders_to_a_migration_that_goes_on() {
    let (desk, etcd) = (Desk::new(), Etcd::start().unwrap());
    let id = desk.live("");
    for example in examples("throttle") {
        desk.order(&example, &id);
    }
    for (pause, resume) in examples("pause").iter().zip(&examples("resume")) {
        desk.order(pause, &id);
        assert!(desk.shell("ferrite-migrate status").to_lowercase().contains("pause"));
        desk.order(resume, &id);
    }
    for example in examples("list") {
        assert!(desk.order(&example, &id).contains(&id), "{example}");
    }
    let (job, third) = (etcd.url("move-1"), Peer::start(Server::Redis70).unwrap());
    let shared = format!("-s redis://old:6379 -t {} --workers-from {job}", third.url());
    desk.shell(&format!("ferrite-migrate migrate {shared}"));
    let mut watching = Vec::new();
    for example in examples("status") {
        let example = about(&example, &id).replace("etcd://etcd-1:2379/move-1", &job);
        match example.contains("--watch") {
            true => watching.push(desk.begin(&example)),
            false => assert!(!desk.shell(&example).is_empty(), "{example}"),
        }
    }
    desk.abort(&id);
    // Watching ends with what is watched.
    watching.into_iter().for_each(|one| one.ends(&[0, 7]));
    for example in examples("stop") {
        let id = desk.live("");
        desk.order(&example, &id);
        desk.assert_stopped();
    }
}

#[test]
fn orders_that_end_a_migration() {
    let desk = Desk::new();
    for script in ["point-clients-at-target", "point-clients-at-source", "move", "back"] {
        desk.write(&format!("{script}.sh"), "#!/bin/sh\nexit 0\n");
    }
    desk.shell("chmod +x *.sh");
    for example in examples("cutover") {
        let id = desk.live("");
        if example.contains("--cancel") {
            let scheduled = "ferrite-migrate cutover --scheduled 2026-11-21T03:00:00Z";
            desk.order(scheduled, &id);
        }
        desk.order(&example, &id);
        match ["--dry-run", "--scheduled", "--cancel"].iter().any(|it| example.contains(it)) {
            true => desk.abort(&id),
            false if example.contains("--reverse") => {
                desk.until("CUT_OVER");
                desk.shell(&format!("ferrite-migrate complete --id {id}"));
            }
            false => desk.until("COMPLETED"),
        }
    }
    for (verb, end) in [("rollback", "ROLLED_BACK"), ("complete", "COMPLETED")] {
        for example in examples(verb) {
            let id = desk.live("");
            desk.shell("ferrite-migrate cutover --when-ready --reverse");
            desk.order(&example, &id);
            desk.until(end);
        }
    }
    for example in examples("abort") {
        let id = desk.live("");
        if example.contains(":password@") {
            // No process has the password any more.
            desk.shell("ferrite-migrate stop");
            desk.assert_stopped();
            let mut client = desk.new.client();
            client.ok(&["CONFIG", "SET", "requirepass", "password"]);
            let url = desk.new.url().replace("redis://", "redis://:password@");
            desk.order(&example.replace("redis://:password@new:6379", &url), &id);
            client.ok(&["AUTH", "password"]);
            client.ok(&["CONFIG", "SET", "requirepass", ""]);
        } else {
            desk.order(&example, &id);
        }
        desk.until("ABORTED");
    }
}

#[test]
fn migrations() {
    let (desk, etcd) = (Desk::new(), Etcd::start().unwrap());
    let other = Memcached::start(&[]).unwrap();
    other.client().set("other", 0, 0, b"value");
    let files = TlsFiles::generate(desk.path()).unwrap();
    let secure = Peer::builder(Server::Redis70).tls(&files).start().unwrap();
    secure.client().ok(&["SET", "key", "value"]);
    let local = Peer::builder(Server::Redis70).unix_socket().start().unwrap();
    let socket = format!("unix://{}", local.unix_path().unwrap().display());
    for example in examples("migrate").into_iter().chain(examples("sync")) {
        let id = desk.prepare(&example);
        if example.contains("sync") && example.contains("redis://new:6379 -t") {
            desk.shell("ferrite-migrate migrate -s redis://old:6379 -t redis://new:6379");
        }
        let line = about(&example, &id)
            .replace("memcached://one:11211,two:11211", &both(&desk.cache, &other))
            .replace("memcached://one:11211", &desk.cache.url())
            .replace("rediss://old:6380", &secure.url())
            .replace("ca.pem", &files.ca.display().to_string())
            .replace("unix:///run/new.sock", &socket)
            .replace("redis://old/2", &format!("{}/2", desk.old.url()))
            .replace("redis://new/2", &format!("{}/2", desk.new.url()))
            .replace("etcd://etcd-1/move-1", &etcd.url("move-1"));
        let goes_on = ["--mode live", "--live", "--resume", "--every"];
        if !goes_on.iter().any(|it| example.contains(it)) {
            desk.shell(&line);
            continue;
        }
        let running = match example.contains("--detach") {
            true => {
                assert!(desk.shell(&line).contains("mig_"), "{example}");
                None
            }
            false => Some(desk.begin(&line)),
        };
        if let (true, Some(running)) = (example.contains("memcached"), &running) {
            // It is no job: nobody but Ctrl-C ends it.
            let mut client = desk.new.client();
            wait_until("the key is there", || client.call(&["GET", "key"]) == "value");
            running.interrupt();
        } else {
            desk.until(if example.contains("incremental") { "IDLE" } else { "LIVE" });
            desk.shell("ferrite-migrate stop");
            desk.assert_stopped();
        }
        running.into_iter().for_each(|one| one.ends(&[0, 130]));
    }
}

fn both(one: &Memcached, two: &Memcached) -> String {
    format!("{},{}", one.url(), two.url().trim_start_matches("memcached://"))
}

#[test]
fn demonstrations() {
    let desk = Desk::new();
    let server = Server::Redis80.binary().unwrap();
    desk.install("redis-server", &format!("exec {server} \"$@\""));
    // Each takes the time that its writer takes, and next to nothing of a processor.
    std::thread::scope(|scope| {
        for example in examples("demo") {
            let line = desk.script(&example);
            scope.spawn(move || {
                let said = super::run(line, &example);
                assert!(said.contains("counted writes lost or made twice: 0"), "{example}: {said}");
            });
        }
    });
}
