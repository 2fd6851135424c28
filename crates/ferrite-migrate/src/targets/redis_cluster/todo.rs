//! What is still to be written of a batch, and where it goes.

use ferrite_client::topology::{Redirect, SlotMap};
use ferrite_client::{ClientError, Endpoint, ReplyError};
use ferrite_commands::slot;

use crate::cluster::{owner, unowned};
use crate::model::{Batch, Record};
use crate::targets::redis::LeftOut;

/// A key of a batch that is not written yet.
#[derive(Clone, Debug)]
pub struct Todo {
    /// Its place in the batch.
    pub index: u32,
    /// Whether it goes by a command of its own.
    pub alone: bool,
    /// Whether it may have been written already by us.
    pub resent: bool,
    /// The node it was sent on to, and whether that one is to be told so (`ASKING`).
    sent_on: Option<(Endpoint, bool)>,
}

/// What one node gets of a batch.
#[derive(Debug, Default)]
pub struct Share {
    /// Keys that may share a command.
    pub together: Vec<Todo>,
    /// Keys that may not, and whether the node is told that we were sent there.
    pub alone: Vec<(Todo, bool)>,
}

/// What a node says about a key.
#[derive(Debug)]
pub enum Outcome {
    /// Written.
    Written,
    /// Not written: it, or one it shared a command with, is there.
    There,
    /// The connection ended before the answer.
    Lost,
    /// Another node, or the same a little later; the reply, and who gave it.
    Elsewhere(ReplyError, String),
    /// Refused for good; the reply, and who gave it.
    Refused(ReplyError, String),
    /// It is not among the commands.
    LeftOut(LeftOut),
}

impl Todo {
    /// A key that was not tried yet.
    pub fn new(index: usize) -> Self {
        let index = u32::try_from(index).unwrap_or(u32::MAX);
        Self { index, alone: false, resent: false, sent_on: None }
    }

    /// The key.
    pub fn record<'b>(&self, batch: &'b Batch) -> Option<&'b Record> {
        batch.records.get(self.index as usize)
    }

    /// The node did not live to answer.
    pub fn lost(&mut self) {
        (self.alone, self.resent, self.sent_on) = (true, true, None);
    }

    /// The node at `address` does not take it.
    pub fn sent_on(&mut self, error: &ReplyError, address: &str) {
        let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
        self.sent_on = match Redirect::parse(error, host) {
            Some(Redirect::Ask(_, node)) => Some((node, true)),
            Some(Redirect::Moved(_, node)) => Some((node, false)),
            None => None,
        };
        // Several keys of a slot that is on its way are not taken together.
        self.alone = true;
    }

    fn node(&self, batch: &Batch, map: &SlotMap) -> Option<(Endpoint, bool)> {
        if let Some(sent_on) = &self.sent_on {
            return Some(sent_on.clone());
        }
        let record = self.record(batch)?;
        owner(map, slot(batch.key(record))).map(|node| (node, false))
    }

    /// Whether nobody owns its slot.
    pub fn is_homeless(&self, batch: &Batch, map: &SlotMap) -> bool {
        self.node(batch, map).is_none()
    }
}

/// Shares keys out among the nodes; the failure, if the slot of one has no owner.
pub fn shares(
    batch: &Batch,
    map: &SlotMap,
    todo: &[Todo],
) -> (Vec<(Endpoint, Share)>, Option<ClientError>) {
    let mut shares: Vec<(Endpoint, Share)> = Vec::new();
    let mut homeless = None;
    // By the owner's place first: comparing names for every key would take its time.
    let mut by_shard: Vec<Vec<Todo>> = vec![Vec::new(); map.shards().len()];
    for todo in todo {
        let Some(record) = todo.record(batch) else { continue };
        let slot = slot(batch.key(record));
        match (&todo.sent_on, map.owner(slot)) {
            (None, Some(place)) if !todo.alone => {
                by_shard.get_mut(place).into_iter().for_each(|share| share.push(todo.clone()));
            }
            _ => match todo.node(batch, map) {
                Some((node, asking)) => share_of(&mut shares, node, |share| {
                    share.alone.push((todo.clone(), asking));
                }),
                None => homeless = Some(unowned(slot)),
            },
        }
    }
    for (shard, together) in map.shards().iter().zip(by_shard) {
        if !together.is_empty() {
            share_of(&mut shares, shard.primary.clone(), |share| share.together = together);
        }
    }
    (shares, homeless)
}

/// Changes the share of a node, which gets one if it has none.
fn share_of(shares: &mut Vec<(Endpoint, Share)>, node: Endpoint, change: impl FnOnce(&mut Share)) {
    if let Some((_, share)) = shares.iter_mut().find(|(known, _)| *known == node) {
        return change(share);
    }
    let mut share = Share::default();
    change(&mut share);
    shares.push((node, share));
}
