//! LPOS.

use ferrite_store::types::List;

use super::Wanted;
use crate::commands::arguments::{int_between, is};
use crate::ctx::{Ctx, Outcome};
use crate::error::CommandError;
use crate::number;

const RANK_ZERO: CommandError = CommandError::text(
    "ERR RANK can't be zero: use 1 to start from the first match, 2 from the second ... or use negative to start from the end of the list",
);

struct Options {
    /// Which match is the first that counts; negative ones are counted from the end.
    rank: i64,
    /// How many matches are answered; all for 0, and as an array where it is given.
    count: Option<usize>,
    /// How many elements are compared; all for 0.
    longest: usize,
}

fn not_negative(word: &[u8], text: &'static str) -> Result<usize, CommandError> {
    let value = number::int(word).map_err(|_| CommandError::text(text))?;
    usize::try_from(value).map_err(|_| CommandError::text(text))
}

fn options(words: &[&[u8]]) -> Result<Options, CommandError> {
    let mut options = Options { rank: 1, count: None, longest: 0 };
    for pair in words.chunks(2) {
        match pair {
            [word, value] if is(word, "rank") => {
                options.rank = int_between(value, -i64::MAX, i64::MAX)?;
                if options.rank == 0 {
                    return Err(RANK_ZERO);
                }
            }
            [word, value] if is(word, "count") => {
                options.count = Some(not_negative(value, "ERR COUNT can't be negative")?);
            }
            [word, value] if is(word, "maxlen") => {
                options.longest = not_negative(value, "ERR MAXLEN can't be negative")?;
            }
            _ => return Err(CommandError::SYNTAX),
        }
    }
    Ok(options)
}

/// The indexes of the matches.
fn matches(list: &List, wanted: Wanted<'_>, options: &Options) -> impl Iterator<Item = usize> {
    let last = list.len() - 1;
    let backward = options.rank < 0;
    let elements = if backward { list.iter_back_from(last) } else { list.iter() };
    let longest = if options.longest == 0 { usize::MAX } else { options.longest };
    let skipped = usize::try_from(options.rank.unsigned_abs() - 1).unwrap_or(usize::MAX);
    let found = elements.take(longest).enumerate().filter(move |(_, it)| wanted.is(*it));
    found.skip(skipped).map(move |(at, _)| if backward { last - at } else { at })
}

/// `LPOS key element [RANK rank] [COUNT count] [MAXLEN length]`
pub(super) fn lpos(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Outcome {
    let options = options(&words[3..])?;
    let wanted = Wanted::new(words[2]);
    ctx.answer::<List, _>(words[1], |reply, list| match (list, options.count) {
        (None, None) => reply.null(),
        (None, Some(_)) => reply.array(0),
        (Some(list), None) => match matches(list, wanted, &options).next() {
            Some(index) => reply.count(index),
            None => reply.null(),
        },
        (Some(list), Some(count)) => {
            let count = if count == 0 { usize::MAX } else { count };
            let begun = reply.defer();
            let found = matches(list, wanted, &options).take(count);
            let written = found.map(|index| reply.count(index)).count();
            reply.settle_array(begun, written);
        }
    })?;
    Ok(())
}
