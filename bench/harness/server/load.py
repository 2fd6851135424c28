"""The hot path: one kind of command at a time, from the same load generator, in turns."""

import csv
import io
import os
import re
import subprocess
import time
from dataclasses import dataclass

from ..process import Failed
from .contenders import process_cpu_s

KEYS = 200_000
COLLECTIONS = 10_000
VALUE = "x" * 64
TIMEOUT_S = 300


@dataclass(frozen=True)
class Case:
    """A command, how many of them are sent at once, and by how many clients."""

    command: str
    pipeline: int
    clients: int
    threads: int = 1

    @property
    def name(self):
        threads = f" by {self.threads} threads" if self.threads > 1 else ""
        return f"{self.command} P={self.pipeline} clients={self.clients}{threads}"


RANDOM = "__rand_int__"
# The words of each command, and from how many keys it chooses.
COMMANDS = {
    "GET": (["GET", f"key:{RANDOM}"], KEYS),
    "SET": (["SET", f"key:{RANDOM}", VALUE], KEYS),
    "INCR": (["INCR", f"counter:{RANDOM}"], KEYS),
    "LPUSH": (["LPUSH", f"list:{RANDOM}", f"element:{RANDOM}"], COLLECTIONS),
    "HSET": (["HSET", f"hash:{RANDOM}", f"field:{RANDOM}", "value"], COLLECTIONS),
    "ZADD": (["ZADD", f"zset:{RANDOM}", RANDOM, f"member:{RANDOM}"], COLLECTIONS),
    "XADD": (["XADD", f"stream:{RANDOM}", "*", "field", "value"], COLLECTIONS),
    "MGET": (["MGET", *[f"key:{RANDOM}"] * 10], KEYS),
}


def cases(full):
    """What a run measures: everything, or what the aims speak of."""
    found = []
    for command in COMMANDS:
        few = command in ("GET", "SET")
        for pipeline in (32, 1):
            for clients in (50, 1, 1000):
                if full or few or clients == 50:
                    found.append(Case(command, pipeline, clients))
    # The most that two cores give: the generator itself needs one of them, or both.
    found += [Case(command, pipeline, 50, 2) for command in ("GET", "SET") for pipeline in (32, 1)]
    return found


def requests(case, scale):
    """So many that a measurement takes about half a second."""
    one = {(32, 1): 200_000, (32, 50): 400_000, (32, 1000): 400_000,
           (1, 1): 15_000, (1, 50): 40_000, (1, 1000): 40_000}[case.pipeline, case.clients]
    return int(one * scale / (4 if case.command == "MGET" else 1))


def fill(server):
    """The same keys for everybody."""
    words = [b"*3\r\n$3\r\nSET\r\n$16\r\nkey:%012d\r\n$%d\r\n%s\r\n"
             % (key, len(VALUE), VALUE.encode()) for key in range(KEYS)]
    with server.client() as client:
        client.call("FLUSHALL")
        send_all(client, words)


def send_all(client, commands, batch=5000):
    """Sends commands that were encoded before, and drops what they answer, one line each."""
    for start in range(0, len(commands), batch):
        part = commands[start:start + batch]
        client.socket.sendall(b"".join(part))
        for _ in part:
            if client.reader.readline()[:1] == b"-":
                raise Failed("a server refused to be filled")


def generate(generator, server, case, count, text=False):
    """Has the load generator send so many requests; its output."""
    words, keys = COMMANDS[case.command]
    options = ["-p", str(server.port), "-c", str(case.clients), "-n", str(count),
               "-P", str(case.pipeline), "-r", str(keys)]
    if case.threads > 1:
        options += ["--threads", str(case.threads)]
    done = subprocess.run([*generator, *options, *([] if text else ["--csv"]), *words],
                          capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    if done.returncode != 0 or "rror" in done.stderr:
        raise Failed(f"the load generator: {(done.stderr or done.stdout).strip()[-200:]}")
    return done.stdout


def measure(generator, server, case, scale):
    """Processor time of one operation, and how many there were in a second."""
    count = requests(case, scale)
    before = process_cpu_s(server.child.pid)
    output = generate(generator, server, case, count)
    cpu = process_cpu_s(server.child.pid) - before
    rows = list(csv.DictReader(io.StringIO(output)))
    if not rows:
        raise Failed("the load generator printed nothing")
    return {"cpu_us": cpu / count * 1e6, "rps": float(rows[-1]["rps"]),
            "p99_ms": float(rows[-1]["p99_latency_ms"])}


def run(bench, servers):
    """All rounds; a row for each measurement."""
    rows = []
    chosen = [case for case in cases(bench.full) if not bench.cases or case.command in bench.cases]
    for round_ in range(bench.rounds):
        bench.say(f"hot path, round {round_ + 1} of {bench.rounds}")
        for server in servers.values():
            fill(server)
        for at, case in enumerate(chosen):
            names = list(servers)
            turn = (round_ + at) % len(names)
            for name in names[turn:] + names[:turn]:
                found = measure(bench.generator, servers[name], case, bench.scale)
                rows.append({"part": "hot path", "case": case.name, "name": name, "round": round_,
                             "load": os.getloadavg()[0], **found})
    return rows


def percentile(output, wanted):
    """A percentile of the latency, in ms, as the load generator prints it."""
    pairs = re.findall(r"([\d.]+)% <= ([\d.]+) milliseconds", output)
    found = [float(ms) for share, ms in pairs if float(share) >= wanted]
    if not found:
        raise Failed("the load generator told no percentiles")
    return found[0]


def pause(seconds):
    """Lets a server finish what it does on its own."""
    time.sleep(seconds)
