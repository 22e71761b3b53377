"""The main job on real input, as a newcomer would type it: a toolchain, a submission, and the same one again."""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SUBMISSION = "submit calib_data/mnist/lenet.onnx --calibrator minmax"
STEPS = (
    ("TensorRT-RTX builds real INT8 engines without a GPU.", "toolchain install tensorrt-rtx"),
    ("Calibrate LeNet on 500 digits, build for two GPUs, verify on 1,000 other digits.", SUBMISSION),
    ("The same again: everything is found.", SUBMISSION),
    ("Which engines are there for sm_89?", "engines list --target sm_89"),
)


def main() -> int:
    for why, command in STEPS:
        print(f"\n# {why}\n$ trtfarm {command}", flush=True)
        done = subprocess.run([sys.executable, "-m", "trtfarm_cli", *shlex.split(command)], cwd=ROOT, check=False)
        if done.returncode:
            return done.returncode
    return 0


if __name__ == "__main__":
    sys.exit(main())
