"""Runs every check of the GPU lane on this host, with a TensorRT kit, and writes report.json and report.md.

    PYTHONPATH=.:core:worker:cli python3 -m scripts.gpu_check --kit FOLDER --golden FOLDER --out FOLDER

The kit's folder holds env.sh, which names the interpreter and folders of the toolchain. Cheap checks come first; one
that would not end within `--minutes` is left out. A check that fails does not keep the others from running.
"""

from __future__ import annotations

import argparse
import importlib
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from scripts.gpu_checks import MODULES
from scripts.gpu_checks.check import CHECKS, Check, Outcome, perform
from scripts.gpu_checks.host import Host, kit_toolchain
from scripts.gpu_checks.report import write_report
from trtfarm_worker.toolchains.toolchain import Toolchain


def main() -> int:
    arguments = _parser().parse_args()
    begun = time.monotonic()
    for name in MODULES:
        importlib.import_module(f"scripts.gpu_checks.{name}")
    chosen = _chosen(arguments.only, arguments.skip)
    if arguments.list:
        for item in chosen:
            print(f"{item.name:28} {item.seconds:5.0f} s  {item.about}")
        return 0
    toolchain = kit_toolchain(arguments.kit.absolute())
    if toolchain.broken:
        print(f"the kit does not work: {toolchain.broken}", file=sys.stderr)
        return 1
    if not toolchain.capabilities.compute_capabilities:
        print(f"there is nothing to check on: {toolchain.capabilities.lacking.get('gpu')}", file=sys.stderr)
        return 1
    outcomes: list[Outcome] = []
    with tempfile.TemporaryDirectory(prefix="trtfarm-gpu-", dir=arguments.scratch) as scratch:
        host = Host(
            toolchain=toolchain,
            golden=arguments.golden.absolute(),
            scratch=Path(scratch),
            minilm=arguments.minilm.absolute() if arguments.minilm else None,
            minilm_data=arguments.minilm_data.absolute() if arguments.minilm_data else None,
            say=lambda line: print(f"    {line}", flush=True),
        )
        for item in chosen:
            left = arguments.minutes * 60 - (time.monotonic() - begun)
            print(f"--   {time.monotonic() - begun:6.1f} s  {item.name}", flush=True)
            outcome = perform(item, host) if item.seconds <= left else _no_time(item, left)
            outcomes.append(outcome)
            print(f"{outcome.status:4} {outcome.seconds:6.1f} s  {item.name}  {outcome.text}", flush=True)
            write_report(arguments.out, _facts(toolchain, time.monotonic() - begun), outcomes)
    return int(any(outcome.status == "fail" for outcome in outcomes))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Check the GPU lane on this host.")
    parser.add_argument("--kit", type=Path, required=True, help="folder of the unpacked TensorRT kit (env.sh)")
    parser.add_argument("--golden", type=Path, required=True, help="folder of golden tables and models")
    parser.add_argument("--out", type=Path, required=True, help="folder for the report")
    parser.add_argument("--minilm", type=Path, help="ONNX model of MiniLM (scripts/export_minilm.py)")
    parser.add_argument("--minilm-data", type=Path, help="folder of its token arrays (calib_data/minilm)")
    parser.add_argument("--minutes", type=float, default=9, help="time for everything")
    parser.add_argument("--scratch", type=Path, help="where to work; some GB of room")
    parser.add_argument("--only", nargs="*", default=[], help="names of checks")
    parser.add_argument("--skip", nargs="*", default=[], help="names of checks")
    parser.add_argument("--list", action="store_true", help="names the checks and runs none")
    return parser


def _chosen(only: list[str], skip: list[str]) -> list[Check]:
    unknown = {*only, *skip} - {item.name for item in CHECKS}
    if unknown:
        raise SystemExit(f"no check {', '.join(sorted(unknown))}")
    chosen = [item for item in CHECKS if item.name not in skip and (not only or item.name in only)]
    return sorted(chosen, key=lambda item: item.seconds)


def _no_time(item: Check, left: float) -> Outcome:
    text = f"needs about {item.seconds:.0f} s, {max(left, 0):.0f} s are left"
    return Outcome(name=item.name, about=item.about, status="skip", seconds=0, text=text)


def _facts(toolchain: Toolchain, seconds: float) -> dict[str, Any]:
    gpu = subprocess.run(
        ["nvidia-smi", "--query-gpu=name,driver_version,memory.total", "--format=csv,noheader"],  # noqa: S607 - the PATH's
        check=True,
        capture_output=True,
        text=True,
    )
    return {
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
        "GPU": gpu.stdout.strip(),
        "TensorRT": toolchain.version,
        "compute capability": ", ".join(map(str, toolchain.capabilities.compute_capabilities)),
        "precisions": ", ".join(toolchain.capabilities.precisions),
        "calibrators": ", ".join(toolchain.capabilities.calibrators),
        "lacking": dict(toolchain.capabilities.lacking),
        "Python": platform.python_version(),
        "seconds": round(seconds, 1),
    }


if __name__ == "__main__":
    sys.exit(main())
