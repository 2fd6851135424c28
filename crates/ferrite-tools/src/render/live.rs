//! What is particular to live migrations: how one went, how its cutover went, what it was told.

use std::path::Path;

use ferrite_migrate::{
    Aborted, Cutover, Followed, JobRecord, JobRounds, Limits, Mode, Verified, rfc3339,
};
use serde::Serialize;
use serde_json::Value;

use super::table::Sheet;
use super::{Output, json};
use crate::limits;
use crate::term::clean::clean;
use crate::term::units::{bytes, count, duration, milliseconds};

/// An object about a migration.
#[derive(Serialize)]
struct About<'a, T> {
    id: &'a str,
    #[serde(flatten)]
    body: T,
}

impl Output {
    /// A migration was cut over.
    pub fn cutover(&self, record: &JobRecord, cutover: &Cutover) {
        if self.json {
            let about = About { id: &record.id, body: cutover };
            self.object(&json::Tagged::ending("cutover", &about, 0));
            return;
        }
        let words = self.result_palette.good("✅ CUT OVER");
        let result = format!("{words} (exit 0: the target is the one to write to)");
        self.switch("CUTOVER REPORT", record, cutover, &result);
        if cutover.reverse {
            let id = &record.id;
            let next = ["complete", "rollback"];
            self.next_steps(&next.map(|verb| format!("ferrite-migrate {verb} --id {id}")));
        }
    }

    /// A migration was rolled back.
    pub fn rolled_back(&self, record: &JobRecord, cutover: &Cutover) {
        if self.json {
            let about = About { id: &record.id, body: cutover };
            self.object(&json::Tagged::ending("rollback", &about, 0));
            return;
        }
        let words = self.result_palette.good("✅ ROLLED BACK");
        let result = format!("{words} (exit 0: the source is the one to write to)");
        self.switch("ROLLBACK REPORT", record, cutover, &result);
    }

    /// A migration was aborted.
    pub fn aborted(&self, record: &JobRecord, aborted: &Aborted) {
        if self.json {
            let about = About { id: &record.id, body: aborted };
            self.object(&json::Tagged::ending("abort", &about, 0));
            return;
        }
        let mut sheet = Sheet::new("ABORT REPORT", self.result_palette);
        sheet.line("");
        sheet.pair("Run", clean(&record.id));
        sheet.pair("Source", clean(&record.plan.source));
        sheet.pair("Target", clean(&record.plan.target));
        sheet.line("");
        aborted_lines(aborted, &mut sheet);
        if !aborted.warnings.is_empty() {
            sheet.section("WARNINGS");
            aborted.warnings.iter().for_each(|warning| sheet.line(clean(warning)));
        }
        sheet.line("");
        let words = self.result_palette.good("✅ ABORTED");
        sheet.line(format!("RESULT: {words} (exit 0: the source is the one to write to)"));
        self.screen.result(&sheet.finish());
        if !aborted.cleaned {
            self.next_steps(&[format!("ferrite-migrate abort --clean --id {}", record.id)]);
        }
    }

    fn switch(&self, title: &str, record: &JobRecord, cutover: &Cutover, result: &str) {
        let mut sheet = Sheet::new(title, self.result_palette);
        sheet.line("");
        sheet.pair("Run", clean(&record.id));
        sheet.pair("Source", clean(&record.plan.source));
        sheet.pair("Target", clean(&record.plan.target));
        sheet.line("");
        cutover_lines(cutover, &mut sheet);
        sheet.line("");
        sheet.line(format!("RESULT: {result}"));
        self.screen.result(&sheet.finish());
    }

    /// A migration could be cut over now; `answer` is what it said.
    pub fn can_cut_over(&self, record: &JobRecord, answer: &Value) {
        let about = About { id: &record.id, body: answer };
        self.object(&json::Tagged::ending("cutover", &about, 0));
        if !self.json {
            let lag = answer.get("lag_bytes").and_then(Value::as_u64).map(bytes);
            let lag = lag.map_or(String::new(), |lag| format!("; the lag is {lag}"));
            let pause = answer.get("projected_pause_ms").and_then(Value::as_u64).map(duration);
            let pause = pause.map(|pause| format!("; writes would be held back for about {pause}"));
            let lag = pause.unwrap_or(lag);
            self.screen.result(&format!("{} can be cut over now{lag}", clean(&record.id)));
        }
    }

    /// A migration is cut over at a time; `replaced` is the one it had before.
    pub fn scheduled(&self, record: &JobRecord, at_ms: u64, replaced: Option<u64>) {
        let instead = replaced.map(|before| format!(", not at {}", rfc3339(before)));
        let words = format!(
            "is cut over at {}, or as soon after it as can be{}",
            rfc3339(at_ms),
            instead.unwrap_or_default()
        );
        let next = ["status", "cutover --cancel"];
        let next = next.map(|verb| format!("ferrite-migrate {verb} --id {}", record.id));
        self.told("scheduled", record, &words, &next);
    }

    /// A migration did what it was told; `words` say what, after its id.
    pub fn told(&self, event: &'static str, record: &JobRecord, words: &str, next: &[String]) {
        #[derive(Serialize)]
        struct Told<'a> {
            next_steps: &'a [String],
        }
        let about = About { id: &record.id, body: Told { next_steps: next } };
        self.object(&json::Tagged::ending(event, &about, 0));
        if !self.json {
            self.screen.result(&format!("{} {words}", clean(&record.id)));
            self.next_steps(next);
        }
    }

    /// A migration copies with these limits from now on.
    pub fn limits(&self, record: &JobRecord, limits: &Limits) {
        let about = About { id: &record.id, body: limits };
        self.object(&json::Tagged::ending("throttle", &about, 0));
        if !self.json {
            self.screen.result(&format!("{} {}", clean(&record.id), limits::text(limits)));
        }
    }

    /// A migration goes on in the background.
    pub fn detached(&self, record: &JobRecord, pid: u32, log: &Path) {
        #[derive(Serialize)]
        struct Detached<'a> {
            pid: u32,
            log: String,
            next_steps: &'a [String],
        }
        let id = &record.id;
        // An incremental migration has no cutover.
        let verbs: &[&str] = match record.plan.mode == Mode::Live.name() {
            true => &["status", "cutover", "stop"],
            false => &["status", "stop"],
        };
        let next: Vec<String> =
            verbs.iter().map(|verb| format!("ferrite-migrate {verb} --id {id}")).collect();
        let log = log.display().to_string();
        let words = format!("runs in the background: process {pid}, log {}", clean(&log));
        let about = About { id, body: Detached { pid, log, next_steps: &next } };
        self.object(&json::Tagged::ending("detached", &about, 0));
        if !self.json {
            self.screen.result(&format!("{} {words}", clean(id)));
            self.next_steps(&next);
        }
    }

    fn next_steps(&self, next: &[String]) {
        next.iter().for_each(|step| self.screen.result(&format!("Next step: {}", clean(step))));
    }

    /// What another process of ours has said: objects are results, the rest is for people.
    pub fn relay(&self, said: &str) {
        for line in said.lines() {
            let is_result = self.json && line.starts_with('{');
            if is_result { self.screen.result(line) } else { self.line(line) }
        }
    }
}

/// How following went, and the cutover.
pub fn followed(followed: &Followed, sheet: &mut Sheet) {
    sheet.section("FOLLOWED");
    sheet.pair("State", followed.state);
    if followed.commands > 0 {
        sheet.pair("Commands", format!("{} applied", count(followed.commands)));
    }
    if followed.refetched > 0 {
        sheet.pair("Keys read again", count(followed.refetched));
    }
    match &followed.rounds {
        Some(rounds) => sheet.pair("Rounds", rounds_words(rounds)),
        None => sheet.pair("Offset", count(followed.applied_offset)),
    }
    if let Some(verified) = &followed.verified {
        compared(verified, sheet);
    }
    if let Some(cutover) = &followed.cutover {
        sheet.section("CUTOVER");
        cutover_lines(cutover, sheet);
    }
}

/// What rounds over all keys came to.
pub fn rounds_words(rounds: &JobRounds) -> String {
    format!(
        "{}; the last: {} keys, {} copied, {} deleted, {}",
        count(rounds.complete),
        count(rounds.keys),
        count(rounds.differing),
        count(rounds.deleted),
        duration(rounds.took_ms)
    )
}

/// What comparing while following has found.
fn compared(verified: &Verified, sheet: &mut Sheet) {
    sheet.section("COMPARED WHILE FOLLOWING");
    sheet.pair("Keys compared", count(verified.checked));
    sheet.pair("Mismatched", count(verified.mismatched));
    sheet.pair("Repaired", count(verified.repaired));
    if verified.moving > 0 {
        let moving = format!("{} (compared at the cutover)", count(verified.moving));
        sheet.pair("Moving", moving);
    }
    if verified.not_comparable > 0 {
        sheet.pair("Not compared", count(verified.not_comparable));
    }
    for difference in &verified.differences {
        let key = clean(&difference.key.to_string());
        sheet.line(format!("  db {}  {key}: {}", difference.db, clean(&difference.detail)));
    }
}

/// What became of the target.
fn aborted_lines(aborted: &Aborted, sheet: &mut Sheet) {
    if !aborted.cleaned {
        let held = if aborted.expiries_held { "; its expiries are held" } else { "" };
        sheet.pair("Left behind", format!("the target keeps what was copied{held}"));
        return;
    }
    sheet.pair("Removed", format!("{} keys", count(aborted.keys_removed)));
    sheet.pair("Put back", format!("{} keys the target had before", count(aborted.keys_restored)));
    if aborted.keys_expired > 0 {
        sheet.pair("Expired since", format!("{} keys", count(aborted.keys_expired)));
    }
    if aborted.functions_restored {
        sheet.pair("Functions", "the libraries the target had before");
    }
}

fn cutover_lines(cutover: &Cutover, sheet: &mut Sheet) {
    sheet.pair("Writes paused", milliseconds(cutover.pause_us));
    if let Some(hook_us) = cutover.hook_us {
        sheet.pair("Hook", format!("{} more", milliseconds(hook_us)));
    }
    sheet.pair("Offset", count(cutover.offset));
    sheet.pair(
        "Expiries",
        format!("{} released during the pause", count(cutover.expiries_released)),
    );
    match (&cutover.source_fence, &cutover.source_fence_before) {
        (Some(fence), before) => {
            let refuses = format!("refuses writes (CONFIG SET {})", clean(fence));
            sheet.pair("Left behind", refuses);
            let lift = before.as_ref().map(|before| format!("CONFIG SET {}", clean(before)));
            lift.into_iter().for_each(|lift| sheet.pair("To lift that", lift));
        }
        (None, _) if cutover.reverse => {
            sheet.pair("Left behind", "the source follows the target, and takes writes");
        }
        (None, _) => sheet.pair("Left behind", "takes writes: stop whatever writes to it"),
    }
}
