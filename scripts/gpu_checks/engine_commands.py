"""`trtfarm run`, `bench` and `verify` on engines that the farm built here, and what they refuse to load."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from functools import partial
from pathlib import Path

import numpy as np

from scripts.gpu_checks.builds import ACCURACY_LOSS, refusal
from scripts.gpu_checks.check import Numbers, check, expect
from scripts.gpu_checks.farm import HostFarm, farm_of, lenet_engine, lenet_test_files, top1
from scripts.gpu_checks.host import Host

_USAGE, _SIGNATURE, _TOOLCHAIN, _DATA = 2, 11, 6, 4
_PROFILED = ("batch_size", "profile", "median_ms")
_PRECISIONS = ("fp32", "fp16", "int8")
_SIZES = (1, 8, 32, 64)
#: A recorded graph costs the host less than launches one by one; noise of the clock is left room for.
_GRAPH_ROOM = 1.1


@check("trtfarm run: an engine of the farm, and the same as a pulled file", seconds=30)
def command_run(host: Host) -> Numbers:
    farm, engine = farm_of(host), lenet_engine(host, "int8")["id"]
    data, labels = lenet_test_files(host)
    np.savez(farm.folder / "digits.npz", data=np.load(data))
    by_id, by_file = farm.folder / "by-id.npz", farm.folder / "by-file.npz"
    told = farm.json("run", engine, "--inputs", farm.folder / "digits.npz", "-o", by_id)
    path = _pulled(farm, engine)
    farm.json("run", path, "--inputs", f"data={data}", "-o", by_file, "--batch-size", "7")
    with np.load(by_id) as one, np.load(by_file) as other:
        outputs = {name: one[name] for name in one.files}
        largest = max(float(np.abs(one[name] - other[name]).max()) for name in one.files)
        same_names = one.files == other.files
    scores = next(iter(outputs.values()))
    numbers = {
        "samples": told["samples"],
        "shapes": told["shapes"],
        "device": told["device"]["name"],
        "top1": top1(scores, np.load(labels)),
        "largest difference by batch size": largest,
    }
    expect(told["samples"] == len(np.load(labels)), "not every sample was run", numbers)
    expect(numbers["top1"] > 0.95, "the outputs are not LeNet's", numbers)
    expect(same_names and largest < 0.05, "the pulled file computes something else", numbers)
    return numbers


@check("trtfarm bench: median, p95 and throughput by batch size, with and without a CUDA graph", seconds=90)
def command_bench(host: Host) -> Numbers:
    farm, sizes = farm_of(host), ",".join(map(str, _SIZES))
    numbers: Numbers = {}
    for precision in _PRECISIONS:
        engine = lenet_engine(host, precision)["id"]
        for name, options in (("launched", ()), ("graph", ("--cuda-graph",))):
            told = farm.json("bench", engine, "--batch-size", sizes, *options)
            numbers[f"{precision} {name}"] = rows = {row["batch_size"]: row for row in told["results"]}
            expect(tuple(rows) == _SIZES, "not every batch size was measured", numbers)
            for row in rows.values():
                expect(0 < row["min_ms"] <= row["median_ms"] <= row["p95_ms"], "the times are in no order", numbers)
            expect(rows[64]["throughput"] > 2 * rows[1]["throughput"], "larger batches gain nothing", numbers)
            expect(told["cuda_graph"] == bool(options), "the CUDA graph is not as asked for", numbers)
        plain, graph = (numbers[f"{precision} {name}"][1]["median_ms"] for name in ("launched", "graph"))
        expect(graph < plain * _GRAPH_ROOM, "a CUDA graph is slower", numbers)
    layers = farm.json("bench", lenet_engine(host, "int8")["id"], "--layers", "--batch-size", "32")
    numbers["int8 layers"] = layers["layers"]
    expect(bool(layers["layers"]), "no layer was timed", numbers)
    return numbers


@check("trtfarm verify: Top-1 and Top-5 of FP32, FP16 and INT8 engines, kept with them", seconds=60)
def command_verify(host: Host) -> Numbers:
    farm, (data, labels) = farm_of(host), lenet_test_files(host)
    numbers: Numbers = {}
    for precision in _PRECISIONS:
        engine = lenet_engine(host, precision)["id"]
        told = farm.json("verify", engine, "--data", data, "--labels", labels)
        numbers[precision] = classes = told["metrics"]["classification"]
        expect(not told["metrics"]["simulated"], f"{precision}: simulated", numbers)
        lost = classes["reference"]["top1"] - classes["candidate"]["top1"]
        expect(lost <= ACCURACY_LOSS, f"{precision}: loses {lost:.2%} of Top-1", numbers)
        expect(classes["candidate"]["top5"] > 0.99, f"{precision}: Top-5", numbers)
        shown = farm.json("engines", "show", engine)
        expect(shown["metrics"]["classification"] == classes, f"{precision}: not kept with the engine", numbers)
        again = farm.json("verify", engine)
        expect(again["verification"] == told["verification"], f"{precision}: measured twice", numbers)
    numbers["text"] = farm.run("verify", engine).out
    expect("INT8 Top1" in numbers["text"] and "on the engine" in numbers["text"], "not said in words", numbers)
    return numbers


@check(
    "run, bench and verify on an engine of two optimization profiles: each in the one that takes the shapes", seconds=40
)
def command_profiles(host: Host) -> Numbers:
    farm, (data, labels) = farm_of(host), lenet_test_files(host)
    target = str(host.toolchain.capabilities.compute_capabilities[0])
    shapes = ("--shape", "1:8:16", "--shape", "32:64:128")
    facts = farm.json("submit", host.model("lenet"), "--precision", "fp16", "--target", target, *shapes)
    engine = facts["engines"][0]["id"]
    told = farm.json("bench", engine, "--batch-size", "1,128")
    numbers: Numbers = {"bench": [{name: row[name] for name in _PROFILED} for row in told["results"]]}
    expect([row["profile"] for row in told["results"]] == [0, 1], "not in the profiles that take the sizes", numbers)
    out = farm.folder / "by-profile.npz"
    for number, size in enumerate(("16", "128")):
        options = ("--batch-size", size, "--profile", str(number))
        farm.json("run", engine, "--inputs", f"data={data}", "-o", out, *options)
        with np.load(out) as outputs:
            numbers[f"top1 in {number}"] = top1(outputs[outputs.files[0]], np.load(labels))
        out.unlink()
        measured = farm.json("verify", engine, "--data", data, "--labels", labels, "--profile", str(number))
        numbers[f"verified in {number}"] = measured["metrics"]["classification"]["candidate"]["top1"]
        same = numbers[f"top1 in {number}"] == numbers[f"verified in {number}"]
        expect(same and numbers[f"top1 in {number}"] > 0.95, "the outputs are not LeNet's", numbers)
    numbers["in neither"] = farm.refused(_USAGE, "bench", engine, "--batch-size", "20")
    return numbers


@check("Engines that are changed, unsigned, for another GPU or version, and unfit data: refused", seconds=40)
def command_refusals(host: Host) -> Numbers:
    farm, engine = farm_of(host), lenet_engine(host, "fp32")["id"]
    data, _ = lenet_test_files(host)
    path = _pulled(farm, engine)
    signature = path.with_name(path.name + ".sig").read_bytes()
    numbers: Numbers = {"no such size": farm.refused(2, "bench", engine, "--batch-size", "65")}
    path.write_bytes(_flipped(path.read_bytes()))
    numbers["changed"] = farm.refused(_SIGNATURE, "bench", path)
    path.with_name(path.name + ".sig").write_bytes(signature.replace(b'"fp32"', b'"fp16"'))
    numbers["changed words"] = farm.refused(_SIGNATURE, "bench", path)
    path.with_name(path.name + ".sig").unlink()
    numbers["unsigned file"] = farm.refused(_SIGNATURE, "bench", path)
    np.save(farm.folder / "flat.npy", np.load(data).reshape(-1, 784))
    out = farm.folder / "refused.npz"
    numbers["flat"] = farm.refused(_DATA, "run", engine, "--inputs", farm.folder / "flat.npy", "-o", out)
    numbers["another GPU's"] = _passed_off(farm, engine, "compute_capability = 'sm_75'")
    numbers["another version's"] = _passed_off(farm, engine, "tensorrt = '8.4.1.5'")
    expect("sm_75" in numbers["another GPU's"], "it does not say for which GPU", numbers)
    expect("8.4.1.5" in numbers["another version's"], "it does not say for which version", numbers)
    expect(not out.exists(), "a refused run left a file", numbers)
    return numbers


@check("A step that is told of another GPU than there is does not load the engine", seconds=15)
def other_gpu(host: Host) -> Numbers:
    plan = _pulled(farm_of(host), lenet_engine(host, "fp32")["id"])
    args = {"engine": str(plan), "compute_capability": "sm_75"}
    told = {"refused": refusal(partial(host.step, "trt-bench", args))}
    expect("no_toolchain" in told["refused"] and "sm_75" in told["refused"], "refused for another reason", told)
    return told


def _passed_off(farm: HostFarm, engine: str, assignment: str) -> str:
    """What bench says of an engine whose row was changed: unsigned at first, then vouched for; the row is put back."""
    column = assignment.partition(" ")[0]
    with closing(sqlite3.connect(farm.home / "farm.db")) as database, database:
        before = database.execute(
            f"SELECT {column}, signature, signing_key FROM engines WHERE id = ?",  # noqa: S608 - the checks' own words
            [engine],
        ).fetchone()
        database.execute(f"UPDATE engines SET {assignment} WHERE id = ?", [engine])  # noqa: S608
    try:
        farm.refused(_SIGNATURE, "bench", engine)
        with closing(sqlite3.connect(farm.home / "farm.db")) as database, database:
            database.execute("UPDATE engines SET signature = NULL, signing_key = NULL WHERE id = ?", [engine])
        farm.refused(_SIGNATURE, "bench", engine)
        farm.json("engines", "sign", engine)
        return farm.refused(_TOOLCHAIN, "bench", engine)
    finally:
        with closing(sqlite3.connect(farm.home / "farm.db")) as database, database:
            database.execute(
                f"UPDATE engines SET {column} = ?, signature = ?, signing_key = ? WHERE id = ?",  # noqa: S608
                [*before, engine],
            )


def _pulled(farm: HostFarm, engine: str) -> Path:
    path = farm.folder / f"{engine}.engine"
    farm.json("engines", "pull", engine, "-o", path)
    return path


def _flipped(data: bytes) -> bytes:
    middle = len(data) // 2
    return data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :]
