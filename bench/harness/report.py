"""Tables for people, rows for programs."""

import csv
import os
import statistics

from .contestants import NATIVE
from .machine import describe

COLUMNS = (
    "part", "name", "round", "outcome", "wall_s", "cpu_s", "source_cpu_s", "target_cpu_s",
    "peak_mib", "keys", "bytes", "expiry_drift_ms", "load_before", "note",
)


def median(rows, column):
    """Of the rounds that succeeded; None where nothing was measured."""
    values = [row[column] for row in rows if row.get(column) is not None]
    return statistics.median(values) if values else None


def number(value, form):
    return "–" if value is None else format(value, form)


def table(head, lines):
    """A Markdown table, aligned so that it is read as it stands."""
    if not lines:
        return "Nothing was measured."
    rows = [head, *lines]
    widths = [max(len(row[at]) for row in rows) for at in range(len(head))]

    def written(row):
        cells = [cell.ljust(width) if at == 0 else cell.rjust(width)
                 for at, (cell, width) in enumerate(zip(row, widths))]
        return f"| {' | '.join(cells)} |"

    dashes = [("-" * (width - 1)) + (":" if at else "-") for at, width in enumerate(widths)]
    return "\n".join([written(head), written(dashes), *map(written, lines)])


def groups(rows, part):
    """The rows of a part by name, in the order they first came."""
    found = {}
    for row in rows:
        if row["part"] == part:
            found.setdefault(row["name"], []).append(row)
    return found


def succeeded(rows):
    return [row for row in rows if row["outcome"] == "ok"]


def remarks(found):
    """A line for everybody who failed or could not run, in however many rounds."""
    lines = []
    for name, rows in found.items():
        wrong = [row for row in rows if row["outcome"] != "ok"]
        if wrong:
            notes = "; ".join(dict.fromkeys(row["note"] for row in wrong))
            times = f"{len(wrong)} of {len(rows)}: " if succeeded(rows) else ""
            lines.append(f"- {name}: {times}{notes}")
    return lines


def copy_section(bench, rows):
    found = groups(rows, "copy")
    native = median(succeeded(found.get(NATIVE, [])), "wall_s")
    lines = []
    for name, all_rows in found.items():
        good = succeeded(all_rows)
        wall = median(good, "wall_s")
        if wall is None:
            continue
        walls = [row["wall_s"] for row in good]
        lines.append([
            name, f"{wall:.2f}", f"{min(walls):.2f}–{max(walls):.2f}",
            f"{wall / native:.2f}" if native else "–",
            number(median(good, "cpu_s"), ".2f"), number(median(good, "source_cpu_s"), ".2f"),
            number(median(good, "target_cpu_s"), ".2f"), number(median(good, "peak_mib"), ".0f"),
            number(median(good, "expiry_drift_ms"), ".0f"),
        ])
    head = ["", "wall s", "min–max", "x native", "CPU s tool", "source", "target",
            "peak MiB", "expiry off ms"]
    title = f"## Copying {bench.keys:,} keys, Redis 7.0 to Redis 7.0, median of {bench.rounds}"
    return [title, "", table(head, lines), "", *remarks(found), ""]


def memory_section(bench, rows):
    found = groups(rows, "memory")
    lines = [
        [name, number(median(good, "peak_mib"), ".0f"), number(median(good, "wall_s"), ".2f"),
         number(median(good, "cpu_s"), ".2f")]
        for name, good in ((name, succeeded(rows)) for name, rows in found.items()) if good
    ]
    head = ["", "peak MiB", "wall s", "CPU s tool"]
    return [f"## One key of {bench.big_mb} MB", "", table(head, lines), "", *remarks(found), ""]


def parse_section(bench, rows):
    found = groups(rows, "parse")
    lines = []
    for name, all_rows in found.items():
        good = succeeded(all_rows)
        wall = median(good, "wall_s")
        if wall is None:
            continue
        megabytes = good[0]["bytes"] / 1e6
        lines.append([name, f"{megabytes / wall:,.0f}", f"{wall:.2f}",
                      number(median(good, "cpu_s"), ".2f"),
                      number(median(good, "peak_mib"), ".0f")])
    sizes = {row["bytes"] for rows in found.values() for row in rows}
    size = f" of {max(sizes) / 1e6:.0f} MB" if sizes else ""
    head = ["", "MB/s", "wall s", "CPU s", "peak MiB"]
    title = f"## Reading the RDB file{size}, median of {bench.rounds}"
    return [title, "", table(head, lines), "", *remarks(found), ""]


SECTIONS = {"copy": copy_section, "memory": memory_section, "parse": parse_section}


def summary(bench, rows):
    """summary.md, and what is printed."""
    lines = [line for part in bench.parts for line in SECTIONS[part](bench, rows)]
    return "\n".join(["# Summary", "", *lines]).replace("\n\n\n", "\n\n").rstrip() + "\n"


def write(bench, rows, folder):
    """setup.md, raw.csv and summary.md of a run."""
    os.makedirs(folder, exist_ok=True)
    for name, text in (("setup.md", describe(bench)), ("summary.md", summary(bench, rows))):
        with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
            file.write(text)
    with open(os.path.join(folder, "raw.csv"), "w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        for row in rows:
            writer.writerow({name: rounded(row.get(name)) for name in COLUMNS})


def rounded(value):
    return round(value, 4) if isinstance(value, float) else value
