//! Orders through real sockets: answered, refused, garbled, abandoned.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

use super::server::{CONNECTIONS_MAX, REQUEST_MAX};
use super::*;
use crate::jobs::{JobDir, JobStore, Plan};

fn job(root: &Path) -> JobDir {
    let config = crate::Config::builder().source("redis://a").target("redis://b").build().unwrap();
    JobStore::at(root).create("mig_abc123", Plan::new(&config, "live")).unwrap()
}

/// A root that is too long for a socket in a directory below it.
fn long(root: &Path) -> PathBuf {
    root.join("long".repeat(30))
}

/// Answers `Pause` with steps, `Complete` with a refusal, `Resume` with silence, and ends on `Stop`.
fn answer(mut server: Server) -> tokio::task::JoinHandle<()> {
    tokio::spawn(async move {
        while let Some((request, mut replier)) = server.next().await {
            match request {
                Request::Pause => {
                    replier.step("one").await;
                    replier.step("two\nlines").await;
                    replier.done(json!({"paused": true})).await;
                }
                Request::Complete => {
                    replier.refuse(6, "not now", vec!["because".to_owned()]).await;
                }
                Request::Stop => return replier.done(Value::Null).await,
                Request::Resume => drop(replier),
                other => replier.done(json!(other)).await,
            }
        }
    })
}

/// A cutover with some of its fields set.
fn cutover(fields: Value) -> Request {
    let mut order = json!({ "do": "cutover" });
    order.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    serde_json::from_value(order).unwrap()
}

async fn order(dir: &Path, request: Request) -> Result<Value, CallError> {
    call(dir, &request, |_| ()).await
}

/// Writes bytes and reads all that comes back until the other side ends.
async fn raw(socket: &Path, bytes: &[u8]) -> String {
    let mut stream = UnixStream::connect(socket).await.unwrap();
    // The other side may end before it has read everything.
    let _ = stream.write_all(bytes).await;
    let _ = stream.shutdown().await;
    let mut text = Vec::new();
    let _ = stream.read_to_end(&mut text).await;
    String::from_utf8(text).unwrap()
}

#[tokio::test]
async fn orders_are_answered_with_steps_results_and_refusals() {
    let root = tempfile::tempdir().unwrap();
    for root in [root.path().to_owned(), long(root.path())] {
        let job = job(&root);
        let running = answer(Server::bind(&job).unwrap());
        let mut steps = Vec::new();
        let done = call(job.path(), &Request::Pause, |step| steps.push(step.to_owned())).await;
        assert_eq!(done.unwrap(), json!({"paused": true}));
        assert_eq!(steps, ["one", "two\nlines"]);

        let refused = order(job.path(), Request::Complete).await.unwrap_err();
        let CallError::Refused { message, reasons, code } = refused else { panic!("{refused}") };
        assert_eq!((message.as_str(), reasons, code), ("not now", vec!["because".to_owned()], 6));

        order(job.path(), Request::Stop).await.unwrap();
        running.await.unwrap();
        let gone = order(job.path(), Request::Status).await.unwrap_err();
        assert!(matches!(gone, CallError::NotRunning), "{gone}");
    }
}

#[tokio::test]
async fn every_field_of_an_order_arrives() {
    let root = tempfile::tempdir().unwrap();
    let job = job(root.path());
    answer(Server::bind(&job).unwrap());
    let fields = json!({
        "max_pause_ms": 2000, "dry_run": true, "when_ready": true, "hook": "true", "reverse": true,
        "guard": { "limit_ppm": 10_000, "window_ms": 60_000, "hook": "false" },
    });
    let rollback = Request::Rollback { max_pause_ms: Some(5), hook: None };
    let mut at = fields.clone();
    for name in ["dry_run", "when_ready"] {
        at.as_object_mut().unwrap().remove(name);
    }
    (at["do"], at["at_ms"]) = ("schedule".into(), 7.into());
    let schedule = serde_json::from_value(at).unwrap();
    let abort = Request::Abort { clean: true };
    for request in [Request::Status, cutover(fields), schedule, rollback, abort, Request::Cancel] {
        let echoed = order(job.path(), request.clone()).await.unwrap();
        assert_eq!(echoed, json!(request));
    }
    let order = b"{\"do\":\"cutover\",\"dry_run\":true}\n";
    let done = raw(&job.path().join("control.sock"), order).await;
    let expected = json!({ "done": cutover(json!({ "dry_run": true })) });
    assert_eq!(serde_json::from_str::<Value>(&done).unwrap(), expected);
}

#[tokio::test]
async fn a_job_that_drops_an_order_is_an_error_not_a_hang() {
    let root = tempfile::tempdir().unwrap();
    let job = job(root.path());
    let running = answer(Server::bind(&job).unwrap());
    let error = order(job.path(), Request::Resume).await.unwrap_err();
    assert!(matches!(&error, CallError::Refused { code: 2, .. }), "{error}");
    running.abort();
}

#[tokio::test]
async fn garbage_is_refused_and_the_next_line_is_read() {
    let root = tempfile::tempdir().unwrap();
    let job = job(root.path());
    answer(Server::bind(&job).unwrap());
    let socket = job.path().join("control.sock");
    let garbage: [&[u8]; 7] = [
        b"",
        b"\xff\xfe",
        b"{",
        b"[]",
        b"{\"do\":\"fly\"}",
        b"{\"do\":\"set\",\"speed\":1}",
        b"{\"do\":\"cutover\",\"max_pause_ms\":-1}",
    ];
    for line in garbage {
        let both = [line, b"\n{\"do\":\"complete\"}\n"].concat();
        let answers = raw(&socket, &both).await;
        let lines: Vec<Value> =
            answers.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines.len(), 2, "{answers}");
        assert!(lines[0]["error"].as_str().unwrap().starts_with("the request cannot be used: "));
        assert_eq!((&lines[0]["code"], &lines[1]["code"]), (&json!(1), &json!(6)), "{answers}");
    }
    assert_eq!(raw(&socket, b"{\"do\":\"complete\"}").await, "", "a line without its end is none");
}

#[tokio::test]
async fn a_line_too_long_is_refused_and_ends_the_connection() {
    let root = tempfile::tempdir().unwrap();
    let job = job(root.path());
    answer(Server::bind(&job).unwrap());
    let length = usize::try_from(REQUEST_MAX).unwrap() + 1;
    let answers = raw(&job.path().join("control.sock"), &b" ".repeat(length)).await;
    assert!(answers.contains("a line is longer than 65536 bytes"), "{answers}");
    assert_eq!(answers.lines().count(), 1);
}

#[tokio::test]
async fn connections_are_limited_and_places_become_free_again() {
    let root = tempfile::tempdir().unwrap();
    let job = job(root.path());
    answer(Server::bind(&job).unwrap());
    let socket = job.path().join("control.sock");
    let mut silent = Vec::new();
    for _ in 0..CONNECTIONS_MAX {
        silent.push(UnixStream::connect(&socket).await.unwrap());
    }
    let refused = order(job.path(), Request::Status).await.unwrap_err().to_string();
    assert!(refused.contains("more than 16 connections"), "{refused}");
    // Each ends itself when it has seen the end of what we write, and says so by its own end.
    for mut stream in silent {
        stream.shutdown().await.unwrap();
        assert_eq!(stream.read_to_end(&mut Vec::new()).await.unwrap(), 0);
    }
    order(job.path(), Request::Status).await.unwrap();
}

#[tokio::test]
async fn a_socket_left_behind_is_replaced_and_ours_is_removed() {
    let root = tempfile::tempdir().unwrap();
    let job = job(root.path());
    let socket = job.path().join("control.sock");
    // What a killed process leaves: the file, and nobody behind it.
    drop(std::os::unix::net::UnixListener::bind(&socket).unwrap());
    let stale = order(job.path(), Request::Status).await.unwrap_err();
    assert!(matches!(stale, CallError::NotRunning), "{stale}");

    let server = Server::bind(&job).unwrap();
    let running = answer(server);
    order(job.path(), Request::Status).await.unwrap();
    order(job.path(), Request::Stop).await.unwrap();
    running.await.unwrap();
    assert!(!socket.exists());
}

#[tokio::test]
async fn a_long_path_leaves_nothing_behind_and_trusts_nobody_else() {
    let root = tempfile::tempdir().unwrap();
    let job = job(&long(root.path()));
    let server = Server::bind(&job).unwrap();
    let pointer = job.path().join("control.path");
    let socket = PathBuf::from(std::fs::read_to_string(&pointer).unwrap());
    assert!(socket.exists() && !job.path().join("control.sock").exists());
    drop(server);
    assert!(!pointer.exists() && !socket.exists() && !socket.parent().unwrap().exists());

    // A directory that others can write to may hold anybody's socket.
    std::fs::write(&pointer, "/tmp/control.sock").unwrap();
    let error = order(job.path(), Request::Status).await.unwrap_err().to_string();
    assert!(error.contains("belongs to somebody else"), "{error}");
}

#[tokio::test]
async fn who_leaves_without_reading_does_not_hold_the_job() {
    let root = tempfile::tempdir().unwrap();
    let job = job(root.path());
    let mut server = Server::bind(&job).unwrap();
    let mut stream = UnixStream::connect(job.path().join("control.sock")).await.unwrap();
    stream.write_all(b"{\"do\":\"pause\"}\n").await.unwrap();
    let (_, mut replier) = server.next().await.unwrap();
    drop(stream);
    for _ in 0..1000 {
        replier.step("x").await;
    }
    replier.done(Value::Null).await;
}

#[tokio::test]
async fn the_last_answer_is_written_before_the_job_may_end() {
    let root = tempfile::tempdir().unwrap();
    let job = job(root.path());
    let mut server = Server::bind(&job).unwrap();
    // More than the system keeps for a reader.
    let long = json!("x".repeat(4 << 20));
    let sent = long.clone();
    tokio::spawn(async move {
        let (_, replier) = server.next().await.unwrap();
        replier.done(sent).await;
        drop(server);
    });
    assert_eq!(order(job.path(), Request::Stop).await.unwrap(), long);
}

#[tokio::test]
async fn connections_end_with_the_server() {
    let root = tempfile::tempdir().unwrap();
    let job = job(root.path());
    let mut server = Server::bind(&job).unwrap();
    let mut stream = UnixStream::connect(job.path().join("control.sock")).await.unwrap();
    stream.write_all(b"{\"do\":\"pause\"}\n").await.unwrap();
    let _request = server.next().await.unwrap();
    drop(server);
    let mut rest = Vec::new();
    let ended = tokio::time::timeout(Duration::from_secs(10), stream.read_to_end(&mut rest)).await;
    assert!(ended.is_ok(), "the connection is still open");
}
