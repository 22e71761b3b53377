"""Processor time by kind of process, so that what something costs is told from what else keeps the processors busy."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path

import psycopg
import redis

_TICKS = os.sysconf("SC_CLK_TCK")
#: Of the fields of /proc/PID/stat that follow the program's name: the parent, and four times in ticks.
_PARENT, _TIMES = 1, slice(11, 15)


class ProcessorTime:
    """What some programs use from now on, with all that they started, be it still there or waited for."""

    def __init__(self, programs: Mapping[str, Iterable[int]]) -> None:
        """`programs` are the ids of processes by the kind that they count as."""
        self._programs = {kind: set(ids) for kind, ids in programs.items()}
        self._begun = self._seconds()

    def used(self) -> dict[str, float]:
        """Seconds of one processor, by kind."""
        return {kind: seconds - self._begun[kind] for kind, seconds in self._seconds().items()}

    def _seconds(self) -> dict[str, float]:
        processes = _processes()
        children: dict[int, list[int]] = defaultdict(list)
        for process, (parent, _) in processes.items():
            children[parent].append(process)
        apart = set().union(*self._programs.values())
        found = {}
        for kind, ids in self._programs.items():
            family = list(ids)
            for process in family:
                family += [child for child in children[process] if child not in apart]
            found[kind] = sum(processes[process][1] for process in family if process in processes)
        return found


def told(used: Mapping[str, float], count: int) -> str:
    """Milliseconds for each of so many jobs, by kind and in all."""
    kinds = ", ".join(f"{kind} {1e3 * seconds / count:.1f}" for kind, seconds in used.items())
    return f"{1e3 * sum(used.values()) / count:.1f} ms of a processor each: {kinds}"


def postgresql_process(url: str) -> int:
    """The id of the server's first process, which started all others."""
    with psycopg.connect(url) as connection:
        backend = connection.info.backend_pid
        return _processes()[backend][0]


def redis_process(url: str) -> int:
    with redis.Redis.from_url(url) as connection:
        return int(connection.info("server")["process_id"])


def _processes() -> dict[int, tuple[int, float]]:
    """Of each process its parent, and the seconds that it and the children that it waited for have used."""
    found = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):  # it has ended meanwhile
            continue
        found[int(path.parent.name)] = int(fields[_PARENT]), sum(map(int, fields[_TIMES])) / _TICKS
    return found
