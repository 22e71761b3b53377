"""Calibrators called as TensorRT calls them: whatever they raise would vanish in its bindings."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.unit.onnx_models import silent_channel
from tests.unit.trt.conftest import Recorded
from trtfarm_builder.failures import BadDataError, BadTableError, StepError
from trtfarm_builder.trt.cache_text import CacheText

_TABLE = b"TRT-8503-MinMaxCalibration\nx: 3c010204\n"
_WORDS = ("minmax", "entropy2", "entropy", "legacy")


class Batches:
    """Addresses of two inputs for as many batches as there are; an exception is raised in its place."""

    def __init__(self, *batches: dict[str, int] | Exception) -> None:
        self._left = list(batches)

    def take(self) -> dict[str, int] | None:
        if not self._left:
            return None
        batch = self._left.pop(0)
        if isinstance(batch, Exception):
            raise batch
        return batch


@pytest.fixture
def channel() -> Iterator[Any]:
    with silent_channel() as made:
        yield made


def feeding(recorded: Recorded, channel: Any, batches: Batches, expected: int, word: str = "minmax") -> Any:
    rule = {"calibrator": word, "batch_size": 4, "quantile": 0.5 if word == "legacy" else None}
    return recorded.child("calibrators").feeding_calibrator(rule, batches, expected, channel)


@pytest.mark.parametrize("word", _WORDS)
def test_batches_are_handed_out_in_the_order_of_names_and_counted(
    with_calibrators: Recorded, channel: Any, word: str
) -> None:
    made = feeding(with_calibrators, channel, Batches({"a": 1, "b": 2}, {"a": 3, "b": 4}), 2, word)
    assert isinstance(made, getattr(with_calibrators.module, with_calibrators.child("interfaces").INTERFACES[word]))
    assert (made.get_batch_size(), made.read_calibration_cache()) == (4, None)
    assert [made.get_batch(["b", "a"]), made.get_batch(["a", "b"]), made.get_batch(["a", "b"])] == [
        [2, 1],
        [3, 4],
        None,
    ]
    made.write_calibration_cache(memoryview(_TABLE))
    made.check(None)
    assert (made.table, made.done.is_set()) == (_TABLE, True)


def test_the_first_exception_ends_the_batches_and_is_raised_afterwards(
    with_calibrators: Recorded, channel: Any
) -> None:
    made = feeding(with_calibrators, channel, Batches({"a": 1}, BadDataError("row 7"), {"a": 2}), 3)
    assert [made.get_batch(["a"]) for _ in range(4)] == [[1], None, None, None]
    # TensorRT goes on to write a table of the one batch that it saw.
    made.write_calibration_cache(memoryview(_TABLE))
    with pytest.raises(BadDataError, match="row 7"):
        made.check(None)


def test_what_tensorrt_asks_that_is_not_there_is_raised_afterwards(with_calibrators: Recorded, channel: Any) -> None:
    made = feeding(with_calibrators, channel, Batches({"a": 1}), 1)
    assert made.get_batch(["other"]) is None
    with pytest.raises(KeyError):
        made.check(None)


def test_a_calibration_that_saw_less_than_all_is_refused(with_calibrators: Recorded, channel: Any) -> None:
    made = feeding(with_calibrators, channel, Batches({"a": 1}, {"a": 2}), 2)
    made.get_batch(["a"])
    made.write_calibration_cache(memoryview(_TABLE))
    with pytest.raises(StepError, match="on 1 batches of 2") as caught:
        made.check("TensorRT's reason")
    assert caught.value.cause == "TensorRT's reason"


@pytest.mark.parametrize(
    ("batches", "told"),
    [([{"a": 1}, {"a": 2}], [_TABLE]), ([{"a": 1}], []), ([{"a": 1}, BadDataError("row 7")], [])],
)
def test_only_a_whole_table_is_told_of_in_mid_build(
    with_calibrators: Recorded, channel: Any, batches: list[Any], told: list[bytes]
) -> None:
    heard: list[bytes] = []
    make = with_calibrators.child("calibrators").feeding_calibrator
    rule = {"calibrator": "minmax", "batch_size": 4}
    made = make(rule, Batches(*batches), 2, channel, lambda calibrator: heard.append(calibrator.table))
    for _ in batches:
        made.get_batch(["a"])
    for _ in range(2):
        made.write_calibration_cache(memoryview(_TABLE))
    assert heard == told


@pytest.mark.parametrize("word", _WORDS)
def test_a_table_is_handed_over_and_no_batch(with_calibrators: Recorded, word: str) -> None:
    digits = "" if word == "legacy" else "8503"
    table = CacheText(calibrator=word, digits=digits, quantile=0.5, cutoff=1.0, scales={"x": "3c010204"})
    made = with_calibrators.child("calibrators").table_calibrator(table)
    assert made.read_calibration_cache() == table.render()
    made.write_calibration_cache(memoryview(b"anything"))
    made.check(None)
    assert made.get_batch(["x"]) is None
    with pytest.raises(BadTableError, match="wanted to calibrate anew"):
        made.check("does not match")


def test_legacy_takes_its_quantile_and_keeps_no_histogram(with_calibrators: Recorded, channel: Any) -> None:
    made = feeding(with_calibrators, channel, Batches(), 0, "legacy")
    assert (made.get_quantile(), made.get_regression_cutoff()) == (0.5, 1.0)
    assert made.read_histogram_cache(1) is None
    assert made.write_histogram_cache(b"", 0) is None
