//! The one hand through which all keys go: collects the names of written keys from all streams,
//! has them carried, and moves the places of the streams when the target has acknowledged.

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use ferrite_client::{Backoff, ClientError};
use ferrite_resp::encode as resp;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};

use super::carry::{Carried, Crew, passes};
use super::hear::{Deed, Ear, Heard};
use super::nodes::Node;
use super::places::Places;
use crate::engine::Job;
use crate::error::{ErrorKind, MigrateError};
use crate::live::again::AWAY_MAX;
use crate::live::apply::{Ended, Request};
use crate::live::marks::Key;
use crate::live::missing::delete_missing;
use crate::live::progress::{Progress, Side};
use crate::live::run::internal;
use crate::preflight::{Checked, rivals};
use crate::targets::redis::target_error;

/// Names of keys that are collected before they are carried.
const KEYS_MAX: usize = 5000;
/// Pieces of streams that wait to be looked at.
pub const HEARD_MAX: usize = 256;
/// How often the places are written down.
const KEEP_EVERY: Duration = Duration::from_secs(1);

/// What all streams lead to.
pub struct Teller {
    /// The migration.
    pub job: Arc<Job>,
    /// Both ends.
    pub checked: Arc<Checked>,
    /// How far all streams are together.
    pub progress: Arc<Progress>,
    /// How far each stream is.
    pub parts: Vec<Arc<Progress>>,
    /// The streams.
    pub ears: Vec<Ear>,
    /// What they say.
    pub heard: mpsc::Receiver<Heard>,
    /// What is kept of the places.
    pub places: Places,
    /// The servers of the target.
    pub target: Arc<Mutex<Vec<Node>>>,
    /// Where it is kept.
    pub dir: PathBuf,
    /// Up to where each stream need not be kept any more.
    pub kept: Vec<Arc<AtomicU64>>,
}

/// What was heard and is not on the target yet.
#[derive(Default)]
struct Pending {
    keys: HashSet<Key>,
    deeds: Vec<Deed>,
    /// Of each stream that was heard: where it ends, when that came, and the database.
    ends: Vec<Option<(u64, u64, u32)>>,
    commands: u64,
}

impl Teller {
    /// Carries until the job is stopped, or all streams have ended and everything is carried.
    ///
    /// # Errors
    /// An end that refuses or stays away, a stream that cannot be understood.
    pub async fn run(mut self, requests: mpsc::Receiver<Request>) -> Result<Ended, MigrateError> {
        let job = Arc::clone(&self.job);
        let mut hearing = JoinSet::new();
        for ear in std::mem::take(&mut self.ears) {
            hearing.spawn(ear.run());
        }
        let ended = tokio::select! {
            ended = self.tell(requests, &mut hearing) => ended,
            () = job.stop.stopped() => Ok(Ended::Stopped),
        };
        hearing.shutdown().await;
        self.keep()?;
        ended
    }

    async fn tell(
        &mut self,
        mut requests: mpsc::Receiver<Request>,
        hearing: &mut JoinSet<Result<(), MigrateError>>,
    ) -> Result<Ended, MigrateError> {
        let mut crew = None;
        // Whatever a process that died has left on its way.
        self.patiently(&mut crew, &[]).await?;
        let mut ticks = interval(KEEP_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                Some(request) = requests.recv() => self.answer(request, &mut crew).await?,
                _ = ticks.tick() => self.keep()?,
                Some(heard) = hearing.join_next() => heard.map_err(internal)??,
                heard = self.heard.recv() => {
                    let Some(heard) = heard else {
                        while let Some(heard) = hearing.join_next().await {
                            heard.map_err(internal)??;
                        }
                        return Ok(Ended::Stopped);
                    };
                    let pending = self.collect(heard);
                    if let Some(ended) = self.settle(pending, &mut crew).await? {
                        return Ok(ended);
                    }
                }
            }
        }
    }

    /// What was heard by now, up to a limit.
    fn collect(&mut self, first: Heard) -> Pending {
        let mut pending = Pending { ends: vec![None; self.parts.len()], ..Pending::default() };
        let mut next = Some(first);
        while let Some(Heard { shard, end, received_ms, db, keys, deeds }) = next {
            pending.commands += keys.len() as u64;
            let watched = &self.progress.watched;
            if watched.is_active() {
                keys.iter().for_each(|(db, key)| watched.touch(*db, key, u64::MAX));
            }
            pending.keys.extend(keys);
            for deed in deeds {
                watched.touch_all(u64::MAX);
                // What was emptied twice need be looked at once.
                if deed != Deed::Emptied || !pending.deeds.contains(&deed) {
                    pending.deeds.push(deed);
                }
            }
            if let Some(known) = pending.ends.get_mut(shard) {
                *known = Some((end, received_ms, db));
            }
            let is_full = pending.keys.len() >= KEYS_MAX;
            next = if is_full { None } else { self.heard.try_recv().ok() };
        }
        pending
    }

    /// Brings what was heard to the target, then moves the places; how it ends, if it does.
    async fn settle(
        &mut self,
        pending: Pending,
        crew: &mut Option<Crew>,
    ) -> Result<Option<Ended>, MigrateError> {
        let Pending { keys, deeds, ends, commands } = pending;
        for deed in deeds {
            match deed {
                Deed::Exchanged => {
                    let why = "the source exchanged two databases (SWAPDB)";
                    return Ok(Some(Ended::Lost(String::from(why))));
                }
                deed => self.do_it(deed).await?,
            }
            // Should a connection have been lost: what was on its way there is ended first.
            *crew = None;
        }
        let count = keys.len() as u64;
        let mut keys: Vec<Key> = keys.into_iter().collect();
        keys.sort_unstable_by_key(|(db, _)| *db);
        self.patiently(crew, &keys).await?;
        for (shard, end) in ends.into_iter().enumerate() {
            let Some((end, received_ms, db)) = end else { continue };
            if let Some(part) = self.parts.get(shard) {
                part.set_applied(end, received_ms);
            }
            if let Some(place) = self.places.shards.get_mut(shard) {
                (place.offset, place.db) = (end, db);
            }
        }
        self.progress.count(commands, count, 0);
        Ok(None)
    }

    /// Carries keys, as often as it takes; without any, only sees to it that nothing is on its
    /// way to the target.
    async fn patiently(
        &mut self,
        crew: &mut Option<Crew>,
        keys: &[Key],
    ) -> Result<(), MigrateError> {
        let backoff = Backoff { attempts: u32::MAX, total: AWAY_MAX, ..Backoff::default() };
        let (began, mut failed) = (Instant::now(), 0);
        loop {
            let counted = self.job.tally(|tally| tally.counted());
            let carried = self.try_carry(crew, keys).await;
            self.job.tally(|tally| tally.put_back(counted));
            let error = match carried {
                Ok(Carried::Done) => break,
                Ok(Carried::Again) => {
                    *crew = None;
                    continue;
                }
                Err(error) if error.may_pass => error,
                Err(error) => return Err(error),
            };
            *crew = None;
            failed += 1;
            let side = if error.kind == ErrorKind::Source { Side::Source } else { Side::Target };
            tracing::debug!(%error, failed, "keys are carried again");
            self.progress.set_trouble(side, Some(error.to_string()));
            let Some(wait) = backoff.wait(failed, began.elapsed()) else { return Err(error) };
            tokio::time::sleep(wait).await;
        }
        for side in Side::ALL {
            self.progress.set_trouble(side, None);
        }
        Ok(())
    }

    async fn try_carry(
        &self,
        crew: &mut Option<Crew>,
        keys: &[Key],
    ) -> Result<Carried, MigrateError> {
        let crew = match crew {
            Some(crew) => crew,
            None => {
                end_writers(&self.job, &self.checked).await?;
                crew.insert(Crew::connect(&self.job, &self.checked).await?)
            }
        };
        if keys.is_empty() { Ok(Carried::Done) } else { crew.carry(keys).await }
    }

    /// Does what is about no single key, as often as it takes.
    async fn do_it(&self, deed: Deed) -> Result<(), MigrateError> {
        let backoff = Backoff { attempts: u32::MAX, total: AWAY_MAX, ..Backoff::default() };
        let (began, mut failed) = (Instant::now(), 0);
        loop {
            let done = match &deed {
                Deed::Function(words) => self.function(words).await,
                // A database of the source was emptied, or the part of it that one primary had.
                _ => delete_missing(&self.job, &self.checked).await,
            };
            let Err(error) = done else { return Ok(()) };
            failed += 1;
            let wait = backoff.wait(failed, began.elapsed()).filter(|_| error.may_pass);
            let Some(wait) = wait else { return Err(error) };
            self.progress.set_trouble(Side::Target, Some(error.to_string()));
            tokio::time::sleep(wait).await;
        }
    }

    /// Does the same to the function libraries of each server of the target. Of a cluster every
    /// primary tells of it, so what is there already, or gone already, is as it should be.
    async fn function(&self, words: &[Vec<u8>]) -> Result<(), MigrateError> {
        if !self.checked.target.has_functions() {
            self.job.warn("the source changed its functions; the target has none");
            return Ok(());
        }
        let words = replacing(words);
        let mut command = Vec::new();
        let borrowed: Vec<&[u8]> = words.iter().map(Vec::as_slice).collect();
        resp::command(&mut command, &borrowed);
        for connector in self.checked.target.shards() {
            let called = async { connector.connect().await?.call(&borrowed).await };
            match called.await {
                Ok(_) => {}
                Err(ClientError::Reply { error, .. })
                    if error.message.contains("not found") || error.message.contains("exists") => {}
                Err(error) if error.is_refusal() => {
                    self.job.warn(format!("function libraries are not followed: {error}"));
                }
                Err(error) => {
                    let failed = target_error("changing functions", &connector, &error);
                    return Err(failed.passing(passes(&error)));
                }
            }
        }
        Ok(())
    }

    /// Does what was asked for, when everything heard before is on the target.
    async fn answer(
        &mut self,
        request: Request,
        crew: &mut Option<Crew>,
    ) -> Result<(), MigrateError> {
        match request {
            Request::HoldBefore(_, done) => {
                let _ = done.send(());
            }
            Request::Held(answer) => {
                let _ = answer.send(Vec::new());
            }
            Request::Swaps(answer) => {
                let _ = answer.send(0);
            }
            Request::Refetch(keys, done) => {
                let watched = &self.progress.watched;
                keys.iter().for_each(|(db, key)| watched.touch(*db, key, u64::MAX));
                self.patiently(crew, &keys).await?;
                let _ = done.send(());
            }
            Request::Pause(done, released) => {
                let _ = done.send(());
                let _ = released.await;
            }
        }
        Ok(())
    }

    /// Writes the places down, if they have moved.
    fn keep(&mut self) -> Result<(), MigrateError> {
        self.places.target.clone_from(&self.target.lock().unwrap_or_else(PoisonError::into_inner));
        let known = self.places.shards.iter().zip(&self.kept);
        let has_moved =
            known.clone().any(|(place, kept)| place.offset != kept.load(Ordering::Relaxed));
        if has_moved {
            self.places.write(&self.dir)?;
            for (place, kept) in self.places.shards.iter().zip(&self.kept) {
                kept.store(place.offset, Ordering::Relaxed);
            }
        }
        Ok(())
    }
}

/// The same command about functions, for a server that may have what it brings.
fn replacing(words: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let is = |place: usize, name: &[u8]| {
        words.get(place).is_some_and(|word| word.eq_ignore_ascii_case(name))
    };
    let mut words = words.to_vec();
    if is(1, b"LOAD") && !is(2, b"REPLACE") {
        words.insert(2, b"REPLACE".to_vec());
    } else if is(1, b"RESTORE") && !is(3, b"FLUSH") {
        words.truncate(3);
        words.push(b"REPLACE".to_vec());
    }
    words
}

/// Ends all connections of the job that write to the target, on each of its servers, where we may:
/// what they had on its way must not be written behind what comes now.
///
/// # Errors
/// A server that is lost.
pub async fn end_writers(job: &Job, checked: &Checked) -> Result<(), MigrateError> {
    let target = &checked.target;
    let lost = |error: &ClientError| {
        let failed = target_error("ending earlier connections", &target.connector, error);
        failed.passing(passes(error))
    };
    if let Some(cluster) = &target.cluster {
        cluster.refresh(&cluster.map()).await.map_err(|error| lost(&error))?;
    }
    for connector in target.shards() {
        let ending = async {
            let mut connection = connector.connect().await?;
            let clients = connection.call(&["CLIENT", "LIST"]).await?;
            let clients = String::from_utf8_lossy(clients.as_bytes().unwrap_or_default());
            let name = job.copier_name();
            let ours = clients.lines().filter_map(rivals::client);
            let ours = ours.filter(|(_, client)| *client == name).map(|(id, _)| id);
            for id in ours.collect::<Vec<u64>>() {
                connection.call(&["CLIENT", "KILL", "ID", &id.to_string()]).await?;
            }
            Ok::<_, ClientError>(())
        };
        match ending.await {
            Err(error) if error.reply().is_none() && !error.is_refusal() => {
                return Err(lost(&error));
            }
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libraries_replace_what_is_there() {
        let words = |text: &str| -> Vec<Vec<u8>> {
            text.split(' ').map(|word| word.as_bytes().to_vec()).collect()
        };
        for (sent, wanted) in [
            ("FUNCTION LOAD code", "FUNCTION LOAD REPLACE code"),
            ("FUNCTION LOAD REPLACE code", "FUNCTION LOAD REPLACE code"),
            ("FUNCTION RESTORE dump APPEND", "FUNCTION RESTORE dump REPLACE"),
            ("FUNCTION RESTORE dump FLUSH", "FUNCTION RESTORE dump FLUSH"),
            ("FUNCTION DELETE name", "FUNCTION DELETE name"),
        ] {
            assert_eq!(replacing(&words(sent)), words(wanted), "{sent}");
        }
    }
}
