"""What users and machines do wrong, and that it neither crashes the farm nor goes unnoticed."""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from scripts.gpu_checks.builds import MINMAX, build_args, built, native_table, profiles, refusal
from scripts.gpu_checks.check import Numbers, check, expect
from scripts.gpu_checks.host import Host, gpu_memory_used
from scripts.gpu_checks.models import unparsable_model
from trtfarm.errors import BuilderCrashError
from trtfarm_worker.builder.events import LogLine, Progress

_LEFT_MIB = 64


@check("Tables that TensorRT would reject, half-use or fail on in silence are refused", seconds=10)
def bad_tables(host: Host) -> Numbers:
    good = (host.golden / "lenet" / "minmax-bs50.table").read_text()
    first = good.splitlines()[1]
    tables = {
        "zero scale": good.replace(first, first[:-8] + "00000000"),
        "not a number": good.replace(first, first[:-8] + "7fc00000"),
        "unknown algorithm": good.replace("MinMaxCalibration", "NoSuchCalibration"),
        "empty": "",
        "garbage": "\x00\x01garbage",
        "tensor twice": good + first + "\n",
    }
    numbers: Numbers = {}
    for name, text in tables.items():
        path = host.write("bad.table", text.encode())
        numbers[name] = refusal(partial(host.step, "trt-build", build_args(host, "lenet", "int8", table=path)))
        expect(numbers[name].startswith("bad_table"), f"{name}: refused for another reason", numbers)
    return numbers


@check("Engines that are damaged are refused without a crash", seconds=15)
def bad_engines(host: Host) -> Numbers:
    whole = built(host, "lenet", "fp32").file("engine").read_bytes()
    middle = len(whole) // 2
    engines = {
        "empty": b"",
        "garbage": os.urandom(4096),
        "cut short": whole[:middle],
        "header changed": bytes([whole[0] ^ 0xFF]) + whole[1:],
    }
    numbers: Numbers = {}
    for name, data in engines.items():
        path = host.write("bad.plan", data)
        numbers[name] = refusal(partial(host.step, "trt-bench", {"engine": path}))
        expect("builder_crash" not in numbers[name], f"{name}: the builder crashed", numbers)
    return numbers


@check("A model that the parser refuses is refused with its reason", seconds=5)
def bad_models(host: Host) -> Numbers:
    model = unparsable_model(host.scratch)
    args = {"model": model, "precision": "fp32", "profiles": {"x": {w: [1, 4, 4] for w in ("min", "opt", "max")}}}
    told = refusal(partial(host.step, "trt-build", args))
    numbers = {"unknown operator": told}
    named = "'the-determinant' (Det)"
    expect(told.startswith("bad_model") and named in told, f"{named} is not named", numbers)
    cut = host.write("cut.onnx", Path(host.model("lenet")).read_bytes()[:5000])
    numbers["cut short"] = refusal(lambda: host.step("trt-build", {**args, "model": cut}))
    expect(numbers["cut short"].startswith("bad_model"), "it was refused for another reason", numbers)
    return numbers


@check("INT8 without scales, scales without INT8, another GPU than this one: refused", seconds=10)
def contradictions(host: Host) -> Numbers:
    table = native_table(host, "lenet", MINMAX)
    asked = {
        "int8 without scales": build_args(host, "lenet", "int8"),
        "table for fp32": build_args(host, "lenet", "fp32", table=table),
        "another GPU": build_args(host, "lenet", "fp32", compute_capability="sm_30"),
        "no precision": build_args(host, "lenet", "int9"),
    }
    return {name: refusal(partial(host.step, "trt-build", args)) for name, args in asked.items()}


@check("A builder killed in mid-calibration leaves no GPU memory taken", seconds=25)
def killed_builder(host: Host) -> Numbers:
    before = gpu_memory_used()
    during: list[int] = []

    def kill(event: Progress | LogLine) -> None:
        if isinstance(event, Progress) and not during:
            during.append(gpu_memory_used())
            for child in _children():
                os.kill(child, signal.SIGKILL)

    args = {
        "model": host.model("lenet"),
        "inputs": host.calibration_data("lenet"),
        "rule": {"calibrator": "entropy2", "batch_size": 1, "before_fusion": True},
    }
    try:
        host.listened("trt-calibrate", args, kill)
    except BuilderCrashError as error:
        told = str(error)
    else:
        told = ""
    numbers: Numbers = {"before_mib": before, "during_mib": during, "after_mib": gpu_memory_used(), "error": told}
    expect(bool(told), "the builder ended as if nothing had happened", numbers)
    expect(bool(during) and during[0] > before, "the builder held no GPU memory", numbers)
    expect(numbers["after_mib"] <= before + _LEFT_MIB, "GPU memory is still taken", numbers)
    return numbers


@check("A builder killed after its calibration, in mid-build, has handed over the table", seconds=20)
def killed_in_mid_build(host: Host) -> Numbers:
    before, tables = gpu_memory_used(), list[bytes]()

    def kill(result: Mapping[str, Any]) -> None:
        # The folder of the last step is the newest.
        scratch = max(host.scratch.glob("*-trt-calibrate"))
        tables.append((scratch / result["table"]).read_bytes())
        for child in _children():
            os.kill(child, signal.SIGKILL)

    args = {
        "model": host.model("lenet"),
        "inputs": host.calibration_data("lenet"),
        "rule": MINMAX,
        "build": True,
        "profiles": profiles("lenet"),
    }
    told = refusal(partial(host.listened, "trt-calibrate", args, lambda _event: None, kill))
    numbers: Numbers = {"before_mib": before, "after_mib": gpu_memory_used(), "error": told, "tables": len(tables)}
    golden = (host.golden / "lenet" / "minmax-bs50.table").read_bytes()
    expect("SIGKILL" in told, "it was not killed", numbers)
    expect(tables == [golden], "what was handed over is not TensorRT's table", numbers)
    expect(numbers["after_mib"] <= before + _LEFT_MIB, "GPU memory is still taken", numbers)
    return numbers


def _children() -> list[int]:
    """Builder processes that this one has started."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text("latin-1").rpartition(")")[2].split()
            command = (folder / "cmdline").read_text("latin-1")
        except OSError:
            continue
        if int(fields[1]) == os.getpid() and "launch.py" in command:
            found.append(int(folder.name))
    return found
