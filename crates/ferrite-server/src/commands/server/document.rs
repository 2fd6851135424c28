//! COMMAND DOCS: what commands are for, and their arguments.

use crate::commands::Entry;
use crate::ctx::{Ctx, Outcome};
use crate::docs::arguments::{Argument, Kind, parse};
use crate::docs::{Doc, of};
use crate::reply::Reply;

pub(super) fn docs(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Outcome {
    let names = words.get(2..).unwrap_or_default();
    let entries: Vec<&Entry> = match names {
        [] => ctx.shared.names.all().collect(),
        names => names.iter().filter_map(|name| ctx.shared.names.full_name(name)).collect(),
    };
    ctx.reply.map(entries.len());
    entries.into_iter().for_each(|entry| document(&mut ctx.reply, entry));
    Ok(())
}

fn document(reply: &mut Reply, entry: &Entry) {
    let (spec, doc) = (entry.spec, of(entry.spec.name));
    reply.text(spec.name);
    let all = reply.defer();
    let mut pairs = 1;
    let mut text = |reply: &mut Reply, name: &str, value: &str| {
        if !value.is_empty() {
            reply.text(name);
            reply.text(value);
            pairs += 1;
        }
    };
    let nothing = Doc { complexity: "", usage: "", summary: "" };
    let Doc { complexity, usage, summary } = doc.unwrap_or(nothing);
    text(reply, "summary", summary);
    if let Some(since) = spec.since.redis.or(spec.since.valkey) {
        let since = format!("{}.{}.{}", since.major, since.minor, since.patch);
        text(reply, "since", &since);
    }
    text(reply, "complexity", complexity);
    reply.text("group");
    reply.text(spec.group.name());
    let arguments = parse(usage).unwrap_or_default();
    if !arguments.is_empty() {
        reply.text("arguments");
        list(reply, &arguments);
        pairs += 1;
    }
    if !entry.subcommands.is_empty() {
        reply.text("subcommands");
        reply.map(entry.subcommands.len());
        entry.subcommands.iter().for_each(|subcommand| document(reply, subcommand));
        pairs += 1;
    }
    reply.settle_map(all, pairs);
}

fn list(reply: &mut Reply, arguments: &[Argument]) {
    reply.array(arguments.len());
    for argument in arguments {
        let all = reply.defer();
        let mut pairs = 2;
        reply.text("name");
        reply.text(&argument.name);
        reply.text("type");
        reply.text(argument.kind.name());
        if let Some(token) = &argument.token {
            reply.text("token");
            reply.text(token);
            pairs += 1;
        }
        let marks = [
            (argument.optional, "optional"),
            (argument.multiple, "multiple"),
            (argument.multiple_token, "multiple_token"),
        ];
        let marks: Vec<&str> = marks.iter().filter(|(is, _)| *is).map(|(_, mark)| *mark).collect();
        if !marks.is_empty() {
            reply.text("flags");
            reply.set(marks.len());
            marks.iter().for_each(|mark| reply.simple(mark));
            pairs += 1;
        }
        if let Kind::OneOf(inner) | Kind::Block(inner) = &argument.kind {
            reply.text("arguments");
            list(reply, inner);
            pairs += 1;
        }
        reply.settle_map(all, pairs);
    }
}
