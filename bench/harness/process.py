"""Running programs and measuring what they cost: processor time, wall time, memory.

Linux only: all of it comes from /proc and wait4.
"""

import os
import resource
import signal
import subprocess
import threading
import time
from dataclasses import dataclass

TICKS_PER_S = os.sysconf("SC_CLK_TCK")
PEAK_SAMPLE_S = 0.01
STOP_GRACE_S = 10
# What is quoted of a program that failed.
OUTPUT_TAIL_BYTES = 600


class Failed(Exception):
    """A program did not do what it was measured for; the message says what."""


@dataclass
class Usage:
    """What a program cost; None where there was no program."""

    wall_s: float
    cpu_s: float | None = None
    peak_mib: float | None = None
    output: str = ""


def cpu_seconds(pid):
    """Processor time of a process so far, with its children that have ended."""
    with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
        fields = file.read().rpartition(")")[2].split()
    # Fields 14 to 17 of proc(5): utime, stime, cutime, cstime.
    return sum(map(int, fields[11:15])) / TICKS_PER_S


def peak_kib(pid):
    """The most memory a running process has had resident, in KiB; 0 once it has ended."""
    try:
        with open(f"/proc/{pid}/status", encoding="utf-8", errors="replace") as file:
            lines = [line for line in file if line.startswith("VmHWM:")]
    except OSError:
        return 0
    return int(lines[0].split()[1]) if lines else 0


class PeakWatch(threading.Thread):
    """Follows the peak memory of a process until it ends.

    ru_maxrss alone will not do: a child's starts at that of the process that started it, so it
    says something only above our own memory.
    """

    def __init__(self, pid):
        super().__init__(daemon=True)
        self.pid, self.peak, self.over = pid, 0, threading.Event()

    def run(self):
        while True:
            self.peak = max(self.peak, peak_kib(self.pid))
            if self.over.wait(PEAK_SAMPLE_S):
                return

    def result_mib(self, ru_maxrss):
        self.over.set()
        self.join()
        floor = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        peak = max(self.peak, ru_maxrss if ru_maxrss > floor else 0)
        return peak / 1024 if peak else None


def run(argv, folder, timeout_s, memory=True):
    """Runs a program to its end and measures it; Failed when it fails or takes too long.

    Its output goes to files in `folder`, stdout comes back with the usage.
    """
    outputs = [os.path.join(folder, name) for name in ("stdout", "stderr")]
    with open(outputs[0], "wb") as stdout, open(outputs[1], "wb") as stderr:
        start = time.perf_counter()
        child = subprocess.Popen(
            argv, stdin=subprocess.DEVNULL, stdout=stdout, stderr=stderr,
            cwd=folder, start_new_session=True,
        )
    killer = threading.Timer(timeout_s, kill, [child.pid])
    watch = PeakWatch(child.pid)
    try:
        killer.start()
        if memory:
            watch.start()
        _, status, used = os.wait4(child.pid, 0)
    except BaseException:
        kill(child.pid)
        child.wait()
        raise
    finally:
        killer.cancel()
    wall = time.perf_counter() - start
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode != 0:
        raise Failed(why(child.returncode, wall, timeout_s, outputs))
    peak = watch.result_mib(used.ru_maxrss) if memory else None
    return Usage(wall, used.ru_utime + used.ru_stime, peak, text(outputs[0]))


def kill(pid):
    """Kills a program started by us with everything it started."""
    try:
        os.killpg(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


def text(path):
    with open(path, encoding="utf-8", errors="replace") as file:
        return file.read()


def why(code, wall, timeout_s, outputs):
    if code == -signal.SIGKILL and wall >= timeout_s:
        return f"no end after {timeout_s:.0f} s"
    said = (text(outputs[1]).strip() or text(outputs[0]).strip())[-OUTPUT_TAIL_BYTES:]
    lines = [line for line in said.splitlines() if line.strip()]
    return f"exit code {code}: {lines[-1].strip() if lines else 'it said nothing'}"


def stop(child):
    """Ends a server started by us."""
    child.terminate()
    try:
        child.wait(STOP_GRACE_S)
    except subprocess.TimeoutExpired:
        kill(child.pid)
        child.wait()
