"""One builder process, from its start to the last of its descendants' ends."""

from __future__ import annotations

import importlib.util
import json
import logging
import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from trtfarm.errors import ToolchainError
from trtfarm_worker.builder import session
from trtfarm_worker.builder.environment import builder_environment
from trtfarm_worker.builder.request import BuilderRequest
from trtfarm_worker.toolchains.toolchain import Toolchain

#: trtfarm_builder.PROTOCOL; the worker finds that package but never imports it.
PROTOCOL = 1
REQUEST_NAME = "request.json"
#: Argument of a builder that is started before there is a request.
AHEAD = "--ahead"
#: The last of a killed process's threads may still be giving its memory back.
_REAP_SECONDS = 1.0
_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Child:
    """A running builder. Reading its pipes never blocks; `exit` turns readable when the process has ended."""

    process: subprocess.Popen[bytes]
    events: int
    printed: int
    exit: int


@contextmanager
def started(request: BuilderRequest) -> Iterator[Child]:
    """Starts the builder; on the way out, whatever the way, nothing of its session is left.

    The kernel kills the builder when the thread that called this ends, so that thread has to stay until then.
    """
    # With the GPU's lock: should this process be killed, the GPU is taken until the builder is gone too.
    locks = (request.gpu.descriptor,) if request.gpu else ()
    gpu = request.gpu.uuid if request.gpu else None
    with ExitStack() as stack:
        stdin = stack.enter_context(_request_file(request).open("rb"))
        yield _child(stack, request.toolchain, request.scratch, gpu, stdin.fileno(), inherited=locks)


@dataclass(frozen=True, kw_only=True)
class Early:
    """A builder that has no request yet and meanwhile loads its toolchain."""

    child: Child
    #: Where it reads the request.
    requests: int

    def ask(self, request: BuilderRequest) -> None:
        """Tells it what to do; one that has ended in the meantime is found out by its end."""
        line = f"{_request_file(request)}\n"
        with suppress(BrokenPipeError):
            os.write(self.requests, line.encode())


@contextmanager
def started_early(toolchain: Toolchain, scratch: Path, *, gpu: str, file_bytes: int, ahead: str) -> Iterator[Early]:
    """As `started`, before there is a request: it imports the module `ahead` and waits. `gpu` is a UUID."""
    with ExitStack() as stack:
        theirs, ours = os.pipe()
        stack.callback(os.close, ours)
        header = {**_surroundings(toolchain, file_bytes), "ahead": ahead}
        os.write(ours, json.dumps(header).encode() + b"\n")
        try:
            child = _child(stack, toolchain, scratch, gpu, theirs, arguments=(AHEAD,))
        finally:
            os.close(theirs)
        yield Early(child=child, requests=ours)


def _child(
    stack: ExitStack,
    toolchain: Toolchain,
    scratch: Path,
    gpu: str | None,
    stdin: int,
    *,
    arguments: Sequence[str] = (),
    inherited: Sequence[int] = (),
) -> Child:
    """A new process, which ends with the stack."""
    events, child_events = _pipe(stack)
    printed, child_printed = _pipe(stack)
    command = [str(toolchain.python), "-I", "-X", "faulthandler", str(_launcher()), *arguments, str(child_events)]
    try:
        process = subprocess.Popen(
            command,
            stdin=stdin,
            stdout=child_printed,
            stderr=child_printed,
            pass_fds=(child_events, *inherited),
            cwd=scratch,
            env=builder_environment(os.environ, toolchain=toolchain, scratch=scratch, gpu=gpu),
            start_new_session=True,
        )
        stack.callback(_end, process)
    except OSError as error:
        raise ToolchainError(
            f"the interpreter of toolchain {toolchain.name} does not start",
            cause=str(error),
            remedy=f"trtfarm toolchain test {toolchain.name}",
        ) from error
    finally:
        os.close(child_events)
        os.close(child_printed)
    exit_descriptor = os.pidfd_open(process.pid)
    stack.callback(os.close, exit_descriptor)
    return Child(process=process, events=events, printed=printed, exit=exit_descriptor)


def _pipe(stack: ExitStack) -> tuple[int, int]:
    """The ends of a pipe: ours, closed with the stack, and the child's, which the caller closes."""
    ours, childs = os.pipe()
    stack.callback(os.close, ours)
    os.set_blocking(ours, False)
    return ours, childs


def _request_file(request: BuilderRequest) -> Path:
    """The request as the child reads it: a file takes any length without blocking, and helps in debugging."""
    path = request.scratch / REQUEST_NAME
    surroundings = _surroundings(request.toolchain, request.limits.file_bytes)
    path.write_text(json.dumps({**surroundings, "step": request.step, "args": dict(request.args)}, allow_nan=False))
    return path


def _surroundings(toolchain: Toolchain, file_bytes: int) -> dict[str, Any]:
    """What a builder is told whatever it is to do."""
    return {
        "protocol": PROTOCOL,
        "python_path": [str(folder) for folder in toolchain.python_path],
        "sandbox": {"supervisor": os.getpid(), "file_bytes": file_bytes},
    }


@cache
def _launcher() -> Path:
    spec = importlib.util.find_spec("trtfarm_builder")
    if spec is None or spec.origin is None:
        raise ToolchainError(
            "this installation lacks the package trtfarm_builder", remedy="install trtfarm again, as a whole"
        )
    return Path(spec.origin).with_name("launch.py")


def _end(process: subprocess.Popen[bytes]) -> None:
    """Kills what is left of the session. The leader is reaped last: until then its id, the session's, stays its own."""
    session.kill(process.pid)
    try:
        process.wait(_REAP_SECONDS)
    except subprocess.TimeoutExpired:
        _log.error("builder process %d does not die of SIGKILL; a driver holds it", process.pid)
