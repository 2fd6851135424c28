"""Everybody who reads an RDB file. To add one: a class here, a line in PARSERS."""

import json
import os

from .process import Failed, run


class Ours:
    """The example `rdb_speed` of ferrite-rdb: one thread, reads of 1 MiB.

    `pass` finds keys and the ends of their values and verifies the checksum; `decode` also takes
    every value apart.
    """

    def __init__(self, mode):
        self.mode = mode
        self.name = f"ferrite-rdb {mode}"

    def missing(self, bench):
        return None

    def command(self, bench, rdb):
        return [bench.rdb_speed, rdb, self.mode]

    def check(self, bench, output):
        """Raises Failed unless it says that it has read all keys of the whole file."""
        told = json.loads(output)
        if (told["keys"], told["bytes"]) != (bench.keys, os.path.getsize(bench.rdb)):
            raise Failed(f"read {told['keys']:,} keys in {told['bytes']:,} bytes, not all")


class CheckRdb:
    """redis-check-rdb, of the same package as the server.

    It does more than we do: it builds every value as the server keeps it, and frees it.
    """

    name = "redis-check-rdb"

    def missing(self, bench):
        if os.path.basename(bench.redis[-1]) != "redis-server":
            return f"no redis-check-rdb known beside {bench.redis[-1]}"
        return None

    def command(self, bench, rdb):
        beside = os.path.join(os.path.dirname(bench.redis[-1]), "redis-check-rdb")
        return [*bench.redis[:-1], beside, rdb]

    def check(self, bench, output):
        if f"{bench.keys} keys read" not in output:
            raise Failed("it does not say that it has read all keys")


class Rdbtools:
    """rdbtools, the parser of most scripts, doing the least it offers: listing keys."""

    name = "rdbtools"

    def missing(self, bench):
        return bench.venv.missing("requirements-rdb.txt")

    def command(self, bench, rdb):
        return [bench.venv.program("rdb"), "--command", "justkeys", rdb]

    def check(self, bench, output):
        if output.count("\n") != bench.keys:
            raise Failed(f"listed {output.count(chr(10)):,} keys, not all")


def parse(bench, parser, folder):
    """Reads the data set, and makes sure that all of it was read."""
    usage = run(parser.command(bench, bench.rdb), folder, bench.timeout_s)
    parser.check(bench, usage.output)
    return usage


PARSERS = [Ours("pass"), Ours("decode"), CheckRdb(), Rdbtools()]
