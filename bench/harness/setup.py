"""What a run needs before it measures: programs built, servers found, data made, rivals installed."""

import hashlib
import os
import shlex
import subprocess
import sys

from .process import Failed
from .servers import Server

REDIS = "redis-7.0"


def say(text):
    """Progress goes to stderr; the result alone to stdout."""
    print(text, file=sys.stderr, flush=True)


def build(root):
    """Builds what is measured, and what makes the data, as released."""
    say("building (release)")
    for what in (
        ["-p", "ferrite-tools", "--bins"],
        ["-p", "ferrite-rdb", "--example", "rdb_speed"],
        ["-p", "ferrite-testkit", "--bins"],
    ):
        command(["cargo", "build", "--quiet", "--release", *what], root)


def target_folder(root):
    return os.path.join(root, os.environ.get("CARGO_TARGET_DIR", "target"), "release")


def redis_words(root):
    """The words that run the server, fetched when missing."""
    peers = os.path.join(target_folder(root), "peers")
    return shlex.split(command([peers, "path", REDIS], root).strip())


def command(words, folder):
    """Runs a program that has to succeed; its stdout."""
    done = subprocess.run(words, cwd=folder, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode != 0:
        raise Failed(f"`{shlex.join(words)}` failed with exit code {done.returncode}")
    return done.stdout


def data_set(bench):
    """The RDB of the mixed data set, made once and kept in bench/data."""
    path = os.path.join(bench.data, f"mixed-{bench.keys}.rdb")
    if os.path.exists(path):
        return path
    say(f"making the data set: {bench.keys:,} keys")
    dataset = os.path.join(target_folder(bench.root), "dataset")
    with Server(bench.redis, bench.scratch) as server:
        command([dataset, "mixed", "--keys", str(bench.keys), "--url", server.url], bench.root)
        with server.client() as client:
            client.call("SAVE")
        # Renamed when complete: an interrupted run leaves no half of it.
        os.rename(os.path.join(server.folder, "dump.rdb"), path)
    return path


class Venv:
    """The private Python environment of the rivals, below bench/data."""

    def __init__(self, folder, rivals):
        self.folder, self.rivals = folder, rivals
        self.outcomes = {}

    def program(self, name):
        return os.path.join(self.folder, "bin", name)

    def missing(self, requirements):
        """Installs what a file of requirements lists; why that failed, or None."""
        if requirements not in self.outcomes:
            self.outcomes[requirements] = self._install(requirements)
        return self.outcomes[requirements]

    def _install(self, requirements):
        path = os.path.join(self.rivals, requirements)
        with open(path, "rb") as file:
            stamp = hashlib.sha256(file.read()).hexdigest()[:16]
        done = os.path.join(self.folder, f"{requirements}-{stamp}")
        if os.path.exists(done):
            return None
        say(f"installing {requirements}")
        try:
            if not os.path.exists(self.program("python")):
                command([sys.executable, "-m", "venv", self.folder], None)
            pip = [self.program("python"), "-m", "pip", "install"]
            command([*pip, "--quiet", "--disable-pip-version-check", "-r", path], None)
        except Failed as failed:
            return f"cannot be installed: {failed}"
        open(done, "w", encoding="utf-8").close()
        return None
