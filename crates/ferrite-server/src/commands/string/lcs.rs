//! LCS: the longest text whose letters two strings have in the same order.

use std::ops::Range;

use crate::commands::arguments::is;
use crate::ctx::{Ctx, Outcome};
use crate::error::CommandError;
use crate::number;
use crate::reply::Reply;

const NOT_STRINGS: CommandError =
    CommandError::text("ERR The specified keys must contain string values");
const BOTH: CommandError =
    CommandError::text("ERR If you want both the length and indexes, please just use IDX.");
const TOO_LONG: CommandError = CommandError::text(
    "ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len",
);

#[derive(Default)]
struct Options {
    length: bool,
    indexes: bool,
    match_lengths: bool,
    shortest_match: usize,
}

fn options(words: &[&[u8]]) -> Result<Options, CommandError> {
    let mut all = Options::default();
    let mut rest = words;
    while let [word, behind @ ..] = rest {
        rest = behind;
        match behind {
            _ if is(word, "len") => all.length = true,
            _ if is(word, "idx") => all.indexes = true,
            _ if is(word, "withmatchlen") => all.match_lengths = true,
            [least, behind @ ..] if is(word, "minmatchlen") => {
                all.shortest_match = usize::try_from(number::int(least)?).unwrap_or(0);
                rest = behind;
            }
            _ => return Err(CommandError::SYNTAX),
        }
    }
    match all.indexes && all.length {
        true => Err(BOTH),
        false => Ok(all),
    }
}

/// `LCS key key [LEN] [IDX] [MINMATCHLEN length] [WITHMATCHLEN]`
pub(super) fn lcs(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Outcome {
    let text = |ctx: &mut Ctx<'_>, key: &[u8]| {
        let text = ctx.string(key).map_err(|_| NOT_STRINGS)?;
        Ok::<_, CommandError>(text.map_or_else(Vec::new, |text| text.to_vec()))
    };
    let (one, other) = (text(ctx, words[1])?, text(ctx, words[2])?);
    let options = options(&words[3..])?;
    let table = Table::new(&one, &other, ctx.shared.config.clients.proto_max_bulk_len.get())?;
    let reply = &mut ctx.reply;
    if options.length {
        reply.count(table.length());
        return Ok(());
    }
    let matches = table.matches();
    if !options.indexes {
        let parts = matches.iter().rev().filter_map(|(in_one, _)| one.get(in_one.clone()));
        reply.bulk(&parts.flatten().copied().collect::<Vec<u8>>());
        return Ok(());
    }
    reply.map(2);
    reply.text("matches");
    let long = |(in_one, _): &&(Range<usize>, _)| in_one.len() >= options.shortest_match;
    let shown: Vec<_> = matches.iter().filter(long).collect();
    reply.array(shown.len());
    for (in_one, in_other) in shown {
        reply.array(2 + usize::from(options.match_lengths));
        range(reply, in_one);
        range(reply, in_other);
        if options.match_lengths {
            reply.count(in_one.len());
        }
    }
    reply.text("len");
    reply.count(table.length());
    Ok(())
}

/// The first and the last place of a range that is not empty.
fn range(reply: &mut Reply, range: &Range<usize>) {
    reply.array(2);
    reply.count(range.start);
    reply.count(range.end.saturating_sub(1));
}

/// How much two texts have in common, for every beginning of the one and every beginning of the
/// other.
struct Table<'t> {
    one: &'t [u8],
    other: &'t [u8],
    /// A row for each beginning of the one, from the empty one on.
    lengths: Vec<u32>,
}

impl<'t> Table<'t> {
    /// Fills the table; refused where it takes more than `limit` bytes.
    fn new(one: &'t [u8], other: &'t [u8], limit: usize) -> Result<Self, CommandError> {
        let width = other.len() + 1;
        let cells = (one.len() + 1).checked_mul(width);
        let cells = cells.filter(|cells| *cells <= limit / size_of::<u32>()).ok_or(TOO_LONG)?;
        let mut lengths = vec![0; cells];
        for (row, byte) in one.iter().enumerate() {
            let (above, row) = lengths[row * width..(row + 2) * width].split_at_mut(width);
            for (column, same) in other.iter().map(|other| other == byte).enumerate() {
                row[column + 1] = match same {
                    true => above[column] + 1,
                    false => row[column].max(above[column + 1]),
                };
            }
        }
        Ok(Self { one, other, lengths })
    }

    fn at(&self, row: usize, column: usize) -> u32 {
        self.lengths[row * (self.other.len() + 1) + column]
    }

    fn length(&self) -> usize {
        self.at(self.one.len(), self.other.len()) as usize
    }

    /// Where the common letters are in both, in pieces without a gap, the last first.
    fn matches(&self) -> Vec<(Range<usize>, Range<usize>)> {
        let (mut row, mut column) = (self.one.len(), self.other.len());
        let mut matches = Vec::new();
        while row > 0 && column > 0 {
            let (last_row, last_column) = (row, column);
            while row > 0 && column > 0 && self.one[row - 1] == self.other[column - 1] {
                row -= 1;
                column -= 1;
            }
            if row < last_row {
                matches.push((row..last_row, column..last_column));
            } else if self.at(row - 1, column) > self.at(row, column - 1) {
                row -= 1;
            } else {
                column -= 1;
            }
        }
        matches
    }
}
