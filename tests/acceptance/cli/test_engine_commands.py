"""`trtfarm run`, `bench` and `verify` up to the GPU that is not here: what they refuse, and why."""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.acceptance.cli.conftest import Stocked
from tests.acceptance.cli.program import Program
from tests.posers import H200, posed_gpus
from trtfarm.compute_capability import ComputeCapability
from trtfarm_worker.toolchains.registry import ToolchainRegistry
from trtfarm_worker.toolchains.toolchain import Capabilities, Toolchain, ToolchainKind

_VERSION = "8.5.3.1"
#: Signed, but of TensorRT, as far as row and signature tell. No test loads it.
_AS_OF_TENSORRT = """
    UPDATE engines SET tensorrt = '8.5.3.1', facts = json_set(facts, '$.toolchain', 'tensorrt'),
    signature = NULL, signing_key = NULL WHERE compute_capability = 'sm_86'
"""


@pytest.fixture(scope="module")
def changed(stocked: Stocked, tmp_path_factory: pytest.TempPathFactory) -> Stocked:
    """A farm whose engine for sm_86 is said to be of TensorRT 8.5.3.1; nobody may change it."""
    program = stocked.program.copied(tmp_path_factory.mktemp("changed"))
    with closing(sqlite3.connect(program.home / "farm.db")) as database, database:
        database.execute(_AS_OF_TENSORRT)
    program.ok("engines", "sign", stocked.facts["engines"][0]["id"])
    return Stocked(program=program, facts=stocked.facts)


@pytest.fixture
def own_stock(changed: Stocked, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stocked:
    """A copy of that farm, on a host whose driver shows a GPU of sm_86."""
    gpus = posed_gpus(monkeypatch, tmp_path, {**H200, "compute_capability": [8, 6]})
    program = replace(changed.program.copied(tmp_path), environment=gpus.environment)
    return Stocked(program=program, facts=changed.facts)


@pytest.fixture
def engine(changed: Stocked) -> str:
    engine_id: str = changed.facts["engines"][0]["id"]
    return engine_id


@pytest.fixture
def host(own_stock: Stocked) -> Callable[..., None]:
    """Says which TensorRT there is, and which GPUs its test found; its interpreter has none in truth."""

    def put(*gpus: str, version: str = _VERSION, **facts: Any) -> None:
        capabilities = Capabilities(
            compute_capabilities=tuple(map(ComputeCapability.parse, gpus)),
            lacking={} if gpus else {"gpu": "no NVIDIA driver here"},
        )
        toolchain = Toolchain(
            name="posing",
            kind=ToolchainKind.TENSORRT,
            python=Path(sys.executable),
            version=version,
            capabilities=capabilities,
            **facts,
        )
        ToolchainRegistry(own_stock.program.home).put(toolchain)

    return put


@pytest.fixture
def data(digits: Path) -> list[str | Path]:
    return ["--inputs", digits / "data.npy"]


def refusals(program: Program, code: int, engine: str | Path, data: list[str | Path]) -> list[dict[str, Any]]:
    """The errors of both commands for the same engine."""
    out = program.folder / "out.npz"
    errors = [program.fails(code, "run", engine, *data, "-o", out), program.fails(code, "bench", engine, *data)]
    assert not out.exists()
    return errors


def test_what_is_not_signed_is_not_loaded(
    own_stock: Stocked, engine: str, host: Callable[..., None], data: list[str | Path]
) -> None:
    host("sm_86")
    program, path = own_stock.program, own_stock.program.folder / "lenet.engine"
    program.ok("engines", "pull", engine, "-o", path)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 4
    path.write_bytes(content)
    for error in refusals(program, 11, path, data):
        assert "not the engine that was signed" in error["message"]
    with closing(sqlite3.connect(program.home / "farm.db")) as database, database:
        database.execute("UPDATE engines SET compute_capability = 'sm_90'")
    for error in refusals(program, 11, engine, data):
        assert "does not fit" in error["message"]


def test_an_engine_of_tensorrt_rtx_is_for_other_programs(stocked: Stocked, data: list[str | Path]) -> None:
    for error in refusals(stocked.program, 6, stocked.facts["engines"][0]["id"], data):
        assert "tensorrt-rtx" in error["message"]
        assert "engines pull" in error["remedy"]


def test_only_the_exact_version_runs_an_engine(
    own_stock: Stocked, engine: str, host: Callable[..., None], data: list[str | Path]
) -> None:
    for error in refusals(own_stock.program, 6, engine, data):
        assert error["remedy"] == f"trtfarm toolchain install tensorrt=={_VERSION}"
    host("sm_86", version="8.5.2.2")
    error = own_stock.program.fails(6, "bench", engine)
    assert error["cause"] == "here is TensorRT 8.5.2.2"
    assert "submit --tensorrt 8.5.2.2" in error["remedy"]
    host("sm_86", broken="libcudnn.so.8 is missing")
    assert own_stock.program.fails(6, "bench", engine)["cause"] == "libcudnn.so.8 is missing"


def test_without_a_gpu_or_with_another_one_it_says_where_to_go(
    own_stock: Stocked, engine: str, host: Callable[..., None], data: list[str | Path]
) -> None:
    host()
    for error in refusals(own_stock.program, 6, engine, data):
        assert "here is none" in error["message"]
        assert error["cause"] == "no NVIDIA driver here"
    host("sm_90")
    error = own_stock.program.fails(6, "bench", engine)
    assert error["message"] == f"{engine} is for sm_86, and no GPU here is one"
    assert "--target sm_90" in error["remedy"]


def test_data_that_the_engine_does_not_take_is_told_before_a_gpu_is_asked_for(
    own_stock: Stocked, engine: str, host: Callable[..., None], digits: Path
) -> None:
    host("sm_86")
    program, folder = own_stock.program, own_stock.program.folder
    good = np.load(digits / "data.npy")
    np.save(folder / "double.npy", good.astype(np.float64))
    np.save(folder / "flat.npy", good.reshape(len(good), -1))
    np.savez(folder / "names.npz", image=good, mask=good)
    (folder / "text.npy").write_text("no numbers")

    def told(code: int, inputs: str) -> str:
        error = program.fails(code, "run", engine, "--inputs", inputs, "-o", "out.npz")
        return f"{error['message']} {error['cause']} {error['remedy']}"

    assert "float64" in told(4, "double.npy")
    assert "784" in told(4, "data=flat.npy")
    assert "image, mask" in told(4, "names.npz")
    assert "text.npy" in told(4, "text.npy")
    assert "--inputs nowhere.npy" in told(4, "nowhere.npy")
    assert not (folder / "out.npz").exists()
    np.savez(folder / "good.npz", data=good)
    for inputs in ("good.npz", "data=good.npz"):
        error = program.fails(2, "run", engine, "--inputs", inputs, "-o", folder / "good.npz")
        assert "it is what is read" in error["message"]


def test_a_toolchain_that_cannot_load_anything_says_so(
    own_stock: Stocked, engine: str, host: Callable[..., None], digits: Path
) -> None:
    host("sm_86")
    np.savez(own_stock.program.folder / "good.npz", data=np.load(digits / "data.npy")[:3])
    for error in refusals(own_stock.program, 6, engine, ["--inputs", "good.npz"]):
        assert "this interpreter cannot import" in error["message"]


def test_options_that_cannot_be_used_are_told_first(own_stock: Stocked, engine: str) -> None:
    program = own_stock.program
    assert "'0'" in program.fails(2, "bench", engine, "--batch-size", "1,0")["message"]
    assert "'x'" in program.fails(2, "bench", engine, "--batch-size", "x")["message"]
    assert "from 1 to 32" in program.fails(2, "bench", engine, "--batch-size", "8,33")["remedy"]
    program.fails(8, "bench", "eng_nowhere")
    program.fails(8, "bench", "nowhere/lenet.engine")
    program.ok("engines", "pull", engine, "-o", "lenet.engine")
    assert program.fails(2, "run", "lenet.engine", "--inputs", "x.npy", "-o", "lenet.engine")["code"] == "usage"


def test_verification_says_what_it_lacks_before_it_computes(
    own_stock: Stocked, engine: str, host: Callable[..., None], digits: Path
) -> None:
    program = own_stock.program
    assert program.fails(6, "verify", engine)["remedy"] == f"trtfarm toolchain install tensorrt=={_VERSION}"
    assert "without --data" in program.fails(2, "verify", engine, "--labels", "labels.npy")["message"]
    host("sm_86")
    np.save(program.folder / "flat.npy", np.load(digits / "data.npy").reshape(-1, 784))
    assert "784" in program.fails(4, "verify", engine, "--data", "flat.npy")["message"]
    with closing(sqlite3.connect(program.home / "farm.db")) as database, database:
        database.execute("DELETE FROM verifications")
    assert "--data" in program.fails(2, "verify", engine)["remedy"]
    with closing(sqlite3.connect(program.home / "farm.db")) as database, database:
        database.execute("UPDATE engines SET precision = 'fp32'")
    program.fails(11, "verify", engine)
    assert "record" not in {job["kind"] for job in program.json("jobs", "list")}


def test_what_fp32_computes_is_kept_when_the_engine_does_not_run(
    own_stock: Stocked, engine: str, host: Callable[..., None], digits: Path
) -> None:
    host("sm_86")
    program = own_stock.program
    folder = digits / "test"
    error = program.fails(6, "verify", engine, "--data", folder / "data.npy", "--labels", folder / "labels.npy")
    assert "this interpreter cannot import" in error["message"]
    jobs = {job["kind"]: job["state"] for job in program.json("jobs", "list")}
    assert (jobs["record"], jobs["measure"]) == ("done", "failed")
    program.fails(6, "verify", engine)
    kinds = [job["kind"] for job in program.json("jobs", "list")]
    assert (kinds.count("record"), kinds.count("measure")) == (1, 2)
    assert program.rows()["verifications"] == 1
