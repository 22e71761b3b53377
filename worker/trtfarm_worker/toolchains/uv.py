"""Virtual environments and packages, by way of uv."""

from __future__ import annotations

import errno
import os
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from uv import find_uv_bin

from trtfarm.errors import DiskFullError, ToolchainError

_REASON_LINES = 12
#: How uv tells of ENOSPC, whatever language the system speaks.
_DISK_FULL = f"(os error {errno.ENOSPC})"
#: What pip calls it -> what uv calls it; uv reads nothing that is pip's.
_OF_PIP = {
    "PIP_INDEX_URL": "UV_DEFAULT_INDEX",
    "PIP_EXTRA_INDEX_URL": "UV_INDEX",
    "PIP_CERT": "SSL_CERT_FILE",
}
#: Older and newer names for the same setting in uv.
_ALSO = {"UV_DEFAULT_INDEX": "UV_INDEX_URL", "UV_INDEX": "UV_EXTRA_INDEX_URL"}


def make_environment(folder: Path, *, python: str, tell: Callable[[str], None]) -> Path:
    """A virtual environment in `folder`, which may be moved later; returns its interpreter. Raises ToolchainError."""
    run_uv(["venv", "--quiet", "--relocatable", "--no-project", "--python", python, str(folder)], tell=tell)
    return folder / "bin" / "python"


def install_packages(python: Path, requirements: Sequence[str], *, tell: Callable[[str], None]) -> None:
    """Installs into the environment of `python`; raises ToolchainError."""
    run_uv(["pip", "install", "--python", str(python), *requirements], tell=tell)


def run_uv(arguments: Sequence[str], *, tell: Callable[[str], None]) -> None:
    """Runs uv with the user's own settings; `tell` gets what it prints, line by line.

    Raises ToolchainError, DiskFullError.
    """
    code, printed = _printed_by([_uv(), "--color", "never", *arguments], tell)
    if code:
        raise _failure(arguments, code, printed)


def _uv() -> str:
    try:
        return find_uv_bin()
    except FileNotFoundError as error:
        raise ToolchainError(
            "uv, which installs toolchains, is not there", cause=str(error), remedy="install trtfarm's requirements"
        ) from error


def _printed_by(command: Sequence[str], tell: Callable[[str], None]) -> tuple[int, list[str]]:
    """Its exit code and its lines; a command whose lines nobody takes any more is killed."""
    printed: list[str] = []
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        env=uv_environment(os.environ),
    )
    with process:
        try:
            for line in process.stdout or ():
                printed.append(line.rstrip())
                tell(line.rstrip())
        except BaseException:
            process.kill()
            raise
    return process.returncode, printed


def _failure(arguments: Sequence[str], code: int, printed: Sequence[str]) -> DiskFullError | ToolchainError:
    if any(_DISK_FULL in line for line in printed):
        remedy = "free space in the farm's home, among the temporary files and in uv's cache"
        return DiskFullError("no space left for the toolchain", cause=_reason(printed), remedy=remedy)
    return ToolchainError(
        f"uv {' '.join(arguments[:2])} failed",
        cause=_reason(printed) or f"exit code {code}",
        remedy="check the version, the network, and the package index (UV_DEFAULT_INDEX, UV_INDEX, UV_FIND_LINKS); "
        "from 8.6 on, NVIDIA's own index has TensorRT's libraries",
    )


def _reason(printed: Sequence[str]) -> str:
    """The first lines of what uv calls an error; those after it quote whole build logs."""
    starts = (
        index for index, line in enumerate(printed) if line.lstrip().startswith(("error", "\N{MULTIPLICATION SIGN}"))
    )
    start = next(starts, -_REASON_LINES)
    return "\n".join(printed[start:][:_REASON_LINES])


def uv_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """`environment` with pip's index and certificate told to uv too, where uv's own are not set.

    uv trusts the system's certificates, as pip does: behind a proxy its own would not do.
    """
    told = {
        name: environment[pip_name]
        for pip_name, name in _OF_PIP.items()
        if pip_name in environment and name not in environment and _ALSO.get(name, name) not in environment
    }
    return {"UV_SYSTEM_CERTS": "1", **environment, **told}
