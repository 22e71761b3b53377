"""What processes that stand still were doing: asked of the kernel and of Python, and then they are ended."""

from __future__ import annotations

import signal
from contextlib import suppress
from pathlib import Path

import psutil


def put_to_death(process_id: int) -> str:
    """Ends a process and its children in a way that makes Python's faulthandler tell where they were.

    Returns what the kernel says of their threads. The children go first: what they print on the way out reaches the
    parent, which reports it as the cause of a crash.
    """
    try:
        process = psutil.Process(process_id)
        children = process.children(recursive=True)
    except psutil.NoSuchProcess:
        return ""
    found = "\n".join(_threads(each) for each in (process, *children))
    for group in (children, [process]):
        for each in group:
            with suppress(psutil.NoSuchProcess):
                each.send_signal(signal.SIGABRT)
        for each in psutil.wait_procs(group, timeout=5)[1]:
            each.kill()
    return found


def _threads(process: psutil.Process) -> str:
    lines = [f"process {process.pid}"]
    with suppress(psutil.Error, OSError):
        lines[0] += f" ({process.status()}): {' '.join(process.cmdline())}"
        for task in sorted(Path(f"/proc/{process.pid}/task").iterdir()):
            name = (task / "comm").read_text().strip()
            call = (task / "syscall").read_text().split()[0]
            stack = [line.partition("] ")[2].partition("+")[0] for line in (task / "stack").read_text().splitlines()]
            lines.append(f"  {name}: system call {call}, in the kernel {' < '.join(stack)}")
    return "\n".join(lines)
