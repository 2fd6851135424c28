//! XTRIM, and the options of XADD that trim.

use ferrite_store::types::Stream;
use ferrite_store::types::stream::{Trim, TrimBy};

use super::words::strict_id;
use crate::commands::arguments::is;
use crate::ctx::{Ctx, Outcome};
use crate::error::CommandError;
use crate::notify::Class;
use crate::number;

const BOTH: CommandError = CommandError::text(
    "ERR syntax error, MAXLEN and MINID options at the same time are not compatible",
);
const LENGTH: CommandError = CommandError::text("ERR The MAXLEN argument must be >= 0.");
const LIMIT: CommandError = CommandError::text("ERR The LIMIT argument must be >= 0.");
const LIMIT_ALONE: CommandError = CommandError::text(
    "ERR syntax error, LIMIT cannot be used without specifying a trimming strategy",
);
const LIMIT_EXACT: CommandError =
    CommandError::text("ERR syntax error, LIMIT cannot be used without the special ~ option");
/// Entries that approximate trimming takes away at once where it is not told: so many full nodes.
const NODES_AT_ONCE: u64 = 100;
const MOST_AT_ONCE: u64 = 1_000_000;
const AT_ONCE_WITHOUT_NODES: u64 = 10_000;

/// What is said about trimming, word by word.
#[derive(Debug, Default)]
pub(super) struct Options {
    by: Option<TrimBy>,
    is_approximate: bool,
    limit: Option<u64>,
}

impl Options {
    /// Reads an option at the front of the words, if there is one; the words behind it.
    pub(super) fn read<'w, 'b>(
        &mut self,
        words: &'w [&'b [u8]],
    ) -> Result<Option<&'w [&'b [u8]]>, CommandError> {
        let Some((word, rest)) = words.split_first() else { return Ok(None) };
        let by_length = is(word, "maxlen");
        if (by_length || is(word, "minid")) && !rest.is_empty() {
            return self.read_strategy(by_length, rest).map(Some);
        }
        if is(word, "limit")
            && let Some((limit, rest)) = rest.split_first()
        {
            self.limit = Some(u64::try_from(number::int(limit)?).map_err(|_| LIMIT)?);
            return Ok(Some(rest));
        }
        Ok(None)
    }

    fn read_strategy<'w, 'b>(
        &mut self,
        by_length: bool,
        words: &'w [&'b [u8]],
    ) -> Result<&'w [&'b [u8]], CommandError> {
        if self.by.is_some() {
            return Err(BOTH);
        }
        let (value, rest) = match words {
            [b"~", value, rest @ ..] => {
                self.is_approximate = true;
                (value, rest)
            }
            [b"=", value, rest @ ..] | [value, rest @ ..] => (value, rest),
            [] => return Err(CommandError::SYNTAX),
        };
        self.by = Some(match by_length {
            true => TrimBy::Length(u64::try_from(number::int(value)?).map_err(|_| LENGTH)?),
            false => TrimBy::Id(strict_id(value, 0)?),
        });
        Ok(rest)
    }

    /// The options together; nothing where nothing is to be trimmed.
    pub(super) fn finish(self, node_entries: usize) -> Result<Option<Trim>, CommandError> {
        let Some(by) = self.by else {
            return if self.limit.is_some_and(|limit| limit > 0) {
                Err(LIMIT_ALONE)
            } else {
                Ok(None)
            };
        };
        let limit = match self.limit {
            Some(_) if !self.is_approximate => return Err(LIMIT_EXACT),
            Some(limit) => limit,
            None if !self.is_approximate => 0,
            None => match NODES_AT_ONCE * node_entries as u64 {
                0 => AT_ONCE_WITHOUT_NODES,
                limit => limit.min(MOST_AT_ONCE),
            },
        };
        Ok(Some(Trim { by, is_approximate: self.is_approximate, limit }))
    }
}

/// The words that trim a stream to what it was trimmed to, whoever trims it.
pub(super) fn exactly(trim: &Trim, stream: &Stream) -> [Vec<u8>; 3] {
    let (name, value) = match trim.by {
        TrimBy::Length(length) if !trim.is_approximate => ("MAXLEN", length.to_string()),
        TrimBy::Length(_) => ("MAXLEN", stream.len().to_string()),
        TrimBy::Id(id) if !trim.is_approximate => ("MINID", id.to_string()),
        TrimBy::Id(_) => ("MINID", stream.first_id().to_string()),
    };
    [name.into(), b"=".to_vec(), value.into()]
}

/// `XTRIM key MAXLEN|MINID [=|~] threshold [LIMIT count]`
pub(super) fn xtrim(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Outcome {
    let mut options = Options::default();
    let mut rest = words.get(2..).unwrap_or_default();
    while !rest.is_empty() {
        rest = options.read(rest)?.ok_or(CommandError::SYNTAX)?;
    }
    let trim = options.finish(ctx.shared.limits.stream_node_max_entries)?;
    let trim = trim.ok_or(CommandError::SYNTAX)?;
    let Some(stream) = ctx.write::<Stream>(words[1])? else {
        ctx.reply.int(0);
        return Ok(());
    };
    let taken = stream.trim(&trim);
    let told = exactly(&trim, stream);
    if taken > 0 {
        ctx.changed(Class::Stream, "xtrim", words[1]);
        ctx.effects.dirty += taken - 1;
        let [name, sign, value] = &told;
        ctx.propagate_instead(&[b"XTRIM", words[1], name, sign, value]);
    }
    ctx.reply.count(taken as usize);
    Ok(())
}
