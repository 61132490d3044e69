"""Several sessions of nox at once, each with what it starts on one core of the machine.

The tests start processes and wait for them, and under Wine every call of the system is a question to another process.
Waking one that sleeps on another core is dear on a virtual machine: under Wine a Python that imports samesock took 0.6
to 0.9 s to start on one core, and 1.5 to 2.0 s where two were free to choose from, in turns. So the way to use all
cores is a session on each. What must never be put here: what the sessions do.
"""

from __future__ import annotations

import contextlib
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence

print_one_at_a_time = threading.Lock()


def run_in_lanes(
    sessions: Sequence[str], arguments: Sequence[str], environment: Mapping[str, str]
) -> dict[str, tuple[bool, list[str]]]:
    """Run each session by a nox of its own, in this order as cores come free; print what each said once it is over.

    By session: whether it was content, and what it said of itself: the lines that begin with its name. The longest
    should come first. After Ctrl+C, which reaches those that run as well, no other is begun.
    """
    waiting: queue.SimpleQueue[str] = queue.SimpleQueue()
    for name in sessions:
        waiting.put(name)
    results: dict[str, tuple[bool, list[str]]] = {}
    cores = (
        sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_setaffinity") else range(os.cpu_count() or 1)
    )

    def lane(core: int) -> None:
        if hasattr(os, "sched_setaffinity"):
            os.sched_setaffinity(0, {core})  # A thread's own, and that of what it starts.
        while True:
            try:
                name = waiting.get_nowait()
            except queue.Empty:
                return
            print(f"{name} began", flush=True)
            line = [sys.executable, "-m", "nox", "--session", name]
            done = subprocess.run(
                [*line, *(["--", *arguments] if arguments else [])],
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                check=False,
            )
            remarks = [text for text in done.stdout.splitlines() if text.startswith(f"{name}: ")]
            results[name] = done.returncode == 0, remarks
            with print_one_at_a_time:
                print(f"---- {name}", done.stdout, sep="\n", flush=True)

    lanes = [threading.Thread(target=lane, args=[core]) for core in cores[: len(sessions)]]
    try:
        for one in lanes:
            one.start()
        for one in lanes:
            while one.is_alive():
                one.join(1)  # Without a time-out it would not hear of Ctrl+C on Windows.
    except KeyboardInterrupt:
        with contextlib.suppress(queue.Empty):
            while True:
                waiting.get_nowait()
        raise
    return results
