"""A program that stands for the interpreter of a TensorRT on an H200, for tests of all that is around it.

What it answers was recorded of TensorRT 8.5.3.1 on such a GPU (LeNet, in docs/gpu-report.md); it computes nothing. The
steps that it knows, their arguments and answers are those of `trtfarm_builder.trt`. Each request is added to the file
`asked.jsonl` beside the program.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
_PR_SET_PDEATHSIG = 1
DEVICE = {
    "name": "NVIDIA H200",
    "uuid": "GPU-00000000-0000-0000-0000-000000000000",
    "compute_capability": "sm_90",
    "memory_bytes": 150_754_820_096,
    "driver": "580.159.04",
}
VERSION = "8.5.3.1"
LAYERS = [
    ("/c1/Conv", "float32"),
    ("/c2/Conv", "int8"),
    ("/f1/Gemm", "int8"),
    ("/f2/Gemm", "int8"),
    ("prob", "float32"),
]
#: What all builds take but for their options.
BUILD = {"model", "compute_capability", "precision", "profiles", "more_profiles", "table", "timing_caches"}


def probe(args: dict[str, Any]) -> dict[str, Any]:
    return {
        "tensorrt": VERSION,
        "python": "3.10.19",
        "calibrators": ["minmax", "entropy2", "entropy", "legacy"],
        "cudnn": False,
        "gpus": [DEVICE],
        "driver": DEVICE["driver"],
        "precisions": ["fp32", "int8", "fp16", "int8+fp16"],
        "lacking": {},
    }


def calibrate(args: dict[str, Any]) -> dict[str, Any]:
    rule = args["rule"]
    after = "" if rule["before_fusion"] else "-after-fusion"
    text = (HERE / f"{rule['calibrator']}-bs50{after}.table").read_bytes()
    Path("calibration.table").write_bytes(text)
    lines = text.decode().splitlines()[1:]
    answer: dict[str, Any] = {
        "scales": {name: scale for name, _, scale in (line.rpartition(": ") for line in lines)},
        "table": "calibration.table",
        "samples": 100,
        "batches": 2,
        "engine": f"tensorrt {VERSION}",
        "device": DEVICE,
        "portable": rule["before_fusion"],
        "seconds": 3.9,
        "calibration_seconds": 0.014,
    }
    if args.get("build"):
        send("handed over", result={name: value for name, value in answer.items() if name not in ("scales", "seconds")})
        end_if_told()
        answer["build"] = built(args)
    return answer


def end_if_told() -> None:
    """In mid-build: a file holds the signal that ends this process, or 0 for one that waits to be ended."""
    told = HERE / "ends-in-mid-build"
    if told.exists():
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)  # as a builder does
        send("log", level="warning", text="building")
        os.kill(os.getpid(), int(told.read_text()))
        signal.pause()


def build(args: dict[str, Any]) -> dict[str, Any]:
    unknown = set(args) - BUILD - {"workspace_bytes", "dynamic_ranges", "avg_timing_iterations", "strongly_typed"}
    if unknown:
        raise SystemExit(f"unknown: {unknown}")
    answer = built(args)
    if "table" in args:
        header = Path(args["table"]).read_text().splitlines()[0]
        digits = "" if header.startswith("0 ") else header.split("-")[1]
        missing = {"tensor": "(Unnamed Layer* 11) [Matrix Multiply]_output", "reason": "it is before a bias"}
        answer["coverage"] = {
            "completed": [{"tensor": "(Unnamed Layer* 10) [Constant]_output", "reason": "is a constant"}],
            "harmless": [],
            "harmful": [missing] if (HERE / "harmful").exists() else [],
            "unused": [],
            "restamped_from": digits if digits not in ("", "8503") else None,
        }
    return answer


def built(args: dict[str, Any]) -> dict[str, Any]:
    quantized = "int8" in args["precision"]
    given = args.get("timing_caches", {}).get(DEVICE["name"])
    known = Path(given).read_text() if given else ""
    Path("timing.cache").write_text(known + args["precision"] + "\n")
    Path("engine.plan").write_text(f"engine in {args['precision']} of {Path(args['model']).stat().st_size} bytes")
    Path("build.log").write_text("[VERBOSE] built")
    int8 = 3 if quantized else 0
    return {
        "engine": "engine.plan",
        "log": "build.log",
        "tensorrt": VERSION,
        "size": Path("engine.plan").stat().st_size,
        "seconds": 4.1 if given else 10.04,
        "build_seconds": 1.2 if given else 7.5,
        "layers": [
            {
                "name": name,
                "type": "CaskConvolution",
                "dtype": dtype if quantized else "float32",
                "inputs": [],
                "outputs": [],
                "tactic": "",
                "idle": False,
                "ms": 0.004,
            }
            for name, dtype in LAYERS
        ],
        "int8_layers": int8,
        "int8_share": int8 / len(LAYERS),
        "int8_time_share": 0.5 if quantized else 0.0,
        "warning": None,
        "io": [
            {"name": "data", "mode": "input", "dtype": "float32", "shape": [-1, 1, 28, 28]},
            {"name": "prob", "mode": "output", "dtype": "float32", "shape": [-1, 10]},
        ],
        "device": DEVICE,
        "tactic_sources": ["CUBLAS", "CUBLAS_LT"],
        "timing_cache": "timing.cache",
        "timing_cache_used": given is not None,
    }


def combine(args: dict[str, Any]) -> dict[str, Any]:
    """A cache here is the kernels' names, a line each."""
    lines = [line for path in args["timing_caches"] for line in Path(path).read_text().splitlines()]
    Path("timing.cache").write_text("".join(f"{line}\n" for line in dict.fromkeys(lines)))
    return {"timing_cache": "timing.cache", "tensorrt": VERSION, "device": DEVICE}


def evaluate(args: dict[str, Any]) -> dict[str, Any]:
    (reference,) = args["reference_outputs"].values()
    quantized = b"int8" in Path(args["candidate"]).read_bytes()
    top1 = 0.963 if quantized else 0.964
    if (HERE / "inaccurate").exists():
        top1 = 0.5
    measured = {
        "cosine_mean": 0.99995,
        "cosine_min": 0.9989,
        "snr_db": 41.0,
        "max_abs_error": 0.04,
        "broken_samples": 0,
        "nonfinite_reference": 0,
        "nonfinite_candidate": 0,
    }
    classes = {"reference": {"top1": 0.964, "top5": 1.0}, "candidate": {"top1": top1, "top5": 1.0}}
    return {
        "revision": 1,
        "samples": reference["shape"][0],
        "simulated": False,
        "outputs": {"prob": measured},
        "skipped_outputs": [],
        "classification": {"output": "prob", **classes} if args["labels"] else None,
        "device": DEVICE,
        "profile": args.get("profile") or 0,
    }


def run(args: dict[str, Any]) -> dict[str, Any]:
    import numpy as np  # noqa: PLC0415 - the other steps do without

    samples = args["inputs"]["data"]["shape"][0]
    np.savez("outputs.npz", prob=np.zeros((samples, 10), np.float32))
    return {
        "outputs": "outputs.npz",
        "samples": samples,
        "device": DEVICE,
        "profile": args["profile"] or 0,
        "shapes": {"prob": [samples, 10]},
    }


def bench(args: dict[str, Any]) -> dict[str, Any]:
    median = {1: 0.0280, 8: 0.0311, 32: 0.0355, 64: 0.0390}
    answer: dict[str, Any] = {
        "results": [
            {
                "batch_size": size,
                "profile": args["profile"] or 0,
                "iterations": args["iterations"],
                "median_ms": median[size],
                "p95_ms": median[size] + 0.002,
                "mean_ms": median[size] + 0.001,
                "min_ms": median[size] - 0.001,
                "throughput": size / median[size] * 1e3,
            }
            for size in args["batch_sizes"]
        ],
        "cuda_graph": args["cuda_graph"],
        "device": DEVICE,
    }
    if args["layers"]:
        answer["layers"] = [{"name": name, "dtype": dtype, "ms": 0.004} for name, dtype in LAYERS]
        answer["int8_time_share"] = 0.6
    return answer


STEPS = {
    "trt-probe": probe,
    "trt-calibrate": calibrate,
    "trt-build": build,
    "trt-combine": combine,
    "trt-evaluate": evaluate,
    "trt-run": run,
    "trt-bench": bench,
}


def asked() -> Any:
    """The request, and how it came."""
    if "--ahead" not in sys.argv:
        return json.load(sys.stdin)
    header = json.loads(sys.stdin.readline())
    (HERE / "began-early").touch()
    path = sys.stdin.readline().rstrip("\n")
    request = json.loads(Path(path).read_text())
    os.chdir(Path(path).parent)
    return {**request, "ahead": header["ahead"]}


def main() -> None:
    request = asked()
    with (HERE / "asked.jsonl").open("a") as file:
        file.write(json.dumps(request) + "\n")
    failing = HERE / f"fails-{request['step']}"
    if failing.exists():
        send("failure", trace=None, **json.loads(failing.read_text()))
    else:
        send("answer", result=STEPS[request["step"]](request["args"]))


def send(event: str, **facts: Any) -> None:
    os.write(int(sys.argv[-1]), json.dumps({"event": event, **facts}).encode() + b"\n")


if __name__ == "__main__":
    main()
