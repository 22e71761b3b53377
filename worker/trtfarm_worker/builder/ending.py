"""What it means when a builder process has ended: an answer, or an error that says why there is none."""

from __future__ import annotations

import signal
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trtfarm.errors import BuilderCrashError, BuilderError, BuilderMemoryError, TrtfarmError, error_from_dict
from trtfarm_worker.builder.events import Answer, Failure

#: What a builder may call its failure; everything else is an error of the builder itself.
_CODES = frozenset(
    {"usage", "bad_model", "bad_data", "bad_table", "no_toolchain", "gate", "builder", "builder_memory", "disk_full"}
)
MEMORY_REMEDY = "use a smaller batch size or workspace, or raise TRTFARM_MEMORY_GIB"
_CRASH_REMEDY = "if it happens again, the model may trip a bug of this TensorRT: try another version of it"
# Python's code for a process that it could not start, the shell's for what it could not run.
_NOT_RUN = {126: "the toolchain's interpreter may not be executed", 127: "the toolchain's interpreter was not found"}


@dataclass(frozen=True, kw_only=True)
class Ending:
    """All that is known about a process that ended by itself."""

    #: Exit code, or the negative number of a signal.
    returncode: int
    outcome: Answer | Failure | None
    #: Last lines printed.
    tail: str
    #: Whether the kernel's out-of-memory killer struck on this host while the process ran.
    oom_killed: bool

    def result(self) -> Mapping[str, Any]:
        """What the builder answered; raises the error that its end amounts to, also when it crashed after answering."""
        if isinstance(self.outcome, Failure):
            raise error_of_failure(self.outcome)
        if self.returncode == 0 and self.outcome is not None:
            return self.outcome.result
        if self.returncode == 0:
            raise self._crash("the builder ended without an answer")
        how = "answered, but then " if self.outcome else ""
        if self.returncode > 0:
            raise self._crash(f"the builder {how}ended with exit code {self.returncode}")
        raise self._death_by_signal(how)

    def _death_by_signal(self, how: str) -> TrtfarmError:
        name = _signal_name(-self.returncode)
        if self.returncode == -signal.SIGKILL and self.oom_killed:
            return BuilderMemoryError(
                f"the builder {how}was killed by the kernel's out-of-memory killer",
                cause="the host ran out of memory",
                remedy="run fewer jobs at once (TRTFARM_SLOTS), or use a smaller batch size",
            )
        if self.returncode == -signal.SIGABRT and "bad_alloc" in self.tail:
            return BuilderMemoryError(
                f"the builder {how}could not get memory ({name})", cause=self.tail, remedy=MEMORY_REMEDY
            )
        if self.returncode == -signal.SIGKILL:
            return self._crash(f"the builder {how}was killed by {name} from outside of the farm")
        return self._crash(f"the builder {how}crashed with {name}")

    def _crash(self, message: str) -> BuilderCrashError:
        cause = _NOT_RUN.get(self.returncode) or "it printed nothing"
        return BuilderCrashError(message, cause=self.tail or cause, remedy=_CRASH_REMEDY)


def error_of_failure(failure: Failure) -> TrtfarmError:
    """The farm's error for what the builder itself says went wrong."""
    code = failure.code if failure.code in _CODES else BuilderError.code
    remedy = failure.remedy or (MEMORY_REMEDY if code == BuilderMemoryError.code else None)
    return error_from_dict({"code": code, "message": failure.message, "cause": failure.cause, "remedy": remedy})


def oom_kills() -> int:
    """How often the kernel's out-of-memory killer has struck on this host, in any control group."""
    for line in Path("/proc/vmstat").read_text().splitlines():
        if line.startswith("oom_kill "):
            return int(line.split()[1])
    return 0


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
