//! ZADD, ZINCRBY.

use ferrite_store::types::SortedSet;

use crate::ctx::{Ctx, Outcome};
use crate::error::CommandError;
use crate::notify::Class;
use crate::number;

const NAN: CommandError = CommandError::text("ERR resulting score is not a number (NaN)");

/// When a member is added or its score changed.
#[derive(Debug, Default)]
pub(in crate::commands) struct Options {
    pub(in crate::commands) only_new: bool,
    pub(in crate::commands) only_known: bool,
    only_greater: bool,
    only_less: bool,
    pub(in crate::commands) counts_changes: bool,
    increment: bool,
}

/// What adding came to.
#[derive(Debug, Default)]
struct Done {
    added: usize,
    updated: usize,
    /// The score of the last member, unless it was left alone.
    score: Option<f64>,
}

/// `ZADD key [NX|XX] [GT|LT] [CH] [INCR] score member [score member …]`
pub(super) fn zadd(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Outcome {
    let (options, rest) = options(words.get(2..).unwrap_or_default());
    add_words(ctx, words[1], &options, rest)
}

/// `ZINCRBY key increment member`
pub(super) fn zincrby(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Outcome {
    let options = Options { increment: true, ..Options::default() };
    add_words(ctx, words[1], &options, words.get(2..).unwrap_or_default())
}

/// The options, and the words behind them.
fn options<'w, 'b>(mut words: &'w [&'b [u8]]) -> (Options, &'w [&'b [u8]]) {
    let mut options = Options::default();
    while let Some((word, rest)) = words.split_first() {
        match word.to_ascii_lowercase().as_slice() {
            b"nx" => options.only_new = true,
            b"xx" => options.only_known = true,
            b"gt" => options.only_greater = true,
            b"lt" => options.only_less = true,
            b"ch" => options.counts_changes = true,
            b"incr" => options.increment = true,
            _ => break,
        }
        words = rest;
    }
    (options, words)
}

fn check(options: &Options, words: &[&[u8]]) -> Result<(), CommandError> {
    if words.is_empty() || !words.len().is_multiple_of(2) {
        return Err(CommandError::SYNTAX);
    }
    if options.only_new && options.only_known {
        let text = "ERR XX and NX options at the same time are not compatible";
        return Err(CommandError::text(text));
    }
    // Each of the three shuts the other two out.
    let conditions = [options.only_greater, options.only_less, options.only_new];
    if conditions.into_iter().filter(|asked| *asked).count() > 1 {
        let text = "ERR GT, LT, and/or NX options at the same time are not compatible";
        return Err(CommandError::text(text));
    }
    if options.increment && words.len() > 2 {
        let text = "ERR INCR option supports a single increment-element pair";
        return Err(CommandError::text(text));
    }
    Ok(())
}

fn add_words(ctx: &mut Ctx<'_>, key: &[u8], options: &Options, words: &[&[u8]]) -> Outcome {
    check(options, words)?;
    let pairs = words.as_chunks::<2>().0;
    let mut members = Vec::with_capacity(pairs.len());
    for [score, member] in pairs {
        members.push((*member, number::float(score)?));
    }
    add(ctx, key, options, &members)
}

/// Adds members, and answers as ZADD does.
pub(in crate::commands) fn add(
    ctx: &mut Ctx<'_>,
    key: &[u8],
    options: &Options,
    members: &[(&[u8], f64)],
) -> Outcome {
    let done = add_members(ctx, key, options, members)?;
    if done.added + done.updated > 0 {
        let event = if options.increment { "zincr" } else { "zadd" };
        ctx.changed(Class::SortedSet, event, key);
        ctx.effects.dirty += (done.added + done.updated - 1) as u64;
    }
    match (options.increment, done.score) {
        (true, Some(score)) => ctx.reply.double(score),
        (true, None) => ctx.reply.null(),
        (false, _) if options.counts_changes => ctx.reply.count(done.added + done.updated),
        (false, _) => ctx.reply.count(done.added),
    }
    Ok(())
}

fn add_members(
    ctx: &mut Ctx<'_>,
    key: &[u8],
    options: &Options,
    members: &[(&[u8], f64)],
) -> Result<Done, CommandError> {
    let limits = ctx.shared.limits();
    let longest = members.iter().map(|(member, _)| member.len()).max().unwrap_or(0);
    if options.only_known && ctx.write::<SortedSet>(key)?.is_none() {
        return Ok(Done::default());
    }
    let new = || SortedSet::sized(members.len(), longest, &limits);
    let set = ctx.write_or_new::<SortedSet>(key, new)?;
    set.grow_for(members.len(), longest, &limits);
    let mut done = Done::default();
    for (member, score) in members {
        let old = set.score(member);
        let Some(score) = options.outcome(old, *score)? else {
            done.score = None;
            continue;
        };
        done.score = Some(score);
        match old {
            None => done.added += 1,
            Some(old) if old != score => done.updated += 1,
            Some(_) => continue,
        }
        set.set(member, score, &limits);
    }
    Ok(done)
}

impl Options {
    /// The score a member gets, if it gets one.
    fn outcome(&self, old: Option<f64>, given: f64) -> Result<Option<f64>, CommandError> {
        let Some(old) = old else { return Ok((!self.only_known).then_some(given)) };
        if self.only_new {
            return Ok(None);
        }
        let score = if self.increment { old + given } else { given };
        if score.is_nan() {
            return Err(NAN);
        }
        let is_kept = (self.only_less && score >= old) || (self.only_greater && score <= old);
        Ok((!is_kept).then_some(score))
    }
}
