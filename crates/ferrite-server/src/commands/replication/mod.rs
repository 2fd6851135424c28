//! PSYNC and what surrounds it: REPLCONF, ROLE, WAIT, REPLICAOF.

use std::sync::atomic::Ordering;

use super::{Handler, handler};
use crate::ctx::{Ctx, Outcome, Stop, Within};
use crate::error::CommandError;
use crate::number;
use crate::replication::{Psync, Wait};

pub(super) const COMMANDS: &[Handler] = &[
    handler("psync", psync),
    handler("replconf", replconf),
    handler("replicaof", replicaof),
    handler("role", role),
    handler("slaveof", replicaof),
    handler("sync", sync),
    handler("wait", wait),
    handler("waitaof", waitaof),
];

/// What a replica says of itself; unknown options are none of our business, as on Redis.
fn replconf(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Outcome {
    let (pairs, rest) = words.get(1..).unwrap_or_default().as_chunks::<2>();
    if !rest.is_empty() {
        return Err(CommandError::SYNTAX.into());
    }
    for [option, value] in pairs {
        let said = &mut ctx.session.introduction;
        match option.to_ascii_lowercase().as_slice() {
            b"listening-port" => {
                said.port = u16::try_from(number::int(value)?).unwrap_or_default();
            }
            b"ip-address" => said.address = Some(String::from_utf8_lossy(value).into_owned()),
            b"capa" => said.eof |= value.eq_ignore_ascii_case(b"eof"),
            b"rdb-only" => said.rdb_only = number::int(value)? != 0,
            b"rdb-filter-only" => {
                let wanted = value.split(|byte| *byte == b' ').filter(|word| !word.is_empty());
                if let Some(other) = wanted.clone().find(|word| *word != b"functions") {
                    let other = String::from_utf8_lossy(other);
                    let text = format!("ERR Unsupported rdb-filter-only option: {other}");
                    return Err(CommandError::new(text).into());
                }
                said.without_keys = true;
                said.with_functions = wanted.count() > 0;
            }
            b"version" => said.version = true,
            // An acknowledgement from a client that is no replica is not answered.
            b"ack" => return Ok(()),
            _ => {
                let option = String::from_utf8_lossy(option);
                let text = format!("ERR Unrecognized REPLCONF option: {option}");
                return Err(CommandError::new(text).into());
            }
        }
    }
    ctx.reply.ok();
    Ok(())
}

fn psync(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Outcome {
    let id = String::from_utf8_lossy(words[1]).into_owned();
    let offset = number::int(words[2])?;
    ctx.session.psync = Some(Psync { is_sync: false, id, offset });
    Ok(())
}

fn sync(ctx: &mut Ctx<'_>, _: &[&[u8]]) -> Outcome {
    ctx.session.psync = Some(Psync { is_sync: true, ..Psync::default() });
    Ok(())
}

/// `REPLICAOF NO ONE`: it is a master already.
fn replicaof(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Outcome {
    let no_one = words[1].eq_ignore_ascii_case(b"no") && words[2].eq_ignore_ascii_case(b"one");
    if !no_one {
        let text =
            "ERR this server cannot be a replica yet: move the keys with ferrite-migrate instead";
        return Err(CommandError::text(text).into());
    }
    ctx.reply.ok();
    Ok(())
}

fn role(ctx: &mut Ctx<'_>, _: &[&[u8]]) -> Outcome {
    let replicas = ctx.shared.replicas.all();
    let online = replicas.iter().filter(|replica| replica.online.load(Ordering::Relaxed));
    let online: Vec<_> = online.collect();
    let offset = i64::try_from(ctx.shared.log.offset()).unwrap_or(i64::MAX);
    ctx.reply.array(3);
    ctx.reply.text("master");
    ctx.reply.int(offset);
    ctx.reply.array(online.len());
    for replica in online {
        ctx.reply.array(3);
        ctx.reply.text(&replica.address());
        ctx.reply.text(&replica.introduction.port.to_string());
        ctx.reply.text(&replica.acknowledged().to_string());
    }
    Ok(())
}

/// `WAIT replicas timeout`.
fn wait(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Outcome {
    let replicas = usize::try_from(number::int(words[1])?)
        .map_err(|_| CommandError::text("ERR value is out of range, must be positive"))?;
    let timeout = number::parse_int(words[2])
        .ok_or(CommandError::text("ERR timeout is not an integer or out of range"))?;
    if timeout < 0 {
        return Err(CommandError::text("ERR timeout is negative").into());
    }
    let offset = ctx.shared.log.offset();
    let there = ctx.shared.replicas.at(offset);
    if there >= replicas || ctx.within != Within::Nothing {
        ctx.reply.count(there);
        return Ok(());
    }
    ctx.shared.log.append_alone(&["REPLCONF", "GETACK", "*"]);
    let deadline = (timeout > 0).then(|| ctx.now.saturating_add(timeout));
    Err(Stop::Replicas(Wait { offset, replicas, deadline }))
}

fn waitaof(_: &mut Ctx<'_>, _: &[&[u8]]) -> Outcome {
    let text = "ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled.";
    Err(CommandError::text(text).into())
}
