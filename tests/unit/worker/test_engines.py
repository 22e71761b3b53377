"""What an engine takes, and what runs it, by what is signed of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.unit.signing.engines import engine_row
from trtfarm.compute_capability import ComputeCapability
from trtfarm.errors import DataError, ToolchainError, UsageError
from trtfarm.settings import Settings
from trtfarm.signing.statement import EngineStatement
from trtfarm_worker.engines.inputs import batch_sizes, input_types, read_inputs
from trtfarm_worker.engines.running import toolchain_for
from trtfarm_worker.toolchains.toolchain import Capabilities, Toolchain, ToolchainKind


def statement(**changes: Any) -> EngineStatement:
    return EngineStatement.of_row(engine_row(**changes))


def toolchain(version: str = "8.5.3.1", *gpus: str, **facts: Any) -> Toolchain:
    found = tuple(map(ComputeCapability.parse, gpus))
    return Toolchain(
        name=f"tensorrt-{version}",
        kind=ToolchainKind.TENSORRT,
        python=Path("/python"),
        version=version,
        capabilities=Capabilities(compute_capabilities=found, lacking={} if gpus else {"gpu": "no driver"}),
        **facts,
    )


def test_inputs_are_those_of_the_engine_with_what_it_leaves_free() -> None:
    (data,) = input_types(statement())
    assert (data.name, data.dtype, data.dims) == ("data", "float32", (None, 4))


def test_whole_numbers_become_what_the_engine_takes_if_they_fit(tmp_path: Path) -> None:
    io = [{"name": "tokens", "mode": "input", "dtype": "int32", "shape": [-1, 2]}]
    profiles = {"tokens": {"min": [1, 2], "opt": [8, 2], "max": [32, 2]}}
    engine = statement(facts={"toolchain": "tensorrt", "io": io}, profiles=profiles)
    settings = Settings.from_environment({"TRTFARM_HOME": str(tmp_path)})

    def read(*tokens: int) -> Any:
        np.save(tmp_path / "tokens.npy", np.array([tokens], np.int64))
        arguments = [str(tmp_path / "tokens.npy")]
        data = read_inputs(settings, engine, arguments, tmp_path, tell=print, listener=print)
        return np.load(data.inputs["tokens"].path)

    assert read(101, 7592).dtype == np.int32
    assert read(101, 7592).tolist() == [[101, 7592]]
    with pytest.raises(DataError, match="no int32"):
        read(0, 1 << 31)
    with pytest.raises(DataError, match="1x3"):
        read(1, 2, 3)


def test_batch_sizes_are_the_wanted_ones_or_those_of_the_profile() -> None:
    assert batch_sizes(statement()) == [1, 8, 32]
    assert batch_sizes(statement(), [2, 32]) == [2, 32]
    fixed = {"data": {"min": [4, 4], "opt": [4, 4], "max": [4, 4]}}
    assert batch_sizes(statement(profiles=fixed)) == [4]
    with pytest.raises(UsageError, match="no batch of 33"):
        batch_sizes(statement(), [1, 33])


def test_the_exact_version_that_works_is_taken() -> None:
    broken, good = toolchain("8.5.3.1", "90", broken="no library"), toolchain("8.5.3.1", "86", "90")
    assert toolchain_for([toolchain("8.5.2.2", "90"), broken, good], statement(), "eng_1") is good


@pytest.mark.parametrize(
    ("toolchains", "said"),
    [
        ([], ["8.5.3.1 alone", "no TensorRT is installed", "toolchain install tensorrt==8.5.3.1"]),
        ([toolchain("8.6.1.6", "90")], ["here is TensorRT 8.6.1.6", "--tensorrt 8.6.1.6"]),
        ([toolchain("8.5.3.1", "90", broken="no library")], ["is broken", "no library", "toolchain test"]),
        ([toolchain("8.5.3.1")], ["here is none", "no driver", "engines pull eng_1"]),
        ([toolchain("8.5.3.1", "80")], ["is for sm_90", "here is sm_80", "--target sm_80"]),
    ],
)
def test_what_is_not_here_is_said_with_what_to_do(toolchains: list[Toolchain], said: list[str]) -> None:
    with pytest.raises(ToolchainError) as caught:
        toolchain_for(toolchains, statement(), "eng_1")
    assert all(words in str(caught.value) for words in said), caught.value


def test_engines_of_tensorrt_rtx_run_elsewhere() -> None:
    with pytest.raises(ToolchainError, match="tensorrt-rtx"):
        toolchain_for([toolchain("8.5.3.1", "90")], statement(facts={"toolchain": "tensorrt-rtx", "io": []}), "eng_1")
