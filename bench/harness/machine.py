"""The machine and the versions a run was made with."""

import datetime
import hashlib
import os
import platform
import shlex
import subprocess
import sys


def facts(bench):
    """What is true of every run: when, of what, where, how busy. No names of hosts."""
    paths = (bench.ferrite, getattr(bench, "redis_shake", None))
    arguments = ["PATH" if word in paths else word for word in sys.argv[1:]]
    return {
        "date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
        "commit": commit(bench.root),
        "command": shlex.join([f"bench/{os.path.basename(sys.argv[0])}", *arguments]),
        "processor": f"{processor()}, {os.cpu_count()} cores seen",
        "memory": f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.1f} GiB",
        "kernel": f"{platform.system()} {platform.release()}",
        "load at the start": " ".join(f"{load:.2f}" for load in bench.load),
        "compiler": said(["rustc", "--version"]),
    }


def describe(bench):
    """setup.md: everything somebody needs to judge or repeat the numbers."""
    found = {
        **facts(bench),
        "server": said([*bench.redis, "--version"]),
        "ours": said([bench.ferrite, "--version"]),
        "python": f"{platform.python_version()}, {rivals(bench)}",
    }
    if bench.redis_shake:
        # It does not tell its version: these are the bytes that were measured.
        with open(bench.redis_shake, "rb") as file:
            found["RedisShake"] = f"SHA-256 {hashlib.sha256(file.read()).hexdigest()}"
    return written(found)


def written(found):
    """Facts as a table."""
    lines = [f"| {name} | {value} |" for name, value in found.items()]
    return "\n".join(["# Setup", "", "| | |", "|---|---|", *lines, ""])


def commit(root):
    revision = said(["git", "-C", root, "rev-parse", "--short=12", "HEAD"])
    changed = said(["git", "-C", root, "status", "--porcelain", "--untracked-files=no"])
    return f"{revision}, with changes not committed" if changed else revision


def processor():
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        names = [line.split(":", 1)[1].strip() for line in file if line.startswith("model name")]
    return names[0] if names else platform.machine()


def rivals(bench):
    """The versions of what the rivals were installed from."""
    versions = []
    for name in ("requirements.txt", "requirements-rdb.txt"):
        with open(os.path.join(bench.rivals, name), encoding="utf-8") as file:
            versions += [line.replace("==", " ") for line in file.read().splitlines()]
    return ", ".join(versions)


def said(words):
    """The first line of what a program says of itself; empty when it does not."""
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return (done.stdout.splitlines() or [""])[0].strip()
