"""The comparison for people, the numbers for programs."""

import csv
import os
import statistics

from ..report import rounded, table
from .contenders import FERRITE

# What a part measures: its column, what it is called, and how it is printed.
FACTS = {
    "data": [
        ("load_cpu_s", "load, CPU s", ".2f"), ("load_wall_s", "load, wall s", ".2f"),
        ("save_cpu_s", "SAVE, CPU s", ".2f"), ("save_wall_s", "SAVE, wall s", ".2f"),
        ("sync_cpu_s", "full sync, CPU s", ".2f"), ("sync_wall_s", "full sync, wall s", ".2f"),
        ("used_bytes", "used_memory per key", ".1f"),
        ("resident_bytes", "resident per key", ".1f"),
    ],
    "idle": [("idle_percent", "idle, CPU %", ".2f"), ("idle_mib", "idle, MiB", ".1f")],
    "tails": [
        ("alone_ms", "p99.9 ms, alone", ".2f"), ("bgsave_ms", "p99.9 ms, in BGSAVE", ".2f"),
        ("growth_ms", "p99.9 ms, growing", ".2f"), ("expiry_ms", "p99.9 ms, mass expiry", ".2f"),
    ],
}


def names_of(rows):
    return list(dict.fromkeys(row["name"] for row in sorted(rows, key=lambda row: row["order"])))


def values(rows, case, name, column):
    return [row[column] for row in rows
            if row["case"] == case and row["name"] == name and column in row]


def ratio(own, others, better):
    """Ours to the best of the others."""
    return f"{own / better(others):.2f}" if others and better(others) else "–"


def hot_path(rows, column, title, how, form, better):
    """A line for each case: how each server did, and ours to the best of them."""
    names = names_of(rows)
    lines = []
    for case in dict.fromkeys(row["case"] for row in rows):
        found = {name: values(rows, case, name, column) for name in names}
        found = {name: how(of) for name, of in found.items() if of}
        others = [value for name, value in found.items() if not name.startswith(FERRITE)]
        own = found.get(FERRITE)
        lines.append([case, *(format(found[name], form) if name in found else "–"
                              for name in names),
                      ratio(own, others, better) if own is not None else "–"])
    return [f"## {title}", "", table(["", *names, "ferrite : best"], lines), ""]


def facts(rows, part):
    rows = [row for row in rows if row["part"] == part]
    names = names_of(rows)
    lines = []
    for column, title, form in FACTS[part]:
        for how, word in ((min, "least"), (statistics.median, "median")):
            found = {name: values(rows, part, name, column) for name in names}
            found = {name: how(of) for name, of in found.items() if of}
            others = [value for name, value in found.items() if not name.startswith(FERRITE)]
            own = found.get(FERRITE)
            lines.append([f"{title} ({word})",
                          *(format(found[name], form) if name in found else "–" for name in names),
                          ratio(own, others, min) if own is not None else "–"])
    return [f"## {part}", "", table(["", *names, "ferrite : best"], lines), ""]


def summary(bench, rows):
    """summary.md, and what is printed."""
    lines = ["# Servers side by side", "",
             f"{bench.rounds} rounds in turns, {os.cpu_count()} cores for servers and load "
             f"generator together, load average {bench.load[0]:.1f} before.", ""]
    hot = [row for row in rows if row["part"] == "hot path"]
    if hot:
        lines += hot_path(hot, "cpu_us", "Processor time, µs per request, least of the rounds",
                          min, ".3f", min)
        lines += hot_path(hot, "cpu_us", "The same, median", statistics.median, ".3f", min)
        lines += hot_path(hot, "rps", "Requests a second, most of the rounds", max, ",.0f", max)
    for part in (part for part in FACTS if part in bench.parts):
        lines += facts(rows, part)
    return "\n".join(lines)


def write(bench, rows, folder, setup):
    """setup.md, raw.csv and summary.md of a run."""
    os.makedirs(folder, exist_ok=True)
    for name, text in (("setup.md", setup), ("summary.md", summary(bench, rows))):
        with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
            file.write(text)
    columns = list(dict.fromkeys(column for row in rows for column in row if column != "order"))
    with open(os.path.join(folder, "raw.csv"), "w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns, extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        writer.writerows({name: rounded(value) for name, value in row.items()} for row in rows)
