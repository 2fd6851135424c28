//! COMMAND.

use ferrite_commands::{
    Access, Command, Flag, KeyFlags, KeySpec, Place, call_key_flags, key_flags, keys, matches_glob,
    resolve,
};

use super::{help as help_of, tips};
use crate::acl::Commands;
use crate::commands::{Entry, Names};
use crate::ctx::{Ctx, Outcome};
use crate::error::CommandError;
use crate::reply::Reply;

pub(super) fn all(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Outcome {
    let _ = words;
    let entries: Vec<&Entry> = ctx.shared.names.all().collect();
    ctx.reply.array(entries.len());
    entries.into_iter().for_each(|entry| describe(&mut ctx.reply, entry));
    Ok(())
}

pub(super) fn count(ctx: &mut Ctx<'_>, _: &[&[u8]]) -> Outcome {
    ctx.reply.count(ctx.shared.names.all().count());
    Ok(())
}

pub(super) fn info(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Outcome {
    let names = words.get(2..).unwrap_or_default();
    if names.is_empty() {
        return all(ctx, words);
    }
    ctx.reply.array(names.len());
    for name in names {
        match ctx.shared.names.full_name(name) {
            Some(entry) => describe(&mut ctx.reply, entry),
            None => ctx.reply.null_array(),
        }
    }
    Ok(())
}

fn describe(reply: &mut Reply, entry: &Entry) {
    let spec = entry.spec;
    reply.array(10);
    reply.text(spec.name);
    reply.int(spec.arity.into());
    let flags: Vec<_> = spec.flags.iter().collect();
    reply.set(flags.len());
    flags.iter().for_each(|flag| reply.simple(flag.name()));
    let (first, last, step) = spec.first_last_step();
    [first, last, step].into_iter().for_each(|number| reply.int(number.into()));
    let categories: Vec<_> = spec.categories().iter().collect();
    reply.set(categories.len());
    categories.iter().for_each(|category| reply.simple(&format!("@{}", category.name())));
    let tips = tips::of(spec);
    reply.array(tips.len());
    tips.iter().for_each(|tip| reply.text(tip));
    reply.array(spec.keys.len());
    for (place, key) in spec.keys.iter().enumerate() {
        describe_keys(reply, key, key_flags(spec, place));
    }
    reply.array(entry.subcommands.len());
    entry.subcommands.iter().for_each(|subcommand| describe(reply, subcommand));
}

/// One place of keys, as servers describe it: where to begin, and how to go on.
fn describe_keys(reply: &mut Reply, key: &KeySpec, flags: Option<KeyFlags>) {
    reply.map(3);
    reply.text("flags");
    let flags: Vec<_> = flags.into_iter().flat_map(KeyFlags::names).collect();
    reply.set(flags.len());
    flags.iter().for_each(|flag| reply.simple(flag));
    let begin: &[(&str, Result<i64, &str>)];
    let find: &[(&str, i64)];
    let (begin_kind, find_kind);
    let (numbers, places);
    match key.place {
        Place::Range { first, last, step } => {
            let first = i64::from(first);
            let last = i64::from(last);
            numbers = [("index", Ok(first)), ("", Ok(0))];
            let last = if last < 0 { last } else { last - first };
            places = [("lastkey", last), ("keystep", step.into()), ("limit", 0)];
            (begin, begin_kind, find, find_kind) = (&numbers[..1], "index", &places, "range");
        }
        Place::Counted { count, first, step } => {
            let count = i64::from(count);
            numbers = [("index", Ok(count)), ("", Ok(0))];
            places = [
                ("keynumidx", 0),
                ("firstkey", i64::from(first) - count),
                ("keystep", step.into()),
            ];
            (begin, begin_kind, find, find_kind) = (&numbers[..1], "index", &places, "keynum");
        }
        Place::Streams { from } => {
            numbers = [("keyword", Err("STREAMS")), ("startfrom", Ok(from.into()))];
            places = [("lastkey", -1), ("keystep", 1), ("limit", 2)];
            (begin, begin_kind, find, find_kind) = (&numbers, "keyword", &places, "range");
        }
        Place::MigrateKeys => {
            numbers = [("keyword", Err("KEYS")), ("startfrom", Ok(-2))];
            places = [("lastkey", -1), ("keystep", 1), ("limit", 0)];
            (begin, begin_kind, find, find_kind) = (&numbers, "keyword", &places, "range");
        }
        Place::SortStore | Place::GeoStore { .. } => {
            (begin, begin_kind, find, find_kind) = (&[], "unknown", &[], "unknown");
        }
    }
    reply.text("begin_search");
    reply.map(2);
    reply.text("type");
    reply.text(begin_kind);
    reply.text("spec");
    reply.map(begin.len());
    for (name, value) in begin {
        reply.text(name);
        match value {
            Ok(number) => reply.int(*number),
            Err(word) => reply.text(word),
        }
    }
    reply.text("find_keys");
    reply.map(2);
    reply.text("type");
    reply.text(find_kind);
    reply.text("spec");
    reply.map(find.len());
    for (name, value) in find {
        reply.text(name);
        reply.int(*value);
    }
}

/// `COMMAND LIST [FILTERBY MODULE name|ACLCAT category|PATTERN pattern]`.
pub(super) fn list(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Outcome {
    let fits: Box<dyn Fn(&Command) -> bool> = match words.get(2..).unwrap_or_default() {
        [] => Box::new(|_| true),
        [by, kind, value] if by.eq_ignore_ascii_case(b"filterby") => {
            match kind.to_ascii_lowercase().as_slice() {
                b"module" => Box::new(|_| false),
                b"aclcat" => {
                    let category = Commands::category(value);
                    Box::new(move |it| category.is_some_and(|one| it.categories().contains(one)))
                }
                b"pattern" => {
                    let pattern = value.to_ascii_lowercase();
                    Box::new(move |it| matches_glob(&pattern, it.name.as_bytes()))
                }
                _ => return Err(CommandError::SYNTAX.into()),
            }
        }
        _ => return Err(CommandError::SYNTAX.into()),
    };
    let mut names = Vec::new();
    for entry in ctx.shared.names.all() {
        let all = std::iter::once(entry).chain(&entry.subcommands);
        names.extend(all.map(|it| it.spec).filter(|spec| fits(spec)).map(|spec| spec.name));
    }
    ctx.reply.array(names.len());
    names.iter().for_each(|name| ctx.reply.text(name));
    Ok(())
}

/// The keys of a call: which words, and what happens to them.
fn keys_of(names: &Names, call: &[&[u8]]) -> Result<Vec<(usize, KeyFlags)>, CommandError> {
    let known = names.full_name(call.first().copied().unwrap_or_default());
    let spec = known.and_then(|entry| match names.in_own_words(entry, call) {
        Some(call) => resolve(&call),
        None => resolve(call),
    });
    let spec = spec.ok_or(CommandError::text("ERR Invalid command specified"))?;
    if spec.keys.is_empty() {
        return Err(CommandError::text("ERR The command has no key arguments"));
    }
    if !spec.accepts(call.len()) {
        let text = "ERR Invalid number of arguments specified for command";
        return Err(CommandError::text(text));
    }
    let wrong = CommandError::text("ERR Invalid arguments specified for command");
    let found = keys(spec, call).map_err(|_| wrong)?;
    let mut all = Vec::new();
    for (place, range) in found.ranges().enumerate() {
        let flags = call_key_flags(spec, place, call);
        let Some(flags) = flags.filter(|_| range.access != Access::NotKey) else { continue };
        all.extend((range.first..range.end).step_by(range.step).map(|at| (at, flags)));
    }
    if all.is_empty() && !spec.flags.contains(Flag::NoMandatoryKeys) {
        return Err(CommandError::text("ERR Invalid arguments specified for command"));
    }
    Ok(all)
}

pub(super) fn getkeys(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Outcome {
    let call = words.get(2..).unwrap_or_default();
    let found = keys_of(&ctx.shared.names, call)?;
    ctx.reply.array(found.len());
    for (at, _) in found {
        ctx.reply.bulk(call.get(at).copied().unwrap_or_default());
    }
    Ok(())
}

pub(super) fn getkeysandflags(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Outcome {
    let call = words.get(2..).unwrap_or_default();
    let found = keys_of(&ctx.shared.names, call)?;
    ctx.reply.array(found.len());
    for (at, flags) in found {
        ctx.reply.array(2);
        ctx.reply.bulk(call.get(at).copied().unwrap_or_default());
        let names: Vec<_> = flags.names().collect();
        ctx.reply.set(names.len());
        names.iter().for_each(|name| ctx.reply.simple(name));
    }
    Ok(())
}

pub(super) fn help(ctx: &mut Ctx<'_>, _: &[&[u8]]) -> Outcome {
    let lines = [
        ("(no subcommand)", "Describe all commands."),
        ("COUNT", "Answer how many commands there are."),
        ("DOCS [<command-name> ...]", "Answer what commands are for, and their arguments."),
        ("GETKEYS <full-command>", "Answer the keys of a call."),
        ("GETKEYSANDFLAGS <full-command>", "Answer the keys of a call and what happens to them."),
        ("INFO [<command-name> ...]", "Describe commands."),
        ("LIST [FILTERBY ...]", "List the names of commands."),
    ];
    help_of::help(ctx, "COMMAND", &lines);
    Ok(())
}
