"""Files that the builder itself reads: it trusts neither the farm's database nor the disks in between."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fuzz.mutation import mutated
from tests.fuzz.seeds import arrays, tables, written
from tests.fuzz.test_arrays import HEADER_WORDS, ZIP_WORDS
from tests.fuzz.test_tables import WORDS
from tests.unit.onnx_models import make_model, node, weights
from tests.unit.reference.runs import request
from tests.unit.reference.test_shards import run_observe
from trtfarm.errors import TableError
from trtfarm.tables.validation import load
from trtfarm_builder.arrays import open_array
from trtfarm_builder.failures import BadDataError, BadTableError, StepError
from trtfarm_builder.reference.observation_file import load_observation
from trtfarm_builder.trt.cache_text import check_scales, parse_cache


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("builder")


def _told(error: StepError) -> None:
    assert error.message
    assert error.cause or error.remedy


@given(data=mutated(tables(), WORDS))
def test_a_table_is_the_same_to_farm_and_builder(data: bytes) -> None:
    """What the farm finds sound, the builder reads so; what the builder takes, the farm can read."""
    try:
        theirs = load(data)
    except TableError:
        theirs = None
    try:
        ours = parse_cache(data)
        check_scales(ours.scales)
    except BadTableError as error:
        _told(error)
        assert theirs is None or theirs.damage
        return
    if theirs is not None:
        assert ours.scales == theirs.scales
        assert ours.calibrator == theirs.calibrator
        assert parse_cache(theirs.render()).render() == theirs.render()


@pytest.mark.filterwarnings("ignore:Reading `.npy`")  # NumPy mends headers that Python 2 wrote
@given(data=mutated(arrays(), HEADER_WORDS))
def test_arrays(folder: Path, data: bytes) -> None:
    path = written(folder, "x.npy", data)
    spec: dict[str, Any] = {"path": str(path), "dtype": "float32", "shape": [2, 1, 4, 4]}
    try:
        found = open_array("x", spec)
    except BadDataError as error:
        _told(error)
        return
    values = found.read(0, found.samples)
    assert (values.shape, values.dtype.name) == ((2, 1, 4, 4), "float32")


@pytest.fixture(scope="module")
def statistics(folder: Path) -> bytes:
    """What the builder wrote of four samples."""
    model = make_model([node("Relu", ["x"], "y")], {"x": ["N", 4]}, ["y"])
    args = request(folder, model, {"x": weights(1, 4, 4)}, "minmax", 2)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        return run_observe(args, folder, "good.npz").read_bytes()


@given(data=st.data())
def test_statistics(folder: Path, statistics: bytes, data: st.DataObject) -> None:
    path = written(folder, "statistics.npz", data.draw(mutated([statistics], ZIP_WORDS)))
    try:
        found = load_observation(path)
    except BadDataError as error:
        _told(error)
        return
    assert set(found.statistics) == set(found.subject.origins.values())
