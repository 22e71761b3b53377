"""`trtfarm submit` against `polygraphy convert --int8`: calibrating and building on a GPU, each a whole command.

Both with the same TensorRT, model, samples in the same batches, calibrator, shapes and tactic sources, TF32 allowed.
Both are installed: their byte code is there, and the farm has its database, with nothing in it.
It needs a GPU, and two folders: `TRTFARM_GPU_KIT`, an unpacked TensorRT kit (env.sh), and `TRTFARM_POLYGRAPHY`, made by

    pip install --no-deps --target FOLDER polygraphy nvidia-cuda-runtime-cu11

`TRTFARM_GOLDEN` names the models, else they are beside the repository. `TRTFARM_PEER_CASES=lenet` leaves the other out.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_REPOSITORY = Path(__file__).resolve().parents[1]
_LOADER = Path(__file__).parent / "peers" / "polygraphy_data.py"
_BATCH_SIZE = 50
_CALIBRATOR = "entropy2"
_CALIBRATOR_CLASS = "IInt8EntropyCalibrator2"
#: The least, usual and largest batch of the engines. Polygraphy calibrates in the usual one.
_SIZES = (1, _BATCH_SIZE, 64)
# All but cuDNN, which a kit has no whole one of.
_SOURCES = ("CUBLAS", "CUBLAS_LT", "EDGE_MASK_CONVOLUTIONS", "JIT_CONVOLUTIONS")
_SHOWN = 2000
_POLYGRAPHY = "from polygraphy.tools import main; main()"


@dataclass(frozen=True, kw_only=True)
class Case:
    """A golden model: its input, one sample's shape, and how often both commands are run from nothing."""

    name: str
    input: str
    shape: tuple[int, ...]
    rounds: int


_CASES = (
    Case(name="lenet", input="data", shape=(1, 28, 28), rounds=7),
    Case(name="zoo", input="x", shape=(3, 32, 32), rounds=1),
)


def run() -> None:
    kit, polygraphy = os.environ.get("TRTFARM_GPU_KIT"), os.environ.get("TRTFARM_POLYGRAPHY")
    if not kit or not polygraphy:
        print("left out: it needs a GPU, and TRTFARM_GPU_KIT and TRTFARM_POLYGRAPHY (see the module's text)")
        return
    toolchain = _exports(Path(kit).absolute() / "env.sh") | {"polygraphy": str(Path(polygraphy).absolute())}
    golden = Path(os.environ.get("TRTFARM_GOLDEN", _REPOSITORY.parent / "shared" / "golden")).absolute()
    chosen = os.environ.get("TRTFARM_PEER_CASES", "lenet,zoo").split(",")
    print(f"{'':8}{'polygraphy':>14}{'trtfarm':>14}{'share':>8}{'again':>12}{'faster':>9}{'anew':>12}{'faster':>9}")
    for case in _CASES:
        if case.name in chosen:
            _compare(case, golden / case.name, toolchain)


def _compare(case: Case, folder: Path, toolchain: Mapping[str, str]) -> None:
    """Rounds from nothing, the two by turns; then ours again, and ours done anew with the timings it has."""
    peer, ours = [], []
    with tempfile.TemporaryDirectory() as scratch:
        empty = _home(Path(scratch) / "home", toolchain)
        target = _target(empty)
        for number in range(case.rounds):
            peer.append(_polygraphy(case, folder, toolchain, Path(scratch) / f"peer{number}"))
            home = shutil.copytree(empty, Path(scratch) / f"home{number}")
            ours.append(_submit(case, folder, home, target))
        again = _submit(case, folder, home, target)
        anew = _submit(case, folder, home, target, "--fresh")
    theirs, own = statistics.median(peer), statistics.median(ours)
    print(
        f"{case.name:8}{theirs:12.2f} s{own:12.2f} s{own / theirs:8.2f}{again:10.2f} s{theirs / again:9.1f}"
        f"{anew:10.2f} s{theirs / anew:9.1f}",
        flush=True,
    )
    print(f"{'':8}each round: {_listed(peer)} and {_listed(ours)}", flush=True)


def _polygraphy(case: Case, folder: Path, toolchain: Mapping[str, str], scratch: Path) -> float:
    """Seconds of `polygraphy convert`, from an empty folder."""
    scratch.mkdir()
    command = [toolchain["TRT_PYTHON"], "-c", _POLYGRAPHY, "convert", str(folder / "model.onnx")]
    command += ["-o", "engine.plan", "--int8", "--tf32", "--calib-base-cls", _CALIBRATOR_CLASS]
    command += ["--calibration-cache", "calibration.table", "--data-loader-script", str(_LOADER)]
    command += ["--tactic-sources", *_SOURCES]
    for word, size in zip(("min", "opt", "max"), _SIZES, strict=True):
        command += [f"--trt-{word}-shapes", f"{case.input}:{[size, *case.shape]}".replace(" ", "")]
    data = {"inputs": {case.input: str(folder / "calib.npy")}, "batch_size": _BATCH_SIZE}
    paths = (toolchain["polygraphy"], toolchain["TRT_PYTHONPATH"])
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join(paths),
        "LD_LIBRARY_PATH": toolchain["TRT_LIBRARY_PATH"],
        "PEER_DATA": json.dumps(data),
    }
    return _seconds(command, environment, scratch)


def _home(home: Path, toolchain: Mapping[str, str]) -> Path:
    """A new farm that knows the toolchain and nothing else, as `toolchain add` and one look at it leave it."""
    options = [f"--library-path={path}" for path in toolchain["TRT_LIBRARY_PATH"].split(os.pathsep)]
    options += [f"--python-path={path}" for path in toolchain["TRT_PYTHONPATH"].split(os.pathsep)]
    _trtfarm(home, "toolchain", "add", toolchain["TRT_PYTHON"], "--name=gpu", *options)
    _trtfarm(home, "engines", "list")
    return home


def _target(home: Path) -> str:
    """The compute capability of the GPU that the farm's toolchain found."""
    command = [sys.executable, "-m", "trtfarm_cli", "toolchain", "list", "--json"]
    listed = subprocess.check_output(command, env=_environment(home))
    found: list[str] = next(tool for tool in json.loads(listed) if tool["name"] == "gpu")["compute_capabilities"]
    return found[0]


def _submit(case: Case, folder: Path, home: Path, target: str, *options: str) -> float:
    """Seconds of `trtfarm submit`."""
    shapes = ":".join("x".join(map(str, (size, *case.shape))) for size in _SIZES)
    return _trtfarm(
        home,
        "submit",
        str(folder / "model.onnx"),
        f"--data={case.input}={folder / 'calib.npy'}",
        f"--calibrator={_CALIBRATOR}",
        f"--batch-size={_BATCH_SIZE}",
        "--calibrate-with=tensorrt",
        f"--target={target}",
        f"--shape={case.input}={shapes}",
        *options,
    )


def _trtfarm(home: Path, *arguments: str) -> float:
    return _seconds([sys.executable, "-m", "trtfarm_cli", *arguments], _environment(home), None)


def _environment(home: Path) -> dict[str, str]:
    return {**os.environ, "TRTFARM_HOME": str(home)}


def _seconds(command: Sequence[str], environment: Mapping[str, str], folder: Path | None) -> float:
    """Seconds of a whole command. Raises CalledProcessError, having shown what it said, where it fails."""
    # Where this is set, Python compiles every module anew each time.
    environment = {name: value for name, value in environment.items() if name != "PYTHONDONTWRITEBYTECODE"}
    begun = time.perf_counter()
    done = subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True, check=False)
    seconds = time.perf_counter() - begun
    if done.returncode:
        print(f"{done.stdout[-_SHOWN:]}\n{done.stderr[-_SHOWN:]}", file=sys.stderr)
        raise subprocess.CalledProcessError(done.returncode, command)
    return seconds


def _exports(script: Path) -> dict[str, str]:
    """The variables that a file of `export NAME=value` lines sets."""
    lines = [line.removeprefix("export ") for line in script.read_text().splitlines() if line.startswith("export ")]
    return dict(line.split("=", 1) for line in lines)


def _listed(seconds: Sequence[float]) -> str:
    return ", ".join(f"{value:.2f} s" for value in seconds)
