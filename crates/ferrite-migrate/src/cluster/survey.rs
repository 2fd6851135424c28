//! Who owns which slot, by each owner's own word, and which slots are on their way.

use std::collections::BTreeSet;
use std::sync::Arc;

use ferrite_client::topology::{Cluster, NodeView, SlotMap};
use ferrite_client::{ClientError, Endpoint};
use ferrite_commands::SLOTS;

use super::{Patience, SlotSet};

/// A picture of a cluster.
///
/// A slot is where it was when its owner is the same and has the same epoch: an owner that gets a
/// slot back has raised its epoch, unless the other one did, which then is the owner's reason to.
#[derive(Debug)]
pub struct Survey {
    owners: Vec<Option<(Arc<str>, u64)>>,
    /// Slot, whether it arrives, and both nodes.
    open: BTreeSet<(u16, bool, String, String)>,
}

impl Survey {
    /// Asks all owners, waiting for nodes to take over from those that are gone.
    ///
    /// # Errors
    /// The cluster does not come together.
    pub async fn take(cluster: &Cluster) -> Result<Self, ClientError> {
        let mut map = cluster.map();
        let mut patience = Patience::with(&map, None);
        loop {
            let error = match cluster.refresh(&map).await {
                Ok(now) => {
                    map = now;
                    match Self::of(cluster, &map).await {
                        Ok(survey) => return Ok(survey),
                        Err(error) => error,
                    }
                }
                Err(error) => error,
            };
            patience.wait(error).await?;
        }
    }

    async fn of(cluster: &Cluster, map: &SlotMap) -> Result<Self, ClientError> {
        let mut survey = Self { owners: vec![None; usize::from(SLOTS)], open: BTreeSet::new() };
        for shard in map.shards() {
            let view = ask(cluster, &shard.primary).await?;
            let owner = (Arc::<str>::from(view.id.as_str()), view.epoch);
            for (first, last) in view.slots {
                let owned = survey.owners.get_mut(usize::from(first)..=usize::from(last));
                owned.unwrap_or_default().fill(Some(owner.clone()));
            }
            for open in view.open {
                survey.open.insert((open.slot, open.arrives, view.id.clone(), open.other));
            }
        }
        Ok(survey)
    }

    /// The slots that may have moved between this survey and a later one.
    #[must_use]
    pub fn changed(&self, later: &Self) -> SlotSet {
        let mut changed = SlotSet::default();
        for (slot, (before, after)) in (0..SLOTS).zip(self.owners.iter().zip(&later.owners)) {
            if before != after {
                changed.insert(slot);
            }
        }
        let open = self.open.symmetric_difference(&later.open);
        open.for_each(|(slot, ..)| changed.insert(*slot));
        changed
    }

    /// The slots whose keys are on their way.
    #[must_use]
    pub fn open(&self) -> SlotSet {
        let mut slots = SlotSet::default();
        self.open.iter().for_each(|(slot, ..)| slots.insert(*slot));
        slots
    }
}

async fn ask(cluster: &Cluster, node: &Endpoint) -> Result<NodeView, ClientError> {
    let mut connection = cluster.connector(node).connect().await?;
    let view = NodeView::ask(&mut connection).await?;
    match view.is_primary {
        true => Ok(view),
        false => Err(ClientError::NotPrimary {
            address: node.to_string(),
            said_by: String::from("another node takes it for one: a failover may be under way"),
        }),
    }
}
