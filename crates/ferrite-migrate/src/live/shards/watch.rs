//! Receives all streams, and looks from time to time whether they are still all there are, and
//! whether the target is still the one that has acknowledged what it has.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ferrite_client::replication::ReplicationLink;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};

use super::nodes::{Node, primaries, replaced};
use crate::error::MigrateError;
use crate::live::receive::{Ended, Receiver};
use crate::live::run::internal;
use crate::preflight::Checked;

/// How often it is looked.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How often a server of the source must be seen that is not followed: the first time, its link
/// may just be being made.
const LOOKS: u32 = 2;

/// Looks at both ends.
pub struct Watch {
    /// Both ends.
    pub checked: Arc<Checked>,
    /// The histories that are followed.
    pub replids: Vec<String>,
    /// The servers of the target that have acknowledged something.
    pub target: Arc<Mutex<Vec<Node>>>,
    /// How often in a row a server was seen that is not followed.
    pub strange: u32,
}

/// Receives until the job is stopped, or a stream is lost, or one is missing.
///
/// # Errors
/// A source that refuses us or stays away, a spool that cannot be written.
pub async fn listen(
    receivers: Vec<(Receiver, ReplicationLink)>,
    mut watch: Watch,
) -> Result<Ended, MigrateError> {
    let mut receiving = JoinSet::new();
    for (receiver, link) in receivers {
        receiving.spawn(receiver.run(Some(link)));
    }
    let mut ticks = interval(LOOK_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            ended = receiving.join_next() => match ended {
                None => return Ok(Ended::Stopped),
                Some(ended) => match ended.map_err(internal)?? {
                    Ended::Stopped => {}
                    lost @ Ended::Lost(_) => return Ok(lost),
                },
            },
            _ = ticks.tick() => {
                if let Some(why) = watch.look().await {
                    return Ok(Ended::Lost(why));
                }
            }
        }
    }
}

impl Watch {
    /// Why both ends have to be compared again, if they have to. An end that does not answer now
    /// tells nothing.
    async fn look(&mut self) -> Option<String> {
        if let Ok(now) = primaries(&self.checked.source).await {
            let is_strange = |replid: &String| !self.replids.contains(replid);
            let stranger = now.iter().find(|primary| is_strange(&primary.replid));
            self.strange = if stranger.is_some() { self.strange + 1 } else { 0 };
            if let Some(primary) = stranger.filter(|_| self.strange >= LOOKS) {
                return Some(format!(
                    "{} of the source has a history that was not followed: it took over from \
                     another server, was restarted, or has joined with slots",
                    primary.address
                ));
            }
        }
        let now = primaries(&self.checked.target).await.ok()?;
        let mut known = self.target.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(why) = why_replaced(&known, &now) {
            return Some(why);
        }
        for primary in now {
            if !known.contains(&primary.node) {
                known.push(primary.node);
            }
        }
        None
    }
}

/// Why the target may have lost what it had acknowledged, if it may.
pub fn why_replaced(known: &[Node], now: &[super::nodes::Primary]) -> Option<String> {
    let node = replaced(known, now)?;
    let named = if node.id.is_empty() { "the target" } else { &node.id };
    let of = if node.id.is_empty() { "" } else { " of the target" };
    Some(format!(
        "{named}{of} was restarted, or another server took its place: what it had acknowledged \
         last may be gone"
    ))
}
