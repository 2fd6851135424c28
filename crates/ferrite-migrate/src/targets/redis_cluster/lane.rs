//! One worker's way to one node.

use std::sync::Arc;

use ferrite_client::{ClientError, Connector, Endpoint, Receiver, ReplyError, Sender};
use ferrite_resp::{ReplyRef, encode as resp, peek};

use super::todo::{Outcome, Share, Todo};
use crate::error::{ErrorKind, MigrateError};
use crate::fetch::{fill_more, is_elsewhere};
use crate::model::Batch;
use crate::targets::redis::{Capabilities, Encoded, Encoder, Expect, LeftOut, target_error};

/// A connection to a node, made when it is first needed.
pub struct Lane {
    node: Endpoint,
    connector: Connector,
    link: Option<(Sender, Receiver)>,
    encoder: Encoder,
    /// The database everything goes to, if it is one.
    only_db: Option<u32>,
    db: u32,
}

/// What became of a share.
pub struct Results {
    /// Of each key.
    pub outcomes: Vec<(Todo, Outcome)>,
    /// Parts of values that the target's format cannot carry.
    pub losses: Vec<(u32, &'static str)>,
    /// Why the connection was lost, if it was.
    pub failed: Option<ClientError>,
}

/// A failure that does not pass.
#[derive(Debug)]
pub struct Failed(pub MigrateError);

/// What a reply answers.
enum Asked {
    /// `ASKING`, which a node does not refuse.
    Asking,
    /// `SELECT`, without which nothing may be written.
    Select,
    /// Keys that were written together.
    Keys(Vec<Todo>),
}

impl Lane {
    /// A lane that has not connected yet.
    pub fn new(node: Endpoint, connector: Connector, capabilities: Capabilities) -> Self {
        let only_db = capabilities.db;
        let encoder = Encoder::new(capabilities);
        Self { node, connector, link: None, encoder, only_db, db: 0 }
    }

    /// Where it goes.
    pub fn node(&self) -> &Endpoint {
        &self.node
    }

    /// Why a key would not be among the commands.
    pub fn rehearse(&mut self, batch: &Batch, index: u32) -> Result<Option<LeftOut>, MigrateError> {
        let mut encoded = Encoded::default();
        self.encoder.encode_keys(batch, [index], None, &mut encoded)?;
        Ok(encoded.left_out.pop().map(|(_, why)| why))
    }

    /// Writes a share of a batch, and gives the lane back.
    pub async fn write(
        mut self,
        batch: Arc<Batch>,
        share: Share,
    ) -> (Self, Result<Results, Failed>) {
        let written = self.share(&batch, share).await;
        (self, written)
    }

    async fn share(&mut self, batch: &Batch, share: Share) -> Result<Results, Failed> {
        let mut results = Results { outcomes: Vec::new(), losses: Vec::new(), failed: None };
        if self.link.is_none() {
            match self.connector.connect().await {
                Ok(connection) => {
                    (self.link, self.db) = (Some(connection.into_split()), 0);
                }
                Err(error) if error.is_transient() => {
                    results.failed = Some(error);
                    let alone = share.alone.into_iter().map(|(todo, _)| todo);
                    let all = share.together.into_iter().chain(alone);
                    results.outcomes = all.map(|todo| (todo, Outcome::Lost)).collect();
                    return Ok(results);
                }
                Err(error) => {
                    return Err(Failed(target_error(
                        "connecting a worker",
                        &self.connector,
                        &error,
                    )));
                }
            }
        }
        let mut asked = Vec::new();
        let mut bytes = Vec::new();
        self.together(batch, share.together, &mut bytes, &mut asked, &mut results)?;
        for (todo, asking) in share.alone {
            if asking {
                resp::command(&mut bytes, &[b"ASKING"]);
                asked.push(Asked::Asking);
            }
            self.together(batch, vec![todo], &mut bytes, &mut asked, &mut results)?;
        }
        self.exchange(&bytes, asked, &mut results).await?;
        Ok(results)
    }

    /// Encodes keys that may share commands.
    fn together(
        &mut self,
        batch: &Batch,
        todo: Vec<Todo>,
        bytes: &mut Vec<u8>,
        asked: &mut Vec<Asked>,
        results: &mut Results,
    ) -> Result<(), Failed> {
        let db = self.only_db.unwrap_or(batch.db);
        let select = (db != self.db).then_some(db);
        self.db = db;
        let mut encoded = Encoded { bytes: std::mem::take(bytes), ..Encoded::default() };
        let keys = todo.iter().map(|todo| todo.index);
        self.encoder.encode_keys(batch, keys, select, &mut encoded).map_err(Failed)?;
        *bytes = encoded.bytes;
        // Shares keep the order of the batch.
        let of = |index: u32| {
            let place = todo.binary_search_by_key(&index, |todo| todo.index).ok()?;
            todo.get(place).cloned()
        };
        for expect in encoded.expects {
            asked.push(match expect {
                Expect::Select => Asked::Select,
                Expect::Key(index) => Asked::Keys(of(index).into_iter().collect()),
                Expect::Strings { start, count } => {
                    let range = start as usize..(start + count) as usize;
                    let strings = encoded.strings.get(range).unwrap_or_default();
                    Asked::Keys(strings.iter().filter_map(|index| of(*index)).collect())
                }
            });
        }
        for (index, why) in encoded.left_out {
            results.outcomes.extend(of(index).map(|todo| (todo, Outcome::LeftOut(why))));
        }
        results.losses.extend(encoded.losses);
        Ok(())
    }

    /// Sends commands, and reads while sending so that neither side waits for the other.
    async fn exchange(
        &mut self,
        bytes: &[u8],
        asked: Vec<Asked>,
        results: &mut Results,
    ) -> Result<(), Failed> {
        let Some((sender, receiver)) = &mut self.link else { return Ok(()) };
        let mut asked = asked.into_iter();
        let mut unselected = None;
        let receiving = async {
            for asked in asked.by_ref() {
                let reply = match answer(receiver).await {
                    Ok(reply) => reply,
                    Err(error) => {
                        lose(asked, results);
                        return Err(error);
                    }
                };
                match (asked, reply) {
                    (Asked::Keys(keys), reply) => take(keys, &reply, receiver.address(), results),
                    (Asked::Select, Answer::Error(error)) => unselected = Some(error),
                    _ => {}
                }
            }
            Ok(())
        };
        let (sent, received) = tokio::join!(sender.send(bytes), receiving);
        if let Some(error) = unselected {
            let doing = format!("selecting a database on the target {}", self.node);
            let failed = MigrateError::new(ErrorKind::Target, doing, error);
            return Err(Failed(failed.with_hint("see that all nodes are configured alike")));
        }
        // Where all was answered it does not matter how the sending ended.
        if let Err(error) = received {
            asked.for_each(|asked| lose(asked, results));
            results.failed = Some(sent.err().unwrap_or(error));
            self.link = None;
        }
        Ok(())
    }
}

/// What a reply says about the keys it answers for.
fn take(keys: Vec<Todo>, reply: &Answer, address: &str, results: &mut Results) {
    let is_shared = keys.len() > 1;
    for mut todo in keys {
        let outcome = reply.outcome(address);
        todo.alone |= !is_shared;
        results.outcomes.push((todo, outcome));
    }
}

fn lose(asked: Asked, results: &mut Results) {
    if let Asked::Keys(keys) = asked {
        results.outcomes.extend(keys.into_iter().map(|todo| (todo, Outcome::Lost)));
    }
}

/// One reply to a write.
enum Answer {
    Done,
    There,
    Error(ReplyError),
}

impl Answer {
    fn outcome(&self, address: &str) -> Outcome {
        match self {
            Self::Done => Outcome::Written,
            Self::There => Outcome::There,
            Self::Error(error) if is_elsewhere(error) => {
                Outcome::Elsewhere(error.clone(), address.to_owned())
            }
            Self::Error(error) => Outcome::Refused(error.clone(), address.to_owned()),
        }
    }
}

async fn answer(receiver: &mut Receiver) -> Result<Answer, ClientError> {
    loop {
        let peeked = peek(receiver.buffered()).map_err(|cause| ClientError::Protocol {
            address: receiver.address().to_owned(),
            doing: String::from("writing keys"),
            cause,
        })?;
        if let Some((reply, used)) = peeked {
            let answer = match reply {
                ReplyRef::Error(text) if text.starts_with(b"BUSYKEY") => Answer::There,
                ReplyRef::Error(text) => Answer::Error(ReplyError::parse(text)),
                ReplyRef::Null | ReplyRef::Integer(0) => Answer::There,
                _ => Answer::Done,
            };
            receiver.consume(used);
            return Ok(answer);
        }
        fill_more(receiver).await?;
    }
}
