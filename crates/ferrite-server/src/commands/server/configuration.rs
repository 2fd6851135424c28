//! CONFIG.

use std::sync::atomic::Ordering;

use super::help;
use crate::config::{Config, RewriteError};
use crate::ctx::{Ctx, Outcome};
use crate::error::CommandError;

pub(super) fn get(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Outcome {
    let patterns = words.get(2..).unwrap_or_default();
    let found = ctx.shared.config.matching(patterns);
    ctx.reply.map(found.len());
    for (name, value) in found {
        // Whoever asked by the name gets it in the letters it was written in.
        let name = name.as_bytes();
        let given = patterns.iter().find(|pattern| pattern.eq_ignore_ascii_case(name));
        ctx.reply.bulk(given.copied().unwrap_or(name));
        ctx.reply.bulk(&value);
    }
    Ok(())
}

pub(super) fn set(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Outcome {
    let shared = ctx.shared;
    let local = ctx.session.client.is_local();
    let set = shared.config.set(words.get(2..).unwrap_or_default(), local, shared);
    set.map_err(|error| CommandError::new(format!("ERR {error}")))?;
    shared.evict_clients_now(&ctx.session.client, ctx.counts);
    ctx.reply.ok();
    Ok(())
}

pub(super) fn rewrite(ctx: &mut Ctx<'_>, _: &[&[u8]]) -> Outcome {
    write(ctx, Config::rewrite)
}

/// Writes the configuration to its file, in this way.
pub(super) fn write(
    ctx: &mut Ctx<'_>,
    how: fn(&Config, &[Vec<u8>]) -> Result<(), RewriteError>,
) -> Outcome {
    let shared = ctx.shared;
    // Users stand in the file of users, where there is one.
    let users = match shared.config.security.aclfile.get().is_empty() {
        true => shared.acl.users().iter().map(|user| user.describe()).collect(),
        false => Vec::new(),
    };
    match how(&shared.config, &users) {
        Ok(()) => tracing::info!("CONFIG REWRITE executed with success."),
        Err(error) => {
            tracing::warn!("CONFIG REWRITE failed: {error}");
            return Err(CommandError::new(format!("ERR {error}")).into());
        }
    }
    ctx.reply.ok();
    Ok(())
}

pub(super) fn resetstat(ctx: &mut Ctx<'_>, _: &[&[u8]]) -> Outcome {
    ctx.shared.counts.iter().for_each(crate::ctx::Counts::reset);
    ctx.shared.rates.reset();
    ctx.shared.memory.forget_peak();
    ctx.shared.replicas.reset_counts();
    ctx.shared.errors.lock().clear();
    ctx.shared.garbage.reset();
    ctx.shared.refusals.iter().for_each(|count| count.store(0, Ordering::Relaxed));
    ctx.reply.ok();
    Ok(())
}

pub(super) fn help(ctx: &mut Ctx<'_>, _: &[&[u8]]) -> Outcome {
    help::help(
        ctx,
        "CONFIG",
        &[
            ("GET <pattern>", "Answer the parameters that match, and their values."),
            ("SET <directive> <value>", "Give parameters other values, all or none."),
            ("RESETSTAT", "Set the statistics of INFO to zero."),
            ("REWRITE", "Write the values into the configuration file."),
        ],
    );
    Ok(())
}
