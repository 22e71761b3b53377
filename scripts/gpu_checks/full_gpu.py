"""A GPU whose memory another process has: jobs wait for it and say so, and a builder that begins all the same fails."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import trtfarm_builder
from scripts.gpu_checks.builds import build_args, refusal
from scripts.gpu_checks.check import CheckFailedError, Numbers, check, expect
from scripts.gpu_checks.host import Host, gpu_memory_used
from scripts.gpu_checks.submissions import farm_of_submissions, target_of
from trtfarm_worker.builder.environment import builder_environment

_MIB = 1 << 20
#: Too little for a CUDA context; enough for one and too little for a build.
_LEFT_MIB = (150, 900)
# The program on the GPU that is in the way: it takes all but so many bytes, says so, and holds them until it is let go.
_FILLER = """
import sys
from trtfarm_builder.trt.gpu import device_memory, free_memory
with device_memory(free_memory() - int(sys.argv[1])):
    print("full", flush=True)
    sys.stdin.read()
"""


@contextmanager
def _filled(host: Host, left_mib: int) -> Iterator[int]:
    """The process that holds all but so many MiB of the first GPU; its id."""
    tool, gpu = host.toolchain, host.keeper.gpus[0]
    own = (str(Path(trtfarm_builder.__file__).parents[1]), *map(str, tool.python_path))
    environment = builder_environment(os.environ, toolchain=tool, scratch=host.scratch, gpu=gpu.uuid)
    with subprocess.Popen(
        [str(tool.python), "-c", _FILLER, str(left_mib * _MIB)],
        env={**environment, "PYTHONPATH": os.pathsep.join(own)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            if process.stdout is None or process.stdout.readline() != "full\n":
                raise CheckFailedError("the GPU could not be filled")
            yield process.pid
        finally:
            process.kill()


@check("A GPU that another process has filled: a builder on it fails with that reason", seconds=30)
def builder_on_full_gpu(host: Host) -> Numbers:
    before = gpu_memory_used()
    numbers: Numbers = {}
    for left in _LEFT_MIB:
        with _filled(host, left):
            numbers[f"{left} MiB left"] = refusal(partial(host.step, "trt-build", build_args(host, "lenet", "fp32")))
    numbers["used before and after, MiB"] = [before, gpu_memory_used()]
    told = [numbers[f"{left} MiB left"] for left in _LEFT_MIB]
    expect(all(text.startswith("builder_memory") for text in told), "it failed for another reason", numbers)
    return numbers


@check("submit on a GPU that another process has filled: it waits, says who has it, and goes on", seconds=30)
def submit_waits_for_room(host: Host) -> Numbers:
    farm = farm_of_submissions(host)
    command = ("submit", host.model("lenet"), "--precision", "fp32", *target_of(host), "--fresh")
    with _filled(host, _LEFT_MIB[-1]) as pid, farm.started(*command) as submit:
        line = submit.until("MiB are free of the")
        held = gpu_memory_used()
        os.kill(pid, 9)
        code = submit.ended()
    numbers: Numbers = {"said": line, "filled, MiB": held, "exit code": code}
    expect(str(pid) in line or "does not name" in line, "it does not say who has the memory", numbers)
    expect(code == 0, "it did not go on", numbers)
    return numbers
