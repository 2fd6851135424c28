//! What an RDB file holds, as one HTML page: tables and bars, drawn by the page itself. It loads
//! nothing, and all foreign text in it is escaped.

use std::fmt::Write;

use ferrite_migrate::{Analysis, RdbAnalysis, rfc3339};

use super::analysis::percent;
use crate::term::units::{bytes, count};

/// Width of the longest bar, in pixels.
const BAR_WIDTH: u64 = 360;

const STYLE: &str = "\
body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#222}
h2{margin-top:2rem}table{border-collapse:collapse;width:100%}
td,th{text-align:left;padding:.2rem .8rem .2rem 0;border-bottom:1px solid #ddd;vertical-align:top}
td.n{text-align:right;white-space:nowrap}code{word-break:break-all}.bad{color:#b00}
rect{fill:#c1440e}";

/// A row of a chart: a name, what the bar shows, what stands beside it.
struct Bar {
    name: String,
    value: u64,
    notes: Vec<String>,
}

/// The page.
pub fn analysis_page(found: &RdbAnalysis) -> String {
    let title = escape(&format!("RDB analysis: {}", found.file));
    let mut page = format!(
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width\">\
         <title>{title}</title>\n<style>{STYLE}</style></head>\n<body>\n<h1>{title}</h1>\n"
    );
    facts(found, &mut page);
    charts(&found.analysis, &mut page);
    biggest(&found.analysis, &mut page);
    let functions = found.functions.iter().map(|name| (name.clone(), String::new()));
    list("Functions", functions, &mut page);
    let modules = found.modules.iter().map(|(name, uses)| (name.clone(), count(*uses)));
    list("Modules", modules, &mut page);
    let aside = found.stepped_over.iter().map(|step| (step.what.to_owned(), count(step.count)));
    list("Left aside", aside, &mut page);
    list("Auxiliary fields", found.aux.iter().cloned(), &mut page);
    page.push_str("</body></html>\n");
    page
}

fn facts(found: &RdbAnalysis, page: &mut String) {
    let mut rows = vec![
        ("RDB version", format!("{} {}", found.dialect, found.rdb_version)),
        ("Written by", found.writer.clone().unwrap_or_default()),
        ("Written at", found.written_at_ms.map(rfc3339).unwrap_or_default()),
        ("Keys", count(found.analysis.keys)),
        ("Size of the file", bytes(found.file_bytes)),
        ("Names and values, unpacked", bytes(found.analysis.bytes)),
    ];
    if let Some(damage) = &found.damage {
        rows.push(("Damaged behind byte", format!("{}: {}", damage.offset, damage.cause)));
    }
    page.push_str("<table>");
    for (name, value) in rows {
        line(page, &format!("<tr><th>{name}</th><td>{}</td></tr>", escape(&value)));
    }
    page.push_str("</table>\n");
}

fn charts(analysis: &Analysis, page: &mut String) {
    let types = analysis.types.iter().map(|share| Bar {
        name: share.type_name.to_owned(),
        value: share.bytes,
        notes: vec![
            bytes(share.bytes),
            percent(share.bytes, analysis.bytes),
            format!("{} keys", count(share.keys)),
        ],
    });
    chart("Types, by memory", types.collect(), page);
    let patterns = analysis.patterns.iter().map(|pattern| Bar {
        name: pattern.pattern.clone(),
        value: pattern.keys,
        notes: vec![
            format!("{} keys", count(pattern.keys)),
            bytes(pattern.bytes),
            pattern.example.to_string(),
        ],
    });
    chart("Patterns of names", patterns.collect(), page);
    let expiries = analysis.expiries.iter().map(|bucket| Bar {
        name: bucket.when.to_owned(),
        value: bucket.keys,
        notes: vec![count(bucket.keys), percent(bucket.keys, analysis.keys)],
    });
    chart("Expiries", expiries.collect(), page);
    let databases = analysis.databases.iter().map(|database| Bar {
        name: format!("db{}", database.db),
        value: database.keys,
        notes: vec![format!("{} keys", count(database.keys)), bytes(database.bytes)],
    });
    chart("Databases", databases.collect(), page);
}

/// A table whose second column is drawn.
fn chart(title: &str, bars: Vec<Bar>, page: &mut String) {
    let most = bars.iter().map(|bar| bar.value).max().unwrap_or_default();
    if most == 0 {
        return;
    }
    line(page, &format!("<h2>{title}</h2>\n<table>"));
    for bar in bars {
        let width = u128::from(bar.value) * u128::from(BAR_WIDTH) / u128::from(most);
        let notes: String =
            bar.notes.iter().map(|note| format!("<td>{}</td>", escape(note))).collect();
        let row = format!(
            "<tr><td><code>{}</code></td><td><svg width=\"{BAR_WIDTH}\" height=\"14\" \
             role=\"img\"><rect width=\"{width}\" height=\"14\"/></svg></td>{notes}</tr>",
            escape(&bar.name)
        );
        line(page, &row);
    }
    line(page, "</table>");
}

fn biggest(analysis: &Analysis, page: &mut String) {
    if analysis.biggest.is_empty() {
        return;
    }
    line(
        page,
        "<h2>Biggest keys</h2>\n<table><tr><th>Key<th>Database<th>Type<th>Encoding<th>Memory<th>Elements<th>Expires</tr>",
    );
    for key in &analysis.biggest {
        let row = format!(
            "<tr><td><code>{}</code></td><td>{}</td><td>{}</td><td>{}</td><td class=\"n\">{}</td>\
             <td class=\"n\">{}</td><td>{}</td></tr>",
            escape(&key.key.to_string()),
            key.db,
            key.type_name,
            escape(key.encoding),
            bytes(key.bytes),
            count(key.elements),
            key.expires_at_ms.map(rfc3339).unwrap_or_default()
        );
        line(page, &row);
    }
    line(page, "</table>");
}

fn list(title: &str, rows: impl Iterator<Item = (String, String)>, page: &mut String) {
    let rows: Vec<String> = rows
        .map(|(name, value)| {
            format!("<tr><td><code>{}</code></td><td>{}</td></tr>", escape(&name), escape(&value))
        })
        .collect();
    if !rows.is_empty() {
        line(page, &format!("<h2>{title}</h2>\n<table>\n{}\n</table>", rows.join("\n")));
    }
}

fn line(page: &mut String, text: &str) {
    // Writing to a string does not fail.
    let _ = writeln!(page, "{text}");
}

/// Foreign text as text.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            other => out.push(other),
        }
    }
    out
}
