"""Redis servers of our own: started on free ports of 127.0.0.1, stopped with the run."""

import os
import random
import shutil
import socket
import subprocess
import tempfile
import time

from .process import Failed, cpu_seconds, stop, text
from .resp import Client, ServerError

START_TIMEOUT_S = 300
QUIET_TIMEOUT_S = 60
POLL_S = 0.01

# The same for every server and everybody measured: nothing is saved, a full synchronization
# starts at once instead of waiting for more replicas, DEBUG DIGEST is there for checking.
SETTINGS = {
    "bind": "127.0.0.1", "save": "", "appendonly": "no", "repl-diskless-sync": "yes",
    "repl-diskless-sync-delay": "0", "enable-debug-command": "yes", "logfile": "server.log",
}


def free_port():
    """A port nobody listens on, away from those the kernel gives to outgoing connections."""
    while True:
        port = random.randint(10_000, 30_000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue


class Server:
    """A running server; use it as a context."""

    def __init__(self, words, data, rdb=None):
        self.folder = tempfile.mkdtemp(prefix="server-", dir=data)
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}"
        if rdb:
            os.link(rdb, os.path.join(self.folder, "dump.rdb"))
        settings = {**SETTINGS, "port": str(self.port), "dir": self.folder}
        options = [word for name, value in settings.items() for word in (f"--{name}", value)]
        self.child = subprocess.Popen(
            [*words, *options], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL, cwd=self.folder, start_new_session=True,
        )

    def __enter__(self):
        try:
            self._wait_until_up()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        stop(self.child)
        shutil.rmtree(self.folder, ignore_errors=True)

    def client(self):
        return Client(self.port)

    def cpu_s(self):
        """Processor time so far, with forked children, for which it waits."""
        with self.client() as client:
            until(lambda: is_quiet(client), QUIET_TIMEOUT_S, "a server's child did not end")
        return cpu_seconds(self.child.pid)

    def _wait_until_up(self):
        def is_up():
            if self.child.poll() is not None:
                log = os.path.join(self.folder, "server.log")
                said = text(log).splitlines()[-1:] if os.path.exists(log) else []
                raise Failed(f"the server ended: {' '.join(said)}")
            try:
                with self.client() as client:
                    return client.call("PING") == b"PONG"
            except (OSError, ServerError):
                return False
        until(is_up, START_TIMEOUT_S, "the server does not answer")


def is_quiet(client):
    """Whether no child of the server is writing an RDB."""
    return client.info("persistence")["rdb_bgsave_in_progress"] == "0"


def until(is_true, timeout_s, complaint):
    """Waits for something; Failed with the complaint when it does not come."""
    end = time.monotonic() + timeout_s
    while not is_true():
        if time.monotonic() > end:
            raise Failed(f"{complaint} (waited {timeout_s} s)")
        time.sleep(POLL_S)
