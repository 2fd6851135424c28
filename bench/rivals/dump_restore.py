"""SCAN, DUMP and RESTORE in pipelines with redis-py: the script most instructions come to.

usage: dump_restore.py SOURCE_URL TARGET_URL

In its favour: batches of a thousand, both ends pipelined, and hiredis, which many leave out.
As in the instructions, an expiry travels as time left (PTTL), so it arrives late by as long as
the key was under way.
"""

import sys

import redis

BATCH_KEYS = 1000


def copy(source, target):
    cursor, copied = "0", 0
    while cursor != 0:
        cursor, keys = source.scan(cursor=int(cursor), count=BATCH_KEYS)
        reads = source.pipeline(transaction=False)
        for key in keys:
            reads.dump(key)
            reads.pttl(key)
        replies = reads.execute()
        writes = target.pipeline(transaction=False)
        for key, value, ttl in zip(keys, replies[::2], replies[1::2]):
            if value is not None:
                writes.restore(key, max(ttl, 0), value, replace=True)
        copied += len(writes.execute())
    return copied


if __name__ == "__main__":
    print(copy(redis.Redis.from_url(sys.argv[1]), redis.Redis.from_url(sys.argv[2])), "keys")
