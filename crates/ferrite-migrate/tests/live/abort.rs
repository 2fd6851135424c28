//! Migrations that are given up before their cutover, and targets that are what they were before.

use std::path::PathBuf;
use std::time::Duration;

use crate::common::live::{Live, assert_same_soon, reversible_cutover};
use crate::common::{between, listing, ok, start, start_with_everything};
use ferrite_migrate::control::{CallError, Request};
use ferrite_migrate::{
    Aborted, Config, ConfigBuilder, ExitCode, JobStore, MigrateError, Migration, Mode, OnConflict,
    State,
};
use ferrite_testkit::client::Connector;
use ferrite_testkit::load::{Feature, Load};
use ferrite_testkit::{Dataset, Listing, Peer, Proxy, Server, wait_until};
use serde_json::{Value, json};

/// Bytes a second of a target that is still being written to when something happens to it.
const SLOW: u64 = 400_000;
/// How long a killed job's threads may take to be gone.
const GONE_WITHIN: Duration = Duration::from_secs(10);

fn clean() -> Request {
    Request::Abort { clean: true }
}

fn load(source: &Peer) -> Load {
    let load = Load::builder().writers(2).dbs(&[0, 1]).rate(Some(8000)).seed(5);
    let load = match source.server() {
        Server::Redis70 => load.without(Feature::GroupReads),
        _ => load,
    };
    load.start(Connector::new(source.addr())).unwrap()
}

fn replacing(config: ConfigBuilder) -> ConfigBuilder {
    config.on_conflict(OnConflict::Replace)
}

/// The function libraries with their code.
fn libraries(peer: &Peer) -> Vec<String> {
    let listed = ok(&mut peer.client(), &["FUNCTION", "LIST", "WITHCODE"]);
    let mut libraries: Vec<_> = listed.items().iter().map(ToString::to_string).collect();
    libraries.sort();
    libraries
}

fn load_library(peer: &Peer, name: &str, answer: u32) {
    let code = format!(
        "#!lua name={name}\nredis.register_function('{name}', function() return {answer} end)"
    );
    ok(&mut peer.client(), &["FUNCTION", "LOAD", "REPLACE", &code]);
}

/// Fails unless a target is what it was, with nothing of ours.
#[track_caller]
fn assert_as_before(before: &Listing, target: &Peer) {
    let differences = before.diff_strict(&listing(target));
    assert!(differences.is_empty(), "{} differ\n{}", differences.len(), differences.join("\n"));
}

/// Fails unless the source takes writes and knows nothing of a fence.
#[track_caller]
fn assert_untouched(source: &Peer) {
    let setting = ok(&mut source.client(), &["CONFIG", "GET", "min-replicas-to-write"]);
    assert_eq!(setting.items()[1].text(), "0");
    ok(&mut source.client(), &["SET", "written after the abort", "1"]);
}

/// The job ends aborted, by exit code 7.
fn assert_aborted(live: Live) {
    let (report, state) = live.end();
    assert_eq!(state, State::Aborted);
    assert_eq!(report.exit_code(), ExitCode::RolledBack);
}

/// Keys of every type, some of which the source has too, with expiries and in other databases.
fn with_own_keys(server: Server) -> Peer {
    let target = start_with_everything(server);
    let mut client = target.client();
    for db in ["0", "1", "5"] {
        ok(&mut client, &["SELECT", db]);
        for number in 0..300 {
            ok(&mut client, &["SET", &format!("own:{number}"), "target", "EX", "100000"]);
        }
        ok(&mut client, &["SET", "shared", "the target's", "PX", "90000000"]);
        ok(&mut client, &["RPUSH", "shared list", "a", "b"]);
    }
    target
}

/// Keys the target has too, and others.
fn with_shared_keys(server: Server) -> Peer {
    let source = start_with_everything(server);
    let mut client = source.client();
    for db in ["0", "1"] {
        ok(&mut client, &["SELECT", db]);
        ok(&mut client, &["SET", "shared", "the source's"]);
        ok(&mut client, &["SADD", "shared list", "it is a set here"]);
        ok(&mut client, &["SET", "new", "1", "EX", "5000"]);
        ok(&mut client, &["SET", "own:7", "the source's", "EX", "50"]);
    }
    source
}

fn an_empty_target_is_empty_again(server: Server) {
    let (source, target) = (start(server), start(server));
    let load = load(&source);
    load.wait_for(5000);
    let live = Live::start(between(&source, &target));
    live.until(State::Live);
    load.wait_for(12_000);
    let done = live.ordered(&clean());
    assert!(done["keys_removed"].as_u64() > Some(100), "{done}");
    assert_eq!(
        (&done["cleaned"], &done["keys_restored"], &done["warnings"]),
        (&json!(true), &json!(0), &json!([])),
    );
    assert_aborted(live);
    load.stop();
    let info = ok(&mut target.client(), &["INFO", "keyspace"]).text();
    assert!(!info.contains("db"), "{info}");
    assert_untouched(&source);
}

#[test]
fn redis_62_empty_again() {
    an_empty_target_is_empty_again(Server::Redis62);
}

#[test]
fn redis_80_empty_again() {
    an_empty_target_is_empty_again(Server::Redis80);
}

fn a_target_with_keys_is_as_before(server: Server) {
    let (source, target) = (with_shared_keys(server), with_own_keys(server));
    let has_functions = server.version() >= (7, 0);
    if has_functions {
        load_library(&source, "shared", 1);
        load_library(&source, "new", 2);
        load_library(&target, "shared", 3);
        load_library(&target, "own", 4);
    }
    let before = listing(&target);
    let libraries_before = has_functions.then(|| libraries(&target));
    let load = load(&source);
    let live = Live::start(replacing(between(&source, &target)));
    live.until(State::Live);
    load.wait_for(3000);
    let mut client = source.client();
    ok(&mut client, &["DEL", "own:7"]);
    ok(&mut client, &["SET", "own:9", "changed later"]);
    ok(&mut client, &["SELECT", "5"]);
    ok(&mut client, &["FLUSHDB"]);
    live.until_applied(&source);
    assert_eq!(ok(&mut target.client(), &["GET", "shared"]).text(), "the source's");
    assert_eq!(ok(&mut target.client(), &["EXISTS", "own:7"]).int(), Some(0));
    let done = live.ordered(&clean());
    assert_eq!(done["keys_restored"].as_u64(), Some(before.len() as u64), "{done}");
    assert_eq!(done["functions_restored"], has_functions, "{done}");
    assert_aborted(live);
    load.stop();
    assert_as_before(&before, &target);
    assert_eq!(has_functions.then(|| libraries(&target)), libraries_before);
    assert_untouched(&source);
}

#[test]
fn redis_62_with_keys_as_before() {
    a_target_with_keys_is_as_before(Server::Redis62);
}

#[test]
fn redis_70_with_keys_as_before() {
    a_target_with_keys_is_as_before(Server::Redis70);
}

#[test]
fn redis_80_with_keys_as_before() {
    a_target_with_keys_is_as_before(Server::Redis80);
}

#[test]
fn valkey_91_with_keys_as_before() {
    a_target_with_keys_is_as_before(Server::Valkey91);
}

#[test]
fn only_names_that_take_part_are_touched() {
    let (source, target) = (with_shared_keys(Server::Redis70), with_own_keys(Server::Redis70));
    let before = listing(&target);
    let config = between(&source, &target).include_pattern("own:*").exclude_pattern("own:1*");
    let live = Live::start(replacing(config));
    live.until(State::Live);
    ok(&mut source.client(), &["SET", "own:new", "1"]);
    live.until_applied(&source);
    let mut client = target.client();
    ok(&mut client, &["SET", "written by somebody else", "stays"]);
    ok(&mut client, &["SET", "own:somebody else's", "goes"]);
    let done = live.ordered(&clean());
    // In each of three databases, 300 names but for those that begin with 1.
    assert_eq!(done["keys_restored"], 3 * (300 - 111), "{done}");
    assert_aborted(live);
    assert_eq!(ok(&mut client, &["DEL", "written by somebody else"]).int(), Some(1));
    assert_as_before(&before, &target);
}

#[test]
fn one_database_into_another_leaves_the_rest_alone() {
    let (source, target) = (with_shared_keys(Server::Redis80), with_own_keys(Server::Redis80));
    let before = listing(&target);
    let (from, to) = (format!("{}/1", source.url()), format!("{}/5", target.url()));
    let live = Live::start(replacing(Config::builder().source(from).target(to)));
    live.until(State::Live);
    ok(&mut target.client(), &["SET", "db 0 is not ours", "1"]);
    live.ordered(&clean());
    assert_aborted(live);
    assert_eq!(ok(&mut target.client(), &["DEL", "db 0 is not ours"]).int(), Some(1));
    assert_as_before(&before, &target);
}

#[test]
fn while_it_copies() {
    let (source, target) = (start(Server::Redis70), with_own_keys(Server::Redis70));
    Dataset::mixed(20_000).load(&mut source.client()).unwrap();
    let before = listing(&target);
    let way = Proxy::start(source.addr()).unwrap();
    let live = Live::start(replacing(Config::builder().source(way.url()).target(target.url())));
    way.throttle(Some(SLOW));
    live.until(State::Copying);
    wait_until("keys to be copied", || live.status().progress.keys_done > 100);
    live.order_and_forget(&crate::common::live::cutover());
    live.ordered(&clean());
    assert_eq!(live.copies(), 1);
    assert_aborted(live);
    assert_as_before(&before, &target);
    assert_untouched(&source);
}

#[test]
fn while_it_is_paused_and_behind() {
    let (source, target) = (start(Server::Valkey91), start(Server::Valkey91));
    let live = Live::start(between(&source, &target));
    live.until(State::Live);
    live.ordered(&Request::Pause);
    Dataset::mixed(2000).load(&mut source.client()).unwrap();
    live.ordered(&Request::Rollback { max_pause_ms: None, hook: None });
    assert_aborted(live);
    assert_eq!(listing(&target).len(), 0);
}

#[test]
fn without_cleaning_the_target_keeps_what_was_copied_and_can_be_cleaned_later() {
    let (source, target) = (start(Server::Redis70), start(Server::Redis70));
    for number in 0..500 {
        ok(&mut source.client(), &["SET", &format!("key:{number}"), "1"]);
    }
    let mut job = Job::new(between(&source, &target));
    job.live().ordered(&Request::Abort { clean: false });
    job.end_aborted();
    assert_same_soon(&source, &target);
    assert!(job.resume().contains("it is over: ABORTED"));
    assert!(job.abort(false).unwrap_err().to_string().contains("it is over: ABORTED"));
    assert_eq!(job.abort(true).unwrap()["keys_removed"], 500);
    assert_eq!(listing(&target).len(), 0);
    assert!(job.abort(true).unwrap_err().to_string().contains("it is over: ABORTED"));
    assert!(!job.folder().join("undo").exists());
}

/// A job whose configuration and folder the test keeps.
struct Job {
    config: ConfigBuilder,
    live: Option<Live>,
}

impl Job {
    fn new(config: ConfigBuilder) -> Self {
        let live = Live::start(config.clone());
        live.until(State::Live);
        Self { config, live: Some(live) }
    }

    fn live(&mut self) -> &mut Live {
        self.live.as_mut().unwrap()
    }

    fn folder(&self) -> PathBuf {
        self.live.as_ref().unwrap().folder()
    }

    fn end_aborted(&mut self) {
        let report = self.live().ended().unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(report.exit_code(), ExitCode::RolledBack);
        assert_eq!(self.live().state(), State::Aborted);
    }

    /// Aborts it as the command does where no process runs it.
    fn abort(&self, clean: bool) -> Result<Value, MigrateError> {
        let aborting = self.aborting(self.config.clone(), clean);
        let aborted = crate::common::runtime().block_on(aborting)?;
        Ok(serde_json::to_value(aborted).unwrap())
    }

    fn aborting(
        &self,
        config: ConfigBuilder,
        clean: bool,
    ) -> impl Future<Output = Result<Aborted, MigrateError>> + 'static {
        let folder = self.folder();
        let config = config.mode(Mode::Live).state_dir(folder.parent().unwrap());
        let id = self.live.as_ref().unwrap().id().to_owned();
        async move { ferrite_migrate::abort(config.build().unwrap(), &id, clean).await }
    }

    /// Why it cannot be taken up again.
    fn resume(&mut self) -> String {
        let error = self.live().try_resume().expect_err("it may not be taken up");
        format!("{error} {:?}", error.hint)
    }
}

#[test]
fn a_job_that_nobody_runs_is_aborted_from_outside() {
    let (source, target) = (with_shared_keys(Server::Redis70), with_own_keys(Server::Redis70));
    let before = listing(&target);
    let mut job = Job::new(replacing(between(&source, &target)));
    job.live().ordered(&Request::Stop);
    job.live().ended().unwrap();
    assert_eq!(job.live().state(), State::Paused);
    job.abort(true).unwrap();
    assert_as_before(&before, &target);
    assert_untouched(&source);

    let mut job = Job::new(replacing(between(&source, &target)));
    job.live().kill();
    assert_eq!(job.live().state(), State::Failed);
    job.abort(true).unwrap();
    assert_as_before(&before, &target);
}

#[test]
fn a_job_killed_while_it_copied_is_aborted_from_outside() {
    let (mut source, target) = (start(Server::Redis80), with_own_keys(Server::Redis80));
    Dataset::mixed(20_000).load(&mut source.client()).unwrap();
    let before = listing(&target);
    let way = Proxy::start(source.addr()).unwrap();
    let config = replacing(Config::builder().source(way.url()).target(target.url()));
    let live = Live::start(config.clone());
    way.throttle(Some(SLOW));
    live.until(State::Copying);
    wait_until("keys to be copied", || live.status().progress.keys_done > 100);
    let mut job = Job { config, live: Some(live) };
    job.live().kill();
    // The source is not needed.
    source.kill();
    job.abort(true).unwrap();
    assert_as_before(&before, &target);
}

#[test]
fn killed_while_it_cleans_it_cleans_again() {
    let (source, target) = (with_shared_keys(Server::Redis70), with_own_keys(Server::Redis70));
    let mut client = target.client();
    for number in 0..20_000 {
        client.queue(&["SET", &format!("bulk:{number}"), &"x".repeat(100), "EX", "90000"]);
    }
    client.flush().unwrap();
    (0..20_000).for_each(|_| drop(client.read().unwrap()));
    let before = listing(&target);
    let way = Proxy::start(target.addr()).unwrap();
    let config = replacing(Config::builder().source(source.url()).target(way.url()));
    let mut job = Job::new(config);
    let size = |client: &mut ferrite_testkit::Client| ok(client, &["DBSIZE"]).int().unwrap();
    let whole = size(&mut client);
    for round in 0..3 {
        // Killed while it deletes, then while it puts back.
        way.throttle(Some(400_000));
        if round == 0 {
            job.live().order_and_forget(&clean());
            wait_until("keys to be deleted", || size(&mut client) < whole - 2000);
            job.live().kill();
        } else {
            let runtime = crate::common::runtime();
            let aborting = runtime.spawn(job.aborting(job.config.clone(), true));
            let mut smallest = i64::MAX;
            wait_until("keys to be put back", || {
                let now = size(&mut client);
                smallest = smallest.min(now);
                now > smallest + 1000 * round
            });
            if round == 1 {
                runtime.shutdown_timeout(GONE_WITHIN);
            } else {
                way.refuse(true);
                way.cut();
                let error = runtime.block_on(aborting).unwrap().expect_err("the target is away");
                let hint = error.hint.unwrap();
                assert!(hint.contains("abort --id") && hint.contains("--clean"), "{hint}");
                way.refuse(false);
            }
        }
        wait_until("nobody runs it", || job.live().state() == State::Failed);
        let said = job.resume();
        assert!(said.contains("it was being aborted") && said.contains("--clean"), "{said}");
    }
    way.throttle(None);
    job.abort(true).unwrap();
    assert_eq!(job.live().state(), State::Aborted);
    assert_as_before(&before, &target);
}

#[test]
fn large_values_come_back_in_parts() {
    let (source, target) = (start(Server::Redis80), start(Server::Redis80));
    let mut client = target.client();
    ferrite_testkit::dataset::big::string(&mut client, b"big", 40 << 20).unwrap();
    ok(&mut client, &["SET", "small", "1"]);
    ok(&mut source.client(), &["SET", "big", "replaced"]);
    let before = listing(&target);
    let config = replacing(between(&source, &target)).memory_limit(32 << 20).parallel(2);
    let live = Live::start(config);
    live.until(State::Live);
    assert_eq!(ok(&mut client, &["GET", "big"]).text(), "replaced");
    live.ordered(&clean());
    assert_aborted(live);
    assert_as_before(&before, &target);
}

#[test]
fn keys_that_would_have_expired_meanwhile_stay_away() {
    let (source, target) = (start(Server::Redis70), start(Server::Redis70));
    let mut client = target.client();
    ok(&mut client, &["SET", "short", "1", "PX", "1500"]);
    ok(&mut client, &["SET", "long", "1", "EX", "1000"]);
    ok(&mut source.client(), &["SET", "short", "the source's"]);
    let live = Live::start(replacing(between(&source, &target)));
    live.until(State::Live);
    let mut probe = source.client();
    ok(&mut probe, &["SET", "clock", "1", "PX", "2500"]);
    wait_until("the time to pass", || ok(&mut probe, &["EXISTS", "clock"]).int() == Some(0));
    let done = live.ordered(&clean());
    assert_eq!((&done["keys_expired"], &done["keys_restored"]), (&json!(1), &json!(1)), "{done}");
    assert_aborted(live);
    assert_eq!(listing(&target).len(), 1);
}

#[test]
fn a_disk_without_space_fails_before_the_target_is_touched() {
    let (source, target) = (with_shared_keys(Server::Redis70), with_own_keys(Server::Redis70));
    let before = listing(&target);
    let state = tempfile::tempdir().unwrap();
    let config = replacing(between(&source, &target)).mode(Mode::Live).state_dir(state.path());
    let error = crate::common::runtime().block_on(async {
        let mut migration = Migration::new(config.build().unwrap()).await.unwrap();
        let folder = state.path().join(migration.id());
        std::os::unix::fs::symlink("/dev/full", folder.join("undo")).unwrap();
        migration.start().await.unwrap();
        migration.wait().await.unwrap_err()
    });
    let said = format!("{error} {:?}", error.hint);
    assert!(said.contains("No space left") && said.contains("--state-dir"), "{said}");
    assert!(said.contains("--no-undo"), "{said}");
    assert_as_before(&before, &target);
    let id = JobStore::at(state.path()).list().unwrap().remove(0).id;
    assert_eq!(JobStore::at(state.path()).read(&id).unwrap().state(), State::Failed);
}

#[test]
fn what_was_not_kept_is_not_guessed() {
    let (source, target) = (with_shared_keys(Server::Redis70), with_own_keys(Server::Redis70));
    let live = Live::start(replacing(between(&source, &target)).undo(false));
    live.until(State::Live);
    match live.order(&clean()) {
        Err(CallError::Refused { message, code: 1, .. }) => {
            assert!(message.contains("--no-undo"), "{message}");
        }
        other => panic!("{other:?}"),
    }
    live.ordered(&Request::Abort { clean: false });
    assert_aborted(live);
    assert_eq!(ok(&mut target.client(), &["GET", "shared"]).text(), "the source's");
    let keys = ok(&mut target.client(), &["KEYS", "ferrite-migrate:*"]);
    assert_eq!(keys.items().len(), 0, "{keys}");
}

#[test]
fn a_damaged_file_is_noticed_before_anything_is_deleted() {
    let (source, target) = (with_shared_keys(Server::Redis70), with_own_keys(Server::Redis70));
    let mut job = Job::new(replacing(between(&source, &target)));
    job.live().ordered(&Request::Stop);
    job.live().ended().unwrap();
    let copied = listing(&target);
    let path = job.folder().join("undo");
    let mut file = std::fs::read(&path).unwrap();
    let middle = file.len() / 2;
    file[middle] ^= 1;
    std::fs::write(&path, &file).unwrap();
    let error = job.abort(true).unwrap_err();
    assert!(format!("{error} {:?}", error.hint).contains("nothing was changed"), "{error}");
    assert_as_before(&copied, &target);
    file[middle] ^= 1;
    std::fs::write(&path, &file).unwrap();
    job.abort(true).unwrap();
}

#[test]
fn after_the_cutover_there_is_no_abort() {
    let (source, target) = (start(Server::Redis70), start(Server::Redis70));
    ok(&mut source.client(), &["SET", "key", "1"]);
    let mut job = Job::new(between(&source, &target));
    job.live().ordered(&reversible_cutover());
    for request in [clean(), Request::Abort { clean: false }] {
        match job.live().order(&request) {
            Err(CallError::Refused { message, code: 6, .. }) => {
                assert!(message.contains("there was a cutover"), "{message}");
            }
            other => panic!("{other:?}"),
        }
    }
    job.live().kill();
    let error = job.abort(true).unwrap_err();
    assert_eq!(error.exit_code(), ExitCode::NotReady, "{error}");
    assert_eq!(ok(&mut target.client(), &["GET", "key"]).text(), "1");
}

#[test]
fn connections_left_behind_are_ended_and_another_migration_is_left_alone() {
    let (source, target) = (start(Server::Redis70), start(Server::Redis70));
    ok(&mut source.client(), &["SET", "key", "1"]);
    let mut job = Job::new(between(&source, &target));
    job.live().kill();
    let named = |name: String| {
        let mut client = target.client();
        ok(&mut client, &["CLIENT", "SETNAME", &name]);
        client
    };
    let other = named(String::from("ferrite-migrate:mig_another"));
    let error = job.abort(true).unwrap_err().to_string();
    assert!(error.contains("mig_another is using this target; nothing was changed"), "{error}");
    assert_eq!(ok(&mut target.client(), &["GET", "key"]).text(), "1");
    drop(other);

    let id = job.live().id().to_owned();
    let mut left = named(format!("ferrite-migrate:{id}:apply"));
    let mut stranger = named(format!("ferrite-migrate-{id}"));
    wait_until("the other migration to be gone", || job.abort(true).is_ok());
    assert!(left.try_call(&["SET", "late", "1"]).is_err(), "it could still write");
    ok(&mut stranger, &["PING"]);
    assert_eq!(ok(&mut stranger, &["DBSIZE"]).int(), Some(0));
}

#[test]
fn it_is_asked_where_the_traffic_is_when_a_hook_did_not_end() {
    let (source, target) = (start(Server::Redis70), start(Server::Redis70));
    ok(&mut source.client(), &["SET", "key", "1"]);
    let mut job = Job::new(between(&source, &target));
    let folder = tempfile::tempdir().unwrap();
    let begun = folder.path().join("begun");
    let hook = Some(format!("touch {}; while true; do :; done", begun.display()));
    let (max_pause_ms, dry_run, when_ready) = (None, false, true);
    let (reverse, guard) = (false, None);
    let request = Request::Cutover { max_pause_ms, dry_run, when_ready, hook, reverse, guard };
    job.live().order_and_forget(&request);
    wait_until("the hook runs", || begun.exists());
    job.live().kill();
    let error = job.abort(true).unwrap_err();
    let said = format!("{error} {:?}", error.hint);
    assert!(said.contains("nobody knows") && said.contains("--traffic-stayed"), "{said}");
    assert_eq!(ok(&mut target.client(), &["GET", "key"]).text(), "1");
    job.config = job.config.clone().traffic_stayed(true);
    job.abort(true).unwrap();
    assert_eq!(listing(&target).len(), 0);
}

#[test]
fn a_source_that_a_cutover_has_closed_takes_writes_again() {
    let (source, target) = (start(Server::Redis70), start(Server::Redis70));
    ok(&mut source.client(), &["SET", "key", "1"]);
    let mut job = Job::new(between(&source, &target));
    job.live().kill();
    // What a process leaves that dies after it has closed the source, and before it says so.
    let path = job.folder().join("journal.jsonl");
    let journal = std::fs::read_to_string(&path).unwrap();
    let cutting = json!({ "at_ms": 1, "state": "CUTTING_OVER" });
    std::fs::write(&path, format!("{journal}{cutting}\n")).unwrap();
    ok(&mut source.client(), &["CONFIG", "SET", "min-replicas-to-write", "1000000"]);
    job.abort(false).unwrap();
    assert_untouched(&source);
}
