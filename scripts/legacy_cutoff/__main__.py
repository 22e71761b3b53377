"""Runs every stage of the measurement in a process of its own, in the interpreter of a TensorRT kit.

    python3 -m scripts.legacy_cutoff --kit FOLDER --golden FOLDER --out FOLDER [--seconds 170]

A stage writes its JSON after each table, so that one that crashes or is stopped leaves what it had measured. The
launcher needs the standard library only; the stages need what the kit has.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path

#: Stage -> its share of the time, and in which order they run.
_STAGES = {"constants": 0.25, "cache": 0.10, "shapes": 0.30, "lenet": 0.15, "batches": 0.10, "zoo": 0.10}


def main() -> int:
    arguments = _parser().parse_args()
    out = arguments.out.absolute()
    out.mkdir(parents=True, exist_ok=True)
    end = time.monotonic() + arguments.seconds
    shares = {name: share for name, share in _STAGES.items() if name in arguments.stages}
    told = {}
    while shares:
        name = next(iter(shares))
        left = end - time.monotonic()
        seconds = left * shares[name] / sum(shares.values())
        del shares[name]
        told[name] = _run(name, arguments, out, seconds)
        print(name, told[name], flush=True)
    stages = {name: json.loads((out / f"{name}.json").read_text()) for name in told if (out / f"{name}.json").exists()}
    (out / "legacy.json").write_text(json.dumps({"runs": told, "stages": stages}))
    return int(not stages)


def _run(name: str, arguments: argparse.Namespace, out: Path, seconds: float) -> dict[str, float | int | str]:
    begun = time.monotonic()
    python, environment = _kit(arguments.kit.absolute())
    command = [python, "-m", "scripts.legacy_cutoff.stages", name, arguments.golden.absolute(), out, str(seconds)]
    with (out / f"{name}.native.log").open("wb") as native:
        try:
            code = subprocess.run(
                command, env=environment, stdout=native, stderr=subprocess.STDOUT, timeout=seconds + 10, check=False
            ).returncode
        except subprocess.TimeoutExpired:
            code = -99
    return {"code": code, "seconds": round(time.monotonic() - begun, 1), "allowed": round(seconds, 1)}


def _kit(folder: Path) -> tuple[str, dict[str, str]]:
    """The kit's interpreter and environment, from the `export NAME=value` lines of its env.sh."""
    lines = (folder / "env.sh").read_text().splitlines()
    facts = dict(line.removeprefix("export ").split("=", 1) for line in lines if line.startswith("export "))
    root = Path(__file__).resolve().parent.parent.parent
    path = os.pathsep.join([facts["TRT_PYTHONPATH"], str(root), str(root / "worker")])
    environment = {**os.environ, "PYTHONPATH": path, "LD_LIBRARY_PATH": facts["TRT_LIBRARY_PATH"]}
    # The farm's own interpreter may have set these for itself.
    for name in ("PYTHONHOME", "VIRTUAL_ENV"):
        environment.pop(name, None)
    return facts["TRT_PYTHON"], environment


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Measure the legacy calibrator.")
    parser.add_argument("--kit", type=Path, required=True, help="folder of the unpacked TensorRT kit (env.sh)")
    parser.add_argument("--golden", type=Path, required=True, help="folder of golden tables and models")
    parser.add_argument("--out", type=Path, required=True, help="folder for legacy.json and the stages' files")
    parser.add_argument("--seconds", type=float, default=170, help="time for everything")
    parser.add_argument("--stages", nargs="*", default=list(_STAGES), choices=list(_STAGES), help="only these")
    return parser


if __name__ == "__main__":
    sys.exit(main())
