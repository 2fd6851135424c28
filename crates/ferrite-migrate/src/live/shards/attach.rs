//! Attaches to every primary of the source: where its stream was left, or anew.
//!
//! Whether both ends have to be compared is told by what is found, so that it is told as well to a
//! process that takes up what another one left: a stream that does not continue where it was left,
//! a primary without a stream that was followed, a server of the target that is another run.

use std::sync::atomic::AtomicU64;
use std::sync::{Arc, PoisonError};

use ferrite_client::Connector;
use ferrite_client::replication::{Position, ReplicationLink};
use tokio::sync::mpsc;

use super::Source;
use super::apply::{HEARD_MAX, Teller};
use super::hear::Ear;
use super::nodes::{self, Node, Primary};
use super::places::{Place, Places};
use super::watch::{Watch, listen, why_replaced};
use crate::error::MigrateError;
use crate::jobs::State;
use crate::live::again::attach_error;
use crate::live::links::{attach_stream, resume};
use crate::live::progress::{Progress, Side};
use crate::live::receive::Receiver;
use crate::live::run::{Live, Receiving, internal, spool_error};
use crate::live::spool::{self, Reader, SpoolOptions, Writer};
use crate::sources::redis_scan::source_error;
use crate::targets::redis::target_error;

/// One stream, attached to and not received yet.
pub struct Stream {
    /// The server.
    pub source: Source,
    /// How to connect to it.
    pub connector: Connector,
    /// Where it goes on.
    pub place: Place,
    /// The link to it.
    pub link: ReplicationLink,
    /// Keeps what is received.
    pub writer: Writer,
    /// Gives it.
    pub reader: Reader,
}

/// All streams.
pub struct Attached {
    /// Each of them.
    pub streams: Vec<Stream>,
    /// Where they are, and who has acknowledged it.
    pub places: Places,
    /// Why both ends have to be compared, or copied for the first time.
    pub wants_copy: Option<String>,
}

impl Live {
    /// Attaches to all streams; `None` if that was stopped.
    ///
    /// # Errors
    /// An end that refuses, or is away.
    pub(super) async fn attach_shards(
        &mut self,
        again: Option<&str>,
    ) -> Result<Option<Attached>, MigrateError> {
        if !self.is_reversed {
            self.enter(State::Attaching, again)?;
            if !self.keep_undo().await? {
                return Ok(None);
            }
        }
        let is_ours = |places: &Places| places.reversed == self.is_reversed;
        let known = Places::read(self.dir.path()).filter(is_ours);
        let known = known.or_else(|| self.recorded_back().filter(is_ours));
        let attaching = Attaching {
            known: known.clone().unwrap_or_default(),
            checked: Arc::clone(&self.checked),
            spool: self.spool_options(),
            wants_copy: match (again, &known) {
                (Some(why), _) => Some(why.to_owned()),
                (None, None) => Some(String::from("nothing was copied yet")),
                (None, Some(places)) if places.copying => {
                    Some(String::from("the last copy did not come to its end"))
                }
                (None, Some(_)) => None,
            },
        };
        let Some(attached) = self.meanwhile(attaching.run()).await else { return Ok(None) };
        attached.map(Some)
    }

    /// Records where the streams are before anything is done about it.
    pub(super) fn keep_places(
        &mut self,
        mut places: Places,
        copying: bool,
    ) -> Result<Places, MigrateError> {
        places.copying = copying;
        places.reversed = self.is_reversed;
        places.write(self.dir.path())?;
        Ok(places)
    }

    /// Begins to receive; what is received waits to be told to the target.
    pub(super) fn listen(&mut self, streams: Vec<Stream>, places: Places) -> (Receiving, Teller) {
        let (hears, heard) = mpsc::channel(HEARD_MAX);
        let (mut receivers, mut ears, mut parts, mut kept) = (vec![], vec![], vec![], vec![]);
        let shards = self.known_shards();
        shards.sources = streams.iter().map(|stream| stream.source.clone()).collect();
        *shards.target.lock().unwrap_or_else(PoisonError::into_inner) = places.target.clone();
        let target = Arc::clone(&shards.target);
        for (shard, stream) in streams.into_iter().enumerate() {
            let Stream { connector, place, link, writer, reader, .. } = stream;
            let progress = Arc::new(Progress::default());
            progress.set_clock_skew_ms(self.clock_skew_ms);
            progress.restart(&place.replid, place.offset);
            progress.set_received(writer.end());
            progress.set_spool(writer.gauge());
            let job = Arc::clone(&self.job);
            let until = Arc::new(AtomicU64::new(place.offset));
            ears.push(Ear {
                job: Arc::clone(&job),
                shard,
                reader,
                progress: Arc::clone(&progress),
                offset: place.offset,
                db: place.db,
                kept: Arc::clone(&until),
                heard: hears.clone(),
            });
            let clock_skew_ms = self.clock_skew_ms;
            parts.push(Arc::clone(&progress));
            receivers.push((Receiver { job, connector, writer, progress, clock_skew_ms }, link));
            kept.push(until);
        }
        self.progress.set_parts(parts.clone());
        for side in Side::ALL {
            self.progress.set_trouble(side, None);
        }
        let checked = Arc::clone(&self.checked);
        let replids = places.shards.iter().map(|place| place.replid.clone()).collect();
        let watch = Watch { checked, replids, target: Arc::clone(&target), strange: 0 };
        let listening = tokio::spawn(listen(receivers, watch));
        let teller = Teller {
            job: Arc::clone(&self.job),
            checked: Arc::clone(&self.checked),
            progress: Arc::clone(&self.progress),
            parts,
            ears,
            heard,
            places,
            target,
            dir: self.dir.path().to_owned(),
            kept,
        };
        (listening, teller)
    }
}

/// What is needed to attach.
struct Attaching {
    known: Places,
    checked: Arc<crate::preflight::Checked>,
    spool: SpoolOptions,
    wants_copy: Option<String>,
}

impl Attaching {
    async fn run(mut self) -> Result<Attached, MigrateError> {
        let target = &self.checked.target;
        let theirs = nodes::primaries(target).await;
        let theirs =
            theirs.map_err(|error| target_error("asking who it is", &target.connector, &error))?;
        if let Some(why) = why_replaced(&self.known.target, &theirs) {
            self.wants_copy.get_or_insert(why);
        }
        let source = &self.checked.source;
        let ours = nodes::primaries(source).await;
        let ours =
            ours.map_err(|error| source_error(&source.connector, "asking who it is", &error))?;
        self.spool.quota /= (ours.len() as u64).max(1);
        self.spool.quota = self.spool.quota.max(spool::QUOTA_MIN);
        let mut streams = Vec::new();
        let mut places = Places {
            target: theirs.into_iter().map(|primary| primary.node).collect(),
            ..self.known.clone()
        };
        let known = std::mem::take(&mut places.shards);
        for primary in ours {
            let place = known.iter().find(|place| place.replid == primary.replid);
            let stream = match place {
                Some(place) => self.go_on(&primary, place).await?,
                None => None,
            };
            let stream = match stream {
                Some(stream) => stream,
                None => {
                    self.wants_copy.get_or_insert_with(|| lost(&primary, place));
                    let mut named = known.clone();
                    named.extend(places.shards.iter().cloned());
                    let name = Places { shards: named, ..Places::default() }.new_name();
                    self.begin(&primary, name).await?
                }
            };
            places.shards.push(stream.place.clone());
            streams.push(stream);
        }
        for place in
            known.iter().filter(|place| !places.shards.iter().any(|it| it.name == place.name))
        {
            let _ = std::fs::remove_dir_all(self.spool.dir.join(&place.name));
        }
        if places.shards.len() < known.len() {
            // The last of it may not have been received.
            self.wants_copy.get_or_insert_with(|| {
                String::from("a primary that was followed has none any more")
            });
        }
        Ok(Attached { streams, places, wants_copy: self.wants_copy })
    }

    fn options(&self, name: &str) -> SpoolOptions {
        SpoolOptions { dir: self.spool.dir.join(name), ..self.spool.clone() }
    }

    /// Goes on with a stream where it was left; `None` if the server does not continue there.
    async fn go_on(
        &self,
        primary: &Primary,
        place: &Place,
    ) -> Result<Option<Stream>, MigrateError> {
        let (options, from) = (self.options(&place.name), place.offset);
        let opened =
            tokio::task::spawn_blocking(move || match spool::open(options.clone(), from)? {
                Some(spool) => Ok(spool),
                None => spool::create(options, from),
            });
        let (writer, reader) = opened.await.map_err(internal)?.map_err(spool_error)?;
        let position = Position { replid: place.replid.clone(), offset: writer.end() };
        let resumed = resume(&primary.connector, &position).await;
        let resumed = resumed.map_err(|error| {
            attach_error(&primary.connector, crate::live::links::AttachError::Client(error))
        })?;
        Ok(resumed.map(|(link, _)| stream(primary, place.clone(), link, (writer, reader))))
    }

    /// Attaches to a stream that was not followed.
    async fn begin(&self, primary: &Primary, name: String) -> Result<Stream, MigrateError> {
        let filters = self.checked.source.is_at_least(7, 0);
        let attached = attach_stream(&primary.connector, filters).await;
        let (link, Position { replid, offset }) =
            attached.map_err(|error| attach_error(&primary.connector, error))?;
        let spool = spool::create(self.options(&name), offset).map_err(spool_error)?;
        Ok(stream(primary, Place { name, replid, offset, db: 0 }, link, spool))
    }
}

fn stream(
    primary: &Primary,
    place: Place,
    link: ReplicationLink,
    (writer, reader): (Writer, Reader),
) -> Stream {
    let (address, slots) = (primary.address.clone(), primary.slots.clone());
    let source = Source { address, slots, replid: place.replid.clone() };
    Stream { source, connector: primary.connector.clone(), place, link, writer, reader }
}

/// Why a stream begins anew.
fn lost(primary: &Primary, place: Option<&Place>) -> String {
    match place {
        Some(place) => format!(
            "{} no longer has its commands from offset {} on: its backlog was too small for the \
             time we were away",
            primary.address, place.offset
        ),
        None => format!("the history of {} was not followed", primary.address),
    }
}

/// What a way back is recorded with is as good as what is kept of it.
#[must_use]
pub fn places_of(target: Vec<Node>, shards: Vec<Place>) -> Places {
    Places { reversed: true, copying: false, target, shards }
}
