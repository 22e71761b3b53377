"""The real builder process, with a library in TensorRT's place that misbehaves."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.acceptance.builder.conftest import Bench, generous
from tests.conftest import REPOSITORY
from trtfarm.errors import BuilderCrashError, BuilderMemoryError, DiskFullError, ToolchainError, UsageError
from trtfarm_worker.builder import child
from trtfarm_worker.toolchains.registry import reference_toolchain
from trtfarm_worker.toolchains.toolchain import Toolchain, ToolchainKind


def test_the_protocol_has_one_version() -> None:
    code = "import trtfarm_builder; print(trtfarm_builder.PROTOCOL)"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert int(told) == child.PROTOCOL


def test_the_child_gives_up_what_it_does_not_need(bench: Bench) -> None:
    facts = """
import os, resource, signal, sys
mask = os.umask(0)
__version__ = [
    resource.getrlimit(resource.RLIMIT_CORE)[0],
    resource.getrlimit(resource.RLIMIT_FSIZE)[0],
    int(open("/proc/self/oom_score_adj").read()),
    oct(mask),
    sorted(signal.pthread_sigmask(signal.SIG_BLOCK, [])),
    os.getcwd() in sys.path or "" in sys.path,
]
"""
    # A process manager waits for signals with these blocked, and a child inherits that.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    try:
        answer = bench.run(bench.library(facts), limits=generous(file_bytes=12345678))
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    core, file_bytes, oom_score, umask, blocked, cwd_on_path = answer.result["tensorrt"]
    assert (core, file_bytes, umask, blocked, cwd_on_path) == (0, 12345678, "0o77", [], False)
    assert oom_score >= 800


def test_a_crash_in_native_code_names_the_python_lines(bench: Bench) -> None:
    with pytest.raises(BuilderCrashError, match="SIGSEGV") as caught:
        bench.run(bench.library("import ctypes\nctypes.string_at(0)"))
    assert "tensorrt.py" in str(caught.value.cause)


def test_a_file_that_grows_too_large_is_told_as_such(bench: Bench) -> None:
    body = """
def __getattr__(name):
    with open("engine.plan", "wb") as file:
        file.write(b"x" * 2_000_000)
"""
    with pytest.raises(DiskFullError, match="over the limit for files"):
        bench.run(bench.library(body), limits=generous(file_bytes=1_000_000))


def test_an_allocation_that_python_cannot_make_is_a_lack_of_memory(bench: Bench) -> None:
    with pytest.raises(BuilderMemoryError):
        bench.run(bench.library("bytearray(1 << 62)"))


def test_a_module_in_the_scratch_folder_is_not_imported(bench: Bench) -> None:
    """A file that a hostile model makes a step write must not become code."""
    bench.scratch.mkdir()
    for name in ("json", "trtfarm_builder", "tensorrt"):
        (bench.scratch / f"{name}.py").write_text("raise SystemExit('hijacked')")
    assert bench.run(bench.library("__version__ = '1'")).result["tensorrt"] == "1"


def test_an_unknown_step_is_refused_by_name(bench: Bench) -> None:
    with pytest.raises(UsageError, match="unknown step 'fly'"):
        bench.run(reference_toolchain(), step="fly")


def test_the_builder_dies_with_a_supervisor_that_is_killed(bench: Bench) -> None:
    """SIGKILL leaves the supervisor no moment to clean up; the kernel does it."""
    pipe = bench.folder / "pipe"
    os.mkfifo(pipe)
    bench.library(f"import os, time\nopen({str(pipe)!r}, 'w').write(str(os.getpid()))\ntime.sleep(600)")
    program = f"""
from pathlib import Path
from tests.acceptance.builder.conftest import Bench
bench = Bench(Path({str(bench.folder)!r}))
bench.run(bench.library((bench.folder / "tensorrt.py").read_text()))
"""
    supervisor = subprocess.Popen([sys.executable, "-c", program], cwd=Path(__file__).parents[3])
    with supervisor:
        builder = os.pidfd_open(int(pipe.read_text()))
        supervisor.kill()
    ended, _, _ = select.select([builder], [], [], 60)
    os.close(builder)
    assert ended


#: Starts a builder whose request comes from a pipe, tells its process id, and waits to be killed.
_SUPERVISOR = """
import subprocess, sys
launcher, request = sys.argv[1:]
with open(request, "rb") as stdin:
    builder = subprocess.Popen([sys.executable, "-I", launcher, "1"], stdin=stdin, stdout=subprocess.PIPE)
print(builder.pid, flush=True)
sys.stdin.read()
"""


def test_a_builder_that_was_not_yet_bound_to_its_supervisor_dies_with_it_too(bench: Bench) -> None:
    """The kernel sends no signal then. The pipe holds the request back until the supervisor is dead."""
    pipe = bench.folder / "request"
    os.mkfifo(pipe)
    bench.library("import time; time.sleep(600)")
    request = {"protocol": child.PROTOCOL, "step": "trt-probe", "args": {}, "python_path": [str(bench.folder)]}
    launcher = REPOSITORY / "worker" / "trtfarm_builder" / "launch.py"
    with os.fdopen(os.open(pipe, os.O_RDWR), "w") as writer:
        with subprocess.Popen(
            [sys.executable, "-c", _SUPERVISOR, launcher, pipe], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        ) as supervisor:
            assert supervisor.stdout is not None
            builder = os.pidfd_open(int(supervisor.stdout.readline()))
            supervisor.kill()
        json.dump({**request, "sandbox": {"supervisor": supervisor.pid, "file_bytes": 1 << 20}}, writer)
    ended, _, _ = select.select([builder], [], [], 60)
    os.close(builder)
    assert ended


def _wrapper(bench: Bench, last_line: str) -> Toolchain:
    python = bench.folder / "python"
    python.write_text(f"#!/bin/sh\nexport LD_LIBRARY_PATH=/nowhere\n{last_line}\n")
    python.chmod(0o755)
    return Toolchain(name="wrapped", kind=ToolchainKind.REFERENCE, python=python)


def test_an_interpreter_may_be_a_script_that_executes_python(bench: Bench) -> None:
    assert bench.run(_wrapper(bench, f'exec {sys.executable} "$@"'), step="reference-probe").result["onnxruntime"]


def test_an_interpreter_that_starts_python_in_a_second_process_is_refused(bench: Bench) -> None:
    """The death signal would go to the script, and Python would live on."""
    with pytest.raises(ToolchainError, match="not a direct child") as caught:
        bench.run(_wrapper(bench, f'{sys.executable} "$@"\nexit $?'), step="reference-probe")
    assert "exec" in str(caught.value.remedy)


@pytest.mark.parametrize(("mode", "content"), [(0o644, "#!/bin/sh\n"), (0o755, "no program\n"), (0o755, "#!/gone\n")])
def test_an_interpreter_that_does_not_start_is_the_toolchains_fault(bench: Bench, mode: int, content: str) -> None:
    python = bench.folder / "python"
    python.write_text(content)
    python.chmod(mode)
    with pytest.raises(ToolchainError, match="broken does not start"):
        bench.run(Toolchain(name="broken", kind=ToolchainKind.TENSORRT, python=python))
