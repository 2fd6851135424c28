//! The way back: after a cutover the old source follows the target, each of its primaries by a
//! link of its own.

use std::sync::Arc;

use ferrite_client::ClientError;
use ferrite_client::replication::{Position, ReplicationLink};
use serde_json::{Value, json};

use super::attach::{Stream, places_of};
use super::nodes::{self, Primary};
use super::places::{Place, Places};
use super::{Source, is_between_clusters};
use crate::engine::Job;
use crate::error::{ErrorKind, MigrateError};
use crate::jobs::State;
use crate::live::guard::Guard;
use crate::live::links::attach_now;
use crate::live::reverse::{REVERSE, pass_over};
use crate::live::run::{Following, Live, journal_error, spool_error};
use crate::live::settle::master_offset;
use crate::live::spool::{self, SpoolOptions};
use crate::preflight::Checked;
use crate::sources::redis_scan::source_error;

/// The other direction, attached and not begun.
#[derive(Debug)]
pub struct Back {
    job: Arc<Job>,
    checked: Arc<Checked>,
    links: Vec<BackLink>,
}

/// The link to one server of the target.
#[derive(Debug)]
struct BackLink {
    primary: Primary,
    link: ReplicationLink,
    replid: String,
    /// Where others begin to write.
    from: u64,
}

impl Back {
    /// Everything of ours is on the target: marks where others begin to write.
    ///
    /// # Errors
    /// A server of the target that is lost, or is no primary any more.
    pub async fn mark(&mut self) -> Result<(), MigrateError> {
        for link in &mut self.links {
            let connector = &link.primary.connector;
            let marked = async {
                let mut connection = connector.connect().await?;
                master_offset(&mut connection).await
            };
            link.from = marked
                .await
                .map_err(|error| source_error(connector, "marking its stream", &error))?;
        }
        Ok(())
    }
}

impl Live {
    /// Attaches to the streams of the target.
    ///
    /// # Errors
    /// A target that does not let us follow it.
    pub(super) async fn prepare_back(&self) -> Result<Back, MigrateError> {
        let job = Arc::new(self.job.reversed());
        let checked = Arc::new(self.checked.reversed(&job).await?);
        let refused = |address: &str, error: ClientError| {
            let doing = format!("attaching as a replica to the target {address}");
            MigrateError::new(ErrorKind::Target, doing, error)
        };
        let address = checked.source.connector.address().to_string();
        let primaries = nodes::primaries(&checked.source).await;
        let mut links = Vec::new();
        for primary in primaries.map_err(|error| refused(&address, error))? {
            let attached = attach_now(&primary.connector).await;
            let (link, Position { replid, offset: from }) =
                attached.map_err(|error| refused(&primary.address, error))?;
            links.push(BackLink { primary, link, replid, from });
        }
        Ok(Back { job, checked, links })
    }

    /// Begins to follow in the other direction.
    ///
    /// # Errors
    /// A state that cannot be recorded, a target that is lost.
    pub(in crate::live) async fn turn_shards(
        &mut self,
        back: Back,
        guard: Option<&Guard>,
        following: &mut Following,
    ) -> Result<(), MigrateError> {
        let Back { job, checked, links } = back;
        let number = |(name, link): (usize, &BackLink)| Place {
            name: name.to_string(),
            replid: link.replid.clone(),
            offset: link.from,
            db: 0,
        };
        let shards: Vec<Place> = links.iter().enumerate().map(number).collect();
        let detail = json!({ REVERSE: { "shards": shards }, "guard": guard });
        self.dir.transition_with(State::CutOver, None, detail).map_err(journal_error)?;
        self.change_ends(job, checked);
        let target = nodes::primaries(&self.checked.target).await;
        let target = target.map_err(|error| {
            source_error(&self.checked.target.connector, "asking who it is", &error)
        })?;
        let target = target.into_iter().map(|primary| primary.node).collect();
        let places = self.keep_places(places_of(target, shards.clone()), false)?;
        let options = self.spool_options();
        let mut streams = Vec::new();
        for (link, place) in links.into_iter().zip(shards) {
            streams.push(begin(link, place, &options).await?);
        }
        let (listening, teller) = self.listen(streams, places);
        let applying = self.tell(teller);
        following.replace(listening, applying);
        self.applier_waits = None;
        Ok(())
    }

    /// After a cutover, goes on in the other direction.
    ///
    /// # Errors
    /// A state that cannot be recorded, an end that cannot be used.
    pub(super) async fn find_direction_of_shards(&mut self) -> Result<(), MigrateError> {
        if self.is_reversed || self.recorded_back().is_none() {
            return Ok(());
        }
        let job = Arc::new(self.job.reversed());
        let checked = Arc::new(self.checked.reversed(&job).await?);
        debug_assert!(is_between_clusters(&checked), "the ends are the same");
        self.change_ends(job, checked);
        self.start_guard(self.recorded_guard());
        self.enter(State::CutOver, None)
    }

    /// Where the way back begins, as the journal has it.
    #[must_use]
    pub(super) fn recorded_back(&self) -> Option<Places> {
        let details = self.dir.journal().iter().rev().filter_map(|record| record.detail.as_ref());
        let reverse = details.filter_map(|detail| detail.get(REVERSE)).next()?;
        let shards = reverse.get("shards").cloned().unwrap_or(Value::Null);
        let shards: Vec<Place> = serde_json::from_value(shards).ok()?;
        // Which servers took what came since is not known: those there are now.
        Some(places_of(Vec::new(), shards))
    }
}

/// Reads over what we wrote ourselves.
async fn begin(
    link: BackLink,
    place: Place,
    options: &SpoolOptions,
) -> Result<Stream, MigrateError> {
    let BackLink { primary, link, replid, from } = link;
    let link = pass_over(link, from).await;
    let link =
        link.map_err(|error| source_error(&primary.connector, "following it back", &error))?;
    let options = SpoolOptions { dir: options.dir.join(&place.name), ..options.clone() };
    let (writer, reader) = spool::create(options, from).map_err(spool_error)?;
    let Primary { connector, address, slots, .. } = primary;
    Ok(Stream { source: Source { address, slots, replid }, connector, place, link, writer, reader })
}
