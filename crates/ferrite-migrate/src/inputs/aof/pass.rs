//! One pass over all files: shows each command to the plan, and what is to be sent to somebody.
//!
//! The first pass sends nothing. It finds damage, times that are missing and commands that cannot
//! be applied before anything is written. The second one sends.

use std::path::PathBuf;

use serde::Serialize;

use super::files::AofFile;
use super::plan::{KEPT_MAX, Plan, Refusal, Rules, command_text};
use super::walk::{Flow, Seen, Walk};
use crate::error::{ErrorKind, MigrateError};
use crate::time::rfc3339;

/// Places that are named of what was left out.
const NOTES_MAX: usize = 100;

/// Something of a file that was not applied.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AofNote {
    /// The file.
    pub file: PathBuf,
    /// Where in it, in bytes.
    pub offset: u64,
    /// How many bytes.
    pub bytes: u64,
    /// What: `gap`, `truncated` or `discarded`.
    pub what: &'static str,
}

/// How files are gone through.
#[derive(Clone, Copy, Debug)]
pub struct Manner {
    /// The longest command, in bytes.
    pub command_limit: usize,
    /// Whether damage is gone past.
    pub salvages: bool,
}

/// What a pass found.
#[derive(Debug)]
pub struct Passed {
    /// The plan, with its counts.
    pub plan: Plan,
    /// What was not applied, the first of it.
    pub notes: Vec<AofNote>,
    /// Gaps there were.
    pub gaps: u64,
    /// The first and the last time of an annotation, in Unix seconds.
    pub times: Option<(u64, u64)>,
}

/// What is to be sent for one command of a file.
#[derive(Debug)]
pub struct Planned<'a> {
    /// Which file.
    pub file: usize,
    /// Where the command begins in it.
    pub offset: u64,
    /// What is sent.
    pub encoded: &'a [u8],
    /// How many commands that are.
    pub commands: usize,
}

/// Goes through the commands of all files.
///
/// # Errors
/// Damage, files that cannot be read, commands that cannot be applied, and what `send` says; it
/// may also stop the pass.
pub fn pass(
    files: &[AofFile],
    rules: &Rules,
    manner: Manner,
    mut send: impl FnMut(Planned<'_>) -> Result<Flow, MigrateError>,
) -> Result<Passed, MigrateError> {
    let plan = Plan::new(rules.clone());
    let mut passed = Passed { plan, notes: Vec::new(), gaps: 0, times: None };
    let mut untimed = None;
    let mut out = Vec::new();
    for (index, file) in files.iter().enumerate() {
        check_base(file, rules)?;
        if file.is_base && rules.window.after.is_some() {
            continue;
        }
        passed.plan.begin_file();
        let is_last = index + 1 == files.len();
        let mut one = OneFile { file, rules, manner, is_last, open_at: 0, stops: false, untimed };
        let walk = Walk::open(&file.path, file.commands_at, manner.command_limit, manner.salvages)?;
        walk.each(|seen| {
            out.clear();
            let (offset, commands) = one.seen(seen, &mut passed, &mut out)?;
            if commands > 0 {
                let flow = send(Planned { file: index, offset, encoded: &out, commands })?;
                one.stops |= flow.is_break();
            }
            if out.capacity() > KEPT_MAX {
                out = Vec::new();
            }
            Ok(if one.stops { Flow::Break(()) } else { Flow::Continue(()) })
        })?;
        let OneFile { open_at: offset, stops, untimed: still, .. } = one;
        untimed = still;
        out.clear();
        let end = std::fs::metadata(&file.path).map_or(offset, |meta| meta.len());
        let commands = passed.discard(file, offset, end, &mut out);
        if commands > 0 {
            let _ = send(Planned { file: index, offset, encoded: &out, commands })?;
        }
        if stops {
            break;
        }
    }
    if rules.window.is_set() && passed.times.is_none() {
        return Err(without_times(files));
    }
    Ok(passed)
}

/// One file on the way through it.
struct OneFile<'a> {
    file: &'a AofFile,
    rules: &'a Rules,
    manner: Manner,
    is_last: bool,
    /// Where the last transaction began.
    open_at: u64,
    /// Whether nothing behind this place is wanted.
    stops: bool,
    /// The first command of which no time is known yet.
    untimed: Option<(PathBuf, u64)>,
}

impl OneFile<'_> {
    /// Takes what was seen: appends what is to be sent for it, and says where it stands and how
    /// many commands that are.
    fn seen(
        &mut self,
        seen: Seen<'_>,
        passed: &mut Passed,
        out: &mut Vec<u8>,
    ) -> Result<(u64, usize), MigrateError> {
        match seen {
            Seen::Time { seconds } if !passed.plan.is_in_transaction() => {
                check_untimed(&mut self.untimed, self.rules, seconds)?;
                self.stops = passed.time(self.file, seconds)?;
            }
            Seen::Time { .. } => {}
            Seen::Command { offset, raw, words } => {
                let was_open = passed.plan.is_in_transaction();
                let has_no_time = passed.plan.clock.is_none() && !self.file.is_base;
                if self.rules.window.is_set() && has_no_time && self.untimed.is_none() {
                    self.untimed = Some((self.file.path.clone(), offset));
                }
                let planned = passed.plan.command(raw, words, out);
                let commands = planned.map_err(|why| refusal(self.file, offset, words, &why))?;
                if !was_open && passed.plan.is_in_transaction() {
                    self.open_at = offset;
                }
                return Ok((offset, commands));
            }
            Seen::Gap { offset, bytes } => {
                passed.gaps += 1;
                passed.note(self.file, offset, bytes, "gap");
                return Ok((offset, passed.discard(self.file, self.open_at, offset, out)));
            }
            Seen::Truncated { offset, .. } if !self.is_last && !self.manner.salvages => {
                return Err(ends_early(self.file, offset));
            }
            Seen::Truncated { offset, bytes } => {
                passed.note(self.file, offset, bytes, "truncated");
            }
        }
        Ok((0, 0))
    }
}

impl Passed {
    fn note(&mut self, file: &AofFile, offset: u64, bytes: u64, what: &'static str) {
        if self.notes.len() < NOTES_MAX {
            self.notes.push(AofNote { file: file.path.clone(), offset, bytes, what });
        }
    }

    /// Gives up a transaction without an end.
    fn discard(&mut self, file: &AofFile, open_at: u64, end: u64, out: &mut Vec<u8>) -> usize {
        if self.plan.is_in_transaction() {
            self.note(file, open_at, end.saturating_sub(open_at), "discarded");
        }
        self.plan.give_up_transaction(out)
    }

    /// An annotation: whether everything behind it is later than what is wanted.
    fn time(&mut self, file: &AofFile, seconds: u64) -> Result<bool, MigrateError> {
        if self.plan.is_past(seconds) {
            return match file.is_base {
                true => Err(base_is_later(file, seconds)),
                false => {
                    self.times.get_or_insert((seconds, seconds));
                    Ok(true)
                }
            };
        }
        self.plan.clock = Some(seconds);
        let (first, _) = self.times.unwrap_or((seconds, seconds));
        self.times = Some((first, seconds));
        Ok(false)
    }
}

/// A snapshot that was made later than the time wanted has lost what was there then.
fn check_base(file: &AofFile, rules: &Rules) -> Result<(), MigrateError> {
    let made_at = file.rdb.and_then(|rdb| rdb.made_at);
    match (rules.window.before, made_at) {
        (Some(before), Some(made_at)) if made_at > before => Err(base_is_later(file, made_at)),
        _ => Ok(()),
    }
}

fn base_is_later(file: &AofFile, made_at: u64) -> MigrateError {
    let doing = format!("going back in {}", file.path.display());
    let cause = format!("its snapshot is of {}, later than --before", rfc3339(made_at * 1000));
    MigrateError::new(ErrorKind::Config, doing, cause)
        .with_hint("take older files, from before the append-only file was rewritten")
}

/// Commands in front of the first annotation are older than it says; how much is not known.
fn check_untimed(
    untimed: &mut Option<(PathBuf, u64)>,
    rules: &Rules,
    seconds: u64,
) -> Result<(), MigrateError> {
    let Some((path, offset)) = untimed.take() else { return Ok(()) };
    let edges = [rules.window.before, rules.window.after];
    if edges.into_iter().flatten().all(|edge| seconds <= edge) {
        return Ok(());
    }
    let doing = format!("reading the append-only file {}", path.display());
    let cause = format!(
        "the commands from byte {offset} on carry no time; the first one it tells is {}",
        rfc3339(seconds * 1000)
    );
    Err(MigrateError::new(ErrorKind::Config, doing, cause).with_hint(format!(
        "a --before or --after of {} or later can be told",
        rfc3339(seconds * 1000)
    )))
}

fn without_times(files: &[AofFile]) -> MigrateError {
    let path = files.last().map(|file| file.path.display().to_string()).unwrap_or_default();
    let doing = format!("looking for times in {path}");
    let cause = "there are none, so --before and --after cannot be told";
    MigrateError::new(ErrorKind::Config, doing, cause).with_hint(
        "servers write them from Redis 7.0 on, with aof-timestamp-enabled yes; for this file it is too late",
    )
}

fn ends_early(file: &AofFile, offset: u64) -> MigrateError {
    let doing = format!("reading the append-only file {}", file.path.display());
    let cause =
        format!("it ends in the middle of the command at byte {offset}, and is not the last file");
    MigrateError::new(ErrorKind::Data, doing, cause)
        .with_hint("--salvage leaves that command out and goes on with the next file")
}

fn refusal(file: &AofFile, offset: u64, words: &[&[u8]], why: &Refusal) -> MigrateError {
    let what = command_text(words);
    let doing = format!("applying {what} at byte {offset} of {}", file.path.display());
    MigrateError::new(ErrorKind::Config, doing, &why.cause).with_hint(why.hint)
}
