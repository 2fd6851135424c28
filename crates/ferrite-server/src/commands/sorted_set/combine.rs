//! ZUNION, ZINTER, ZDIFF, stored or not, and ZINTERCARD. Their keys may hold sets, too, of which
//! every member has the score 1.

use std::cmp::Ordering;
use std::collections::HashMap;

use ferrite_store::types::sorted_set::Direction;
use ferrite_store::types::{Collection, Set, SortedSet};

use super::store::store;
use super::{begin_members, is_with_scores, member};
use crate::commands::arguments::{at_least, is};
use crate::ctx::{Ctx, Outcome};
use crate::error::CommandError;
use crate::number;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operation {
    Union,
    Intersection,
    Difference,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Aggregate {
    Sum,
    Min,
    Max,
}

/// What becomes of the result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Answered,
    Stored,
    Counted,
}

#[derive(Debug)]
struct Request {
    weights: Vec<f64>,
    aggregate: Aggregate,
    with_scores: bool,
    /// Of ZINTERCARD; 0 for none.
    limit: usize,
}

/// A key's value.
#[derive(Clone, Copy)]
enum Source<'a> {
    Nothing,
    Set(&'a Set),
    SortedSet(&'a SortedSet),
}

type Members = Vec<(Vec<u8>, f64)>;

/// `ZUNION numkeys key [key …] [WEIGHTS …] [AGGREGATE SUM|MIN|MAX] [WITHSCORES]`
pub(super) fn zunion(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Outcome {
    answer(ctx, words, Operation::Union, "zunion")
}

/// `ZINTER numkeys key [key …] [WEIGHTS …] [AGGREGATE SUM|MIN|MAX] [WITHSCORES]`
pub(super) fn zinter(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Outcome {
    answer(ctx, words, Operation::Intersection, "zinter")
}

/// `ZDIFF numkeys key [key …] [WITHSCORES]`
pub(super) fn zdiff(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Outcome {
    answer(ctx, words, Operation::Difference, "zdiff")
}

/// `ZUNIONSTORE destination numkeys key [key …] [WEIGHTS …] [AGGREGATE SUM|MIN|MAX]`
pub(super) fn zunionstore(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Outcome {
    store_result(ctx, words, Operation::Union, "zunionstore")
}

/// `ZINTERSTORE destination numkeys key [key …] [WEIGHTS …] [AGGREGATE SUM|MIN|MAX]`
pub(super) fn zinterstore(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Outcome {
    store_result(ctx, words, Operation::Intersection, "zinterstore")
}

/// `ZDIFFSTORE destination numkeys key [key …]`
pub(super) fn zdiffstore(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Outcome {
    store_result(ctx, words, Operation::Difference, "zdiffstore")
}

/// `ZINTERCARD numkeys key [key …] [LIMIT limit]`
pub(super) fn zintercard(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Outcome {
    let (operation, name) = (Operation::Intersection, "zintercard");
    let (request, sources) = prepare(ctx, words, 1, operation, Fate::Counted, name)?;
    let most = if request.limit == 0 { usize::MAX } else { request.limit };
    let count = intersection(&request, &sources, most).len();
    ctx.reply.count(count);
    Ok(())
}

fn answer(ctx: &mut Ctx<'_>, words: &[&[u8]], operation: Operation, name: &str) -> Outcome {
    let (request, sources) = prepare(ctx, words, 1, operation, Fate::Answered, name)?;
    let result = combine(&request, &sources, operation);
    begin_members(&mut ctx.reply, result.len(), request.with_scores);
    for (name, score) in &result {
        member(&mut ctx.reply, name, request.with_scores.then_some(*score));
    }
    Ok(())
}

fn store_result(ctx: &mut Ctx<'_>, words: &[&[u8]], operation: Operation, name: &str) -> Outcome {
    let (request, sources) = prepare(ctx, words, 2, operation, Fate::Stored, name)?;
    let result = combine(&request, &sources, operation);
    let limits = ctx.shared.limits;
    let longest = result.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    let mut set = SortedSet::sized(result.len(), longest, &limits);
    for (name, score) in &result {
        set.set(name, *score, &limits);
    }
    store(ctx, words[1], set, name);
    Ok(())
}

/// Reads the words and the keys.
fn prepare<'c>(
    ctx: &'c mut Ctx<'_>,
    words: &[&[u8]],
    at: usize,
    operation: Operation,
    fate: Fate,
    name: &str,
) -> Result<(Request, Vec<Source<'c>>), CommandError> {
    let count = number::int(words[at])?;
    let count = usize::try_from(count).ok().filter(|count| *count > 0).ok_or_else(|| {
        CommandError::new(format!("ERR at least 1 input key is needed for '{name}' command"))
    })?;
    let rest = words.get(at + 1..).unwrap_or_default();
    let (keys, options) = rest.split_at_checked(count).ok_or(CommandError::SYNTAX)?;
    for key in keys {
        ctx.look_up(key);
    }
    let ctx: &'c Ctx<'_> = ctx;
    let sources = keys.iter().map(|key| source(ctx, key)).collect::<Result<_, _>>()?;
    Ok((parse(keys.len(), options, operation, fate)?, sources))
}

fn source<'c>(ctx: &'c Ctx<'_>, key: &[u8]) -> Result<Source<'c>, CommandError> {
    use ferrite_store::table::Value;
    match ctx.peek(key) {
        None => Ok(Source::Nothing),
        Some(Value::Object(Collection::Set(set))) => Ok(Source::Set(set)),
        Some(Value::Object(Collection::SortedSet(set))) => Ok(Source::SortedSet(set)),
        Some(_) => Err(CommandError::WRONG_TYPE),
    }
}

fn parse(
    keys: usize,
    options: &[&[u8]],
    operation: Operation,
    fate: Fate,
) -> Result<Request, CommandError> {
    let weights = vec![1.0; keys];
    let aggregate = Aggregate::Sum;
    let mut request = Request { weights, aggregate, with_scores: false, limit: 0 };
    let combines = operation != Operation::Difference && fate != Fate::Counted;
    let mut rest = options;
    while let [word, behind @ ..] = rest {
        rest = match behind {
            _ if combines && is(word, "weights") && behind.len() >= keys => {
                let (given, behind) = behind.split_at(keys);
                let wrong = || CommandError::text("ERR weight value is not a float");
                let read = |word: &&[u8]| number::parse_float(word).ok_or_else(wrong);
                request.weights = given.iter().map(read).collect::<Result<_, _>>()?;
                behind
            }
            [how, behind @ ..] if combines && is(word, "aggregate") => {
                request.aggregate = match how.to_ascii_lowercase().as_slice() {
                    b"sum" => Aggregate::Sum,
                    b"min" => Aggregate::Min,
                    b"max" => Aggregate::Max,
                    _ => return Err(CommandError::SYNTAX),
                };
                behind
            }
            _ if fate == Fate::Answered && is_with_scores(word) => {
                request.with_scores = true;
                behind
            }
            [limit, behind @ ..] if fate == Fate::Counted && is(word, "limit") => {
                let negative = CommandError::text("ERR LIMIT can't be negative");
                request.limit = at_least(limit, 0, negative)?;
                behind
            }
            _ => return Err(CommandError::SYNTAX),
        };
    }
    Ok(request)
}

impl Source<'_> {
    fn len(&self) -> usize {
        match self {
            Self::Nothing => 0,
            Self::Set(set) => set.len(),
            Self::SortedSet(set) => set.len(),
        }
    }

    fn score(&self, name: &[u8]) -> Option<f64> {
        match self {
            Self::Nothing => None,
            Self::Set(set) => set.contains(name).then_some(1.0),
            Self::SortedSet(set) => set.score(name),
        }
    }

    /// Shows all members until told to stop.
    fn walk(&self, found: &mut dyn FnMut(&[u8], f64) -> bool) {
        match self {
            Self::Nothing => {}
            Self::Set(set) => {
                let mut digits = itoa::Buffer::new();
                set.iter().all(|name| found(name.as_bytes(&mut digits), 1.0));
            }
            Self::SortedSet(set) => set.walk(0..set.len(), Direction::Ascending, found),
        }
    }
}

impl Aggregate {
    fn of(self, one: f64, other: f64) -> f64 {
        match self {
            // Infinity and minus infinity are nothing together.
            Self::Sum => or_zero(one + other),
            Self::Min => one.min(other),
            Self::Max => one.max(other),
        }
    }
}

fn or_zero(score: f64) -> f64 {
    if score.is_nan() { 0.0 } else { score }
}

/// The result, in order.
fn combine(request: &Request, sources: &[Source<'_>], operation: Operation) -> Members {
    let mut result = match operation {
        Operation::Union => union(request, sources),
        Operation::Intersection => intersection(request, sources, usize::MAX),
        Operation::Difference => difference(sources),
    };
    result.sort_unstable_by(|one, other| {
        // No score is NaN, and -0 equals 0.
        let scores = one.1.partial_cmp(&other.1).unwrap_or(Ordering::Equal);
        scores.then_with(|| one.0.cmp(&other.0))
    });
    result
}

/// The sources with their weights, the smallest first: the order in which scores are added up.
fn by_size<'s, 'a>(request: &Request, sources: &'s [Source<'a>]) -> Vec<(&'s Source<'a>, f64)> {
    let mut ordered: Vec<_> = sources.iter().zip(request.weights.iter().copied()).collect();
    ordered.sort_by_key(|(source, _)| source.len());
    ordered
}

fn union(request: &Request, sources: &[Source<'_>]) -> Members {
    let mut all: HashMap<Vec<u8>, f64> = HashMap::new();
    for (source, weight) in by_size(request, sources) {
        source.walk(&mut |name, score| {
            let score = or_zero(weight * score);
            match all.get_mut(name) {
                Some(known) => *known = request.aggregate.of(*known, score),
                None => {
                    all.insert(name.to_vec(), score);
                }
            }
            true
        });
    }
    all.into_iter().collect()
}

fn intersection(request: &Request, sources: &[Source<'_>], most: usize) -> Members {
    let ordered = by_size(request, sources);
    let Some(((smallest, weight), others)) = ordered.split_first() else { return Members::new() };
    let mut result = Members::new();
    smallest.walk(&mut |name, score| {
        let first = or_zero(weight * score);
        let common = others.iter().try_fold(first, |sum, (source, weight)| {
            let score = or_zero(weight * source.score(name)?);
            Some(request.aggregate.of(sum, score))
        });
        result.extend(common.map(|score| (name.to_vec(), score)));
        result.len() < most
    });
    result
}

fn difference(sources: &[Source<'_>]) -> Members {
    let Some((first, others)) = sources.split_first() else { return Members::new() };
    let mut result = Members::new();
    first.walk(&mut |name, score| {
        if others.iter().all(|source| source.score(name).is_none()) {
            result.push((name.to_vec(), score));
        }
        true
    });
    result
}
