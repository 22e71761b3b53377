"""Fetches what the farm needs at run time as wheels for a GPU host that reaches no index, the versions of the lock.

    .venv/bin/python scripts/gpu_wheels.py --python 3.12            # where an index can be reached
    python3 -m venv farm && farm/bin/pip install --no-index --no-deps .kit-whl*/*.whl      # on the host

They come in folders of limited size, to be carried one by one. What the lock pins only for development, the API or
PostgreSQL stays out.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from uv import find_uv_bin

_REPOSITORY = Path(__file__).resolve().parents[1]
_PLATFORMS = ("manylinux_2_28_x86_64", "manylinux_2_27_x86_64", "manylinux_2_17_x86_64", "manylinux2014_x86_64", "any")


_MIB = 1 << 20


def main() -> int:
    parser = argparse.ArgumentParser(description="Fetch the farm's wheels for a host without an index.")
    parser.add_argument("--out", type=Path, default=_REPOSITORY / ".kit-whl", help="folders for the wheels: …0, …1")
    parser.add_argument("--python", default="3.12", help="CPython of that host")
    parser.add_argument("--part-mib", type=int, default=60, help="size of a folder")
    parser.add_argument("--leave-out", nargs="*", default=[], help="distributions that the host has already")
    arguments = parser.parse_args()
    for old in arguments.out.parent.glob(f"{arguments.out.name}[0-9]*"):
        shutil.rmtree(old)
    with tempfile.TemporaryDirectory() as folder:
        fetched = _fetched(Path(folder), arguments.python, set(arguments.leave_out))
        parts = _shared_out(fetched, arguments.part_mib * _MIB)
        for number, part in enumerate(parts):
            target = arguments.out.with_name(f"{arguments.out.name}{number}")
            target.mkdir(parents=True)
            for wheel in part:
                shutil.move(wheel, target)
            print(f"{target}: {len(part)} wheels, {sum(map(_size, target.iterdir())) / _MIB:.1f} MiB")
    return 0


def _fetched(folder: Path, python: str, left_out: set[str]) -> list[Path]:
    wanted, wheels = folder / "requirements.txt", folder / "wheels"
    wanted.write_text(_requirements(python, left_out))
    platforms = [part for name in _PLATFORMS for part in ("--platform", name)]
    command = [
        *(sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:"),
        *("--python-version", python, "--implementation", "cp", *platforms),
        *("--require-hashes", "--dest", str(wheels), "-r", str(wanted)),
    ]
    subprocess.run(command, check=True)
    return list(wheels.iterdir())


def _shared_out(wheels: list[Path], size: int) -> list[list[Path]]:
    """The wheels in lists of at most `size` bytes each, the largest first into the first that has room."""
    parts: list[list[Path]] = []
    for wheel in sorted(wheels, key=_size, reverse=True):
        roomy = (part for part in parts if sum(map(_size, part)) + _size(wheel) <= size)
        part = next(roomy, None)
        if part is None:
            parts.append(part := [])
        part.append(wheel)
    return parts


def _size(file: Path) -> int:
    return file.stat().st_size


def _requirements(python: str, left_out: set[str]) -> str:
    """The farm's own dependencies for that Python on Linux, with the versions and hashes of the lock."""
    command = [
        *(find_uv_bin(), "pip", "compile", "--quiet", "--generate-hashes", "--no-header", "--no-annotate"),
        *("--python-version", python, "--python-platform", "x86_64-manylinux_2_28"),
        *("--constraint", "requirements.lock", "pyproject.toml"),
    ]
    text = subprocess.run(command, check=True, capture_output=True, text=True, cwd=_REPOSITORY).stdout
    entries = text.replace("\\\n", " ").splitlines()
    return "\n".join(entry for entry in entries if entry and entry.partition("==")[0] not in left_out)


if __name__ == "__main__":
    sys.exit(main())
