"""The servers that are compared, each as it is at its best on a machine with few cores."""

import os
import shlex
from dataclasses import dataclass

from ..setup import command, say

FERRITE = "ferrite"

# The same load generator for everybody: that of Valkey 8.1.
LOAD_PEER, LOAD_PROGRAM = "valkey-8.1", "valkey-benchmark"


@dataclass
class Contender:
    """A server: the words that start it, and what it is told besides what all are told."""

    name: str
    peer: str | None = None
    options: tuple = ()
    # Only in a full run.
    full: bool = False
    words: tuple = ()


CONTENDERS = (
    Contender(FERRITE),
    Contender("ferrite io-threads 1", options=("--io-threads", "1")),
    Contender("redis 7.0", "redis-7.0"),
    Contender("redis 8.0", "redis-8.0"),
    Contender("redis 8.0 io-threads 2", "redis-8.0", ("--io-threads", "2"), full=True),
    Contender("valkey 9.1", "valkey-9.1"),
    Contender("valkey 9.1 io-threads 2", "valkey-9.1", ("--io-threads", "2")),
)


def peer_words(root, peer):
    """The words that run a peer's server, fetched when missing."""
    run = ["cargo", "run", "--quiet", "-p", "ferrite-testkit", "--bin", "peers", "--"]
    command([*run, "fetch", peer], root)
    return shlex.split(command([*run, "path", peer], root).strip())


def prepare(root, ferrite, only, full):
    """The contenders of a run with their words, and the words of the load generator."""
    say("looking for the servers")
    found = {}
    ready = []
    for one in CONTENDERS:
        chosen = one.name == FERRITE or (one.name in only if only else full or not one.full)
        if not chosen:
            continue
        if one.peer is None:
            one.words = (ferrite, *one.options)
        else:
            found[one.peer] = found.get(one.peer) or peer_words(root, one.peer)
            one.words = (*found[one.peer], *one.options)
        ready.append(one)
    server = peer_words(root, LOAD_PEER)
    program = os.path.join(os.path.dirname(server[-1]), LOAD_PROGRAM)
    return ready, [*server[:-1], program]


def process_cpu_s(pid):
    """Processor time of all threads of a process so far, to the nanosecond."""
    total = 0
    for thread in os.listdir(f"/proc/{pid}/task"):
        try:
            with open(f"/proc/{pid}/task/{thread}/schedstat", encoding="ascii") as file:
                total += int(file.read().split()[0])
        except OSError:
            continue
    return total / 1e9


def resident_mib(pid):
    """Memory of a process that is resident now, in MiB."""
    with open(f"/proc/{pid}/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20
