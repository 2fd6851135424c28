//! CLIENT TRACKING and what belongs to it.

use super::{Handler, handler};
use crate::ctx::{Ctx, Outcome};
use crate::error::CommandError;
use crate::number;
use crate::tracking::{Choice, Mode};

pub(super) const COMMANDS: &[Handler] = &[
    handler("client|caching", caching),
    handler("client|getredir", getredir),
    handler("client|tracking", tracking),
    handler("client|trackinginfo", trackinginfo),
];

fn error(text: &'static str) -> CommandError {
    CommandError::text(text)
}

fn tracking(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Outcome {
    let mode = options(ctx, words.get(3..).unwrap_or_default())?;
    let client = std::sync::Arc::clone(&ctx.session.client);
    if words[2].eq_ignore_ascii_case(b"off") {
        ctx.shared.tracking.stop(&client);
    } else if words[2].eq_ignore_ascii_case(b"on") {
        let current = client.tracking.lock().clone();
        let mode = merged(mode, current)?;
        ctx.shared.tracking.start(&client, mode);
    } else {
        return Err(CommandError::SYNTAX.into());
    }
    ctx.reply.ok();
    Ok(())
}

fn options(ctx: &Ctx<'_>, words: &[&[u8]]) -> Result<Mode, CommandError> {
    let mut mode = Mode::default();
    let mut rest = words.iter();
    while let Some(word) = rest.next() {
        match word.to_ascii_lowercase().as_slice() {
            b"redirect" => {
                let id = rest.next().ok_or(CommandError::SYNTAX)?;
                if mode.redirect.is_some() {
                    return Err(error("ERR A client can only redirect to a single other client"));
                }
                let id = u64::try_from(number::int(id)?).unwrap_or(0);
                if ctx.shared.clients.get(id).is_none() {
                    return Err(error("ERR The client ID you want redirect to does not exist"));
                }
                mode.redirect = Some(id);
            }
            b"prefix" => mode.prefixes.push(rest.next().ok_or(CommandError::SYNTAX)?.to_vec()),
            b"bcast" => mode.broadcast = true,
            b"noloop" => mode.no_loop = true,
            b"optin" if mode.choice == Choice::OptOut => return Err(BOTH),
            b"optout" if mode.choice == Choice::OptIn => return Err(BOTH),
            b"optin" => mode.choice = Choice::OptIn,
            b"optout" => mode.choice = Choice::OptOut,
            _ => return Err(CommandError::SYNTAX),
        }
    }
    Ok(mode)
}

const BOTH: CommandError =
    CommandError::text("ERR You can't specify both OPTIN mode and OPTOUT mode");

/// What a client asks for, beside what it had.
fn merged(mut mode: Mode, current: Option<Mode>) -> Result<Mode, CommandError> {
    if !mode.broadcast && !mode.prefixes.is_empty() {
        return Err(error("ERR PREFIX option requires BCAST mode to be enabled"));
    }
    if let Some(current) = &current
        && current.broadcast != mode.broadcast
    {
        return Err(error(
            "ERR You can't switch BCAST mode on/off before disabling tracking for this client, and then re-enabling it with a different mode.",
        ));
    }
    if mode.broadcast && mode.choice != Choice::All {
        return Err(error("ERR OPTIN and OPTOUT are not compatible with BCAST"));
    }
    if let Some(current) = &current {
        let switched = |from, to| current.choice == from && mode.choice == to;
        if switched(Choice::OptIn, Choice::OptOut) || switched(Choice::OptOut, Choice::OptIn) {
            return Err(error(
                "ERR You can't switch OPTIN/OPTOUT mode before disabling tracking for this client, and then re-enabling it with a different mode.",
            ));
        }
    }
    if mode.broadcast {
        let old = current.map(|current| current.prefixes).unwrap_or_default();
        refuse_overlap(&mode.prefixes, &old)?;
        if mode.prefixes.is_empty() && old.is_empty() {
            mode.prefixes.push(Vec::new());
        }
        mode.prefixes.extend(old);
        mode.prefixes.sort_unstable();
    }
    Ok(mode)
}

fn refuse_overlap(new: &[Vec<u8>], old: &[Vec<u8>]) -> Result<(), CommandError> {
    let overlap = |one: &[u8], other: &[u8]| one.starts_with(other) || other.starts_with(one);
    let message = |one: &[u8], what: &str, other: &[u8]| {
        let (one, other) = (String::from_utf8_lossy(one), String::from_utf8_lossy(other));
        CommandError::new(format!(
            "ERR Prefix '{one}' overlaps with {what} prefix '{other}'. Prefixes for a single client must not overlap."
        ))
    };
    for (index, one) in new.iter().enumerate() {
        if let Some(other) = old.iter().find(|other| overlap(one, other)) {
            return Err(message(one, "an existing", other));
        }
        if let Some(other) = new.iter().skip(index + 1).find(|other| overlap(one, other)) {
            return Err(message(one, "another provided", other));
        }
    }
    Ok(())
}

fn caching(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Outcome {
    let client = std::sync::Arc::clone(&ctx.session.client);
    let mut own = client.tracking.lock();
    let Some(mode) = own.as_mut().filter(|mode| mode.choice != Choice::All) else {
        return Err(error("ERR CLIENT CACHING can be called only when the client is in tracking mode with OPTIN or OPTOUT mode enabled").into());
    };
    let yes = words[2].eq_ignore_ascii_case(b"yes");
    if !yes && !words[2].eq_ignore_ascii_case(b"no") {
        return Err(CommandError::SYNTAX.into());
    }
    if yes && mode.choice != Choice::OptIn {
        return Err(error(
            "ERR CLIENT CACHING YES is only valid when tracking is enabled in OPTIN mode.",
        )
        .into());
    }
    if !yes && mode.choice != Choice::OptOut {
        return Err(error(
            "ERR CLIENT CACHING NO is only valid when tracking is enabled in OPTOUT mode.",
        )
        .into());
    }
    mode.caching = true;
    ctx.reply.ok();
    Ok(())
}

fn getredir(ctx: &mut Ctx<'_>, _: &[&[u8]]) -> Outcome {
    let redirect = match &*ctx.session.client.tracking.lock() {
        None => -1,
        Some(mode) => redirect_of(mode),
    };
    ctx.reply.int(redirect);
    Ok(())
}

fn redirect_of(mode: &Mode) -> i64 {
    mode.redirect.map_or(0, |id| i64::try_from(id).unwrap_or(i64::MAX))
}

fn trackinginfo(ctx: &mut Ctx<'_>, _: &[&[u8]]) -> Outcome {
    let mode = ctx.session.client.tracking.lock().clone();
    let mut flags = vec![if mode.is_some() { "on" } else { "off" }];
    let redirect = mode.as_ref().map_or(-1, redirect_of);
    let mode = mode.unwrap_or_default();
    let more = [
        (mode.broadcast, "bcast"),
        (mode.choice == Choice::OptIn, "optin"),
        (mode.choice == Choice::OptIn && mode.caching, "caching-yes"),
        (mode.choice == Choice::OptOut, "optout"),
        (mode.choice == Choice::OptOut && mode.caching, "caching-no"),
        (mode.no_loop, "noloop"),
        (mode.broken, "broken_redirect"),
    ];
    flags.extend(more.into_iter().filter_map(|(set, name)| set.then_some(name)));
    let reply = &mut ctx.reply;
    reply.map(3);
    reply.text("flags");
    reply.set(flags.len());
    for flag in flags {
        reply.text(flag);
    }
    reply.text("redirect");
    reply.int(redirect);
    reply.text("prefixes");
    reply.array(mode.prefixes.len());
    for prefix in &mode.prefixes {
        reply.bulk(prefix);
    }
    Ok(())
}
