//! What is said before the RDB.

use ferrite_resp::{ReplyRef, encode, peek};

use super::{AttachOptions, Position, Start};
use crate::{ClientError, Connection, Pipeline, Receiver, ReplyError, Sender};

const DOING: &str = "attaching as a replica (PSYNC)";

/// Introduces us; gives the requests that were refused, none of which is essential.
pub(super) async fn introduce(
    connection: &mut Connection,
    options: &AttachOptions,
) -> Result<Vec<&'static str>, ClientError> {
    let (mut names, mut pipeline) = (Vec::new(), Pipeline::new());
    let mut add = |name: &'static str, arguments: &[&[u8]]| {
        names.push(name);
        pipeline.push(arguments);
    };
    if let Some(port) = options.listening_port {
        add("listening-port", &[b"REPLCONF", b"listening-port", port.to_string().as_bytes()]);
    }
    add("capa", &[b"REPLCONF", b"capa", b"eof", b"capa", b"psync2"]);
    if let Some(version) = &options.version {
        add("version", &[b"REPLCONF", b"version", version.as_bytes()]);
    }
    if let Some(filter) = &options.rdb_filter {
        add("rdb-filter-only", &[b"REPLCONF", b"rdb-filter-only", filter.as_bytes()]);
    }
    if options.rdb_only {
        add("rdb-only", &[b"REPLCONF", b"rdb-only", b"1"]);
    }
    let replies = connection.pipeline(&pipeline).await;
    let replies = replies.map_err(|error| error.while_doing("introducing us as a replica"))?;
    let refused = names.into_iter().zip(replies).filter(|(_, reply)| reply.is_err());
    Ok(refused.map(|(name, _)| name).collect())
}

/// Sends `PSYNC` and reads its answer, leaving what follows in the receiver.
pub(super) async fn psync(
    sender: &mut Sender,
    receiver: &mut Receiver,
    resume: Option<&Position>,
) -> Result<Start, ClientError> {
    let (replid, offset) = match resume {
        // The server wants the first byte we lack.
        Some(position) => (position.replid.as_str(), position.offset.saturating_add(1).to_string()),
        None => ("?", "-1".to_owned()),
    };
    let mut request = Vec::new();
    encode::command(&mut request, &["PSYNC", replid, &offset]);
    sender.send(&request).await.map_err(|error| error.while_doing(DOING))?;
    let answer = answer(receiver).await?;
    parse(&answer, resume).ok_or_else(|| ClientError::Unexpected {
        address: receiver.address().to_owned(),
        doing: DOING.to_owned(),
        what: format!("'{}'", answer.chars().take(80).collect::<String>()),
    })
}

/// The status line answering `PSYNC`, after any number of keep-alives.
async fn answer(receiver: &mut Receiver) -> Result<String, ClientError> {
    loop {
        let keepalives = receiver.buffered().iter().take_while(|byte| **byte == b'\n').count();
        receiver.consume(keepalives);
        let (text, used) = match peek(receiver.buffered()) {
            Ok(Some((ReplyRef::Simple(text), used))) => {
                (String::from_utf8_lossy(text).into_owned(), used)
            }
            Ok(Some((ReplyRef::Error(text), _))) => {
                let (address, error) = (receiver.address().to_owned(), ReplyError::parse(text));
                return Err(ClientError::Reply { address, command: "PSYNC".to_owned(), error });
            }
            Ok(Some((other, _))) => {
                let (address, doing) = (receiver.address().to_owned(), DOING.to_owned());
                let what = format!("neither a status nor an error: {other:?}");
                return Err(ClientError::Unexpected { address, doing, what });
            }
            Ok(None) => {
                let filled = receiver.fill().await.map_err(|error| error.while_doing(DOING))?;
                if filled == 0 {
                    return Err(receiver.closed().while_doing(DOING));
                }
                continue;
            }
            Err(cause) => return Err(receiver.protocol_error(cause).while_doing(DOING)),
        };
        receiver.consume(used);
        return Ok(text);
    }
}

/// `FULLRESYNC <replid> <offset>` or `CONTINUE [<replid>]`.
fn parse(answer: &str, resume: Option<&Position>) -> Option<Start> {
    let mut words = answer.split_ascii_whitespace();
    let refused = Vec::new();
    match (words.next()?, resume) {
        ("FULLRESYNC", _) => {
            let replid = words.next()?.to_owned();
            let offset = words.next()?.parse().ok()?;
            Some(Start { replid, offset, full: true, refused })
        }
        ("CONTINUE", Some(position)) => {
            let replid = words.next().unwrap_or(&position.replid).to_owned();
            Some(Start { replid, offset: position.offset, full: false, refused })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_understood() {
        let position = Position { replid: "a".repeat(40), offset: 7 };
        let full = parse("FULLRESYNC abc 123", None).unwrap();
        assert_eq!((full.replid.as_str(), full.offset, full.full), ("abc", 123, true));
        let same = parse("CONTINUE", Some(&position)).unwrap();
        assert_eq!((same.replid, same.offset, same.full), ("a".repeat(40), 7, false));
        assert_eq!(parse("CONTINUE def", Some(&position)).unwrap().replid, "def");
    }

    #[test]
    fn nonsense_is_refused() {
        for answer in ["", "OK", "CONTINUE", "FULLRESYNC", "FULLRESYNC a", "FULLRESYNC a -1"] {
            assert_eq!(parse(answer, None), None, "{answer}");
        }
    }
}
