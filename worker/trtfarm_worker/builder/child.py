"""One builder process, from its start to the last of its descendants' ends."""

from __future__ import annotations

import importlib.util
import json
import logging
import os
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from trtfarm.errors import ToolchainError
from trtfarm_worker.builder import session
from trtfarm_worker.builder.environment import builder_environment
from trtfarm_worker.builder.request import BuilderRequest

#: trtfarm_builder.PROTOCOL; the worker finds that package but never imports it.
PROTOCOL = 1
REQUEST_NAME = "request.json"
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
    with ExitStack() as stack:
        events, child_events = _pipe(stack)
        printed, child_printed = _pipe(stack)
        try:
            process = _spawn(request, child_events, child_printed)
            stack.callback(_end, process)
        finally:
            os.close(child_events)
            os.close(child_printed)
        exit_descriptor = os.pidfd_open(process.pid)
        stack.callback(os.close, exit_descriptor)
        yield Child(process=process, events=events, printed=printed, exit=exit_descriptor)


def _pipe(stack: ExitStack) -> tuple[int, int]:
    """The ends of a pipe: ours, closed with the stack, and the child's, which the caller closes."""
    ours, childs = os.pipe()
    stack.callback(os.close, ours)
    os.set_blocking(ours, False)
    return ours, childs


def _spawn(request: BuilderRequest, events: int, printed: int) -> subprocess.Popen[bytes]:
    toolchain = request.toolchain
    with _request_file(request).open("rb") as stdin:
        try:
            return subprocess.Popen(
                [str(toolchain.python), "-I", "-X", "faulthandler", str(_launcher()), str(events)],
                stdin=stdin,
                stdout=printed,
                stderr=printed,
                # With the GPU's lock: should this process be killed, the GPU is taken until the builder is gone too.
                pass_fds=(events, *([request.gpu.descriptor] if request.gpu else [])),
                cwd=request.scratch,
                env=builder_environment(
                    os.environ,
                    toolchain=toolchain,
                    scratch=request.scratch,
                    gpu=request.gpu.uuid if request.gpu else None,
                ),
                start_new_session=True,
            )
        except OSError as error:
            raise ToolchainError(
                f"the interpreter of toolchain {toolchain.name} does not start",
                cause=str(error),
                remedy=f"trtfarm toolchain test {toolchain.name}",
            ) from error


def _request_file(request: BuilderRequest) -> Path:
    """The request as the child reads it: a file takes any length without blocking, and helps in debugging."""
    path = request.scratch / REQUEST_NAME
    data = {
        "protocol": PROTOCOL,
        "step": request.step,
        "args": dict(request.args),
        "python_path": [str(folder) for folder in request.toolchain.python_path],
        "sandbox": {"supervisor": os.getpid(), "file_bytes": request.limits.file_bytes},
    }
    path.write_text(json.dumps(data, allow_nan=False))
    return path


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
