"""Everybody who copies a server. To add one: a class here, a line in CONTESTANTS.

The docstring of each says what is in its favour and what is not.
"""

import json
import os
import time

from .process import Failed, Usage, run
from .servers import until


# What the others' times are divided by.
NATIVE = "native"


class Contestant:
    """Copies `source` to `target`, two Servers, and returns the Usage."""

    name = ""

    def missing(self, bench):
        """Why it cannot run here; None when it can."""
        return None

    def copy(self, bench, source, target, folder):
        return run(self.command(bench, source, target, folder), folder, bench.timeout_s)

    def command(self, bench, source, target, folder):
        raise NotImplementedError


class Native(Contestant):
    """REPLICAOF: what the servers do alone, and what `x native` is relative to.

    There is no tool. The time is until the link is up and all keys are there, seen by asking
    every 10 ms, which the target pays for.

    As servers come, the target writes what it receives to a file first and then loads it. In
    their favour there is a second one, set to load from the connection (repl-diskless-load),
    which is the fastest they can do.
    """

    def __init__(self, name, load):
        self.name, self.load = name, load

    def copy(self, bench, source, target, folder):
        with target.client() as client:
            client.call("CONFIG", "SET", "repl-diskless-load", self.load)
            start = time.perf_counter()
            client.call("REPLICAOF", "127.0.0.1", source.port)
            until(lambda: is_in_sync(client), bench.timeout_s, "no full synchronization")
            wall = time.perf_counter() - start
            client.call("REPLICAOF", "NO", "ONE")
        return Usage(wall)


def is_in_sync(client):
    return client.info("replication").get("master_link_status") == "up"


class Ferrite(Contestant):
    """`ferrite-migrate migrate` with its defaults: all checks before the run are part of it."""

    def __init__(self, strategy):
        self.strategy = strategy
        self.name = f"ferrite {strategy}"

    def command(self, bench, source, target, folder):
        return [
            bench.ferrite, "migrate", "-s", source.url, "-t", target.url,
            "-m", "snapshot", "--strategy", self.strategy, "--json",
        ]

    def copy(self, bench, source, target, folder):
        usage = super().copy(bench, source, target, folder)
        last = json.loads(usage.output.splitlines()[-1])
        if last.get("event") != "report":
            raise Failed("no report at the end of its output")
        return usage


class Script(Contestant):
    """One of the scripts in bench/rivals, run by the Python of the private environment."""

    def __init__(self, name, file):
        self.name, self.file = name, file

    def missing(self, bench):
        return bench.venv.missing("requirements.txt")

    def command(self, bench, source, target, folder):
        script = os.path.join(bench.rivals, self.file)
        return [bench.venv.program("python"), script, source.url, target.url]


class RedisShake(Contestant):
    """RedisShake 4 with its defaults, but for what a single copy needs.

    It is told to end after the snapshot (sync_aof, ksn) and, in its favour, to take the snapshot
    without a file on the source (try_diskless) and to scan by the thousand instead of one by one.
    """

    READERS = {
        "sync": "sync_rdb = true\nsync_aof = false\ntry_diskless = true\n",
        "scan": "scan = true\nksn = false\ncount = 1000\n",
    }

    def __init__(self, reader):
        self.reader = reader
        self.name = f"RedisShake {reader}"

    def missing(self, bench):
        if bench.redis_shake:
            return None
        return "not measured: give its program with --redis-shake PATH"

    def command(self, bench, source, target, folder):
        path = os.path.join(folder, "shake.toml")
        with open(path, "w", encoding="utf-8") as file:
            file.write(
                f'[{self.reader}_reader]\naddress = "127.0.0.1:{source.port}"\n'
                f"{self.READERS[self.reader]}\n"
                f'[redis_writer]\naddress = "127.0.0.1:{target.port}"\n\n'
                f'[advanced]\ndir = "{folder}"\nlog_level = "warn"\n'
            )
        return [bench.redis_shake, path]


CONTESTANTS = [
    Native(NATIVE, "disabled"),
    Native(f"{NATIVE} diskless load", "on-empty-db"),
    Ferrite("psync"),
    Ferrite("scan"),
    Script("python DUMP/RESTORE", "dump_restore.py"),
    Script("python MIGRATE", "migrate_copy.py"),
    RedisShake("sync"),
    RedisShake("scan"),
]
