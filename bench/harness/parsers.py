"""Everybody who reads an RDB file. To add one: a class here, a line in PARSERS."""

import os

from .process import run


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


class Rdbtools:
    """rdbtools, the parser of most scripts, doing the least it offers: listing keys."""

    name = "rdbtools"

    def missing(self, bench):
        return bench.venv.missing("requirements-rdb.txt")

    def command(self, bench, rdb):
        return [bench.venv.program("rdb"), "--command", "justkeys", "--file", os.devnull, rdb]


def parse(bench, parser, folder):
    return run(parser.command(bench, bench.rdb), folder, bench.timeout_s)


PARSERS = [Ours("pass"), Ours("decode"), CheckRdb(), Rdbtools()]
