"""SCAN and MIGRATE ... COPY KEYS with redis-py: the source itself sends the values.

usage: migrate_copy.py SOURCE_URL TARGET_URL

In its favour: a hundred keys a command. MIGRATE blocks the source while it waits for the target,
which no number here shows.
"""

import sys
from urllib.parse import urlsplit

import redis

BATCH_KEYS = 100
TIMEOUT_MS = 10_000


def copy(source, host, port):
    cursor, copied = "0", 0
    while cursor != 0:
        cursor, keys = source.scan(cursor=int(cursor), count=BATCH_KEYS)
        if keys:
            source.migrate(host, port, keys, 0, TIMEOUT_MS, copy=True, replace=True)
            copied += len(keys)
    return copied


if __name__ == "__main__":
    there = urlsplit(sys.argv[2])
    print(copy(redis.Redis.from_url(sys.argv[1]), there.hostname, there.port), "keys")
