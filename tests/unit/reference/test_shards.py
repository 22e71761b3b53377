"""Shares of the data observed apart and merged, against the same data in one piece."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.unit.onnx_models import make_model, node, silent_channel, weights
from tests.unit.reference.runs import golden_request, request, run_calibrate
from trtfarm_builder.failures import BadDataError, BadRequestError
from trtfarm_builder.reference import merge, observe
from trtfarm_builder.reference.observation_file import load_observation

CUTS = (0, 100, 350, 500)


@pytest.fixture
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder of the steps, which write their files there."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run_observe(args: dict[str, Any], scratch: Path, name: str) -> dict[str, Any]:
    with silent_channel() as channel:
        answer = observe.run(args, channel)
    (scratch / answer["statistics"]).rename(scratch / name)
    return answer


def run_merge(paths: list[Path], rule: dict[str, Any]) -> dict[str, Any]:
    with silent_channel() as channel:
        return merge.run({"statistics": [str(path) for path in paths], "rule": rule}, channel)


def observe_shards(args: dict[str, Any], cuts: tuple[int, ...], scratch: Path) -> list[Path]:
    """Statistics of the shares between the cuts, the later ones on the first one's ranges."""
    bases: dict[str, str] = {}
    names = [f"{start}.npz" for start in cuts[:-1]]
    for name, start, stop in zip(names, cuts, cuts[1:], strict=False):
        answer = run_observe({**args, "samples": [start, stop], "base_ranges": bases}, scratch, name)
        bases = bases or answer["base_ranges"]
    return [scratch / name for name in names]


@pytest.mark.parametrize(
    "rule",
    [
        {"calibrator": "minmax"},
        {"calibrator": "entropy2"},
        {"calibrator": "entropy"},
        {"calibrator": "legacy", "quantile": 0.99, "cutoff": 1.0},
        {"calibrator": "percentile", "quantile": 0.999},
        {"calibrator": "mse"},
    ],
    ids=lambda rule: rule["calibrator"],
)
def test_three_shards_give_the_very_table_of_one_piece(golden: Path, scratch: Path, rule: dict[str, Any]) -> None:
    args = golden_request(golden, "lenet", batch_size=10, **rule)
    paths = observe_shards(args, CUTS, scratch)
    assert run_merge([paths[2], paths[0], paths[1]], args["rule"]) == run_calibrate(args)


def test_one_observation_serves_every_rule_over_histograms(golden: Path, scratch: Path) -> None:
    args = golden_request(golden, "lenet", "entropy2", 50)
    paths = observe_shards(args, (0, 500), scratch)
    for calibrator in ("legacy", "percentile", "mse"):
        wanted = golden_request(golden, "lenet", calibrator, 50)
        assert run_merge(paths, wanted["rule"])["scales"] == run_calibrate(wanted)["scales"]


def test_what_is_left_of_the_last_shard_is_dropped(golden: Path, scratch: Path) -> None:
    args = golden_request(golden, "lenet", "minmax", 40)
    merged = run_merge(observe_shards(args, (0, 240, 500), scratch), args["rule"])
    assert (merged["samples"], merged["batches"]) == (480, 12)
    assert merged == run_calibrate(args)


@pytest.mark.parametrize("share", [[5, 100], [0, 95], [0, 510], [100, 100], [100, 90], [-10, 100]])
def test_shares_that_are_not_made_of_batches_are_refused(golden: Path, scratch: Path, share: list[int]) -> None:
    args = {**golden_request(golden, "lenet", "minmax", 10), "samples": share}
    with pytest.raises(BadRequestError, match="is not made of batches of 10"):
        run_observe(args, scratch, "never.npz")
    assert not list(scratch.iterdir())


def test_a_share_without_a_full_batch_is_refused(golden: Path, scratch: Path) -> None:
    args = {**golden_request(golden, "lenet", "minmax", 40), "samples": [480, 500]}
    with pytest.raises(BadRequestError, match="is not made of batches of 40"):
        run_observe(args, scratch, "never.npz")


@pytest.mark.parametrize(("chosen", "hole"), [([0, 2], "100 to 350"), ([1, 2], "0 to 100"), ([0, 1, 1], "350 to 100")])
def test_missing_and_repeated_shares_are_refused(golden: Path, scratch: Path, chosen: list[int], hole: str) -> None:
    paths = observe_shards(golden_request(golden, "lenet", "minmax", 10), CUTS, scratch)
    with pytest.raises(BadDataError, match=hole):
        run_merge([paths[index] for index in chosen], {"calibrator": "minmax", "batch_size": 10})


def test_statistics_of_another_model_are_refused(scratch: Path) -> None:
    data = weights(1, 8, 4)
    paths = []
    for share, factor in (([0, 4], 2.0), ([4, 8], 3.0)):
        model = make_model([node("Mul", ["x", "w"], "y")], {"x": ["N", 4]}, ["y"], {"w": np.array(factor, np.float32)})
        args = request(scratch, model, {"x": data}, "minmax", 2)
        run_observe({**args, "samples": share}, scratch, f"{factor}.npz")
        paths.append(scratch / f"{factor}.npz")
    with pytest.raises(BadDataError, match="different models"):
        run_merge(paths, args["rule"])


@pytest.mark.parametrize(
    "rule", [{"calibrator": "minmax", "batch_size": 10}, {"calibrator": "entropy2", "batch_size": 20}]
)
def test_a_rule_that_needs_other_statistics_is_refused(golden: Path, scratch: Path, rule: dict[str, Any]) -> None:
    paths = observe_shards(golden_request(golden, "lenet", "entropy2", 10), (0, 500), scratch)
    with pytest.raises(BadRequestError, match="statistics are a histogram of batches of 10"):
        run_merge(paths, rule)


def test_nothing_to_merge_is_refused() -> None:
    with pytest.raises(BadDataError, match="no statistics"):
        run_merge([], {"calibrator": "minmax", "batch_size": 1})


def _spoiled(content: dict[str, Any], how: str) -> bytes | dict[str, Any]:
    meta = json.loads(content["meta"].tobytes())
    if how == "truncated":
        return b"PK\x03\x04 and no more"
    if how == "pickled":
        return {**content, "counts": np.array([{"a": 1}], object)}
    if how == "negative":
        return {**content, "counts": -content["counts"] - 1}
    if how == "shape":
        return {**content, "counts": content["counts"][:, :5]}
    if how == "missing":
        return {key: value for key, value in content.items() if key != "edges"}
    meta |= {
        "format": {"format": 99},
        "kind": {"subject": {**meta["subject"], "kind": "pickle"}},
        "names": {"names": 3},
    }[how]
    return {**content, "meta": np.frombuffer(json.dumps(meta).encode(), np.uint8)}


@pytest.mark.parametrize("how", ["truncated", "pickled", "negative", "shape", "missing", "format", "kind", "names"])
def test_damaged_statistics_are_refused(scratch: Path, how: str) -> None:
    model = make_model([node("Relu", ["x"], "y")], {"x": ["N", 4]}, ["y"])
    args = request(scratch, model, {"x": weights(1, 4, 4)}, "entropy2", 2)
    run_observe(args, scratch, "good.npz")
    assert load_observation(scratch / "good.npz").samples == 4
    with np.load(scratch / "good.npz") as file:
        spoiled = _spoiled(dict(file), how)
    if isinstance(spoiled, bytes):
        (scratch / "bad.npz").write_bytes(spoiled)
    else:
        np.savez(scratch / "bad.npz", **spoiled)
    with pytest.raises(BadDataError, match="holds no statistics"):
        load_observation(scratch / "bad.npz")
