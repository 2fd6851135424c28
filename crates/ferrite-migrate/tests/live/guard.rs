//! Migrations that go back by themselves, because the target answers with errors after the cutover.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;

use crate::common::live::{Live, assert_same_soon};
use crate::common::{between, ok, start};
use ferrite_migrate::control::{CallError, Request};
use ferrite_migrate::{ExitCode, Guard, State};
use ferrite_testkit::client::Connector;
use ferrite_testkit::{Peer, Server, wait_until};

/// The shortest window.
const WINDOW_MS: u64 = 2000;

/// An application: one command in `every` is answered with an error.
struct Application {
    stop: Arc<AtomicBool>,
    every: Arc<AtomicU64>,
    calls: Arc<AtomicU64>,
    thread: Option<JoinHandle<()>>,
}

impl Application {
    fn start(server: &Peer, every: u64) -> Self {
        let (stop, every) = (Arc::default(), Arc::new(AtomicU64::new(every)));
        let calls: Arc<AtomicU64> = Arc::default();
        let connector = Connector::new(server.addr());
        let thread = std::thread::spawn({
            let (stop, every, calls) = (Arc::clone(&stop), Arc::clone(&every), Arc::clone(&calls));
            move || write(&connector, &stop, &every, &calls)
        });
        Self { stop, every, calls, thread: Some(thread) }
    }

    fn fail_every(&self, every: u64) {
        self.every.store(every, Ordering::Relaxed);
    }

    fn wait_for(&self, calls: u64) {
        let wanted = self.calls.load(Ordering::Relaxed) + calls;
        wait_until("the application calls", || self.calls.load(Ordering::Relaxed) >= wanted);
    }
}

fn write(connector: &Connector, stop: &AtomicBool, every: &AtomicU64, calls: &AtomicU64) {
    let mut client = connector.connect().unwrap();
    while !stop.load(Ordering::Relaxed) {
        let call = calls.fetch_add(1, Ordering::Relaxed);
        let fails = call.is_multiple_of(every.load(Ordering::Relaxed));
        let command: &[&str] = if fails { &["LPUSH", "text", "1"] } else { &["INCR", "calls"] };
        if client.try_call(command).is_err() {
            return;
        }
    }
}

impl Drop for Application {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.take().map(JoinHandle::join);
    }
}

fn guarded(limit_ppm: u32, hook: Option<String>, reverse: bool) -> Request {
    let guard = Some(Guard { limit_ppm, window_ms: WINDOW_MS, hook });
    let (max_pause_ms, dry_run, when_ready) = (Some(10_000), false, true);
    Request::Cutover { max_pause_ms, dry_run, when_ready, hook: None, reverse, guard }
}

fn journal(live: &Live) -> String {
    std::fs::read_to_string(live.folder().join("journal.jsonl")).unwrap()
}

fn goes_back(server: Server) {
    let (source, target) = (start(server), start(server));
    ok(&mut source.client(), &["SET", "text", "t"]);
    let live = Live::start(between(&source, &target));
    live.until(State::Live);
    let folder = tempfile::tempdir().unwrap();
    let hooked = folder.path().join("hooked");
    live.ordered(&guarded(10_000, Some(format!("touch {}", hooked.display())), true));
    let application = Application::start(&target, 20);
    live.until(State::RolledBack);
    assert!(hooked.exists());
    let journal = journal(&live);
    assert!(journal.contains("auto_rollback"), "{journal}");
    assert!(journal.contains("% of ") && journal.contains("more than 1 %"), "{journal}");
    let (report, _) = live.end();
    assert_eq!(report.exit_code(), ExitCode::RolledBack);
    assert!(report.warnings[0].contains("going back to the source"), "{:?}", report.warnings);
    drop(application);
    assert_same_soon(&target, &source);
    assert!(ok(&mut source.client(), &["GET", "calls"]).text().parse::<u64>().unwrap() > 100);
    ok(&mut source.client(), &["SET", "the source", "takes writes"]);
    assert!(target.client().call(&["SET", "the target", "takes none"]).is_error());
}

#[test]
fn redis_70_goes_back() {
    goes_back(Server::Redis70);
}

#[test]
fn redis_62_goes_back() {
    goes_back(Server::Redis62);
}

#[test]
fn valkey_91_goes_back() {
    goes_back(Server::Valkey91);
}

#[test]
fn a_few_errors_are_no_reason_and_another_process_goes_on_counting() {
    let (source, target) = (start(Server::Redis80), start(Server::Redis80));
    ok(&mut source.client(), &["SET", "text", "t"]);
    let mut live = Live::start(between(&source, &target));
    live.until(State::Live);
    live.ordered(&guarded(50_000, None, true));
    let application = Application::start(&target, 100);
    let counted = |live: &Live| {
        let guard = live.status().guard.unwrap();
        assert_eq!((guard.limit, guard.window_s, guard.reason), (0.05, 2, None));
        (0.009..0.011).contains(&guard.rate) && guard.commands > 500
    };
    wait_until("errors are counted", || counted(&live));
    application.wait_for(10_000);
    live.kill();
    live.resume();
    live.until(State::CutOver);
    wait_until("errors are counted again", || counted(&live));
    application.wait_for(10_000);
    assert_eq!(live.state(), State::CutOver);
    application.fail_every(2);
    live.until(State::RolledBack);
    let journal = journal(&live);
    assert!(journal.contains("more than 5 %"), "{journal}");
}

#[test]
fn a_hook_that_fails_is_not_tried_for_ever() {
    let (source, target) = (start(Server::Redis70), start(Server::Redis70));
    ok(&mut source.client(), &["SET", "text", "t"]);
    let live = Live::start(between(&source, &target));
    live.until(State::Live);
    let folder = tempfile::tempdir().unwrap();
    let tries = folder.path().join("tries");
    let hook = format!("echo x >> {}; exit 3", tries.display());
    live.ordered(&guarded(10_000, Some(hook), true));
    let application = Application::start(&target, 2);
    wait_until("it gives up", || {
        let warnings = live.status().warnings;
        warnings.iter().any(|warning| warning.contains("it is not tried again"))
    });
    assert_eq!(std::fs::read_to_string(tries).unwrap(), "x\nx\nx\n");
    assert_eq!((live.state(), live.status().guard), (State::CutOver, None));
    application.wait_for(100);
    live.ordered(&Request::Rollback { max_pause_ms: Some(5000), hook: None });
    assert_eq!(live.end().1, State::RolledBack);
}

#[test]
fn a_target_that_does_not_answer_is_left_when_it_answers_again() {
    let (source, target) = (start(Server::Redis70), start(Server::Redis70));
    ok(&mut source.client(), &["SET", "text", "t"]);
    let live = Live::start(between(&source, &target));
    live.until(State::Live);
    live.ordered(&guarded(10_000, None, true));
    ok(&mut target.client(), &["SET", "written", "before"]);
    target.freeze();
    wait_until("it is to go back", || journal(&live).contains("has not answered for 30 s"));
    assert_ne!(live.state(), State::RolledBack, "nobody can tell what the target has");
    target.thaw();
    live.until(State::RolledBack);
    assert_eq!(ok(&mut source.client(), &["GET", "written"]).text(), "before");
}

#[test]
fn it_needs_a_way_back_and_sensible_limits() {
    let (source, target) = (start(Server::Redis70), start(Server::Redis70));
    let live = Live::start(between(&source, &target));
    live.until(State::Live);
    for (request, why) in
        [(guarded(10_000, None, false), "--reverse"), (guarded(0, None, true), "greater than 0")]
    {
        match live.order(&request) {
            Err(CallError::Refused { message, code: 1, .. }) => {
                assert!(message.contains(why), "{message}");
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(live.state(), State::Live);
}
