"""What an engine takes, and what runs it, by what is signed of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.unit.signing.engines import engine_row
from trtfarm.compute_capability import ComputeCapability
from trtfarm.datasets.dataset import Array, DataSet
from trtfarm.digests import digest_of_bytes
from trtfarm.errors import DataError, ToolchainError, UsageError
from trtfarm.settings import Settings
from trtfarm.signing.statement import EngineStatement
from trtfarm_worker.engines.inputs import EngineDataReader, input_types, inputs_source
from trtfarm_worker.engines.profiles import EngineProfiles, more_profiles
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
        source, types = inputs_source(engine, [str(tmp_path / "tokens.npy")]), input_types(engine)
        known = EngineProfiles.of(profiles, ())
        reader = EngineDataReader(settings=settings, profiles=known, folder=tmp_path, tell=print, listener=print)
        data = reader.read(source, types)
        return np.load(data.inputs["tokens"].path)

    assert read(101, 7592).dtype == np.int32
    assert read(101, 7592).tolist() == [[101, 7592]]
    with pytest.raises(DataError, match="no int32"):
        read(0, 1 << 31)
    with pytest.raises(DataError, match="1x3"):
        read(1, 2, 3)


def ranges(low: list[int], usual: list[int], high: list[int]) -> dict[str, Any]:
    return {"x": {"min": low, "opt": usual, "max": high}}


#: Small batches of 4 values, and large ones of 4 to 16.
FIRST, SECOND = ranges([1, 4], [8, 4], [32, 4]), ranges([64, 4], [64, 8], [128, 16])


def data_of(size: int) -> DataSet:
    array = Array(path=Path("x.npy"), digest=digest_of_bytes(b""), dtype="float32", shape=(3, size))
    return DataSet(inputs={"x": array}, labels=None, preprocessing={}, source="x.npy")


@pytest.mark.parametrize(
    ("more", "wanted", "sizes", "taken"),
    [
        ((), None, [], [1, 8, 32]),
        ((), None, [2, 32], [2, 32]),
        ((SECOND,), None, [], [1, 8, 32]),
        ((SECOND,), 1, [], [64, 128]),
        ((SECOND,), None, [1, 100], [1, 100]),
        # Whoever has a file alone leaves it to the engine.
        (None, None, [33], [33]),
        (None, 1, [33], [33]),
        (None, 1, [], []),
    ],
)
def test_batch_sizes_are_the_wanted_ones_or_those_of_the_profile(
    more: Any, wanted: int | None, sizes: list[int], taken: list[int]
) -> None:
    assert EngineProfiles.of(FIRST, more, wanted).batch_sizes(sizes) == taken


@pytest.mark.parametrize(
    ("more", "wanted", "size", "told"),
    [
        ((), None, 33, "sizes from 1 to 32"),
        ((SECOND,), None, 33, "from 1 to 32 or from 64 to 128"),
        ((SECOND,), 0, 100, "from 1 to 32"),
        (None, 0, 100, "from 1 to 32"),
    ],
)
def test_a_batch_that_no_profile_takes(more: Any, wanted: int | None, size: int, told: str) -> None:
    with pytest.raises(UsageError, match=f"no batch of {size}") as caught:
        EngineProfiles.of(FIRST, more, wanted).batch_sizes([1, size])
    assert told in str(caught.value.remedy)


@pytest.mark.parametrize(
    ("more", "wanted", "size", "taken"),
    [
        ((), None, 4, True),
        ((), None, 5, False),
        ((SECOND,), None, 5, True),
        ((SECOND,), None, 17, False),
        ((SECOND,), 0, 5, False),
        ((SECOND,), 1, 5, True),
        (None, None, 17, True),
        (None, 0, 17, False),
    ],
)
def test_data_are_for_any_profile_or_the_wanted_one(more: Any, wanted: int | None, size: int, *, taken: bool) -> None:
    profiles = EngineProfiles.of(FIRST, more, wanted)
    if taken:
        profiles.check(data_of(size))
        return
    with pytest.raises(DataError, match=f"samples of {size}, and the engine is to take 4 to 4"):
        profiles.check(data_of(size))


def test_profiles_are_counted_from_0() -> None:
    assert more_profiles({"more_profiles": [SECOND]}) == [SECOND]
    with pytest.raises(UsageError, match="no optimization profile 2") as caught:
        EngineProfiles.of(FIRST, more_profiles({"more_profiles": [SECOND]}), 2)
    assert caught.value.remedy == "it has 2, counted from 0"


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
