//! HRANDFIELD.

use ferrite_store::types::{Element, Field, Hash};

use super::live_len;
use crate::commands::arguments::{int_between, is};
use crate::commands::sample::{distinct, indexes, is_few};
use crate::commands::scan::element;
use crate::ctx::{Ctx, Outcome};
use crate::error::CommandError;
use crate::random;
use crate::reply::Reply;

type Pair<'h> = (Element<'h>, Field<'h>);

/// What is drawn from: the hash itself, or its fields that have not expired.
enum Fields<'h> {
    All(&'h Hash),
    Live(Vec<Pair<'h>>),
}

impl<'h> Fields<'h> {
    fn of(hash: &'h Hash, now: u64) -> Self {
        if live_len(hash, now) == hash.len() {
            return Self::All(hash);
        }
        Self::Live(hash.iter().filter(|(_, field)| field.is_live(now)).collect())
    }

    fn len(&self) -> usize {
        match self {
            Self::All(hash) => hash.len(),
            Self::Live(fields) => fields.len(),
        }
    }

    fn draw(&self) -> Option<Pair<'h>> {
        match self {
            Self::All(hash) => hash.random(random::next),
            Self::Live(fields) => fields.get(random::below(fields.len() as u64) as usize).copied(),
        }
    }

    fn all(self) -> Vec<Pair<'h>> {
        match self {
            Self::All(hash) => hash.iter().collect(),
            Self::Live(fields) => fields,
        }
    }

    /// Different ones, as many, or all when they are fewer.
    fn distinct(self, count: usize) -> Vec<Pair<'h>> {
        if !is_few(count, self.len()) {
            let all = self.all();
            return indexes(count, all.len()).into_iter().map(|index| all[index]).collect();
        }
        distinct(count, || {
            let pair = self.draw()?;
            Some((pair.0.as_bytes(&mut itoa::Buffer::new()).to_vec(), pair))
        })
    }
}

/// Writes names, or names with values: flat in RESP2, in pairs in RESP3.
struct Writer<'r> {
    reply: &'r mut Reply,
    with_values: bool,
}

impl Writer<'_> {
    fn begin(&mut self, fields: usize) {
        let flat = self.with_values && !self.reply.resp3();
        self.reply.array(if flat { fields.saturating_mul(2) } else { fields });
    }

    fn pair(&mut self, (name, field): Pair<'_>) {
        if self.with_values && self.reply.resp3() {
            self.reply.array(2);
        }
        element(self.reply, name);
        if self.with_values {
            element(self.reply, field.value);
        }
    }
}

/// `HRANDFIELD key [count [WITHVALUES]]`: with a negative count, fields may be drawn again.
pub(super) fn hrandfield(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Outcome {
    let (count, with_values) = match words.get(2..).unwrap_or_default() {
        [] => (None, false),
        [count] => (Some(int_between(count, -i64::MAX, i64::MAX)?), false),
        [count, word] if is(word, "withvalues") => {
            let count = int_between(count, -i64::MAX, i64::MAX)?;
            if count.unsigned_abs() > i64::MAX as u64 / 2 {
                return Err(CommandError::text("ERR value is out of range").into());
            }
            (Some(count), true)
        }
        [count, ..] => {
            int_between(count, -i64::MAX, i64::MAX)?;
            return Err(CommandError::SYNTAX.into());
        }
    };
    let now = ctx.now_of_fields();
    ctx.answer::<Hash, _>(words[1], |reply, hash| {
        let fields = hash.map(|hash| Fields::of(hash, now));
        let Some(count) = count else {
            return match fields.and_then(|fields| fields.draw()) {
                Some((name, _)) => element(reply, name),
                None => reply.null(),
            };
        };
        let Some(fields) = fields else { return reply.array(0) };
        let many = usize::try_from(count.unsigned_abs()).unwrap_or(usize::MAX);
        let mut writer = Writer { reply, with_values };
        if count >= 0 {
            let drawn = fields.distinct(many);
            writer.begin(drawn.len());
            drawn.into_iter().for_each(|pair| writer.pair(pair));
        } else {
            let many = if fields.len() == 0 { 0 } else { many };
            writer.begin(many);
            for _ in 0..many {
                let Some(pair) = fields.draw().filter(|_| !writer.reply.is_over()) else { break };
                writer.pair(pair);
            }
        }
    })?;
    Ok(())
}
