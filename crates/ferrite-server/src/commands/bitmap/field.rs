//! BITFIELD: integers of any width at any place of a string.

use super::MOST_BITS;
use crate::ctx::{Ctx, Outcome};
use crate::error::CommandError;
use crate::notify::Class;
use crate::number;
use crate::reply::Reply;

/// A width and whether there is a sign: `i1` to `i64`, `u1` to `u63`.
#[derive(Debug, Clone, Copy)]
struct Width {
    bits: u32,
    signed: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Overflow {
    Wrap,
    Saturate,
    Fail,
}

#[derive(Debug, Clone, Copy)]
enum Action {
    Get,
    Set(i64),
    Add(i64),
}

#[derive(Debug, Clone, Copy)]
struct Step {
    width: Width,
    at: u64,
    action: Action,
    overflow: Overflow,
}

impl Width {
    fn parse(word: &[u8]) -> Result<Self, CommandError> {
        let wrong = CommandError::text(
            "ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but i64 is.",
        );
        let (sign, digits) = word.split_first().ok_or(wrong.clone())?;
        let signed = match sign.to_ascii_lowercase() {
            b'i' => true,
            b'u' => false,
            _ => return Err(wrong),
        };
        let bits = number::parse_int(digits).and_then(|bits| u32::try_from(bits).ok());
        let most = if signed { 64 } else { 63 };
        let bits = bits.filter(|bits| (1..=most).contains(bits)).ok_or(wrong)?;
        Ok(Self { bits, signed })
    }

    /// A place in bits; `#n` counts in widths.
    fn offset(self, word: &[u8]) -> Result<u64, CommandError> {
        let wrong = CommandError::text("ERR bit offset is not an integer or out of range");
        let (digits, scale) = match word.strip_prefix(b"#") {
            Some(digits) => (digits, u64::from(self.bits)),
            None => (word, 1),
        };
        let value = number::parse_int(digits).and_then(|value| u64::try_from(value).ok());
        let at = value.and_then(|value| value.checked_mul(scale));
        at.filter(|at| at + u64::from(self.bits) <= MOST_BITS).ok_or(wrong)
    }

    fn range(self) -> (i128, i128) {
        match self.signed {
            true => (-(1 << (self.bits - 1)), (1 << (self.bits - 1)) - 1),
            false => (0, (1 << self.bits) - 1),
        }
    }

    /// The value as this width holds it; nothing where it does not fit and that is a failure.
    fn fit(self, value: i128, overflow: Overflow) -> Option<i64> {
        let (least, most) = self.range();
        let fits = (least..=most).contains(&value);
        let held = match overflow {
            _ if fits => value,
            Overflow::Fail => return None,
            Overflow::Saturate => value.clamp(least, most),
            Overflow::Wrap => self.value_of((value & i128::from(u64::MAX)) as u64).into(),
        };
        i64::try_from(held).ok()
    }

    /// The value of the lowest bits of a word.
    fn value_of(self, bits: u64) -> i64 {
        let unused = 64 - self.bits;
        match self.signed {
            true => ((bits << unused) as i64) >> unused,
            false => (bits << unused >> unused) as i64,
        }
    }
}

fn get(bytes: &[u8], at: u64, width: Width) -> i64 {
    let bits = (at..at + u64::from(width.bits)).fold(0_u64, |value, bit| {
        let byte = usize::try_from(bit / 8).ok().and_then(|byte| bytes.get(byte));
        let bit = byte.map_or(0, |byte| byte >> (7 - bit % 8) & 1);
        value << 1 | u64::from(bit)
    });
    width.value_of(bits)
}

fn set(bytes: &mut [u8], at: u64, width: Width, value: i64) {
    for index in 0..width.bits {
        let bit = at + u64::from(index);
        let on = value as u64 >> (width.bits - 1 - index) & 1 == 1;
        if let Some(byte) = usize::try_from(bit / 8).ok().and_then(|byte| bytes.get_mut(byte)) {
            let shift = 7 - bit % 8;
            *byte = *byte & !(1 << shift) | u8::from(on) << shift;
        }
    }
}

fn steps(words: &[&[u8]], read_only: bool) -> Result<Vec<Step>, CommandError> {
    let (mut steps, mut overflow) = (Vec::new(), Overflow::Wrap);
    let mut rest = words.get(2..).unwrap_or_default();
    while let [name, behind @ ..] = rest {
        let name = name.to_ascii_lowercase();
        if name == b"overflow" {
            let [how, behind @ ..] = behind else { return Err(CommandError::SYNTAX) };
            overflow = match how.to_ascii_lowercase().as_slice() {
                b"wrap" => Overflow::Wrap,
                b"sat" => Overflow::Saturate,
                b"fail" => Overflow::Fail,
                _ => return Err(CommandError::text("ERR Invalid OVERFLOW type specified")),
            };
            rest = behind;
            continue;
        }
        let [width, at, behind @ ..] = behind else { return Err(CommandError::SYNTAX) };
        let (action, behind): (fn(i64) -> Action, _) = match (name.as_slice(), behind) {
            (b"get", behind) => {
                rest = behind;
                let width = Width::parse(width)?;
                steps.push(Step { width, at: width.offset(at)?, action: Action::Get, overflow });
                continue;
            }
            (b"set", [value, behind @ ..]) => (Action::Set, (value, behind)),
            (b"incrby", [value, behind @ ..]) => (Action::Add, (value, behind)),
            _ => return Err(CommandError::SYNTAX),
        };
        let width = Width::parse(width)?;
        let at = width.offset(at)?;
        let value = number::int(behind.0)?;
        if read_only {
            let text = "ERR BITFIELD_RO only supports the GET subcommand";
            return Err(CommandError::text(text));
        }
        steps.push(Step { width, at, action: action(value), overflow });
        rest = behind.1;
    }
    Ok(steps)
}

/// Without a step that writes it reads, and makes no key.
pub(super) fn bitfield(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Outcome {
    let steps = steps(words, false)?;
    let key = words[1];
    let writes = steps.iter().filter(|step| !matches!(step.action, Action::Get));
    let last_bit = writes.map(|step| step.at + u64::from(step.width.bits) - 1).max();
    let Some(last_bit) = last_bit else { return answer(ctx, key, &steps) };
    let last_byte = usize::try_from(last_bit / 8).unwrap_or(usize::MAX);
    let mut reply = std::mem::take(&mut ctx.reply);
    let written = super::grown(ctx, key, last_byte);
    let written = written.map(|(bytes, grown)| write(&mut reply, bytes, grown, &steps));
    ctx.reply = reply;
    let changes = written?;
    if changes > 0 {
        ctx.changed(Class::String, "setbit", key);
        ctx.effects.dirty += changes - 1;
    }
    Ok(())
}

/// Does what the steps say; how many of them changed something, which they all do where the
/// string has `grown` for them.
fn write(reply: &mut Reply, bytes: &mut [u8], grown: bool, steps: &[Step]) -> u64 {
    let mut changes = 0;
    reply.array(steps.len());
    for step in steps {
        let old = get(bytes, step.at, step.width);
        let (new, answer) = match step.action {
            Action::Get => {
                reply.int(old);
                continue;
            }
            Action::Set(value) => {
                (step.width.fit(step.width.unsigned(value), step.overflow), Some(old))
            }
            Action::Add(value) => {
                let sum = step.width.fit(i128::from(old) + i128::from(value), step.overflow);
                (sum, sum)
            }
        };
        match (new, answer) {
            (Some(new), Some(answer)) => {
                set(bytes, step.at, step.width, new);
                changes += u64::from(grown || new != old);
                reply.int(answer);
            }
            _ => reply.null(),
        }
    }
    changes
}

impl Width {
    /// A value to be set: without a sign it is taken as the 64 bits it has.
    fn unsigned(self, value: i64) -> i128 {
        match self.signed {
            true => value.into(),
            false => i128::from(value as u64),
        }
    }
}

pub(super) fn bitfield_ro(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Outcome {
    let steps = steps(words, true)?;
    answer(ctx, words[1], &steps)
}

fn answer(ctx: &mut Ctx<'_>, key: &[u8], steps: &[Step]) -> Outcome {
    let text = ctx.string(key)?;
    let mut digits = itoa::Buffer::new();
    let bytes = text.as_ref().map_or(&[][..], |text| text.bytes(&mut digits));
    let values: Vec<_> = steps.iter().map(|step| get(bytes, step.at, step.width)).collect();
    ctx.reply.array(values.len());
    values.into_iter().for_each(|value| ctx.reply.int(value));
    Ok(())
}
