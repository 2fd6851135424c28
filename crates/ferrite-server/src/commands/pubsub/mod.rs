//! SUBSCRIBE and its kin, PUBLISH, PUBSUB.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use ferrite_commands::matches_glob;

use super::{Handler, handler};
use crate::clients::Caller;
use crate::ctx::{Ctx, Outcome, Within};
use crate::error::CommandError;
use crate::pubsub::Scope;

pub(super) const COMMANDS: &[Handler] = &[
    handler("psubscribe", |ctx, words| subscribe(ctx, Scope::Pattern, words)),
    handler("publish", publish),
    handler("pubsub|channels", |ctx, words| channels(ctx, Scope::Channel, words)),
    handler("pubsub|help", help),
    handler("pubsub|numpat", numpat),
    handler("pubsub|numsub", |ctx, words| numsub(ctx, Scope::Channel, words)),
    handler("pubsub|shardchannels", |ctx, words| channels(ctx, Scope::Shard, words)),
    handler("pubsub|shardnumsub", |ctx, words| numsub(ctx, Scope::Shard, words)),
    handler("punsubscribe", |ctx, words| unsubscribe(ctx, Scope::Pattern, words)),
    handler("spublish", spublish),
    handler("ssubscribe", |ctx, words| subscribe(ctx, Scope::Shard, words)),
    handler("subscribe", |ctx, words| subscribe(ctx, Scope::Channel, words)),
    handler("sunsubscribe", |ctx, words| unsubscribe(ctx, Scope::Shard, words)),
    handler("unsubscribe", |ctx, words| unsubscribe(ctx, Scope::Channel, words)),
];

fn publish(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Outcome {
    let received = ctx.publish(words[1], words[2]);
    ctx.propagate_message(words);
    ctx.reply.count(received);
    Ok(())
}

fn spublish(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Outcome {
    let mut caller = Caller { id: ctx.session.client.id, own: &mut ctx.effects.own };
    let pubsub = &ctx.shared.pubsub;
    let received = pubsub.publish_shard(ctx.shared, words[1], words[2], &mut caller);
    ctx.propagate_message(words);
    ctx.reply.count(received);
    Ok(())
}

fn subscribe(ctx: &mut Ctx<'_>, scope: Scope, words: &[&[u8]]) -> Outcome {
    if ctx.within == Within::Script {
        let name = scope.subscribe().to_uppercase();
        let text = format!("ERR {name} isn't allowed for a DENY BLOCKING client");
        return Err(CommandError::new(text).into());
    }
    for name in words.iter().skip(1) {
        if ctx.subscriptions(scope).insert(name.to_vec()) {
            let client = &ctx.session.client;
            client.listening_memory.fetch_add(subscription_memory(name), Ordering::Relaxed);
            ctx.shared.pubsub.subscribe(scope, name, client);
        }
        ctx.confirm(scope, scope.subscribe(), Some(name));
    }
    Ok(())
}

/// Bytes that are kept for a subscription: with the client, and with the channel.
fn subscription_memory(name: &[u8]) -> usize {
    2 * size_of::<Vec<u8>>() + name.len() + size_of::<Arc<()>>()
}

fn unsubscribe(ctx: &mut Ctx<'_>, scope: Scope, words: &[&[u8]]) -> Outcome {
    let names: Vec<Vec<u8>> = match words.get(1..).unwrap_or_default() {
        [] => ctx.subscriptions(scope).iter().cloned().collect(),
        some => some.iter().map(|name| name.to_vec()).collect(),
    };
    if names.is_empty() {
        ctx.confirm(scope, scope.unsubscribe(), None);
    }
    for name in names {
        ctx.end_subscription(scope, &name);
        ctx.confirm(scope, scope.unsubscribe(), Some(&name));
    }
    Ok(())
}

fn channels(ctx: &mut Ctx<'_>, scope: Scope, words: &[&[u8]]) -> Outcome {
    let pattern = words.get(2);
    let fits = |name: &[u8]| pattern.is_none_or(|pattern| matches_glob(pattern, name));
    let names = ctx.shared.pubsub.names(scope);
    let names: Vec<_> = names.iter().filter(|(name, _)| fits(name)).collect();
    ctx.reply.array(names.len());
    names.iter().for_each(|(name, _)| ctx.reply.bulk(name));
    Ok(())
}

fn numsub(ctx: &mut Ctx<'_>, scope: Scope, words: &[&[u8]]) -> Outcome {
    let names = words.get(2..).unwrap_or_default();
    ctx.reply.array(names.len() * 2);
    for name in names {
        ctx.reply.bulk(name);
        ctx.reply.count(ctx.shared.pubsub.count(scope, name));
    }
    Ok(())
}

fn numpat(ctx: &mut Ctx<'_>, _: &[&[u8]]) -> Outcome {
    ctx.reply.count(ctx.shared.pubsub.names(Scope::Pattern).len());
    Ok(())
}

fn help(ctx: &mut Ctx<'_>, _: &[&[u8]]) -> Outcome {
    ctx.help(
        "PUBSUB",
        &[
            "CHANNELS [<pattern>]",
            "    Channels with listeners, all or those that fit a pattern.",
            "NUMPAT",
            "    How many patterns are listened to.",
            "NUMSUB [<channel> ...]",
            "    How many listen to each channel, patterns not counted.",
            "SHARDCHANNELS [<pattern>]",
            "    Shard channels with listeners, all or those that fit a pattern.",
            "SHARDNUMSUB [<shardchannel> ...]",
            "    How many listen to each shard channel.",
        ],
    );
    Ok(())
}

impl Ctx<'_> {
    fn subscriptions(&mut self, scope: Scope) -> &mut std::collections::HashSet<Vec<u8>> {
        let all = &mut self.session.subscriptions;
        match scope {
            Scope::Channel => &mut all.channels,
            Scope::Pattern => &mut all.patterns,
            Scope::Shard => &mut all.shard_channels,
        }
    }

    /// Answers one change of a subscription, with how many are left of its kind.
    fn confirm(&mut self, scope: Scope, word: &str, name: Option<&[u8]>) {
        let all = &self.session.subscriptions;
        let (plain, shard) = (all.channels.len() + all.patterns.len(), all.shard_channels.len());
        let lengths = [all.channels.len(), all.patterns.len(), shard];
        for (count, length) in self.session.client.subscriptions.iter().zip(lengths) {
            count.store(length, Ordering::Relaxed);
        }
        let begin = self.reply.len();
        self.reply.push(3);
        self.reply.text(word);
        self.reply.bulk_or_null(name);
        self.reply.count(if scope == Scope::Shard { shard } else { plain });
        self.push_written(begin);
    }

    fn end_subscription(&mut self, scope: Scope, name: &[u8]) {
        if self.subscriptions(scope).remove(name) {
            let client = &self.session.client;
            client.listening_memory.fetch_sub(subscription_memory(name), Ordering::Relaxed);
            self.shared.pubsub.unsubscribe(scope, name, client);
        }
    }

    /// Ends all subscriptions, without a word.
    pub fn unsubscribe_all(&mut self) {
        for scope in [Scope::Channel, Scope::Pattern, Scope::Shard] {
            let names: Vec<_> = self.subscriptions(scope).iter().cloned().collect();
            names.iter().for_each(|name| self.end_subscription(scope, name));
            self.session.client.subscriptions[scope.index()].store(0, Ordering::Relaxed);
        }
    }

    /// Replicas are told of messages, although nothing has changed.
    fn propagate_message(&mut self, words: &[&[u8]]) {
        let db = self.db();
        self.effects.propagate(db, words);
    }

    /// Answers `HELP` of a container as Redis does: what stands before and behind is the same
    /// for all.
    pub fn help(&mut self, container: &str, lines: &[&str]) {
        self.reply.array(lines.len() + 3);
        let head = format!("{container} <subcommand> [<arg> [value] [opt] ...]. Subcommands are:");
        self.reply.simple(&head);
        lines.iter().for_each(|line| self.reply.simple(line));
        self.reply.simple("HELP");
        self.reply.simple("    Print this help.");
    }
}
