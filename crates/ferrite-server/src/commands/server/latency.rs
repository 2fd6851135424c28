//! LATENCY.

use super::help as help_of;
use crate::commands::{self as table, Entry};
use crate::ctx::{Ctx, Outcome};
use crate::error::CommandError;
use crate::latency::{self, Event, Summary};
use crate::shared::Shared;

/// Events that took longer than `latency-monitor-threshold`, each with its latest and its
/// longest.
pub(super) fn latest(ctx: &mut Ctx<'_>, _: &[&[u8]]) -> Outcome {
    let events = ctx.shared.latency.events();
    ctx.reply.array(events.len());
    for (name, event) in events {
        let last = event.samples.back();
        ctx.reply.array(4);
        ctx.reply.text(name);
        ctx.reply.int(last.map_or(0, |sample| sample.at));
        ctx.reply.int(last.map_or(0, |sample| sample.milliseconds.cast_signed()));
        ctx.reply.int(event.longest.cast_signed());
    }
    Ok(())
}

pub(super) fn history(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Outcome {
    let Event { samples, .. } = ctx.shared.latency.event(words[2]).unwrap_or_default();
    ctx.reply.array(samples.len());
    for sample in samples {
        ctx.reply.array(2);
        ctx.reply.int(sample.at);
        ctx.reply.int(sample.milliseconds.cast_signed());
    }
    Ok(())
}

pub(super) fn reset(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Outcome {
    let forgotten = ctx.shared.latency.reset(words.get(2..).unwrap_or_default());
    ctx.reply.count(forgotten);
    Ok(())
}

pub(super) fn graph(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Outcome {
    let name = String::from_utf8_lossy(words[2]);
    let event = ctx.shared.latency.event(words[2]);
    let event = event
        .ok_or_else(|| CommandError::new(format!("ERR No samples available for event '{name}'")))?;
    ctx.reply.verbatim("txt", latency::graph(&name, &event, ctx.now).as_bytes());
    Ok(())
}

pub(super) fn doctor(ctx: &mut Ctx<'_>, _: &[&[u8]]) -> Outcome {
    let threshold = ctx.shared.config.latency.monitor_threshold.get();
    let text = latency::doctor(&ctx.shared.latency.events(), threshold);
    ctx.reply.verbatim("txt", text.as_bytes());
    Ok(())
}

/// How long the calls of a command took, on all threads.
pub(super) fn durations(shared: &Shared, entry: &Entry) -> Summary {
    let threads = shared.counts.iter();
    Summary::of(
        threads.filter_map(|counts| counts.calls.0.get(entry.number)).map(|calls| &calls.durations),
    )
}

/// `LATENCY HISTOGRAM [command …]`: for each command that ran, how many calls took how long.
pub(super) fn histogram(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Outcome {
    let with_subcommands = |entry: &'static Entry| std::iter::once(entry).chain(&entry.subcommands);
    let entries: Vec<&Entry> = match words.get(2..).unwrap_or_default() {
        [] => table::all().iter().flat_map(with_subcommands).collect(),
        names => names
            .iter()
            .filter_map(|name| ctx.shared.names.full_name(name))
            .flat_map(with_subcommands)
            .collect(),
    };
    let all = ctx.reply.defer();
    let mut shown = 0;
    for entry in entries {
        let summary = durations(ctx.shared, entry);
        if summary.total == 0 {
            continue;
        }
        shown += 1;
        let steps = summary.cumulative();
        ctx.reply.text(entry.spec.name);
        ctx.reply.map(2);
        ctx.reply.text("calls");
        ctx.reply.int(summary.total.cast_signed());
        ctx.reply.text("histogram_usec");
        ctx.reply.map(steps.len());
        for (microseconds, calls) in steps {
            ctx.reply.int(microseconds.cast_signed());
            ctx.reply.int(calls.cast_signed());
        }
    }
    ctx.reply.settle_map(all, shown);
    Ok(())
}

pub(super) fn help(ctx: &mut Ctx<'_>, _: &[&[u8]]) -> Outcome {
    let lines = [
        ("DOCTOR", "Say in words what took long, and what can be done about it."),
        ("GRAPH <event>", "Draw the last moments of an event."),
        ("HISTOGRAM [COMMAND ...]", "Answer how many calls of commands took how long."),
        ("HISTORY <event>", "Answer the last moments of an event."),
        ("LATEST", "Answer the latest moment and the longest of every event."),
        ("RESET [<event> ...]", "Forget these events, or all."),
    ];
    help_of::help(ctx, "LATENCY", &lines);
    Ok(())
}
