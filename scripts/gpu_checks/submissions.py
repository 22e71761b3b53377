"""The main job on a GPU through the real program: `trtfarm submit` in a farm that holds nothing at first."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from scripts.gpu_checks.builds import ACCURACY_LOSS
from scripts.gpu_checks.check import Numbers, SkippedError, check, expect
from scripts.gpu_checks.farm import HostFarm, lenet_test_files
from scripts.gpu_checks.host import Host
from scripts.gpu_checks.models import unparsable_model
from trtfarm.tables.table import CalibrationTable
from trtfarm.versions import TensorRTVersion

_MODEL, _TABLE, _GATE = 3, 5, 7
#: A range of 0.0127 where activations go up to 1 and far beyond.
_TINY_SCALE = "38d1b717"
_HIT_SECONDS = 1.5
#: The mean cosine to FP32 that a transformer's embeddings are to keep.
_NEAR = 0.99


def farm_of_submissions(host: Host) -> HostFarm:
    """A farm of its own, to which the kit's interpreter was added as a user does."""
    farm = HostFarm(home=host.scratch / "submissions", folder=host.scratch / "submission-files", say=host.say)
    if not farm.folder.exists():
        farm.folder.mkdir()
        paths = [f"--library-path={path}" for path in host.toolchain.library_path]
        paths += [f"--python-path={path}" for path in host.toolchain.python_path]
        farm.json("toolchain", "add", host.toolchain.python, *paths)
    return farm


def target_of(host: Host) -> tuple[str, ...]:
    return ("--target", str(host.toolchain.capabilities.compute_capabilities[0]))


def submit_lenet(host: Host, *options: str | Path) -> Any:
    return farm_of_submissions(host).json("submit", host.model("lenet"), *_lenet(host), *options)


def _lenet(host: Host) -> tuple[str | Path, ...]:
    """Where LeNet's digits are: those to calibrate with, others with labels, and the shapes that engines take."""
    data, labels = lenet_test_files(host)
    given = ("--data", host.golden / "lenet" / "calib.npy", "--test-data", data, "--labels", labels)
    return (*given, *target_of(host), "--shape", "1:32:64")


def _told(facts: Any) -> Numbers:
    """What is worth reporting of a submission with one engine."""
    (engine,) = facts["engines"]
    (measured,) = facts["verifications"]
    told = ("precision", "gpu", "int8_layers", "layer_count", "int8_share", "int8_time_share", "build_seconds")
    more = ("timing_cache_used", "table_reuse", "coverage", "warning", "size")
    return {
        "seconds": facts["seconds"],
        **{name: engine[name] for name in (*told, *more)},
        "table": facts["table"] and {name: facts["table"][name] for name in ("origin", "calibrator", "tensors")},
        "classification": measured["classification"],
        "cosine_mean": {name: output.get("cosine_mean") for name, output in measured["outputs"].items()},
        "steps": {step["name"]: step["state"] for step in facts["steps"]},
    }


def _expect_accurate(name: str, told: Numbers, numbers: Numbers) -> None:
    classes = told["classification"]
    for top in ("top1", "top5"):
        loss = classes["reference"][top] - classes["candidate"][top]
        expect(loss <= ACCURACY_LOSS, f"{name} loses {loss:.3f} in {top}", numbers)


@check(
    "submit: LeNet in INT8, calibrated by TensorRT, built, verified on the engine; the same again is a hit", seconds=40
)
def submit_main(host: Host) -> Numbers:
    farm = farm_of_submissions(host)
    first = submit_lenet(host)
    numbers: Numbers = {"first": _told(first)}
    expect(first["table"]["origin"] == "native" and first["table"]["portable"], "the table is not TensorRT's", numbers)
    expect(not first["verifications"][0]["simulated"], "the engine was not run", numbers)
    _expect_accurate("int8", numbers["first"], numbers)
    exported = farm.folder / "exported.table"
    farm.json("tables", "export", first["table"]["id"], "-o", exported)
    golden = (host.golden / "lenet" / "minmax-bs50.table").read_bytes()
    expect(exported.read_bytes() == golden, "the table is not kept to the byte", numbers)
    again = submit_lenet(host)
    numbers["again_seconds"] = again["seconds"]
    expect(again["hit"] and again["seconds"] < _HIT_SECONDS, "the same again is no quick hit", numbers)
    asked = ("--tensorrt", "8.5", *target_of(host), "--calibrator", "minmax")
    found = farm.json("engines", "list", *asked)
    numbers["engines list"] = found
    listed = {engine["id"]: engine for engine in found}
    engine = first["engines"][0]
    expect(engine["id"] in listed, "the engine is not found", numbers)
    expect(listed[engine["id"]]["metrics"] == engine["metrics"] is not None, "its accuracy is not listed", numbers)
    kinds = {(found["tensorrt"], found["compute_capability"], found["calibrator"]) for found in listed.values()}
    expect(kinds == {(host.toolchain.version, target_of(host)[1], "minmax")}, "others are found, too", numbers)
    numbers["text"] = farm.run("submit", host.model("lenet"), *_lenet(host)).out
    expect("INT8 Top1" in numbers["text"] and "on the engine" in numbers["text"], "not said in words", numbers)
    return numbers


@check("submit: entropy2, FP16, FP32, INT8+FP16, each measured on its engine", seconds=110)
def submit_precisions(host: Host) -> Numbers:
    asked: dict[str, tuple[str, ...]] = {
        "entropy2": ("--calibrator", "entropy2"),
        "fp16": ("--precision", "fp16"),
        "fp32": ("--precision", "fp32"),
        "int8+fp16": ("--precision", "int8+fp16"),
    }
    numbers: Numbers = {}
    for name, options in asked.items():
        data = () if name in {"fp16", "fp32"} else ("--data", host.golden / "lenet" / "calib.npy")
        test, labels = lenet_test_files(host)
        given = (*data, "--test-data", test, "--labels", labels, *target_of(host), "--shape", "1:32:64")
        facts = farm_of_submissions(host).json("submit", host.model("lenet"), *given, *options)
        numbers[name] = _told(facts)
        _expect_accurate(name, numbers[name], numbers)
        expect((name in {"fp16", "fp32"}) == (facts["table"] is None), f"{name}: table", numbers)
    return numbers


@check("submit: a table made on the CPU builds an engine, and TensorRT asks for no data", seconds=25)
def submit_reference_table(host: Host) -> Numbers:
    facts = submit_lenet(host, "--calibrate-with", "reference")
    numbers: Numbers = {"reference": _told(facts)}
    _expect_accurate("reference", numbers["reference"], numbers)
    expect(facts["table"]["origin"] == "reference", "the table is not from the CPU", numbers)
    # The builder fails a build in which TensorRT asks for a batch.
    expect(facts["engines"][0]["table_reuse"] == "made without a GPU", "how the table was used is not told", numbers)
    expect(not facts["engines"][0]["coverage"]["harmful"], "the table has holes", numbers)
    return numbers


@check("submit --explicit: INT8 by Q/DQ nodes on a TensorRT that would take a table", seconds=25)
def submit_explicit(host: Host) -> Numbers:
    facts = submit_lenet(host, "--explicit")
    numbers: Numbers = {"explicit": _told(facts)}
    _expect_accurate("explicit", numbers["explicit"], numbers)
    expect(facts["engines"][0]["int8_layers"] > 0, "nothing computes in INT8", numbers)
    return numbers


@check("submit of a model with Q/DQ nodes: built by them, without calibration", seconds=25)
def submit_prequantized(host: Host) -> Numbers:
    farm = farm_of_submissions(host)
    model, (data, labels) = farm.folder / "quantized.onnx", lenet_test_files(host)
    table = host.golden / "lenet" / "minmax-bs50.table"
    farm.json("quantize", host.model("lenet"), "--table", table, "-o", model)
    facts = farm.json("submit", model, "--test-data", data, "--labels", labels, *target_of(host), "--shape", "1:32:64")
    numbers: Numbers = {"quantized": _told(facts)}
    _expect_accurate("quantized", numbers["quantized"], numbers)
    kinds = {step["name"].split()[0] for step in facts["steps"]}
    expect(kinds == {"record", "build", "verify"}, f"it did {', '.join(sorted(kinds))}", numbers)
    expect(facts["engines"][0]["int8_layers"] > 0, "nothing computes in INT8", numbers)
    return numbers


@check(
    "submit --table: of 8.5.1.7 re-stamped, of 8.6.1.6 refused without --restamp, of another model refused", seconds=30
)
def submit_restamped(host: Host) -> Numbers:
    farm = farm_of_submissions(host)
    golden = CalibrationTable.parse((host.golden / "lenet" / "minmax-bs50.table").read_bytes())
    files = {}
    for version in ("8.5.1.7", "8.6.1.6"):
        files[version] = farm.folder / f"{version}.table"
        files[version].write_bytes(golden.restamp(TensorRTVersion.parse(version)).render())
    # An option that makes its engine another one: equal scales would be found, and nothing built from this table.
    apart = ("--option", "avg_timing_iterations=2")
    facts = submit_lenet(host, "--table", files["8.5.1.7"], *apart)
    numbers: Numbers = {"8.5.1.7": _told(facts)}
    _expect_accurate("8.5.1.7", numbers["8.5.1.7"], numbers)
    expect("re-stamped" in facts["engines"][0]["table_reuse"], "it does not say that it re-stamped", numbers)
    given = (host.model("lenet"), *_lenet(host))
    numbers["8.6.1.6"] = farm.refused(_TABLE, "submit", *given, "--table", files["8.6.1.6"])
    expect(facts["engines"][0]["coverage"]["restamped_from"] == "8501", "it was not re-stamped", numbers)
    taken = submit_lenet(host, "--table", files["8.6.1.6"], "--restamp", *apart)
    expect(taken["engines"][0]["id"] == facts["engines"][0]["id"], "equal scales gave another engine", numbers)
    zoo = host.golden / "zoo" / "minmax-bs50.table"
    numbers["of another model"] = farm.refused(_TABLE, "submit", *given, "--table", zoo)
    return numbers


@check("submit --after-fusion: a table that is tied to its GPU", seconds=30)
def submit_after_fusion(host: Host) -> Numbers:
    facts = submit_lenet(host, "--calibrator", "entropy", "--after-fusion")
    numbers: Numbers = {"entropy": _told(facts)}
    _expect_accurate("entropy", numbers["entropy"], numbers)
    expect(not facts["table"]["portable"], "it is called portable", numbers)
    # The engine above came of the calibration's own build; this one of the table, as any later build does.
    later = submit_lenet(host, "--table", facts["table"]["id"], "--option", "avg_timing_iterations=2")
    numbers["from its table"] = _told(later)
    _expect_accurate("from its table", numbers["from its table"], numbers)
    return numbers


@check("submit --max-drop: an engine that loses too much is kept, listed, and fails its gate", seconds=25)
def submit_gate(host: Host) -> Numbers:
    farm = farm_of_submissions(host)
    golden = CalibrationTable.parse((host.golden / "lenet" / "minmax-bs50.table").read_bytes())
    table = farm.folder / "tiny.table"
    table.write_text(f"{golden.header}\n" + "".join(f"{tensor}: {_TINY_SCALE}\n" for tensor in golden.scales))
    given = (host.model("lenet"), *_lenet(host), "--table", table, "--explicit", "--max-drop", "1%")
    numbers: Numbers = {"refused": farm.refused(_GATE, "submit", *given)}
    newest = farm.json("engines", "list", *target_of(host))[0]
    classes = newest["metrics"]["classification"]
    numbers["engine"] = {"id": newest["id"], "classification": classes}
    expect(classes["candidate"]["top1"] < classes["reference"]["top1"] - ACCURACY_LOSS, "it is accurate", numbers)
    return numbers


@check("submit --calibrator auto: TensorRT's MinMax and Entropy2 compared, the better one's table built", seconds=45)
def submit_auto(host: Host) -> Numbers:
    facts = submit_lenet(host, "--calibrator", "auto", "--calibrate-with", "tensorrt")
    compared = {item["calibrator"]: item for item in facts["calibrators"]}
    drops = {name: item["drop"] for name, item in compared.items()}
    numbers: Numbers = {"chosen": _told(facts), "drops": drops}
    expect(set(compared) == {"minmax", "entropy2"}, "others are compared", numbers)
    (chosen,) = (name for name, item in compared.items() if item["chosen"])
    expect(drops[chosen] == min(drops.values()), "not the best one was kept", numbers)
    expect(facts["table"]["id"] == compared[chosen]["table"], "another table was built", numbers)
    expect(facts["table"]["origin"] == "native", "the tables are not TensorRT's", numbers)
    _expect_accurate("auto", numbers["chosen"], numbers)
    return numbers


@check("submit --fresh: LeNet rebuilt with and without the timings of earlier builds", seconds=60)
def submit_timings(host: Host) -> Numbers:
    numbers: Numbers = {}
    # The first one leaves timings, where this check is the first.
    for name, options in {"before": (), "without": ("--no-timing-cache",), "with": ()}.items():
        facts = submit_lenet(host, "--calibrator", "entropy2", "--fresh", *options)
        numbers[name] = _told(facts)
    build = f"build {target_of(host)[1]} tensorrt-{host.toolchain.version}"
    one_go = all(told["steps"][build] == "hit" for told in numbers.values())
    numbers["times faster"] = numbers["without"]["build_seconds"] / numbers["with"]["build_seconds"]
    expect(one_go, "the engine was not built in the same go as it was calibrated", numbers)
    used = (numbers["without"]["timing_cache_used"], numbers["with"]["timing_cache_used"])
    expect(used == (False, True), "the timings were not used as asked for", numbers)
    expect(numbers["times faster"] > 2, "earlier timings save little", numbers)
    return numbers


@check("submit: a model that the parser refuses, with the node's name", seconds=10)
def submit_unparsable(host: Host) -> Numbers:
    model = unparsable_model(host.scratch)
    given = (model, "--precision", "fp32", *target_of(host), "--shape", "x=1x4x4")
    told = {"refused": farm_of_submissions(host).refused(_MODEL, "submit", *given)}
    expect("the-determinant" in told["refused"], "the node is not named", told)
    return told


@check("submit: the CNN/attention mix in INT8 by minmax, then by entropy2 with its timings", seconds=150)
def submit_zoo(host: Host) -> Numbers:
    folder = host.golden / "zoo"
    given = ("--data", folder / "calib.npy", "--test-data", folder / "test.npy", "--shape", "1:32:64")
    numbers: Numbers = {}
    for calibrator in ("minmax", "entropy2"):
        facts = farm_of_submissions(host).json(
            "submit", host.model("zoo"), *given, *target_of(host), "--calibrator", calibrator
        )
        numbers[calibrator] = _told(facts)
        expect(min(numbers[calibrator]["cosine_mean"].values()) > 0.95, f"{calibrator}: far from FP32", numbers)
        expect(facts["engines"][0]["int8_layers"] > 0, f"{calibrator}: nothing computes in INT8", numbers)
    expect(numbers["entropy2"]["timing_cache_used"], "the second build did not know the first one's timings", numbers)
    return numbers


@check(
    "submit --search: MiniLM in INT8 but for the nodes that cost most, with a mean cosine of 0.99 to FP32", seconds=180
)
def submit_minilm(host: Host) -> Numbers:
    if host.minilm is None or host.minilm_data is None:
        raise SkippedError("no MiniLM was given")
    data, test = host.minilm_data, host.minilm_data / "test"
    length = np.load(data / "input_ids.npy", mmap_mode="r").shape[1]
    given: list[str | Path] = ["--data", data, "--batch-size", "20", "--test-data", test, *target_of(host)]
    for name in ("input_ids", "attention_mask"):
        given += ["--shape", f"{name}=1x{length}:32x{length}:64x{length}"]
    # What is lost in the end is a little more than what the search measures: on other data, and in float16.
    asked = ("--search", "--max-drop", "0.8%", "--precision", "int8+fp16")
    numbers = _told(farm_of_submissions(host).json("submit", host.minilm, *asked, *given))
    expect(min(numbers["cosine_mean"].values()) >= _NEAR, "too far from FP32", numbers)
    return numbers
