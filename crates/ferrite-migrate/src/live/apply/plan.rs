//! Decides what becomes of one command of the stream: sent on, sent on in part, replaced by
//! reading its keys again, or left out.
//!
//! A command is sent on if every key it touches takes part and is on the target as it was at the
//! source right before the command. A written key that is newer on the target already (see
//! [`Marks`]) is left alone. Everything in between is read again, which is always right.

use std::collections::HashSet;
use std::sync::Arc;

use ferrite_client::ReplyError;
use ferrite_resp::encode as resp;

use super::Ended;
use super::expired_fields::{Effect, ExpiredFields, REQUIRING, require};
use super::forwarded::Forwarded;
use super::target::home;
use super::transaction::Transaction;
use crate::engine::{EmptyKeys, Job};
use crate::live::classify::{Class, KeyAccess, KeyUse, Replay, classify, is_replay, split, unwrap};
use crate::live::marks::{Key, Marks};
use crate::live::rewrite::{Abilities, HOLD_MS, Rewrite, Times, rewrite};
use crate::live::{checkpoint, record};
use crate::preflight::Checked;

/// One command of the stream.
#[derive(Clone, Copy, Debug)]
pub struct Call<'a> {
    /// Its bytes.
    pub raw: &'a [u8],
    /// Its words.
    pub words: &'a [&'a [u8]],
    /// Where it ends in the stream.
    pub offset: u64,
    /// When it was received, by the source's clock in Unix ms.
    pub received_ms: u64,
}

/// What has to be done before the next command is planned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Read all keys again that the target has in this database, or in any: those that the
    /// source does not have any more are deleted.
    Reconcile(Option<u32>),
}

/// Plans commands, in their order.
pub struct Plan {
    job: Arc<Job>,
    abilities: Abilities,
    functions: bool,
    /// Whether every key of every database takes part, under its own database.
    takes_everything: bool,
    /// Whether the commands of consumer groups do something else on the target: from Redis 7.0 on
    /// a claim drops pending entries that were deleted from the stream, before that it keeps
    /// them, and groups do not count what they have read.
    rereads_groups: bool,
    expired_fields: ExpiredFields,
    empty: Arc<EmptyKeys>,
    hold_before_ms: u64,
    /// The database the stream has selected.
    db: u32,
    in_transaction: bool,
    /// Transactions of other masters that have begun and not ended (see `replays`).
    forwarded: Forwarded,
    getack: bool,
    /// Up to this offset, single keys may be newer on the target.
    uncertain_until: u64,
    /// Whether the keys that commands write are read again, instead of applying the commands.
    rereads: bool,
    /// Commands that the target does not accept, by where they end.
    refused_at: HashSet<u64>,
    /// Names of commands that the target does not know, in upper case.
    unknown: HashSet<Vec<u8>>,
    rewritten: Vec<u8>,
    held: HashSet<Key>,
    swaps: u64,
}

/// Commands at most that the target does not accept: a target that refuses more is not one that
/// can follow.
const REFUSED_MAX: usize = 100_000;

impl Plan {
    /// For a pair of servers.
    #[must_use]
    pub fn new(job: &Arc<Job>, checked: &Checked) -> Self {
        let version = checked.target.redis_version();
        let version = (version.major, version.minor);
        let config = &job.config;
        Self {
            abilities: Abilities::new(
                checked.source.dump_format(),
                &checked.target_values(),
                version,
            ),
            functions: checked.target.has_functions(),
            takes_everything: config.filter.is_all() && config.source_db().is_none(),
            job: Arc::clone(job),
            empty: job.tally(|tally| Arc::clone(&tally.empty)),
            rereads_groups: checked.source.is_at_least(7, 0) != checked.target.is_at_least(7, 0),
            expired_fields: ExpiredFields::of(&checked.source),
            hold_before_ms: u64::MAX,
            db: 0,
            in_transaction: false,
            forwarded: Forwarded::default(),
            getack: false,
            uncertain_until: 0,
            rereads: false,
            refused_at: HashSet::new(),
            unknown: HashSet::new(),
            rewritten: Vec::new(),
            held: HashSet::new(),
            swaps: 0,
        }
    }

    /// Begins at a checkpoint.
    pub fn begin(&mut self, db: u32, uncertain_until: u64) {
        self.db = db;
        self.in_transaction = false;
        self.forwarded = Forwarded::default();
        self.uncertain_until = uncertain_until;
    }

    /// The database the stream has selected.
    #[must_use]
    pub fn db(&self) -> u32 {
        self.db
    }

    /// Whether the source's transaction has begun and not ended.
    #[must_use]
    pub fn is_in_transaction(&self) -> bool {
        self.in_transaction || self.forwarded.any()
    }

    /// Whether the source asked how far we are, since this was last asked.
    pub fn take_getack(&mut self) -> bool {
        std::mem::take(&mut self.getack)
    }

    /// From here on, reads the keys again that commands write, instead of applying the commands.
    pub fn reread(&mut self) {
        self.rereads = true;
    }

    /// Expiries before this time (Unix ms) are held, others are written as they are.
    pub fn hold_before(&mut self, until_ms: u64) {
        self.hold_before_ms = until_ms;
    }

    /// The target does not accept this command, which ends there; whether that is news. One it
    /// does not know at all is not sent to it again.
    pub fn refuse(&mut self, words: &[&[u8]], offset: u64, is_unknown: bool) -> bool {
        let name = words.first().copied().unwrap_or_default().to_ascii_uppercase();
        match is_unknown {
            true => {
                let shown = String::from_utf8_lossy(&name).into_owned();
                self.job.warn(format!("the target refuses {shown}: keys it writes are read again"));
                self.unknown.insert(name)
            }
            false => self.refused_at.len() < REFUSED_MAX && self.refused_at.insert(offset),
        }
    }

    /// Whether the target is known not to accept a command.
    fn is_refused(&self, call: &Call<'_>) -> bool {
        if self.refused_at.is_empty() && self.unknown.is_empty() {
            return false;
        }
        let name = call.words.first().copied().unwrap_or_default().to_ascii_uppercase();
        self.refused_at.contains(&call.offset) || self.unknown.contains(&name)
    }

    /// Leaves out a command that is about no key.
    fn leave_out(&self, call: &Call<'_>) {
        let name = call.words.first().copied().unwrap_or_default();
        let name = String::from_utf8_lossy(name).to_uppercase();
        self.job.warn(format!("the target does not accept {name}, which is left out"));
    }

    /// Whether a key of the source takes part by its name.
    #[must_use]
    pub fn takes_part(&self, db: u32, key: &[u8]) -> bool {
        let is_selected = || {
            let config = &self.job.config;
            config.source_db().is_none_or(|only| only == db) && config.filter.accepts(key)
        };
        !key.starts_with(checkpoint::PREFIX) && (self.takes_everything || is_selected())
    }

    /// Plans one command.
    ///
    /// # Errors
    /// A command after which only a new copy helps.
    pub fn command(
        &mut self,
        call: &Call<'_>,
        transaction: &mut Transaction,
        marks: &mut Marks,
    ) -> Result<Option<Step>, Ended> {
        match is_replay(call.words).then(|| unwrap(call.words)).flatten() {
            Some(replay) => self.replay(call, &replay, transaction, marks),
            None => self.plain(call, transaction, marks),
        }
    }

    /// Plans a command that a KeyDB had wrapped.
    fn replay(
        &mut self,
        call: &Call<'_>,
        replay: &Replay<'_>,
        transaction: &mut Transaction,
        marks: &mut Marks,
    ) -> Result<Option<Step>, Ended> {
        self.db = replay.db.unwrap_or(self.db);
        if self.forwarded.takes(replay)? {
            return Ok(None);
        }
        let call = Call { raw: replay.raw, words: &replay.words, ..*call };
        self.plain(&call, transaction, marks)
    }

    /// Plans a command that is not wrapped.
    fn plain(
        &mut self,
        call: &Call<'_>,
        transaction: &mut Transaction,
        marks: &mut Marks,
    ) -> Result<Option<Step>, Ended> {
        let class = classify(call.words);
        if marks.watched.is_active() {
            self.note_changes(call, &class, marks);
        }
        match class {
            Class::Ignore | Class::DropSlots => {}
            Class::GetAck => self.getack = true,
            Class::Select(db) => self.db = db,
            Class::Multi => self.in_transaction = true,
            Class::Exec => self.in_transaction = false,
            Class::Publish | Class::Function if self.is_refused(call) => self.leave_out(call),
            // Nobody listens there.
            Class::Publish if self.rereads => {}
            Class::Publish => self.send(call, transaction),
            Class::Function if self.functions => self.function(call, transaction),
            Class::Function => {
                self.job.warn("the source changed its functions; the target has none");
            }
            Class::Keys(access) => self.keys(call, &access, transaction, marks),
            Class::Unknown(access) => self.unknown(call, &access, marks),
            Class::FlushDb => return self.flush(call, Some(self.db), transaction, marks),
            Class::FlushAll => return self.flush(call, None, transaction, marks),
            Class::SwapDb(one, other) => self.swap(call, (one, other), transaction, marks)?,
        }
        Ok(None)
    }

    /// Tells those who compare keys what the command may change.
    fn note_changes(&self, call: &Call<'_>, class: &Class, marks: &Marks) {
        match class {
            Class::Keys(access) => {
                for key in access.written() {
                    let (db, name) = self.key(call, key);
                    marks.watched.touch(db, name, call.offset);
                }
            }
            Class::Unknown(_) | Class::FlushDb | Class::FlushAll | Class::SwapDb(..) => {
                marks.watched.touch_all(call.offset);
            }
            _ => {}
        }
    }

    fn target_db(&self, db: u32) -> u32 {
        self.job.config.target_db().unwrap_or(db)
    }

    /// Sends a command on as it stands.
    fn send(&self, call: &Call<'_>, transaction: &mut Transaction) {
        transaction.select(self.db, self.target_db(self.db));
        transaction.push(call.raw, self.db, call.offset);
        transaction.commands += 1;
    }

    /// Sends a command about functions on. While the copy may have brought its libraries already,
    /// `FUNCTION LOAD code` and `FUNCTION RESTORE dump` replace them.
    fn function(&self, call: &Call<'_>, transaction: &mut Transaction) {
        let mut words = call.words.to_vec();
        let is = |place: usize, name: &[u8]| {
            call.words.get(place).is_some_and(|word: &&[u8]| word.eq_ignore_ascii_case(name))
        };
        let replaces = is(2, b"REPLACE") || is(3, b"REPLACE") || is(3, b"FLUSH");
        match () {
            () if replaces || call.offset > self.uncertain_until => {}
            () if is(1, b"LOAD") => words.insert(2.min(words.len()), b"REPLACE"),
            () if is(1, b"RESTORE") => {
                words.truncate(3);
                words.push(b"REPLACE");
            }
            () => {}
        }
        transaction.select(self.db, self.target_db(self.db));
        let mut encoded = Vec::new();
        resp::command(&mut encoded, &words);
        transaction.push(&encoded, self.db, call.offset);
        transaction.commands += 1;
    }

    /// Takes everything up to an offset for something the target may have seen.
    pub fn doubt(&mut self, until: u64) {
        self.uncertain_until = self.uncertain_until.max(until);
    }

    /// Whether what is written at an offset may be newer on the target.
    #[must_use]
    pub fn is_uncertain(&self, offset: u64) -> bool {
        offset <= self.uncertain_until
    }

    /// Sends a command on with its expiry as the target is to have it.
    fn send_rewritten(
        &mut self,
        call: &Call<'_>,
        access: &KeyAccess,
        transaction: &mut Transaction,
        marks: &mut Marks,
    ) {
        let name = call.words.first().copied().unwrap_or_default();
        if self.holds_some() && compares_expiries(call.words) {
            // Some expiries are held and some are not: they cannot be compared.
            return self.read_again(call, access, marks);
        }
        // The expiries of members (KeyDB) cannot be found again to be released, as long as they are
        // not those of fields.
        let is_untold = is_of_members(name) && !self.abilities.members_as_fields;
        let hold_ms = if is_untold { 0 } else { HOLD_MS };
        let hold_before_ms = self.hold_before_ms;
        let times = Times { received_at_ms: call.received_ms, hold_ms, hold_before_ms };
        self.rewritten.clear();
        match rewrite(call.words, &times, &self.abilities, &mut self.rewritten) {
            Rewrite::AsIs => {
                if !access.independent {
                    // RENAME and COPY take an expiry along.
                    self.note_held(call, access);
                }
                self.send(call, transaction);
            }
            Rewrite::Refetch => self.read_again(call, access, marks),
            Rewrite::Commands(_) => {
                self.note_held(call, access);
                transaction.select(self.db, self.target_db(self.db));
                // What was just encoded are commands.
                let pushed = transaction.push_all(&self.rewritten, self.db, call.offset);
                transaction.commands += 1;
                if pushed.is_err() {
                    self.read_again(call, access, marks);
                }
            }
        }
    }

    /// Whether some expiries are held and others are not.
    fn holds_some(&self) -> bool {
        self.hold_before_ms != u64::MAX && self.hold_before_ms > 0
    }

    /// Remembers which keys may have been given a held expiry since not all are held.
    fn note_held(&mut self, call: &Call<'_>, access: &KeyAccess) {
        if self.holds_some() {
            for key in access.written() {
                let (db, name) = self.key(call, key);
                self.held.insert((db, name.to_vec()));
            }
        }
    }

    /// The keys that may have been given a held expiry since not all are held.
    pub fn take_held(&mut self) -> HashSet<Key> {
        std::mem::take(&mut self.held)
    }

    /// How often databases have changed places: whoever goes through the keys of one after the
    /// other has missed some when this has changed.
    #[must_use]
    pub fn swaps(&self) -> u64 {
        self.swaps
    }

    fn keys(
        &mut self,
        call: &Call<'_>,
        access: &KeyAccess,
        transaction: &mut Transaction,
        marks: &mut Marks,
    ) {
        let effect = self.expired_fields.effect(call.words, self.in_transaction);
        let must_read = self.rereads
            || self.forwarded.any()
            || call.offset <= self.uncertain_until
            || effect == Effect::Uncertain
            || effect == Effect::SameIfThere && self.unknown.contains(REQUIRING)
            || self.is_of_groups(call)
            || self.is_refused(call)
            || self.may_be_empty(call, access);
        if !must_read && marks.is_empty() && self.takes_everything {
            return self.apply(call, access, effect, transaction, marks);
        }
        let is_needed = |key: &KeyUse| self.needs(call, *key, marks);
        let (mut needed, mut all) = (0, 0);
        for key in access.written() {
            all += 1;
            needed += usize::from(is_needed(&key));
        }
        match () {
            () if needed == 0 => {}
            () if must_read => self.read_again(call, access, marks),
            () if needed == all && (access.independent || self.are_level(call, access, marks)) => {
                self.apply(call, access, effect, transaction, marks);
            }
            () if access.independent => self.split(call, access, transaction, marks),
            () => self.read_again(call, access, marks),
        }
    }

    /// Sends a command on, and sees to it that what it must not delete is read again if it did.
    fn apply(
        &mut self,
        call: &Call<'_>,
        access: &KeyAccess,
        effect: Effect,
        transaction: &mut Transaction,
        marks: &mut Marks,
    ) {
        self.send_rewritten(call, access, transaction, marks);
        if effect == Effect::SameIfThere {
            for key in access.written() {
                self.rewritten.clear();
                require(self.key(call, key).1, &mut self.rewritten);
                transaction.push(&self.rewritten, self.db, call.offset);
            }
        }
    }

    fn is_of_groups(&self, call: &Call<'_>) -> bool {
        let name = call.words.first().copied().unwrap_or_default();
        let is_one_of = |names: [&[u8]; 3]| names.iter().any(|one| name.eq_ignore_ascii_case(one));
        // XSETID says from 7.0 on how many entries there were, which older ones refuse.
        self.rereads_groups && is_one_of([b"XCLAIM", b"XGROUP", b"XSETID"])
    }

    /// Whether a key that is written has no elements at the source, and is not on the target.
    fn may_be_empty(&self, call: &Call<'_>, access: &KeyAccess) -> bool {
        self.empty.any()
            && access.written().any(|key| {
                let (db, name) = self.key(call, key);
                self.empty.contain(db, name)
            })
    }

    fn key<'a>(&self, call: &Call<'a>, key: KeyUse) -> (u32, &'a [u8]) {
        (key.db.unwrap_or(self.db), call.words.get(key.word).copied().unwrap_or_default())
    }

    /// Whether the target needs the command for this key.
    fn needs(&self, call: &Call<'_>, key: KeyUse, marks: &Marks) -> bool {
        let (db, name) = self.key(call, key);
        self.takes_part(db, name) && !marks.is_ahead(db, name, call.offset)
    }

    /// Whether all keys that are read, named or not, are on the target as they were before the
    /// command.
    fn are_level(&self, call: &Call<'_>, access: &KeyAccess, marks: &Marks) -> bool {
        if access.reads_unnamed_keys() && !(marks.is_empty() && self.takes_everything) {
            return false;
        }
        let mut read = access.only_read();
        read.all(|word| self.needs(call, KeyUse { word, db: None }, marks))
    }

    /// Sends a command on for those of its keys that need it.
    fn split(
        &mut self,
        call: &Call<'_>,
        access: &KeyAccess,
        transaction: &mut Transaction,
        marks: &mut Marks,
    ) {
        let wanted = |word| self.needs(call, KeyUse { word, db: None }, marks);
        let mut part = Vec::new();
        if split(call.words, wanted, &mut part).is_none_or(|keys| keys == 0) {
            return self.read_again(call, access, marks);
        }
        transaction.select(self.db, self.target_db(self.db));
        transaction.push(&part, self.db, call.offset);
        transaction.commands += 1;
    }

    /// Has the written keys read again that need it.
    fn read_again(&self, call: &Call<'_>, access: &KeyAccess, marks: &mut Marks) {
        for key in access.written() {
            if self.needs(call, key, marks) {
                let (db, name) = self.key(call, key);
                marks.mark_dirty(db, name);
            }
        }
    }

    /// A KeyDB's expiry of a member that is no field of a hash: it is left out, and named. Whether
    /// a command that the target refused is that.
    pub fn leaves_member_out(&self, words: &[&[u8]], db: u32, error: &ReplyError) -> bool {
        let is_of_fields = words.first().is_some_and(|name| *name == b"HPEXPIREAT");
        let is = is_of_fields && self.abilities.members_as_fields && error.code == "WRONGTYPE";
        if is {
            let key = words.get(1).copied().unwrap_or_default();
            self.job.tally(|tally| tally.leave_out(db, key, "expiry of a KeyDB subkey"));
        }
        is
    }

    /// Has the keys read again that a failed command wrote; whether there are any.
    pub fn mark_written(&self, words: &[&[u8]], db: u32, marks: &mut Marks) -> bool {
        let (Class::Keys(access) | Class::Unknown(access)) = classify(words) else { return false };
        let mut any = false;
        for key in access.written() {
            let name = words.get(key.word).copied().unwrap_or_default();
            marks.mark_dirty(key.db.unwrap_or(db), name);
            any = true;
        }
        any
    }

    fn unknown(&self, call: &Call<'_>, access: &KeyAccess, marks: &mut Marks) {
        let name = call.words.first().copied().unwrap_or_default();
        let name = String::from_utf8_lossy(name).to_uppercase();
        if access.written().next().is_none() {
            self.job.warn(format!(
                "the source sent {name}, whose keys nobody knows: run `ferrite-migrate verify` \
                 when it is through"
            ));
        } else {
            self.job.warn(format!(
                "the source sent {name}: the keys it names are read again, others it may have \
                 written are not known"
            ));
        }
        self.read_again(call, access, marks);
    }

    /// A database, or all, were emptied. Where only a part of the keys takes part, the target may
    /// hold others, which stay.
    fn flush(
        &mut self,
        call: &Call<'_>,
        db: Option<u32>,
        transaction: &mut Transaction,
        marks: &mut Marks,
    ) -> Result<Option<Step>, Ended> {
        let is_whole = self.takes_everything && !self.is_refused(call);
        if call.offset <= self.uncertain_until || !is_whole {
            return Ok(Some(Step::Reconcile(db)));
        }
        self.send(call, transaction);
        let home = home(&self.job.config);
        if db.is_none_or(|db| db == home) {
            self.keep_record(home, transaction);
        }
        // What is newer than this command has gone with the rest.
        for (db, key) in marks.keys(db) {
            marks.mark_dirty(db, &key);
        }
        Ok(None)
    }

    fn swap(
        &mut self,
        call: &Call<'_>,
        (one, other): (u32, u32),
        transaction: &mut Transaction,
        marks: &mut Marks,
    ) -> Result<(), Ended> {
        let is_whole = self.takes_everything && !self.is_refused(call);
        if call.offset <= self.uncertain_until || !is_whole {
            let why = "the source exchanged two databases (SWAPDB) where that cannot be followed";
            return Err(Ended::Lost(String::from(why)));
        }
        self.swaps += 1;
        self.send(call, transaction);
        let home = home(&self.job.config);
        let there = match home {
            home if home == one => Some(other),
            home if home == other => Some(one),
            _ => None,
        };
        if let Some(there) = there {
            // The checkpoint has gone with its database.
            transaction.select(there, there);
            let id = &self.job.id;
            transaction.command(&[b"DEL", &checkpoint::key(id), &record::key(id)], there);
            self.keep_record(home, transaction);
        }
        for (_, key) in marks.keys(Some(one)).into_iter().chain(marks.keys(Some(other))) {
            marks.mark_dirty(one, &key);
            marks.mark_dirty(other, &key);
        }
        Ok(())
    }
}

impl Plan {
    /// Writes the job's record again, which has gone with its database.
    fn keep_record(&self, home: u32, transaction: &mut Transaction) {
        if let Some(record) = self.job.kept_record() {
            transaction.select(home, home);
            transaction.command(&[b"SET", &record::key(&self.job.id), &record], home);
        }
    }
}

/// Whether a command is about the expiries of a set's members.
fn is_of_members(name: &[u8]) -> bool {
    name.len() > 11 && name.to_ascii_uppercase().windows(6).any(|part| part == b"MEMBER")
}

/// Whether a command sets the expiries of fields only if they are later or earlier than before:
/// `HPEXPIREAT key time GT FIELDS …`.
fn compares_expiries(words: &[&[u8]]) -> bool {
    let is_of_fields =
        words.first().is_some_and(|name| name.starts_with(b"H") || name.starts_with(b"h"));
    let is_condition =
        |word: &&&[u8]| word.eq_ignore_ascii_case(b"GT") || word.eq_ignore_ascii_case(b"LT");
    is_of_fields && words.get(3).filter(is_condition).is_some()
}
