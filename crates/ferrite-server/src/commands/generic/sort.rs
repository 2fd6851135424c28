//! SORT: the elements of a list, a set or a sorted set in another order.

use ferrite_store::table::{Content, Value};
use ferrite_store::types::sorted_set::Direction;
use ferrite_store::types::{Collection, Element, End, List};

use super::is;
use crate::ctx::{Ctx, Outcome, Within};
use crate::error::CommandError;
use crate::notify::Class;
use crate::number;

const NOT_NUMBERS: CommandError =
    CommandError::text("ERR One or more scores can't be converted into double");

struct Options<'a> {
    descending: bool,
    alpha: bool,
    start: i64,
    count: i64,
    by: Option<&'a [u8]>,
    get: Vec<&'a [u8]>,
    store: Option<&'a [u8]>,
}

fn options<'a>(words: &[&'a [u8]], may_store: bool) -> Result<Options<'a>, CommandError> {
    let mut all = Options {
        descending: false,
        alpha: false,
        start: 0,
        count: -1,
        by: None,
        get: Vec::new(),
        store: None,
    };
    let mut rest = words;
    loop {
        rest = match rest {
            [] => return Ok(all),
            [word, rest @ ..] if is(word, "asc") || is(word, "desc") => {
                all.descending = is(word, "desc");
                rest
            }
            [word, rest @ ..] if is(word, "alpha") => {
                all.alpha = true;
                rest
            }
            [word, start, count, rest @ ..] if is(word, "limit") => {
                (all.start, all.count) = (number::int(start)?, number::int(count)?);
                rest
            }
            [word, key, rest @ ..] if may_store && is(word, "store") => {
                all.store = Some(*key);
                rest
            }
            [word, pattern, rest @ ..] if is(word, "by") => {
                all.by = Some(*pattern);
                rest
            }
            [word, pattern, rest @ ..] if is(word, "get") => {
                all.get.push(*pattern);
                rest
            }
            _ => return Err(CommandError::SYNTAX),
        };
    }
}

pub(super) fn sort(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Outcome {
    let options = options(&words[2..], true)?;
    check_patterns(ctx, words, &options)?;
    run(ctx, words[1], options)
}

pub(super) fn sort_ro(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Outcome {
    let options = options(&words[2..], false)?;
    check_patterns(ctx, words, &options)?;
    run(ctx, words[1], options)
}

/// Patterns of keys reach for keys that no rule can name: whoever uses them must be allowed to
/// read all.
fn check_patterns(
    ctx: &Ctx<'_>,
    words: &[&[u8]],
    options: &Options<'_>,
) -> Result<(), CommandError> {
    let by = options.by.is_some_and(|by| by.contains(&b'*'));
    let get = options.get.iter().any(|pattern| **pattern != *b"#");
    let (Some(account), true) = (&ctx.session.account, by || get) else { return Ok(()) };
    let entry = words.first().and_then(|name| crate::commands::lookup(name));
    let id = entry.and_then(|entry| Some((entry.spec, ctx.shared.acl.commands().id(entry.spec)?)));
    let allowed = account.is_unlimited()
        || id.is_none_or(|(spec, id)| account.user().may_read_every_key(spec, id, words));
    match (allowed, by) {
        (true, _) => Ok(()),
        (false, true) => Err(CommandError::text(
            "ERR BY option of SORT denied due to insufficient ACL permissions.",
        )),
        (false, false) => Err(CommandError::text(
            "ERR GET option of SORT denied due to insufficient ACL permissions.",
        )),
    }
}

/// What elements are ordered by.
enum Weight {
    None,
    Number(f64),
    Text(Option<Vec<u8>>),
}

fn run(ctx: &mut Ctx<'_>, key: &[u8], mut options: Options<'_>) -> Outcome {
    let (elements, in_order) = elements(ctx, key, options.descending)?;
    // A pattern without a star is the same for all: they stay as they are.
    let mut unsorted = options.by.is_some_and(|by| !by.contains(&b'*'));
    let lasts = options.store.is_some() || ctx.within == Within::Script;
    if unsorted && !in_order && lasts {
        // The order of a set is no order; what is stored, or what a script sees, has to be the
        // same everywhere.
        (unsorted, options.alpha, options.by) = (false, true, None);
    }
    let elements = if unsorted { elements } else { sorted(ctx, elements, &options)? };
    let (start, end) = range(elements.len(), &options);
    let chosen = elements.get(start..end).unwrap_or_default();
    let mut answer: Vec<Option<Vec<u8>>> = Vec::new();
    for element in chosen {
        if options.get.is_empty() {
            answer.push(Some(element.clone()));
        }
        for pattern in &options.get {
            answer.push(by_pattern(ctx, pattern, element));
        }
    }
    match options.store {
        Some(to) => store(ctx, to, &answer),
        None => {
            ctx.reply.array(answer.len());
            for element in &answer {
                ctx.reply.bulk_or_null(element.as_deref());
            }
        }
    }
    Ok(())
}

/// The elements of a key, and whether they have an order of their own, which may be turned.
fn elements(
    ctx: &mut Ctx<'_>,
    key: &[u8],
    backwards: bool,
) -> Result<(Vec<Vec<u8>>, bool), CommandError> {
    let owned = |element: Element<'_>| element.as_bytes(&mut itoa::Buffer::new()).to_vec();
    match ctx.value(key) {
        None => Ok((Vec::new(), true)),
        Some(Value::Object(Collection::List(list))) => {
            let mut items: Vec<_> = list.iter().map(owned).collect();
            if backwards {
                items.reverse();
            }
            Ok((items, true))
        }
        Some(Value::Object(Collection::Set(set))) => Ok((set.iter().map(owned).collect(), false)),
        Some(Value::Object(Collection::SortedSet(set))) => {
            let mut members = Vec::with_capacity(set.len());
            let direction = if backwards { Direction::Descending } else { Direction::Ascending };
            set.walk(0..set.len(), direction, &mut |member, _| {
                members.push(member.to_vec());
                true
            });
            Ok((members, true))
        }
        Some(_) => Err(CommandError::WRONG_TYPE),
    }
}

/// The part that LIMIT leaves.
fn range(len: usize, options: &Options<'_>) -> (usize, usize) {
    let start = usize::try_from(options.start).unwrap_or(0).min(len);
    let count = usize::try_from(options.count).unwrap_or(usize::MAX);
    (start, start.saturating_add(count).min(len))
}

fn sorted(
    ctx: &mut Ctx<'_>,
    elements: Vec<Vec<u8>>,
    options: &Options<'_>,
) -> Result<Vec<Vec<u8>>, CommandError> {
    let mut weighed = Vec::with_capacity(elements.len());
    for element in elements {
        let weight = weight(ctx, &element, options)?;
        weighed.push((weight, element));
    }
    weighed.sort_by(|(left, left_element), (right, right_element)| {
        let order = match (left, right) {
            (Weight::Number(left), Weight::Number(right)) => {
                left.total_cmp(right).then_with(|| left_element.cmp(right_element))
            }
            (Weight::Text(left), Weight::Text(right)) => left.cmp(right),
            _ => left_element.cmp(right_element),
        };
        match options.descending {
            true => order.reverse(),
            false => order,
        }
    });
    Ok(weighed.into_iter().map(|(_, element)| element).collect())
}

fn weight(
    ctx: &mut Ctx<'_>,
    element: &[u8],
    options: &Options<'_>,
) -> Result<Weight, CommandError> {
    let by = options.by.map(|pattern| by_pattern(ctx, pattern, element));
    if options.alpha {
        return Ok(by.map_or(Weight::None, Weight::Text));
    }
    let number = match by {
        None => score(element)?,
        // What has no weight weighs nothing.
        Some(None) => 0.0,
        Some(Some(text)) => score(&text)?,
    };
    Ok(Weight::Number(number))
}

/// A number as SORT reads it: as the C library does, blanks in front are overlooked, and whatever
/// is behind a zero byte.
fn score(text: &[u8]) -> Result<f64, CommandError> {
    let text = text.split(|byte| *byte == 0).next().unwrap_or_default().trim_ascii_start();
    let number = if text.is_empty() { Some(0.0) } else { number::parse_float(text) };
    // Minus nothing is nothing.
    number.map(|number| number + 0.0).ok_or(NOT_NUMBERS)
}

/// The value that a pattern leads to from an element: `#` is the element itself, `a_*` a string,
/// `a_*->field` a field of a hash.
fn by_pattern(ctx: &mut Ctx<'_>, pattern: &[u8], element: &[u8]) -> Option<Vec<u8>> {
    if pattern == b"#" {
        return Some(element.to_vec());
    }
    let star = pattern.iter().position(|byte| *byte == b'*')?;
    let (before, behind) = (pattern.get(..star)?, pattern.get(star + 1..)?);
    let arrow = behind.windows(2).position(|two| two == b"->");
    let arrow = arrow.filter(|arrow| arrow + 2 < behind.len());
    let after = behind.get(..arrow.unwrap_or(behind.len()))?;
    let key = [before, element, after].concat();
    let now = ctx.now;
    match (ctx.value(&key)?, arrow) {
        (Value::Int(number), None) => Some(number.to_string().into_bytes()),
        (Value::Bytes { bytes, .. }, None) => Some(bytes.to_vec()),
        (Value::Object(Collection::Hash(hash)), Some(arrow)) => {
            let field = hash.get(behind.get(arrow + 2..)?)?;
            let alive = field.is_live(now.unsigned_abs());
            alive.then(|| field.value.as_bytes(&mut itoa::Buffer::new()).to_vec())
        }
        _ => None,
    }
}

fn store(ctx: &mut Ctx<'_>, key: &[u8], elements: &[Option<Vec<u8>>]) {
    ctx.reply.count(elements.len());
    if elements.is_empty() {
        if ctx.unlink(key) {
            ctx.changed(Class::Generic, "del", key);
        }
        return;
    }
    let limits = ctx.shared.limits();
    let mut list = List::new();
    for element in elements {
        let element = element.as_deref().unwrap_or_default();
        list.grow_for([element], &limits);
        list.push(End::Right, element, &limits);
    }
    ctx.put(key, Content::Object(Collection::List(list)), None);
    ctx.changed(Class::List, "sortstore", key);
    ctx.counts_as(elements.len());
}
