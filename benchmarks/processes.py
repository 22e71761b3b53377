"""Whole processes measured from outside: start to end, and the most memory they ever held."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass

_KIB = 1024


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """Wall time in seconds, peak resident memory in bytes, and what the process wrote on stdout."""

    seconds: float
    peak_bytes: int
    output: bytes


def measure(command: Sequence[str], request: bytes = b"") -> Measurement:
    """Runs a command with `request` on its stdin. Raises CalledProcessError when it fails."""
    begun = time.perf_counter()
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None  # noqa: S101 - for the type checker
        assert process.stdout is not None  # noqa: S101 - for the type checker
        process.stdin.write(request)
        process.stdin.close()
        output = process.stdout.read()
        # wait4 tells the peak of this one child; getrusage would tell that of the largest one ever waited for.
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    seconds = time.perf_counter() - begun
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command, output)
    return Measurement(seconds=seconds, peak_bytes=usage.ru_maxrss * _KIB, output=output)
