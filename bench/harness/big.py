"""One huge key: fills a server with it."""

import random

MEMBER_BYTES = 1000
BATCH_MEMBERS = 1000
MB = 1_000_000
KEY = "big"
SEED = 7


def fill(server, kind, megabytes):
    """Puts one key of about so many million bytes on the server; bytes that do not compress."""
    with server.client() as client:
        FILLERS[kind](client, random.Random(SEED), megabytes)


def fill_string(client, source, megabytes):
    block = source.randbytes(MB)
    for _ in range(megabytes):
        client.call("APPEND", KEY, block)


def fill_list(client, source, megabytes):
    for _ in range(megabytes * MB // (MEMBER_BYTES * BATCH_MEMBERS)):
        members = (source.randbytes(MEMBER_BYTES) for _ in range(BATCH_MEMBERS))
        client.call("RPUSH", KEY, *members)


def fill_hash(client, source, megabytes):
    number = 0
    for _ in range(megabytes * MB // (MEMBER_BYTES * BATCH_MEMBERS)):
        pairs = []
        for _ in range(BATCH_MEMBERS):
            pairs += [f"field:{number:07}", source.randbytes(MEMBER_BYTES - 13)]
            number += 1
        client.call("HSET", KEY, *pairs)


FILLERS = {"string": fill_string, "list": fill_list, "hash": fill_hash}
