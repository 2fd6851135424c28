//! Job directories on a real disk: made, locked, read by others, damaged.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use serde_json::Value;

use super::*;
use crate::Config;

const ID: &str = "mig_abc123";

fn plan() -> Plan {
    let config = Config::builder()
        .source("redis://me:hunter2@old:6379/2")
        .target("rediss://:hunter2@new/3")
        .include_pattern("user:*")
        .exclude_pattern(b"\xff*")
        .key_type(crate::KeyType::Hash)
        .on_conflict(crate::OnConflict::Skip)
        .strategy(crate::Strategy::Psync)
        .parallel(7)
        .build()
        .unwrap();
    Plan::new(&config, "snapshot")
}

fn store() -> (tempfile::TempDir, JobStore) {
    let dir = tempfile::tempdir().unwrap();
    let store = JobStore::at(dir.path().join("state/jobs"));
    (dir, store)
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn a_new_job_is_planned_private_and_without_passwords() {
    let (_dir, store) = store();
    let job = store.create(ID, plan()).unwrap();
    assert_eq!(job.state(), State::Planned);
    job.write_status(&JobStatus::default()).unwrap();
    assert_eq!(mode(store.root()), 0o700);
    assert_eq!(mode(job.path()), 0o700);
    let files: Vec<_> = fs::read_dir(job.path()).unwrap().map(|it| it.unwrap().path()).collect();
    assert_eq!(files.len(), 4, "{files:?}");
    for file in files {
        assert_eq!(mode(&file), 0o600, "{file:?}");
        assert!(!fs::read_to_string(&file).unwrap().contains("hunter2"), "{file:?}");
    }
}

#[test]
fn a_plan_gives_the_configuration_back() {
    let (_dir, store) = store();
    drop(store.create(ID, plan()).unwrap());
    let read = store.open(ID).unwrap().plan().clone();
    assert_eq!(read, plan_at(read.created_at_ms));
    let config = read.configure().unwrap().build().unwrap();
    assert_eq!(Plan { created_at_ms: read.created_at_ms, ..Plan::new(&config, "snapshot") }, read);
    assert_eq!(config.source.to_string(), "redis://me@old:6379/2");
    assert!(config.filter.excluded() == [b"\xff*"] && config.filter.included() == [b"user:*"]);
    let unknown = Plan { strategy: "guess".to_owned(), ..read };
    assert!(unknown.configure().unwrap_err().to_string().contains("the strategy `guess`"));
}

fn plan_at(created_at_ms: u64) -> Plan {
    Plan { created_at_ms, ..plan() }
}

#[test]
fn only_one_can_run_a_job() {
    let (_dir, store) = store();
    let job = store.create(ID, plan()).unwrap();
    let pid = std::process::id();
    let refused = store.open(ID).unwrap_err();
    assert!(matches!(refused, JobError::Running { pid: Some(it), .. } if it == pid), "{refused}");
    assert!(matches!(store.remove(ID), Err(JobError::Running { .. })));
    let record = store.read(ID).unwrap();
    assert_eq!((record.running, record.pid), (true, Some(pid)));
    drop(job);
    let record = store.read(ID).unwrap();
    assert_eq!((record.running, record.pid), (false, None));
    assert!(store.open(ID).is_ok());
}

#[test]
fn readers_do_not_keep_anybody_from_running_it() {
    let (_dir, store) = store();
    drop(store.create(ID, plan()).unwrap());
    let lock = store.root().join(ID).join("lock");
    for _ in 0..200 {
        let reader = fs::File::open(&lock).unwrap();
        reader.lock_shared().unwrap();
        assert!(!store.read(ID).unwrap().running, "a reader is no process that runs it");
        let (about_to_open, opening) = std::sync::mpsc::channel();
        std::thread::scope(|scope| {
            let opened = scope.spawn(|| {
                about_to_open.send(()).unwrap();
                store.open(ID).map(drop)
            });
            opening.recv().unwrap();
            // Long enough for the other thread to find the lock taken, most of the times.
            drop(store.read(ID).unwrap());
            drop(reader);
            opened.join().unwrap().unwrap();
        });
    }
}

#[test]
fn an_id_is_used_once_until_it_is_removed() {
    let (_dir, store) = store();
    drop(store.create(ID, plan()).unwrap());
    assert!(matches!(store.create(ID, plan()), Err(JobError::Exists { .. })));
    store.remove(ID).unwrap();
    assert!(store.list().unwrap().is_empty());
    fs::create_dir(store.root().join(format!(".{ID}"))).unwrap();
    assert!(store.create(ID, plan()).is_ok(), "what a killed process left is in the way");
}

#[test]
fn ids_that_are_not_there_name_those_that_are() {
    let (_dir, store) = store();
    let error = store.read(ID).unwrap_err();
    assert_eq!(error.to_string(), "there is no migration mig_abc123 (there is none at all)");
    assert_eq!(error.hint().as_deref(), Some("ferrite-migrate list"));
    for id in ["mig_abc124", "mig_zzz999"] {
        drop(store.create(id, plan()).unwrap());
    }
    let error = store.open(ID).unwrap_err().to_string();
    assert_eq!(error, "there is no migration mig_abc123; there is mig_abc124, mig_zzz999");
    for id in ["abc", "mig_../x", ""] {
        assert!(matches!(store.open(id), Err(JobError::BadId { .. })), "{id}");
        assert!(matches!(store.create(id, plan()), Err(JobError::BadId { .. })), "{id}");
    }
}

#[test]
fn states_survive_the_process() {
    let (_dir, store) = store();
    let mut job = store.create(ID, plan()).unwrap();
    job.transition(State::Attaching, None).unwrap();
    job.transition_with(State::Live, Some("all copied"), serde_json::json!([1])).unwrap();
    assert_eq!(store.read(ID).unwrap().state(), State::Live);
    drop(job);
    let job = store.open(ID).unwrap();
    let states: Vec<_> = job.journal().iter().map(|record| record.state).collect();
    assert_eq!(states, [State::Planned, State::Attaching, State::Live]);
    assert_eq!(job.journal()[2].detail, Some(serde_json::json!([1])));
}

#[test]
fn a_job_whose_process_is_gone_has_failed_and_can_be_resumed() {
    let (_dir, store) = store();
    let mut job = store.create(ID, plan()).unwrap();
    job.transition(State::Live, None).unwrap();
    let mut status = JobStatus { can_cutover: true, pid: Some(1), ..JobStatus::default() };
    (status.progress.keys_done, status.progress.rate_keys_s) = (5, 9);
    status.lag.seconds = Some(0.5);
    job.write_status(&status).unwrap();
    let running = store.read(ID).unwrap().status();
    assert_eq!((running.state, running.phase.as_deref()), (State::Live, Some("LIVE_SYNC")));
    assert_eq!((running.can_cutover, running.pid), (true, Some(std::process::id())));
    drop(job);
    let gone = store.read(ID).unwrap().status();
    assert_eq!((gone.state, gone.phase, gone.pid), (State::Failed, None, None));
    assert_eq!((gone.can_cutover, gone.lag.seconds), (false, None));
    assert_eq!((gone.progress.keys_done, gone.progress.rate_keys_s), (5, 0));
    assert_eq!(gone.reasons, ["its process ended"]);
    assert_eq!(gone.next_steps, ["ferrite-migrate migrate --resume mig_abc123"]);
}

#[test]
fn a_job_that_ended_in_order_stays_what_it_was() {
    for (state, can_resume) in [(State::Completed, false), (State::Paused, true)] {
        let (_dir, store) = store();
        let mut job = store.create(ID, plan()).unwrap();
        job.transition(state, Some("because")).unwrap();
        drop(job);
        let record = store.read(ID).unwrap();
        assert_eq!((record.state(), record.reason()), (state, Some("because")));
        assert_eq!(record.resume_command().is_some(), can_resume, "{state}");
    }
}

#[test]
fn limits_that_are_set_later_take_the_place_of_those_planned() {
    let (_dir, store) = store();
    let planned = crate::Limits { rate: Some(50 << 20), ..crate::Limits::default() };
    let mut job = store.create(ID, Plan { limits: planned, ..plan() }).unwrap();
    assert_eq!(store.read(ID).unwrap().plan.limits, planned);
    let later = crate::Limits { max_source_latency_ms: Some(2), ..crate::Limits::default() };
    job.write_limits(later).unwrap();
    assert_eq!(job.plan().limits, later);
    let read = store.read(ID).unwrap().plan;
    assert_eq!(read.limits, later);
    assert_eq!(read.configure().unwrap().build().unwrap().limits, later);

    assert_eq!(mode(&job.path().join("limits.json")), 0o600);
    for damaged in ["", "{", "null", "{\"rate\":1}", "{\"rate\":-1}"] {
        fs::write(job.path().join("limits.json"), damaged).unwrap();
        assert_eq!(store.read(ID).unwrap().plan.limits, planned, "{damaged}");
    }
}

#[test]
fn a_plan_of_before_there_were_limits_has_none() {
    let (_dir, store) = store();
    let job = store.create(ID, plan()).unwrap();
    let path = job.path().join("plan.json");
    let mut json: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    assert!(json.as_object_mut().unwrap().remove("limits").is_some());
    fs::write(&path, json.to_string()).unwrap();
    assert!(store.read(ID).unwrap().plan.limits.is_none());
}

#[test]
fn a_status_has_all_its_fields_and_comes_back() {
    let (_dir, store) = store();
    let job = store.create(ID, plan()).unwrap();
    let mut status = JobStatus { id: ID.to_owned(), ..JobStatus::default() };
    status.progress.percent = Some(85.5);
    status.shards.push(Shard { received: Some(7), ..Shard::default() });
    status.skipped.push(SkippedKeys { reason: "r".into(), type_name: None, count: 3 });
    job.write_status(&status).unwrap();
    assert_eq!(store.read(ID).unwrap().saved, Some(status));

    let json: Value =
        serde_json::from_slice(&fs::read(job.path().join("status.json")).unwrap()).unwrap();
    let names: Vec<_> = json.as_object().unwrap().keys().map(String::as_str).collect();
    let expected = "can_cutover can_rollback consistency guard id lag next_steps phase pid progress \
                    projected_pause_ms reasons rounds scheduled_at_ms shards skipped source state \
                    strategy strategy_reason target throttle ttl_guard updated_at_ms verify warnings";
    assert_eq!(names.join(" "), expected);
    assert_eq!(
        json["lag"],
        serde_json::json!({"bytes": null, "seconds": null, "keys_dirty": 0, "spool_bytes": 0})
    );
    assert_eq!(json["skipped"][0]["type"], Value::Null);
}

#[test]
fn a_status_that_cannot_be_read_is_unknown_progress() {
    let (_dir, store) = store();
    let mut job = store.create(ID, plan()).unwrap();
    job.transition(State::Copying, None).unwrap();
    for text in ["", "{", "{\"state\":\"NONSENSE\"}", "null"] {
        fs::write(job.path().join("status.json"), text).unwrap();
        let record = store.read(ID).unwrap();
        assert_eq!(
            (record.saved.as_ref(), record.status().state),
            (None, State::Copying),
            "{text}"
        );
    }
}

#[test]
fn damaged_directories_are_listed_and_can_be_removed() {
    let (_dir, store) = store();
    drop(store.create("mig_good", plan()).unwrap());
    for id in ["mig_a", "mig_b", "mig_c", "mig_d"] {
        drop(store.create(id, plan()).unwrap());
    }
    let file = |id: &str, name: &str| store.root().join(id).join(name);
    fs::remove_file(file("mig_a", "plan.json")).unwrap();
    let this = format!("{{\"format\":1,\"program\":\"{}\"}}", env!("CARGO_PKG_VERSION"));
    fs::write(file("mig_b", "plan.json"), this).unwrap();
    fs::write(file("mig_c", "journal.jsonl"), "garbage\n").unwrap();
    fs::write(file("mig_d", "plan.json"), "{\"format\":2,\"program\":\"9.9\"}").unwrap();
    fs::write(store.root().join("mig_e"), "no directory").unwrap();
    fs::create_dir(store.root().join("something else")).unwrap();

    let listed = store.list().unwrap();
    let ids: Vec<_> = listed.iter().map(|entry| entry.id.as_str()).collect();
    assert_eq!(ids, ["mig_good", "mig_a", "mig_b", "mig_c", "mig_d", "mig_e"]);
    let good: Vec<_> = listed.iter().map(|entry| entry.record.is_ok()).collect();
    assert_eq!(good, [true, false, false, false, false, false]);
    assert!(
        matches!(store.open("mig_d"), Err(JobError::OtherVersion { program, .. }) if program == "9.9")
    );
    assert!(matches!(store.open("mig_b"), Err(JobError::Damaged { .. })));
    for id in ["mig_a", "mig_b", "mig_c", "mig_d"] {
        store.remove(id).unwrap();
    }
    assert_eq!(store.list().unwrap().len(), 2);
}
