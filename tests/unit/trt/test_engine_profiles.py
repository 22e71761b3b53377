"""Which optimization profile an engine of several is run, timed and held to FP32 in."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.unit.onnx_models import silent_channel
from tests.unit.trt.conftest import Recorded
from tests.unit.trt.posed_engine import Native, posed_engine
from trtfarm_builder.failures import BadDataError, BadRequestError, StepError

#: Small batches of 4 values, any batches of 16 to 64, and large batches of 4.
_PROFILES = (((1, 4), (4, 4), (8, 4)), ((1, 16), (2, 16), (32, 64)), ((16, 4), (32, 4), (64, 4)))


@pytest.fixture
def posed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Recorded]:
    monkeypatch.chdir(tmp_path)
    Path("x.engine").write_bytes(b"a plan")
    with posed_engine(Native(*_PROFILES)) as made:
        yield made


def spec(name: str, *shape: int, value: float = 0.0) -> dict[str, Any]:
    path = Path(f"{name}.npy").absolute()
    np.save(path, np.full(shape, value, np.float32))
    return {"path": str(path), "dtype": "float32", "shape": list(shape)}


def step(posed: Recorded, name: str, **args: Any) -> dict[str, Any]:
    with silent_channel() as channel:
        answer: dict[str, Any] = posed.child(name).run(args, channel)
    return answer


@pytest.mark.parametrize(
    ("shape", "said", "profile"),
    [
        ((3, 4), {}, 0),
        ((100, 4), {}, 0),
        ((3, 16), {}, 1),
        ((40, 64), {}, 1),
        ((40, 4), {"batch_size": 8}, 0),
        ((40, 4), {"batch_size": 20}, 2),
        # None takes batches of so many: they are cut.
        ((80, 4), {"batch_size": 70}, 0),
        ((3, 4), {"profile": 2}, 2),
        ((3, 4), {"profile": 0, "batch_size": 20}, 0),
    ],
)
def test_a_run_is_in_the_first_profile_that_takes_the_data(
    posed: Recorded, shape: tuple[int, ...], said: dict[str, int], profile: int
) -> None:
    told = step(posed, "run", engine="x.engine", inputs={"x": spec("x", *shape)}, **said)
    assert (told["profile"], told["samples"], told["shapes"]) == (profile, shape[0], {"y": [shape[0], 1]})
    with np.load(told["outputs"]) as outputs:
        assert set(outputs["y"].ravel()) == {shape[1] + 1000 * profile}


@pytest.mark.parametrize(
    ("size", "said", "error", "message"),
    [
        (5, {}, BadDataError, "no optimization profile of the engine takes samples of x 5"),
        (4, {"profile": 1}, BadDataError, "profile 1 of the engine does not take samples of x 4"),
        (4, {"profile": 3}, BadRequestError, "the engine has no optimization profile 3"),
    ],
)
def test_data_that_fit_no_profile(
    posed: Recorded, size: int, said: dict[str, int], error: type[StepError], message: str
) -> None:
    with pytest.raises(error, match=message) as caught:
        step(posed, "run", engine="x.engine", inputs={"x": spec("x", 2, size)}, **said)
    told = str(caught.value.cause)
    assert ("profile 0 takes x from 1x4 to 8x4; profile 1 takes x from 1x16 to 32x64" in told) == (size == 5)
    assert caught.value.remedy


def test_each_batch_size_is_timed_in_the_first_profile_that_takes_it(posed: Recorded) -> None:
    asked: dict[str, Any] = {"engine": "x.engine", "iterations": 2, "warm_up": 0}
    told = step(posed, "bench", **asked, batch_sizes=[1, 16, 64])
    assert [(row["batch_size"], row["profile"]) for row in told["results"]] == [(1, 0), (16, 1), (64, 2)]
    told = step(posed, "bench", **asked, batch_sizes=[16], inputs={"x": spec("x", 5, 4)})
    assert [row["profile"] for row in told["results"]] == [2]
    assert [row["batch_size"] for row in step(posed, "bench", **asked, profile=2)["results"]] == [32]


@pytest.mark.parametrize(("said", "size"), [({}, 65), ({"profile": 0}, 16)])
def test_a_batch_that_no_profile_takes(posed: Recorded, said: dict[str, int], size: int) -> None:
    with pytest.raises(BadRequestError, match=f"takes no batch of {size}") as caught:
        step(posed, "bench", engine="x.engine", batch_sizes=[1, size], **said)
    assert "profile 0 takes x from 1x4 to 8x4" in str(caught.value.cause)


def test_an_engine_is_held_to_fp32_in_the_profile_that_takes_the_data(posed: Recorded) -> None:
    asked = {"candidate": "x.engine", "inputs": {"x": spec("x", 20, 16)}, "batch_size": 64}
    told = step(posed, "evaluate", **asked, reference_outputs={"y": spec("y", 20, 1, value=1016)})
    assert (told["profile"], told["outputs"]["y"]["max_abs_error"]) == (1, 0)
    with pytest.raises(BadDataError, match="profile 0 of the engine does not take"):
        step(posed, "evaluate", **asked, profile=0, reference_outputs={"y": spec("y", 20, 1)})
    # Two engines of other profiles, each in its own.
    told = step(posed, "evaluate", **asked, reference="x.engine", profile=1)
    assert told["outputs"]["y"]["max_abs_error"] == 0
