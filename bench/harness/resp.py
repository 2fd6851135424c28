"""A small client for Redis: commands in, replies out, pipelined.

For preparing and checking; nothing that is measured goes through it.
"""

import socket

CONNECT_TIMEOUT_S = 5
REPLY_TIMEOUT_S = 600
READ_BYTES = 256 * 1024


class ServerError(Exception):
    """An error the server replied with."""


def encode(words):
    """One command as the bytes to send."""
    parts = [b"*%d\r\n" % len(words)]
    for word in words:
        word = word if isinstance(word, bytes) else str(word).encode()
        parts.append(b"$%d\r\n%s\r\n" % (len(word), word))
    return b"".join(parts)


class Client:
    """One connection."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), CONNECT_TIMEOUT_S)
        self.socket.settimeout(REPLY_TIMEOUT_S)
        self.reader = self.socket.makefile("rb", READ_BYTES)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.reader.close()
        self.socket.close()

    def call(self, *words):
        """The reply to one command; raises ServerError."""
        reply = self.pipeline([words])[0]
        if isinstance(reply, ServerError):
            raise reply
        return reply

    def pipeline(self, commands):
        """The replies to several commands, errors among them."""
        self.socket.sendall(b"".join(map(encode, commands)))
        return [self._reply() for _ in commands]

    def info(self, section):
        """A section of INFO as a dictionary of strings."""
        lines = self.call("INFO", section).decode().splitlines()
        return dict(line.split(":", 1) for line in lines if ":" in line)

    def _reply(self):
        line = self.reader.readline()
        if not line.endswith(b"\r\n"):
            raise ConnectionError("the server closed the connection")
        kind, rest = line[:1], line[1:-2]
        if kind == b"+":
            return rest
        if kind == b"-":
            return ServerError(rest.decode())
        if kind == b":":
            return int(rest)
        if kind == b"$":
            length = int(rest)
            return None if length < 0 else self.reader.read(length + 2)[:-2]
        if kind == b"*":
            return [self._reply() for _ in range(int(rest))]
        raise ConnectionError(f"a reply starts with {line[:20]!r}")
