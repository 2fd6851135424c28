"""Whether a copy is one: number of keys, digest of everything, a sample key by key."""

from .process import Failed
from .servers import Server

SAMPLE_KEYS = 1000
# A copy may be late with an expiry by its own latency, not by more.
MAX_EXPIRY_DRIFT_MS = 60_000
# These have no order of their own: the same members may be dumped in another one.
UNORDERED = (b"set", b"hash")


def expect(source: Server):
    """What every copy of this source has to have."""
    with source.client() as client:
        return client.call("DBSIZE"), client.call("DEBUG", "DIGEST")


def check(source, target, expected):
    """Raises Failed when the copy is wrong; the largest difference of expiries in ms."""
    with source.client() as one, target.client() as other:
        keys, digest = other.call("DBSIZE"), other.call("DEBUG", "DIGEST")
        if keys != expected[0]:
            raise Failed(f"wrong copy: {keys:,} keys instead of {expected[0]:,}")
        if digest != expected[1]:
            raise Failed("wrong copy: DEBUG DIGEST differs")
        sample = list(set(one.pipeline([("RANDOMKEY",)] * SAMPLE_KEYS)))
        compare_values(one, other, sample)
        return compare_expiries(one, other, sample)


def compare_values(one, other, sample):
    dumps = [client.pipeline([("DUMP", key) for key in sample]) for client in (one, other)]
    for key, first, second in zip(sample, *dumps):
        if first != second and not same_members(one, other, key):
            raise Failed(f"wrong copy: the value of {key!r} differs")


def same_members(one, other, key):
    if one.call("TYPE", key) not in UNORDERED:
        return False
    return one.call("DEBUG", "DIGEST-VALUE", key) == other.call("DEBUG", "DIGEST-VALUE", key)


def compare_expiries(one, other, sample):
    commands = [("PEXPIRETIME", key) for key in sample]
    pairs = list(zip(one.pipeline(commands), other.pipeline(commands)))
    if any((first < 0) != (second < 0) for first, second in pairs):
        raise Failed("wrong copy: a key has lost or gained an expiry")
    drift = max((abs(first - second) for first, second in pairs), default=0)
    if drift > MAX_EXPIRY_DRIFT_MS:
        raise Failed(f"wrong copy: an expiry is off by {drift:,} ms")
    return drift
