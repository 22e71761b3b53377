"""`run`, `bench` and `verify` around TensorRT, for which a program stands that answers as it did on an H200."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.acceptance.cli.gpu_farm import ON_H200, GpuFarm
from tests.acceptance.cli.serving import api, free_port, service


@pytest.fixture
def engine(gpu_farm: GpuFarm) -> dict[str, Any]:
    """An FP16 engine that nothing was measured of: there is no data beside its model."""
    model = shutil.copy(gpu_farm.model, gpu_farm.program.folder)
    facts = gpu_farm.program.json("submit", model, *ON_H200, "--precision", "fp16")
    found: dict[str, Any] = facts["engines"][0]
    return found


def test_outputs_of_the_farms_engine_and_of_a_pulled_one_are_written(
    gpu_farm: GpuFarm, engine: dict[str, Any], digits: Path
) -> None:
    program, folder = gpu_farm.program, gpu_farm.program.folder
    told = program.json("run", engine["id"][:-2], "--inputs", digits / "data.npy", "-o", "by-id.npz")
    assert (told["engine"], told["samples"], told["shapes"]) == (engine["id"], 100, {"prob": [100, 10]})
    assert np.load(folder / "by-id.npz")["prob"].shape == (100, 10)
    program.ok("engines", "pull", engine["id"], "-o", "lenet.engine")
    np.savez(folder / "digits.npz", data=np.load(digits / "data.npy")[:3])
    ended = program.ok(
        "run", "lenet.engine", "--inputs", "digits.npz", "-o", "by-file.npz", "--batch-size", "2", "--profile", "0"
    )
    assert ended.out == "by-file.npz: prob 3x10 (3 samples, NVIDIA H200)\n"
    first, second = gpu_farm.asked("trt-run")
    assert first["compute_capability"] == second["compute_capability"] == "sm_90"
    assert (first["batch_size"], second["batch_size"]) == (None, 2)
    assert (told["profile"], first["profile"], second["profile"]) == (0, None, 0)
    error = program.fails(2, "bench", engine["id"], "--profile", "1")
    assert (error["message"], error["remedy"]) == (
        "the engine has no optimization profile 1",
        "it has 1, counted from 0",
    )
    assert not Path(first["engine"]).exists()


def test_a_run_that_fails_leaves_what_was_there(gpu_farm: GpuFarm, engine: dict[str, Any], digits: Path) -> None:
    gpu_farm.fails("trt-run", code="builder_memory", message="the GPU has not enough free memory")
    out = gpu_farm.program.folder / "out.npz"
    out.write_bytes(b"what was there before")
    error = gpu_farm.program.fails(9, "run", engine["id"], "--inputs", digits / "data.npy", "-o", out)
    assert error["message"] == "the GPU has not enough free memory"
    assert out.read_bytes() == b"what was there before"


def test_times_are_told_by_batch_size(gpu_farm: GpuFarm, engine: dict[str, Any]) -> None:
    ended = gpu_farm.program.ok("bench", engine["id"])
    header, *rows = ended.out.splitlines()
    assert header.split() == ["batch", "size", "median", "ms", "p95", "ms", "mean", "ms", "min", "ms", "throughput"]
    assert [row.split()[0] for row in rows] == ["1", "8", "32"]
    assert rows[0].split()[1:] == ["0.0280", "0.0300", "0.0290", "0.0270", "35,714/s"]
    assert "NVIDIA H200, driver 580.159.04" in ended.err
    told = gpu_farm.program.json(
        *("bench", engine["id"], "--batch-size", "8,1", "--cuda-graph", "--layers", "--iterations", "10")
    )
    assert [row["batch_size"] for row in told["results"]] == [1, 8]
    assert (told["precision"], told["compute_capability"], told["tensorrt"]) == ("fp16", "sm_90", "8.5.3.1")
    assert (told["cuda_graph"], len(told["layers"])) == (True, 5)
    first, second = gpu_farm.asked("trt-bench")
    assert (first["iterations"], first["warm_up"], first["cuda_graph"], first["layers"]) == (200, 50, False, False)
    assert second["iterations"] == 10


def test_accuracy_is_measured_once_and_stays_with_the_engine(
    gpu_farm: GpuFarm, engine: dict[str, Any], digits: Path
) -> None:
    program, test = gpu_farm.program, digits / "test"
    assert program.json("engines", "show", engine["id"])["metrics"] is None
    ended = program.ok("verify", engine["id"], "--data", test / "data.npy", "--labels", test / "labels.npy")
    assert "FP32 Top1: 0.9640, Top5: 1.0000  FP16 Top1: 0.9640, Top5: 1.0000  (50 samples, on the engine)" in ended.out
    found = program.json("verify", engine["id"])
    assert program.json("engines", "show", engine["id"])["metrics"] == found["metrics"]
    assert len(gpu_farm.asked("trt-evaluate")) == 1
    again = program.json("verify", engine["id"], "--fresh")
    assert again["verification"] == found["verification"]
    assert len(gpu_farm.asked("trt-evaluate")) == 2


def test_a_server_has_an_engine_measured_by_its_worker(
    gpu_farm: GpuFarm, engine: dict[str, Any], digits: Path, tmp_path: Path
) -> None:
    """With data that the server has not; what the client hears is what it would say itself, and its project sees it."""
    host, test, port = gpu_farm.program, digits / "test", free_port()
    url = {"TRTFARM_URL": f"http://127.0.0.1:{port}", "TRTFARM_TOKEN": host.json("tokens", "create", "ann")["token"]}
    client = replace(host, home=tmp_path / "client", folder=tmp_path, environment=url)
    with api(host, port):
        assert client.fails(2, "verify", engine["id"])["message"] == "no data is known to verify with"
        with service(host, "worker", up='event="worker is up"'):
            named = ("--data", test / "data.npy", "--labels", test / "labels.npy")
            ended = client.ok("verify", engine["id"], *named)
            found = client.json("verify", engine["id"])
            again = client.json("verify", engine["id"], "--fresh")
            shown = client.json("engines", "show", engine["id"])
            gpu_farm.fails("trt-evaluate", code="builder_memory", message="the GPU has not enough free memory")
            error = client.fails(9, "verify", engine["id"], "--fresh")
    assert "FP32 Top1: 0.9640, Top5: 1.0000  FP16 Top1: 0.9640, Top5: 1.0000  (50 samples, on the engine)" in ended.out
    assert host.json("engines", "show", engine["id"])["metrics"] == shown["metrics"] == found["metrics"]
    assert again["verification"] == found["verification"]
    assert error["message"] == "the GPU has not enough free memory"
    assert ended.out == host.ok("verify", engine["id"]).out
