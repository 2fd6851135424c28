"""The three parts of a run: copies, memory, parsing. Each measures and returns rows."""

import os
import tempfile

from .big import FILLERS, fill
from .check import check, expect
from .contestants import CONTESTANTS, Ferrite
from .parsers import PARSERS, parse
from .process import Failed
from .servers import Server
from .setup import data_set, say

STRATEGIES = ("psync", "scan")


def row(part, name, number, **values):
    """One measurement, as it is kept in raw.csv."""
    return {"part": part, "name": name, "round": number, "outcome": "ok",
            "load_before": round(os.getloadavg()[0], 2), **values}


def copies(bench):
    """Every contestant once a round, beginning with another one each round."""
    chosen, rows = [], []
    for contestant in bench.chosen(CONTESTANTS):
        missing = contestant.missing(bench)
        if missing:
            rows.append(row("copy", contestant.name, 0, outcome="missing", note=missing))
        else:
            chosen.append(contestant)
    if not chosen:
        return rows
    with Server(bench.redis, bench.scratch, bench.rdb) as source:
        expected = expect(source)
        for number in range(1, bench.rounds + 1):
            shift = (number - 1) % len(chosen)
            for contestant in chosen[shift:] + chosen[:shift]:
                rows.append(measure(bench, "copy", contestant, number, source, expected))
    return rows


def measure(bench, part, contestant, number, source, expected, name=None):
    """One copy to a new, empty server, checked."""
    result = row(part, name or contestant.name, number)
    with Server(bench.redis, bench.scratch) as target, folder(bench) as scratch:
        before = source.cpu_s(), target.cpu_s()
        try:
            usage = contestant.copy(bench, source, target, scratch)
            after = source.cpu_s(), target.cpu_s()
            result.update(vars(usage), source_cpu_s=after[0] - before[0],
                          target_cpu_s=after[1] - before[1], keys=expected[0])
            result["expiry_drift_ms"] = check(source, target, expected)
        except Failed as failed:
            result.update(outcome="failed", note=str(failed))
    tell(bench, result)
    return result


def memory(bench):
    """Ours alone, with one key larger than it may use memory."""
    rows = []
    chosen = bench.chosen([Ferrite(strategy) for strategy in STRATEGIES])
    for kind in FILLERS if chosen else ():
        with Server(bench.redis, bench.scratch) as source:
            fill(source, kind, bench.big_mb)
            expected = expect(source)
            for contestant in chosen:
                name = f"{contestant.name}, {kind}"
                rows.append(measure(bench, "memory", contestant, 1, source, expected, name))
    return rows


def parsing(bench):
    """Every parser once a round, on the data set of the copies."""
    rows = []
    size = os.path.getsize(bench.rdb)
    for number in range(1, bench.rounds + 1):
        for parser in bench.chosen(PARSERS):
            result = row("parse", parser.name, number, bytes=size)
            missing = parser.missing(bench)
            try:
                if missing:
                    result.update(outcome="missing", note=missing)
                else:
                    with folder(bench) as scratch:
                        result.update(vars(parse(bench, parser, scratch)))
            except Failed as failed:
                result.update(outcome="failed", note=str(failed))
            rows.append(result)
            tell(bench, result)
    return rows


def folder(bench):
    return tempfile.TemporaryDirectory(prefix="run-", dir=bench.scratch)


def tell(bench, result):
    what = f"{result['part']} {result['round']}/{bench.rounds_of(result['part'])} {result['name']}"
    if result["outcome"] == "ok":
        say(f"{what}: {result['wall_s']:.2f} s")
    else:
        say(f"{what}: {result['outcome']}: {result['note']}")


PARTS = {"copy": copies, "memory": memory, "parse": parsing}


def run_parts(bench):
    """All rows of the parts that were asked for."""
    if {"copy", "parse"} & set(bench.parts):
        bench.rdb = data_set(bench)
    return [result for part in bench.parts for result in PARTS[part](bench)]
