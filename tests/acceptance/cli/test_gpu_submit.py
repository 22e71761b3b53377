"""`submit` for a GPU: everything around TensorRT, which a program stands for that answers as it did on an H200."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import psutil
import pytest

from tests.acceptance.cli import gpu_poser
from tests.acceptance.cli.gpu_farm import ON_H200, GpuFarm
from trtfarm.compute_capability import ComputeCapability
from trtfarm.errors import StorageError
from trtfarm.farm import Farm
from trtfarm.settings import Settings
from trtfarm.tables.table import CalibrationTable
from trtfarm.versions import TensorRTVersion
from trtfarm_cli.farms.here.submissions import SubmissionsHere
from trtfarm_worker.order import Order


@pytest.fixture
def farm(gpu_farm: GpuFarm) -> GpuFarm:
    return gpu_farm


Tables = Callable[[str], Path]


@pytest.fixture
def table_of(golden: Path, tmp_path: Path) -> Tables:
    """LeNet's MinMax table with the header of another TensorRT."""

    def write(version: str) -> Path:
        table = CalibrationTable.parse((golden / "lenet" / "minmax-bs50.table").read_bytes())
        path = tmp_path / f"{version}.table"
        path.write_bytes(table.restamp(TensorRTVersion.parse(version)).render())
        return path

    return write


def test_the_main_job_on_a_gpu(farm: GpuFarm, golden: Path, tmp_path: Path) -> None:
    told = {step["step"]: step for step in farm.submit("--dry-run")}
    assert told["calibrate"]["fields"]["engine"] == "tensorrt"
    assert [told[name]["hit"] for name in told] == [False] * 4
    first = farm.submit()
    (engine,) = first["engines"]
    assert first["state"] == "done"
    assert (engine["compute_capability"], engine["tensorrt"], engine["gpu"]) == ("sm_90", "8.5.3.1", "NVIDIA H200")
    assert (engine["precision"], engine["calibrator"], engine["int8_layers"]) == ("int8", "minmax", 3)
    assert (first["table"]["origin"], first["table"]["tensorrt"], first["table"]["portable"]) == (
        "native",
        "8.5.3.1",
        True,
    )
    (check,) = first["verifications"]
    assert (check["simulated"], check["engine"]) == (False, engine["id"])
    assert engine["metrics"]["classification"]["candidate"]["top1"] == 0.963
    exported = tmp_path / "exported.table"
    farm.program.ok("tables", "export", first["table"]["id"], "-o", exported)
    assert exported.read_bytes() == (golden / "lenet" / "minmax-bs50.table").read_bytes()
    (calibration,) = farm.asked("trt-calibrate")
    assert calibration["rule"]["calibrator"] == "minmax"
    again = farm.submit()
    assert again["hit"]
    assert again["engines"][0]["id"] == engine["id"]
    assert len(farm.asked("trt-calibrate")) == len(farm.asked("trt-evaluate")) == 1
    wanted = ("--tensorrt", "8.5", *ON_H200, "--calibrator", "minmax")
    (found,) = farm.program.json("engines", "list", *wanted)
    assert found["metrics"]["classification"]["candidate"]["top1"] == 0.963
    shown = farm.program.json("engines", "show", found["id"])
    assert (shown["gpu"], shown["table_reuse"], shown["int8_time_share"]) == ("NVIDIA H200", "exact", 0.5)
    assert farm.program.json("engines", "list", "--tensorrt", "8.6", *ON_H200) == []
    assert farm.program.json("tables", "list", "--tensorrt", "8.5.3.1")[0]["origin"] == "native"


def test_what_a_person_reads(farm: GpuFarm) -> None:
    ended = farm.program.ok("submit", farm.model, *ON_H200)
    assert "native, portable" in ended.out
    assert "sm_90 FP32 Top1: 0.9640, Top5: 1.0000  INT8 Top1: 0.9630, Top5: 1.0000" in ended.out
    assert "on the engine" in ended.out
    assert "calibration: TensorRT 8.5.3.1 on sm_90" in ended.err


@pytest.mark.parametrize(
    ("options", "steps"),
    [
        (("--precision", "fp32"), {"record", "build", "verify"}),
        (("--precision", "int8+fp16"), {"calibrate", "record", "build", "verify"}),
        (("--explicit",), {"calibrate", "quantize", "record", "build", "verify"}),
    ],
)
def test_each_precision_goes_its_way(farm: GpuFarm, options: tuple[str, ...], steps: set[str]) -> None:
    facts = farm.submit(*options)
    assert {step["name"].split()[0] for step in facts["steps"]} == steps
    assert len(facts["verifications"]) == 1
    args = farm.asked("trt-build")[-1]
    assert ("table" in args) is (options == ("--precision", "int8+fp16"))


def test_a_model_with_q_dq_nodes_is_built_as_it_is(farm: GpuFarm, golden: Path) -> None:
    table, quantized = golden / "lenet" / "minmax-bs50.table", farm.program.folder / "quantized.onnx"
    farm.program.ok("quantize", farm.model, "--table", table, "-o", quantized)
    error = farm.program.fails(2, "submit", quantized, *ON_H200, "--calibrator", "entropy2")
    assert error["cause"] == "the model has Q/DQ nodes, which hold its scales"
    assert farm.program.rows() == {}
    test = farm.model.parent / "test"
    given = ("--test-data", test / "data.npy", "--labels", test / "labels.npy", *ON_H200)
    ended = farm.program.ok("submit", quantized, *given)
    assert "it is built by them as it is, and nothing is calibrated" in ended.err
    assert "Q/DQ Top1: 0.9640" in ended.out
    facts = farm.program.json("submit", quantized, *given)
    assert facts["hit"]
    assert {step["name"].split()[0] for step in facts["steps"]} == {"record", "build", "verify"}
    assert (facts["table"], facts["engines"][0]["precision"]) == (None, "int8")
    (args,) = farm.asked("trt-build")
    assert not {"table", "scales"} & set(args)


def test_a_table_from_the_cpu_builds_without_any_calibration_on_the_gpu(farm: GpuFarm) -> None:
    facts = farm.submit("--calibrate-with", "reference")
    assert facts["table"]["origin"] == "reference"
    assert facts["engines"][0]["table_reuse"] == "made without a GPU"
    assert not farm.asked("trt-calibrate")
    (args,) = farm.asked("trt-build")
    assert "table" in args


def test_a_table_that_is_tied_to_its_device(farm: GpuFarm) -> None:
    facts = farm.submit("--calibrator", "entropy", "--after-fusion")
    assert (facts["table"]["portable"], facts["table"]["tensors"]) == (False, 7)
    details = farm.program.json("tables", "show", facts["table"]["id"])
    assert details["device"] == "sm_90"


def test_timings_go_from_one_build_to_the_next(farm: GpuFarm) -> None:
    one = farm.submit("--precision", "fp32")["engines"][0]
    other = farm.submit("--precision", "fp16")["engines"][0]
    alone = farm.submit("--precision", "fp16", "--no-timing-cache", "--fresh")["engines"][0]
    assert [engine["timing_cache_used"] for engine in (one, other, alone)] == [False, True, False]
    assert other["id"] == alone["id"]
    third = farm.submit("--precision", "int8")["engines"][0]
    assert third["timing_cache_used"]
    caches = farm.asked("trt-build")[-1].get("timing_caches") or farm.asked("trt-calibrate")[-1]["timing_caches"]
    assert list(caches) == ["NVIDIA H200"]


def test_a_table_from_another_release_is_restamped_or_refused(farm: GpuFarm, table_of: Tables) -> None:
    facts = farm.submit("--table", table_of("8.5.1.7"))
    assert facts["engines"][0]["table_reuse"] == "re-stamped from 8.5.1"
    before = farm.program.rows()
    error = farm.refused(5, "--table", table_of("8.6.1.6"))
    assert "release line" in error["cause"]
    assert "--restamp" in error["remedy"]
    assert farm.program.rows() == before
    taken = farm.submit("--table", table_of("8.6.1.6"), "--restamp")
    assert taken["engines"][0]["id"] == facts["engines"][0]["id"]  # equal scales are equal engines


def test_an_engine_that_loses_too_much_is_kept_but_fails_its_gate(farm: GpuFarm) -> None:
    (farm.folder / "inaccurate").touch()
    error = farm.refused(7, "--max-drop", "1%")
    assert "46.40%" in error["message"]
    (engine,) = error["submission"]["engines"]
    (listed,) = farm.program.json("engines", "list", *ON_H200)
    assert listed["id"] == engine["id"]
    assert listed["metrics"]["classification"]["candidate"]["top1"] == 0.5


def test_options_reach_the_builder_and_its_key(farm: GpuFarm, tmp_path: Path) -> None:
    ranges, options = tmp_path / "ranges.txt", tmp_path / "options.toml"
    ranges.write_text("data: 1.0\nprob: 1.0\n")
    options.write_text("avg_timing_iterations = 4\nworkspace_bytes = '64MiB'\n")
    plain = farm.submit()["engines"][0]
    given = ("--builder-options", options, "--option", "workspace_bytes=1GiB", "--dynamic-ranges", ranges)
    tuned = farm.submit("--calibrator", "minmax", *given)["engines"][0]
    args = farm.asked("trt-build")[-1]
    assert (args["workspace_bytes"], args["avg_timing_iterations"]) == (1 << 30, 4)
    assert args["dynamic_ranges"] == {"data": 1.0, "prob": 1.0}
    assert tuned["id"] != plain["id"]
    by_hand = farm.submit("--dynamic-ranges", ranges)
    assert (by_hand["table"], len(farm.asked("trt-calibrate"))) == (None, 1)


def test_a_strongly_typed_network_is_built_of_what_the_model_says(farm: GpuFarm) -> None:
    python = farm.folder / "python"
    python.write_text(python.read_text().replace(gpu_poser.VERSION, "10.13.3.9"))
    farm.program.ok("toolchain", "test", "tensorrt-8.5.3.1")
    given = ("--calibrate-with", "reference", "--precision", "int8+fp16", "--option", "strongly_typed=true")
    facts = farm.submit(*given)
    kinds = [step["name"].split()[0] for step in facts["steps"]]
    assert kinds == ["calibrate", "quantize", "convert", "build", "record", "verify"]
    assert facts["engines"][0]["precision"] == "int8+fp16"
    (args,) = farm.asked("trt-build")
    # Its float16 is in the model, and is no flag.
    assert (args["strongly_typed"], args["precision"], "table" in args) == (True, "int8", False)


def test_an_engine_may_have_several_profiles(farm: GpuFarm) -> None:
    one = farm.submit("--precision", "fp32", "--shape", "1:1:1")["engines"][0]
    two = farm.submit("--precision", "fp32", "--shape", "1:1:1", "--shape", "8:32:64")["engines"][0]
    assert one["id"] != two["id"]
    first, second = farm.asked("trt-build")
    assert "more_profiles" not in first
    assert first["profiles"] == second["profiles"]
    assert first["profiles"]["data"] == {"min": [1, 1, 28, 28], "opt": [1, 1, 28, 28], "max": [1, 1, 28, 28]}
    (more,) = second["more_profiles"]
    assert more == {"data": {"min": [8, 1, 28, 28], "opt": [32, 1, 28, 28], "max": [64, 1, 28, 28]}}


@pytest.mark.parametrize(
    ("code", "options", "words"),
    [
        (2, ("--option", "no_such_option=1"), "no builder option no_such_option"),
        (2, ("--exclude", "conv1"), "--exclude cannot be used"),
        (2, ("--option", "strongly_typed=true"), "TensorRT 8.5.3.1 has no strongly typed networks"),
        (6, ("--calibrator", "mse", "--calibrate-with", "tensorrt"), "no TensorRT here calibrates with mse"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_stored(
    farm: GpuFarm, code: int, options: tuple[str, ...], words: str
) -> None:
    error = farm.refused(code, *options)
    assert words in error["message"]
    assert error["remedy"]
    assert farm.program.rows() == {}


def test_what_the_builder_cannot_do_is_told_as_it_says(farm: GpuFarm) -> None:
    cause = "node 3 'the-determinant' (Det): no importer"
    farm.fails("trt-build", code="bad_model", message="cannot parse", cause=cause, remedy="export it again")
    error = farm.refused(3, "--precision", "fp16")
    assert "cannot parse" in error["message"]
    assert (error["cause"], error["remedy"]) == (cause, "export it again")
    assert "not done because of it: verify sm_90 tensorrt-8.5.3.1" in error["message"]
    farm.fails("trt-build", code="builder_memory", message="the GPU has not enough free memory to build this model")
    assert farm.refused(9, "--precision", "fp16")["code"] == "builder_memory"


def test_tables_that_tensorrt_would_reject_or_fail_on_in_silence_are_refused(farm: GpuFarm, table_of: Tables) -> None:
    path = table_of("8.5.3.1")
    whole = path.read_text()
    header = whole.partition("\n")[0]
    spoiled = {
        "zero": whole.replace("data: 3c010204", "data: 00000000"),
        "NoSuchCalibration": whole.replace("MinMaxCalibration", "NoSuchCalibration"),
        "with the same scale": whole + "data: 3c010204\n",
        "it has no scales": f"{header}\n",
        "line 1": "",
        "no/such/tensor": f"{header}\nno/such/tensor: 3c010204\n",
    }
    for words, text in spoiled.items():
        path.write_text(text)
        error = farm.refused(5, "--table", path)
        assert words in f"{error['message']} {error['cause']}"
    assert farm.program.rows() == {}


@pytest.mark.parametrize(
    ("text", "code", "words"),
    [("#!/bin/sh\nexit 127\n", 9, "interpreter was not found"), ("no program", 6, "does not start")],
)
def test_a_toolchain_that_broke_since_it_was_probed_is_told(farm: GpuFarm, text: str, code: int, words: str) -> None:
    (farm.folder / "python").write_text(text)
    error = farm.refused(code, "--precision", "fp16")
    assert words in " ".join(str(error[name]) for name in ("message", "cause", "remedy"))
    assert farm.program.rows().get("engines", 0) == 0
    farm.program.run("toolchain", "test", "tensorrt-8.5.3.1")
    again = farm.refused(6, "--precision", "fp16")
    assert "is broken" in str(again["cause"])


def test_ranges_that_are_missing_are_told(farm: GpuFarm, table_of: Tables) -> None:
    (farm.folder / "harmful").touch()
    ended = farm.program.ok("submit", farm.model, *ON_H200, "--table", table_of("8.5.1.7"))
    assert "re-stamped from 8.5.1, 1 range filled in" in ended.out
    assert "no range, which may cost INT8: (Unnamed Layer* 11) [Matrix Multiply]_output" in ended.out


def test_without_a_gpu_it_says_so(farm: GpuFarm) -> None:
    answer = {**gpu_poser.probe({}), "gpus": [], "precisions": [], "lacking": {"gpu": "no NVIDIA driver here"}}
    python = farm.folder / "python"
    python.write_text(
        python.read_text()
        .replace('"gpus": [DEVICE]', '"gpus": []')
        .replace('"lacking": {}', f'"lacking": {answer["lacking"]!r}')
    )
    farm.program.ok("toolchain", "test", "tensorrt-8.5.3.1")
    error = farm.refused(6)
    assert "no NVIDIA driver here" in error["cause"]


def test_a_job_that_nobody_does_says_what_it_needs(farm: GpuFarm) -> None:
    ended = farm.program.ok("submit", farm.model, *ON_H200, "--precision", "fp32", "--detach")
    assert "no worker is up" in ended.err
    (job,) = farm.program.json("jobs", "list", "--kind", "build")
    shown = farm.program.json("jobs", "show", job["id"])
    assert shown["capability"] == "tensorrt-8.5.3.1/sm_90"
    assert shown["waits"] == "needs tensorrt-8.5.3.1 on sm_90; no worker offers it; workers up: none"
    assert farm.program.json("workers", "list") == []
    assert farm.program.fails(8, "workers", "pause", "wrk_1")["remedy"] == "there is none yet"


def test_the_first_builder_of_what_is_surely_to_be_done_loads_tensorrt_before_there_is_a_job(farm: GpuFarm) -> None:
    farm.submit("--precision", "fp32")  # a new model
    farm.submit("--precision", "fp32", "--fresh")
    farm.submit("--precision", "fp16")  # of a known model, something may be there
    assert ["ahead" in request for request in farm.requests() if request["step"] == "trt-build"] == [True, True, False]


def test_none_begins_for_workers_or_for_nothing(farm: GpuFarm) -> None:
    farm.submit("--precision", "fp32", "--dry-run")
    farm.submit("--precision", "fp32", "--detach")
    assert not (farm.folder / "began-early").exists()


def test_none_begins_for_what_is_there(farm: GpuFarm) -> None:
    once = ("--precision", "fp32", "--fresh", "--idempotency-key", "nightly")
    first = farm.submit(*once)
    (farm.folder / "began-early").unlink()
    assert farm.submit(*once)["submission"] == first["submission"]
    assert farm.submit("--precision", "fp32")["hit"] is True
    assert not (farm.folder / "began-early").exists()


def test_it_begins_before_the_farm_is_open_and_ends_where_that_fails(farm: GpuFarm) -> None:
    def opened() -> Farm:
        begun.extend(child for child in psutil.Process().children() if "--ahead" in child.cmdline())
        raise StorageError("the database is away")

    begun: list[psutil.Process] = []
    settings = Settings.from_environment({"TRTFARM_HOME": str(farm.program.home)})
    order = Order(model=farm.model, precision="fp32", targets=[ComputeCapability(9, 0)])
    with pytest.raises(StorageError):
        SubmissionsHere(settings, opened).submit(order, fresh=False, detach=False, key=None)
    (builder,) = begun
    assert not builder.is_running()
    assert farm.program.scratch() == []


def test_one_that_has_begun_ends_with_an_order_that_is_refused(farm: GpuFarm, tmp_path: Path) -> None:
    np.save(tmp_path / "data.npy", np.zeros((100, 3, 5, 5), np.float32))
    farm.refused(4, "--data", tmp_path / "data.npy")
    assert [request["step"] for request in farm.requests()] == ["trt-probe"]


def test_none_waits_for_a_calibration_on_the_cpu(farm: GpuFarm) -> None:
    farm.submit("--calibrate-with", "reference")
    assert [args["precision"] for args in farm.asked("trt-build")] == ["int8"]
    assert not (farm.folder / "began-early").exists()
