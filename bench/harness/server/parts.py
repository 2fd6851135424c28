"""What is not the hot path: loading, saving, synchronizing, memory, idleness, the longest waits."""

import os
import shutil
import socket
import subprocess
import time

from ..process import Failed, cpu_seconds
from ..resp import ServerError
from ..servers import Server, until
from ..setup import say
from .contenders import peer_words, process_cpu_s, resident_mib
from .load import Case, generate, pause, percentile, send_all

LOADED_WITHIN_S = 300
IDLE_S = 5
READ_BYTES = 1 << 20

# Latency is asked of 50 clients, without pipelines.
TAIL = Case("SET", 1, 50)
EXPIRES_IN_MS = 3000


def key_file(bench):
    """An RDB of keys of sixteen bytes with values of eight, made once by Redis 7.0."""
    path = os.path.join(bench.data, f"strings-{bench.keys}.rdb")
    if os.path.exists(path):
        return path
    say(f"making {bench.keys:,} keys")
    maker = peer_words(bench.root, "redis-7.0")
    with Server(maker, bench.scratch) as server, server.client() as client:
        for start in range(0, bench.keys, 100_000):
            end = min(start + 100_000, bench.keys)
            send_all(client, [b"*3\r\n$3\r\nSET\r\n$16\r\nkey:%012d\r\n$8\r\nv%07d\r\n"
                              % (key, key % 10_000_000) for key in range(start, end)])
        client.call("SAVE")
        os.rename(os.path.join(server.folder, "dump.rdb"), path)
    return path


def is_loaded(client):
    try:
        return client.info("persistence").get("loading") == "0"
    except ServerError:
        return False


def data(bench, contender):
    """A server with the keys of the file: loading, memory, saving, synchronizing."""
    began = time.monotonic()
    with Server(contender.words, bench.scratch, bench.rdb) as server, server.client() as client:
        until(lambda: is_loaded(client), LOADED_WITHIN_S, "the file is not loaded")
        wall, cpu = time.monotonic() - began, process_cpu_s(server.child.pid)
        if client.call("DBSIZE") != bench.keys:
            raise Failed(f"{contender.name}: not all keys were loaded")
        row = {"load_wall_s": wall, "load_cpu_s": cpu}
        row["used_bytes"] = int(client.info("memory")["used_memory"]) / bench.keys
        row["resident_bytes"] = resident_mib(server.child.pid) * 2**20 / bench.keys
        row["save_wall_s"], row["save_cpu_s"] = timed(server, lambda: client.call("SAVE"))
        row["sync_wall_s"], row["sync_cpu_s"] = timed(server, lambda: synchronize(server))
        return row


def timed(server, work):
    """Wall and processor time of a server, with its children, for some work."""
    before, own, began = cpu_seconds(server.child.pid), process_cpu_s(server.child.pid), \
        time.monotonic()
    work()
    wall = time.monotonic() - began
    cpu = server.cpu_s() - before
    # Threads to the nanosecond, where no child took part; children count in steps of 10 ms.
    fine = process_cpu_s(server.child.pid) - own
    return wall, fine if abs(cpu - fine) < 0.03 else cpu


def synchronize(server):
    """Takes a full synchronization off a socket, as a replica would, and drops it."""
    with socket.create_connection(("127.0.0.1", server.port)) as link:
        link.settimeout(LOADED_WITHIN_S)
        link.sendall(b"REPLCONF capa eof capa psync2\r\n")
        receive(link)
        link.sendall(b"PSYNC ? -1\r\n")
        head, mark = b"", None
        while mark is None:
            head += receive(link)
            start = head.find(b"$EOF:")
            if start >= 0 and len(head) >= start + 47:
                mark = head[start + 5:start + 45]
            elif b"-ERR" in head:
                raise Failed(f"no synchronization: {head[:100]!r}")
        tail = head[start + 47:]
        while mark not in tail:
            tail = tail[-64:] + receive(link)


def receive(link):
    piece = link.recv(READ_BYTES)
    if not piece:
        raise Failed("the server closed the link of a replica")
    return piece


def idle(bench, contender):
    """A server that nobody talks to."""
    with Server(contender.words, bench.scratch) as server:
        pause(2)
        before = process_cpu_s(server.child.pid)
        pause(IDLE_S)
        cpu = process_cpu_s(server.child.pid) - before
        return {"idle_percent": cpu / IDLE_S * 100, "idle_mib": resident_mib(server.child.pid)}


def tails(bench, contender):
    """The wait that one request in a thousand exceeds: alone, and while something goes on."""
    count = int(100_000 * bench.scale)
    row = {}

    def ask(server, case=TAIL, requests=count):
        return percentile(generate(bench.generator, server, case, requests, text=True), 99.9)

    with Server(contender.words, bench.scratch, bench.rdb) as server, server.client() as client:
        until(lambda: is_loaded(client), LOADED_WITHIN_S, "the file is not loaded")
        row["alone_ms"] = ask(server)
        client.call("BGSAVE")
        row["bgsave_ms"] = ask(server)
        until(lambda: client.info("persistence")["rdb_bgsave_in_progress"] == "0",
              LOADED_WITHIN_S, "the snapshot does not end")
        client.call("FLUSHALL")
        expire_together(client, min(bench.keys, 1_000_000))
        row["expiry_ms"] = ask(server)
    with Server(contender.words, bench.scratch) as server:
        row["growth_ms"] = grow(bench, server, count)
    return row


def expire_together(client, keys):
    """Keys whose time ends while the next measurement runs."""
    at = int(time.time() * 1000) + EXPIRES_IN_MS
    send_all(client, [b"*5\r\n$3\r\nSET\r\n$16\r\nold:%012d\r\n$1\r\nv\r\n$4\r\nPXAT\r\n$13\r\n%d\r\n"
                      % (key, at) for key in range(keys)])
    pause(max(0, at / 1000 - time.time()))


def grow(bench, server, count):
    """The same while another client adds keys as fast as it can."""
    filling = [*bench.generator, "-p", str(server.port), "-c", "1", "-P", "32", "-r",
               "100000000", "-n", "1000000000", "-q", "SET", "new:__rand_int__", "v"]
    child = subprocess.Popen(filling, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        return percentile(generate(bench.generator, server, TAIL, count, text=True), 99.9)
    finally:
        child.kill()
        child.wait()


PARTS = {"data": data, "idle": idle, "tails": tails}


def run(bench):
    """All parts that were chosen, in turns; a row for each."""
    rows = []
    for part in (part for part in PARTS if part in bench.parts):
        for round_ in range(bench.part_rounds):
            turn = round_ % len(bench.contenders)
            for contender in bench.contenders[turn:] + bench.contenders[:turn]:
                say(f"{part}, round {round_ + 1} of {bench.part_rounds}: {contender.name}")
                rows.append({"part": part, "case": part, "name": contender.name, "round": round_,
                             "load": os.getloadavg()[0], **PARTS[part](bench, contender)})
                shutil.rmtree(bench.scratch, ignore_errors=True)
                os.makedirs(bench.scratch)
    return rows
