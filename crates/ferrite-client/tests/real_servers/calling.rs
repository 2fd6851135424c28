//! Commands, pipelines and streams, large ones above all.

use std::time::{Duration, Instant};

use ferrite_client::{ClientError, Pipeline, Value};
use ferrite_resp::{ReplyRef, encode, peek};
use ferrite_testkit::{Direction, Peer, Proxy, Server};

use super::{SHORT, connect, connector, soon, start};

/// Bytes in no simple pattern, so that a shifted or repeated block is noticed.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    };
    (0..length.div_ceil(8)).flat_map(|_| next()).take(length).collect()
}

#[tokio::test]
async fn sixty_four_megabytes_there_and_back() {
    let peer = start(Server::Redis70);
    let mut connection = connect(&peer).await;
    let big = noise(64 << 20);
    assert!(connection.call(&[b"SET", b"big".as_slice(), &big]).await.unwrap().is_ok());
    let back = connection.call(&["GET", "big"]).await.unwrap().into_bytes().unwrap();
    assert!(back == big);
    // The raw way, in one piece, beyond the bound of the buffer.
    let (mut sender, mut receiver) = connection.into_split();
    let mut command = Vec::new();
    encode::command(&mut command, &["GET", "big"]);
    sender.send(&command).await.unwrap();
    let error = loop {
        if let Err(error) = receiver.fill().await {
            break error;
        }
    };
    assert!(matches!(error, ClientError::TooLarge { .. }), "{error}");
    receiver.reserve(big.len() + 100);
    loop {
        if let Some((reply, _)) = peek(receiver.buffered()).unwrap() {
            assert!(reply == ReplyRef::Bulk(&big));
            break;
        }
        assert!(receiver.fill().await.unwrap() > 0);
    }
}

#[tokio::test]
async fn a_hundred_thousand_commands_with_large_replies() {
    let peer = start(Server::Redis70);
    let mut connection = connect(&peer).await;
    let value = noise(4000);
    connection.call(&[b"SET", b"k".as_slice(), &value]).await.unwrap();
    // 2.5 MB of commands, 400 MB of replies: neither fits the sockets' buffers.
    let mut pipeline = Pipeline::new();
    for index in 0..100_000 {
        pipeline.push(&["GET", if index == 77_777 { "missing" } else { "k" }]);
    }
    let replies = connection.pipeline(&pipeline).await.unwrap();
    assert_eq!(replies.len(), 100_000);
    for (index, reply) in replies.into_iter().enumerate() {
        let expected = if index == 77_777 { Value::Null } else { Value::Bulk(value.clone()) };
        assert!(reply.unwrap() == expected, "{index}");
    }
}

#[tokio::test]
async fn errors_in_a_pipeline_stay_with_their_commands() {
    let peer = start(Server::Redis70);
    let mut connection = connect(&peer).await;
    let mut pipeline = Pipeline::new();
    pipeline
        .push(&["SET", "k", "v"])
        .push(&["LPUSH", "k", "x"])
        .push(&["NOSUCH"])
        .push(&["GET", "k"]);
    let replies = connection.pipeline(&pipeline).await.unwrap();
    assert!(replies[0].as_ref().unwrap().is_ok());
    assert_eq!(replies[1].as_ref().unwrap_err().code, "WRONGTYPE");
    assert_eq!(replies[2].as_ref().unwrap_err().code, "ERR");
    assert_eq!(replies[3].as_ref().unwrap().as_str(), Some("v"));
    assert!(connection.pipeline(&Pipeline::new()).await.unwrap().is_empty());
    connection.call(&["PING"]).await.unwrap();
}

#[tokio::test]
async fn binary_everywhere() {
    let peer = start(Server::Redis70);
    let mut connection = connect(&peer).await;
    let all: Vec<u8> = (0..=255).collect();
    connection.call(&[b"SET", all.as_slice(), &all]).await.unwrap();
    assert_eq!(
        connection.call(&[b"GET", all.as_slice()]).await.unwrap().as_bytes(),
        Some(&all[..])
    );
    let script = "return {err='ERR \\255\\254'}";
    let error = connection.call(&["EVAL", script, "0"]).await.unwrap_err();
    assert_eq!(error.reply().unwrap().code, "ERR");
    let nested = connection.call(&["EVAL", "return {1,{2,{'a',{}}}}", "0"]).await.unwrap();
    let inner = Value::Array(vec![Value::Bulk(b"a".to_vec()), Value::Array(vec![])]);
    let inner = Value::Array(vec![Value::Integer(2), inner]);
    assert_eq!(nested, Value::Array(vec![Value::Integer(1), inner]));
}

#[tokio::test]
async fn slow_upload_is_not_silence() {
    let peer = start(Server::Redis70);
    let proxy = Proxy::start(peer.addr()).unwrap();
    let mut connection = connector(&proxy.url()).connect().await.unwrap();
    let silence = Duration::from_millis(1500);
    connection.set_timeout(Some(silence));
    // About four seconds of sending without any reply, the last half second of it from the
    // sockets' buffers.
    proxy.throttle(Some(16 << 20));
    let value = noise(64 << 20);
    let began = Instant::now();
    connection.call(&[b"SET", b"k".as_slice(), &value]).await.unwrap();
    assert!(began.elapsed() > silence * 2);
}

#[tokio::test]
async fn a_trickle_to_a_frozen_server_does_not_hide_its_silence() {
    let peer = start(Server::Redis70);
    let (mut sender, mut receiver) = connect(&peer).await.into_split();
    receiver.set_timeout(Some(SHORT));
    peer.freeze();
    let trickle = tokio::spawn(async move {
        let mut clock = tokio::time::interval(SHORT / 5);
        loop {
            clock.tick().await;
            sender.send(b"PING\r\n").await.unwrap();
        }
    });
    let error = soon("the silence is noticed", receiver.fill()).await.unwrap_err();
    trickle.abort();
    peer.thaw();
    assert!(matches!(error, ClientError::Timeout { .. }), "{error}");
}

#[tokio::test]
async fn refusal_before_the_end_of_a_command_is_heard() {
    let peer = Peer::builder(Server::Redis70).arg("proto-max-bulk-len", "1mb").start().unwrap();
    let mut connection = connect(&peer).await;
    let value = noise(32 << 20);
    let error = connection.call(&[b"SET", b"k".as_slice(), &value]).await.unwrap_err();
    // The server answers and closes while we send; a reset may destroy its words on the way.
    match &error {
        ClientError::Reply { error, .. } => assert!(error.message.contains("invalid bulk length")),
        ClientError::Broken { .. } | ClientError::Closed { .. } => {}
        other => panic!("{other}"),
    }
    assert!(connection.call(&["PING"]).await.is_err());
}

#[tokio::test]
async fn cut_connections_are_reported() {
    let peer = start(Server::Redis70);
    let proxy = Proxy::start(peer.addr()).unwrap();
    let mut connection = connector(&proxy.url()).connect().await.unwrap();
    connection.call(&[b"SET", b"k".as_slice(), &noise(1 << 20)]).await.unwrap();
    proxy.cut_after(Direction::ToClient, 100_000);
    let error = connection.call(&["GET", "k"]).await.unwrap_err();
    assert!(error.is_transient(), "{error}");
    assert!(error.to_string().contains("while calling GET"), "{error}");
    let error = connection.call(&["PING"]).await.unwrap_err();
    assert!(matches!(error, ClientError::Unusable { .. }), "{error}");
}

#[tokio::test]
async fn an_abandoned_call_makes_the_connection_unusable() {
    let peer = start(Server::Redis70);
    let mut connection = connect(&peer).await;
    let abandoned = connection.call(&["BLPOP", "nothing", "0"]);
    assert!(tokio::time::timeout(Duration::from_millis(20), abandoned).await.is_err());
    let error = connection.call(&["PING"]).await.unwrap_err();
    assert!(matches!(error, ClientError::Unusable { .. }), "{error}");
}

#[tokio::test]
async fn halves_stream_independently() {
    let peer = start(Server::Redis70);
    let (mut sender, mut receiver) = connect(&peer).await.into_split();
    let count = 50_000;
    let writer = tokio::spawn(async move {
        let mut encoded = Vec::new();
        for index in 0..count {
            encode::command(&mut encoded, &["ECHO", &index.to_string()]);
            if encoded.len() > 10_000 || index + 1 == count {
                sender.send(&encoded).await.unwrap();
                encoded.clear();
            }
        }
        sender
    });
    for index in 0..count {
        let used = loop {
            match peek(receiver.buffered()).unwrap() {
                Some((ReplyRef::Bulk(text), used)) => {
                    assert_eq!(text, index.to_string().as_bytes());
                    break used;
                }
                Some((other, _)) => panic!("{other:?}"),
                None => assert!(receiver.fill().await.unwrap() > 0),
            }
        };
        receiver.consume(used);
    }
    let mut sender = writer.await.unwrap();
    sender.shutdown().await.unwrap();
    assert_eq!(receiver.fill().await.unwrap(), 0);
}
