//! What becomes of each command of a file: sent as it stands, sent in part, left out, or a reason
//! to stop before anything is written.
//!
//! Both passes over the files use it: the first one finds every reason to stop, the second one
//! sends. Expiries are held while commands are sent, because a server that loads an append-only
//! file does not expire anything either: a key may be due now, and may have been renewed or
//! counted up before it was.

use ferrite_commands::{Flag, Group, resolve};
use ferrite_rdb::aof::{Item, Reader, Step};
use ferrite_rdb::transcode::{Restorable, Transcoder};
use ferrite_resp::encode as resp;

use crate::glob::KeyFilter;
use crate::live::{
    Abilities, Class, HOLD_MS, KeyAccess, Rewrite, Times, classify, is_replay, rewrite, split,
    unwrap,
};
use crate::report::key_text;

/// A time other than 1970, to see whether what is written depends on it.
const ANOTHER_TIME_MS: u64 = 1_000_000_000;

/// Room that is kept for the next command, in bytes.
pub const KEPT_MAX: usize = 1 << 20;

/// The part of the files that is applied, by the annotations; Unix seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Window {
    /// Only commands executed after this second.
    pub after: Option<u64>,
    /// Only what was there at the end of this second.
    pub before: Option<u64>,
}

impl Window {
    /// Whether the times of commands matter.
    pub fn is_set(self) -> bool {
        self.after.is_some() || self.before.is_some()
    }
}

/// How commands are applied.
#[derive(Clone, Debug)]
pub struct Rules {
    /// Which keys take part.
    pub filter: KeyFilter,
    /// Which part of the files.
    pub window: Window,
    /// The only database of the files that takes part, if there is to be one.
    pub only_db: Option<u32>,
    /// The database it goes to, if the target's address names one; then there is an only one.
    pub target_db: Option<u32>,
    /// What the target can do.
    pub abilities: Abilities,
    /// How payloads get to it with the expiries of hash fields held.
    pub holding: Transcoder,
    /// The clock when the import began, in Unix ms.
    pub now_ms: u64,
    /// Whether the target has functions.
    pub functions: bool,
    /// Whether the target has keys that are not from these files.
    pub has_others: bool,
    /// Whether what the target has under the same name is replaced.
    pub replaces: bool,
    /// Whether the keys that commands write are deleted, instead of applying the commands: a
    /// command must not find a value on the target that is not from the file.
    pub clears: bool,
}

impl Rules {
    /// `RESTORE key ttl payload …` of a hash whose fields expire: those are held too.
    fn restore(&self, words: &[&[u8]], executed_ms: u64, out: &mut Vec<u8>) -> Option<()> {
        let [_, key, ttl, payload, ..] = words else { return None };
        let mut held = Vec::new();
        let Restorable::Written(losses) = self.holding.payload(payload, &mut held).ok()? else {
            return None;
        };
        let at = match std::str::from_utf8(ttl).ok()?.parse::<u64>().ok()? {
            0 => 0,
            at if is_absolute(words) => at.checked_add(HOLD_MS)?,
            left => executed_ms.checked_add(left)?.checked_add(HOLD_MS)?,
        };
        let at = at.to_string();
        let words = [&b"RESTORE"[..], key, at.as_bytes(), &held, b"REPLACE", b"ABSTTL"];
        losses.is_empty().then(|| resp::command(out, &words))
    }
}

/// Whether a `RESTORE` says when its key expires, not how long from now.
fn is_absolute(words: &[&[u8]]) -> bool {
    words.iter().skip(4).any(|word| word.eq_ignore_ascii_case(b"ABSTTL"))
}

/// Why a command cannot be applied, and what to do.
#[derive(Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Why.
    pub cause: String,
    /// What to do.
    pub hint: &'static str,
}

/// What was done so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Commands sent, those of transactions included.
    pub applied: u64,
    /// Commands whose keys do not take part, at least some of them.
    pub filtered: u64,
    /// Commands left out because of their time.
    pub outside: u64,
    /// Keys that expire so long after they were written, which is counted from now.
    pub from_now: u64,
    /// Transactions sent.
    pub transactions: u64,
    /// Transactions without an end, of which nothing was applied.
    pub discarded: u64,
}

/// Plans the commands of files, in their order.
#[derive(Debug)]
pub struct Plan {
    rules: Rules,
    /// What was done so far.
    pub counts: Counts,
    /// The time of the last annotation, in Unix seconds.
    pub clock: Option<u64>,
    /// The database the file has selected.
    db: u32,
    /// The database the target has selected, where it is known.
    sent_db: Option<u32>,
    transaction: Transaction,
    rewritten: Vec<u8>,
}

/// Where a transaction of the file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Transaction {
    None,
    /// It has begun in the file; nothing of it was sent.
    Begun,
    /// It has begun on the target, and so many of its commands were sent.
    Sent(u64),
}

impl Plan {
    /// Nothing planned yet.
    pub fn new(rules: Rules) -> Self {
        Self {
            rules,
            counts: Counts::default(),
            clock: None,
            db: 0,
            sent_db: None,
            transaction: Transaction::None,
            rewritten: Vec::new(),
        }
    }

    /// A file begins: servers read each one in database 0.
    pub fn begin_file(&mut self) {
        self.db = 0;
    }

    /// Whether a transaction of the file is open.
    pub fn is_in_transaction(&self) -> bool {
        self.transaction != Transaction::None
    }

    /// Whether what stands behind an annotation of this time does not belong to the window.
    pub fn is_past(&self, seconds: u64) -> bool {
        self.rules.window.before.is_some_and(|before| seconds > before)
    }

    /// A transaction has no end, or its end cannot be told any more: nothing of it is applied.
    /// Appends what takes it back; how many commands that are.
    pub fn give_up_transaction(&mut self, out: &mut Vec<u8>) -> usize {
        let transaction = std::mem::replace(&mut self.transaction, Transaction::None);
        if transaction != Transaction::None {
            self.counts.discarded += 1;
        }
        let Transaction::Sent(commands) = transaction else { return 0 };
        self.counts.applied -= commands;
        // What was selected within it is not selected now.
        self.sent_db = None;
        resp::command(out, &["DISCARD"]);
        1
    }

    /// Plans one command: appends what is to be sent, and says how many commands that are.
    ///
    /// # Errors
    /// A command that cannot be applied exactly.
    pub fn command(
        &mut self,
        raw: &[u8],
        words: &[&[u8]],
        out: &mut Vec<u8>,
    ) -> Result<usize, Refusal> {
        let replay = is_replay(words).then(|| unwrap(words)).flatten();
        let Some(replay) = replay else { return self.plain(raw, words, out) };
        if matches!(classify(&replay.words), Class::Multi | Class::Exec) {
            return refuse(
                "it belongs to a transaction of another master, among whose commands others stand",
                "migrate from the server itself: ferrite-migrate migrate",
            );
        }
        self.db = replay.db.unwrap_or(self.db);
        self.plain(replay.raw, &replay.words, out)
    }

    fn plain(&mut self, raw: &[u8], words: &[&[u8]], out: &mut Vec<u8>) -> Result<usize, Refusal> {
        let class = classify(words);
        match class {
            Class::Select(db) => self.db = db,
            Class::Multi if self.rules.clears => {}
            Class::Multi => self.transaction = Transaction::Begun,
            Class::Exec => return Ok(self.exec(out)),
            _ if self.is_outside() => self.counts.outside += 1,
            Class::Ignore | Class::GetAck | Class::Publish => {}
            Class::Function if self.rules.clears => {}
            Class::Function if self.rules.functions => return Ok(self.function(raw, words, out)),
            Class::Function => {
                return refuse("the target has no functions", "use a target of Redis 7.0 or later");
            }
            Class::FlushDb if self.is_elsewhere() => self.counts.filtered += 1,
            Class::FlushDb | Class::FlushAll | Class::SwapDb(..) => {
                self.check_whole(class)?;
                return Ok(self.send(raw, 1, out));
            }
            Class::DropSlots => {
                return refuse(
                    "it drops the keys of cluster slots that moved to another shard",
                    "copy the cluster's servers instead: ferrite-migrate migrate",
                );
            }
            Class::Keys(access) => return self.keys(raw, words, &access, out),
            Class::Unknown(_) => return self.unknown(raw, words, out),
        }
        Ok(0)
    }

    /// A library of the target's own is replaced where its keys are.
    fn function(&mut self, raw: &[u8], words: &[&[u8]], out: &mut Vec<u8>) -> usize {
        let is = |place: usize, name: &[u8]| {
            words.get(place).is_some_and(|word: &&[u8]| word.eq_ignore_ascii_case(name))
        };
        if !self.rules.replaces || !is(1, b"LOAD") || is(2, b"REPLACE") {
            return self.send(raw, 1, out);
        }
        let mut words = words.to_vec();
        words.insert(2.min(words.len()), b"REPLACE");
        let mut encoded = Vec::new();
        resp::command(&mut encoded, &words);
        self.send(&encoded, 1, out)
    }

    fn is_outside(&self) -> bool {
        let after = self.rules.window.after;
        after.is_some_and(|after| self.clock.is_none_or(|clock| clock <= after))
    }

    fn exec(&mut self, out: &mut Vec<u8>) -> usize {
        match std::mem::replace(&mut self.transaction, Transaction::None) {
            // Without a beginning: that was lost in a gap.
            Transaction::None | Transaction::Begun => 0,
            Transaction::Sent(_) => {
                self.counts.transactions += 1;
                resp::command(out, &["EXEC"]);
                1
            }
        }
    }

    /// Appends commands that are one command of the file, and what has to come before it.
    fn send(&mut self, encoded: &[u8], commands: usize, out: &mut Vec<u8>) -> usize {
        let mut before = 0;
        let db = self.rules.target_db.unwrap_or(self.db);
        if self.sent_db != Some(db) {
            resp::command(out, &[&b"SELECT"[..], db.to_string().as_bytes()]);
            self.sent_db = Some(db);
            before += 1;
        }
        match &mut self.transaction {
            Transaction::None => {}
            Transaction::Begun => {
                resp::command(out, &["MULTI"]);
                self.transaction = Transaction::Sent(1);
                before += 1;
            }
            Transaction::Sent(sent) => *sent += 1,
        }
        out.extend_from_slice(encoded);
        self.counts.applied += 1;
        before + commands
    }

    /// Whether the file has selected a database that does not take part.
    fn is_elsewhere(&self) -> bool {
        self.rules.only_db.is_some_and(|only| only != self.db)
    }

    /// A command on whole databases may be sent where nothing else is in them.
    fn check_whole(&self, class: Class) -> Result<(), Refusal> {
        if matches!(class, Class::SwapDb(..)) && self.rules.only_db.is_some() {
            return refuse(
                "it exchanges databases, of which only one was chosen",
                "import all databases: leave --db out",
            );
        }
        if self.rules.has_others {
            return refuse(
                "it is about whole databases, and the target has keys that are not from the file",
                "use an empty target",
            );
        }
        Ok(())
    }

    fn keys(
        &mut self,
        raw: &[u8],
        words: &[&[u8]],
        access: &KeyAccess,
        out: &mut Vec<u8>,
    ) -> Result<usize, Refusal> {
        let word = |at: usize| words.get(at).copied().unwrap_or_default();
        let only_here = access.written().all(|key| key.db.is_none_or(|db| db == self.db));
        if self.rules.only_db.is_some() && !only_here {
            return refuse(
                "it is about two databases, of which only one was chosen",
                "import all databases: leave --db out",
            );
        }
        if self.is_elsewhere() {
            self.counts.filtered += 1;
            return Ok(0);
        }
        if self.rules.clears {
            return Ok(self.clear(words, access, out));
        }
        let filter = &self.rules.filter;
        if filter.is_all() {
            return self.rewritten(raw, words, out);
        }
        let written = access.written().filter(|key| filter.accepts(word(key.word))).count();
        if written == 0 {
            self.counts.filtered += 1;
            return Ok(0);
        }
        let all_written = access.written().count() == written;
        let all_read = access.only_read().all(|at| filter.accepts(word(at)));
        if all_written && all_read && !access.reads_unnamed_keys() {
            return self.rewritten(raw, words, out);
        }
        let mut part = Vec::new();
        let kept = split(words, |at| filter.accepts(word(at)), &mut part);
        if kept.is_none_or(|kept| kept == 0) {
            return refuse(
                "it touches keys that are selected and keys that are not, and cannot be split",
                "select all keys of this command, or none: --filter, --exclude",
            );
        }
        self.counts.filtered += 1;
        let name = words.get(..1).unwrap_or_default();
        if self.rewrite(name, 0, &mut Vec::new()) == Rewrite::AsIs {
            // A command of its name never carries an expiry: its words need not be found again.
            return Ok(self.send(&part, 1, out));
        }
        let Ok(Step::Item { item: Item::Command { words, .. }, .. }) =
            Reader::new(0, part.len()).next(&part)
        else {
            return refuse("it cannot be split", "select all keys of this command, or none");
        };
        self.rewritten(&part, &words, out)
    }

    /// Deletes the keys that a command writes.
    fn clear(&mut self, words: &[&[u8]], access: &KeyAccess, out: &mut Vec<u8>) -> usize {
        let home = self.db;
        let mut databases = Vec::new();
        for db in access.written().map(|key| key.db.unwrap_or(home)) {
            if !databases.contains(&db) {
                databases.push(db);
            }
        }
        let mut sent = 0;
        // One command for each database: as many as there are keys would be several times as long.
        for db in databases {
            let here = || {
                let keys = access.written().filter(|key| key.db.unwrap_or(home) == db);
                let names = keys.filter_map(|key| words.get(key.word));
                names.filter(|name| self.rules.filter.accepts(name))
            };
            let count = here().count();
            if count == 0 {
                continue;
            }
            let mut delete = Vec::new();
            resp::array_header(&mut delete, count + 1);
            resp::bulk(&mut delete, b"DEL");
            here().for_each(|name| resp::bulk(&mut delete, name));
            self.db = db;
            sent += self.send(&delete, 1, out);
        }
        self.db = home;
        sent
    }

    /// Sends a command with its expiry held.
    fn rewritten(
        &mut self,
        raw: &[u8],
        words: &[&[u8]],
        out: &mut Vec<u8>,
    ) -> Result<usize, Refusal> {
        let mut encoded = std::mem::take(&mut self.rewritten);
        encoded.clear();
        let is_restore = words.first().is_some_and(|name| name.eq_ignore_ascii_case(b"RESTORE"));
        // Redis before 7.0 writes the time left here, and counts it from when it loads the file.
        let unknown_ms = if is_restore { self.rules.now_ms } else { 0 };
        let executed_ms = self.clock.map_or(unknown_ms, |clock| clock * 1000);
        let mut answer = self.rewrite(words, executed_ms, &mut encoded);
        if is_restore && answer == Rewrite::Refetch {
            let restored = self.rules.restore(words, executed_ms, &mut encoded);
            answer = restored.map_or(Rewrite::Refetch, |()| Rewrite::Commands(1));
        }
        let is_untold = self.clock.is_none() && matches!(answer, Rewrite::Commands(_));
        let is_relative = is_untold && self.is_relative(words, &encoded);
        let sent = match answer {
            Rewrite::AsIs => Ok(self.send(raw, 1, out)),
            Rewrite::Commands(_) if is_relative && !is_restore => refuse(
                "it expires so long after it was executed, and the file does not say when that was",
                "load the file into a server of its age and migrate from there",
            ),
            Rewrite::Commands(commands) => {
                self.counts.from_now += u64::from(is_relative);
                Ok(self.send(&encoded, commands, out))
            }
            Rewrite::Refetch => refuse(
                "the target cannot take its expiry or its value as it is",
                "use a target of the version that wrote the file, or a later one",
            ),
        };
        if encoded.capacity() <= KEPT_MAX {
            self.rewritten = encoded;
        }
        sent
    }

    fn rewrite(&self, words: &[&[u8]], received_at_ms: u64, out: &mut Vec<u8>) -> Rewrite {
        let name = words.first().copied().unwrap_or_default();
        // Expiries of members (KeyDB) cannot be listed, so they cannot be released.
        let is_of_members =
            name.to_ascii_uppercase().windows(12).any(|part| part == b"EXPIREMEMBER");
        let hold_ms = if is_of_members { 0 } else { HOLD_MS };
        let times = Times { received_at_ms, hold_ms, hold_before_ms: u64::MAX };
        rewrite(words, &times, &self.rules.abilities, out)
    }

    /// Whether what is written depends on when the command was executed.
    fn is_relative(&self, words: &[&[u8]], encoded: &[u8]) -> bool {
        if words.first().is_some_and(|name| name.eq_ignore_ascii_case(b"RESTORE")) {
            return words.get(2) != Some(&&b"0"[..]) && !is_absolute(words);
        }
        let mut other = Vec::new();
        self.rewrite(words, ANOTHER_TIME_MS, &mut other);
        encoded != other
    }

    /// Scripts of old servers, and commands of modules: sent as they stand, where nothing depends
    /// on which keys they touch.
    fn unknown(
        &mut self,
        raw: &[u8],
        words: &[&[u8]],
        out: &mut Vec<u8>,
    ) -> Result<usize, Refusal> {
        let by_chance = resolve(words).is_some_and(|command| {
            command.group != Group::Scripting && !command.flags.contains(Flag::Module)
        });
        if by_chance {
            return refuse(
                "what it does depends on when it is executed",
                "--salvage does not help",
            );
        }
        if !self.rules.filter.is_all() || self.rules.only_db.is_some() || self.rules.has_others {
            return refuse(
                "nobody can say which keys it touches",
                "import all keys of the file into an empty target, and copy the selected ones from there",
            );
        }
        Ok(self.send(raw, 1, out))
    }
}

fn refuse<T>(cause: impl Into<String>, hint: &'static str) -> Result<T, Refusal> {
    Err(Refusal { cause: cause.into(), hint })
}

/// A command for messages: its name and its first key.
pub fn command_text(words: &[&[u8]]) -> String {
    let name = key_text(words.first().copied().unwrap_or_default()).to_uppercase();
    let first = match classify(words) {
        Class::Keys(access) | Class::Unknown(access) => access.written().next(),
        _ => None,
    };
    match first.and_then(|key| words.get(key.word)) {
        Some(key) => format!("{name} \"{}\"", key_text(key)),
        None => name,
    }
}
