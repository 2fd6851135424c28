//! INFO: each command, and each kind of error.

use std::sync::atomic::Ordering;

use super::line;
use super::load::OfCalls;
use crate::commands::server::latency::durations;
use crate::commands::{Entry, all};
use crate::ctx::Ctx;

fn entries() -> impl Iterator<Item = &'static Entry> {
    all().iter().flat_map(|entry| std::iter::once(entry).chain(&entry.subcommands))
}

pub(super) fn commands(ctx: &Ctx<'_>, text: &mut String) {
    for entry in entries() {
        let of = |count: OfCalls| -> u64 {
            let threads = ctx.shared.counts.iter();
            threads
                .filter_map(|counts| counts.calls.0.get(entry.number))
                .map(|calls| count(calls).load(Ordering::Relaxed))
                .sum()
        };
        let (calls, time) = (of(|it| &it.calls), of(|it| &it.nanoseconds) / 1000);
        let (rejected, failed) = (of(|it| &it.rejected), of(|it| &it.failed));
        if calls + rejected == 0 {
            continue;
        }
        let each = if calls == 0 { 0.0 } else { time as f64 / calls as f64 };
        let value = format!(
            "calls={calls},usec={time},usec_per_call={each:.2},rejected_calls={rejected},\
             failed_calls={failed}"
        );
        line(text, &format!("cmdstat_{}", entry.spec.name), value);
    }
}

pub(super) fn errors(ctx: &Ctx<'_>, text: &mut String) {
    for (code, count) in ctx.shared.errors.lock().iter() {
        line(text, &format!("errorstat_{code}"), format!("count={count}"));
    }
}

/// `latency-tracking-info-percentiles` of each command that ran, in microseconds.
pub(super) fn latencies(ctx: &Ctx<'_>, text: &mut String) {
    let config = &ctx.shared.config.latency;
    if !config.tracking.get() {
        return;
    }
    let percentiles = config.tracking_info_percentiles.get();
    for entry in entries() {
        let summary = durations(ctx.shared, entry);
        if summary.total == 0 {
            continue;
        }
        let of = |percent: &f64| {
            let microseconds = summary.percentile(*percent) as f64 / 1000.0;
            format!("p{percent}={microseconds:.3}")
        };
        let values: Vec<String> = percentiles.0.iter().map(of).collect();
        line(text, &format!("latency_percentiles_usec_{}", entry.spec.name), values.join(","));
    }
}
