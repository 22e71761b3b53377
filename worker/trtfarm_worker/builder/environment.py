"""The environment variables that a builder process sees: an allow-list, for the rest holds secrets and surprises."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from trtfarm_worker.toolchains.toolchain import Toolchain

_PASSED = (
    "PATH",
    "LANG",
    "LC_ALL",
    "LC_CTYPE",
    "TZ",
    # Which devices there are, for the container runtime; for CUDA it is said below.
    "CUDA_DEVICE_ORDER",
    # LAZY or EAGER: when a kernel's code goes to the GPU.
    "CUDA_MODULE_LOADING",
    "NVIDIA_VISIBLE_DEVICES",
    "NVIDIA_DRIVER_CAPABILITIES",
    "OMP_NUM_THREADS",
)


def builder_environment(
    environment: Mapping[str, str], *, toolchain: Toolchain, scratch: Path, gpu: str | None = None
) -> dict[str, str]:
    """`environment` reduced to what builders need; home and temporary files are in `scratch` and go with it.

    `gpu` is the UUID of the only GPU that CUDA shows; without it CUDA shows none.
    """
    passed = {name: environment[name] for name in _PASSED if name in environment}
    # GPU hosts name the folder of the driver's libraries here; the toolchain's own come first.
    folders = [str(folder) for folder in toolchain.library_path]
    if "LD_LIBRARY_PATH" in environment:
        folders.append(environment["LD_LIBRARY_PATH"])
    if folders:
        passed["LD_LIBRARY_PATH"] = os.pathsep.join(folders)
    own = {"HOME": str(scratch), "TMPDIR": str(scratch), "PYTHONUTF8": "1", "CUDA_VISIBLE_DEVICES": gpu or ""}
    return {**passed, **own}
