"""Shares of the data observed apart and merged, against the same data in one piece."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from tests.unit.onnx_models import make_model, node, silent_channel, weights
from tests.unit.reference.runs import golden_request, request, run_calibrate
from trtfarm.tables.scales import amax_from_hex
from trtfarm_builder.failures import BadDataError, BadRequestError
from trtfarm_builder.reference import merge, observe
from trtfarm_builder.reference.observation_file import load_observation
from trtfarm_builder.reference.rules import rule_from
from trtfarm_builder.reference.samples import Samples

CUTS = (0, 100, 350, 500)
CONTENT = {"model": "sha256:1", "dataset": "sha256:2"}


@pytest.fixture
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder of the steps, which write their files there."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run_observe(args: dict[str, Any], scratch: Path, name: str, **more: Any) -> Path:
    """The statistics that the rule of a calibration's `args` needs, or of another kind, in a file of this name."""
    rule = rule_from(args["rule"])
    wanted = {"statistic": rule.statistic, "batch_size": rule.batch_size, "content": CONTENT, **more}
    with silent_channel() as channel:
        answer = observe.run({"model": args["model"], "inputs": args["inputs"], **wanted}, channel)
    return (scratch / str(answer["statistics"])).rename(scratch / name)


def run_merge(paths: list[Path], args: dict[str, Any], **more: Any) -> dict[str, Any]:
    samples = min(spec["shape"][0] for spec in args["inputs"].values())
    wanted = {"rule": args["rule"], "samples": samples, "content": CONTENT, **more}
    with silent_channel() as channel:
        return merge.run({"statistics": [str(path) for path in paths], **wanted}, channel)


def observe_shards(args: dict[str, Any], cuts: tuple[int, ...], scratch: Path) -> list[Path]:
    """Statistics of the shares between the cuts, the later ones with the bases of all samples."""
    bases = {"bases": str(run_observe(args, scratch, "bases.npz", statistic="bases"))}
    return [
        run_observe(args, scratch, f"{start}.npz", samples=[start, stop], **(bases if start else {}))
        for start, stop in pairwise(cuts)
    ]


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
    assert run_merge([paths[2], paths[0], paths[1]], args) == run_calibrate(args)


def test_one_observation_serves_every_rule_over_histograms(golden: Path, scratch: Path) -> None:
    args = golden_request(golden, "lenet", "entropy2", 50)
    paths = observe_shards(args, (0, 500), scratch)
    for calibrator in ("legacy", "percentile", "mse"):
        wanted = golden_request(golden, "lenet", calibrator, 50)
        assert run_merge(paths, wanted) == run_calibrate(wanted)


def test_what_is_left_of_the_last_shard_is_dropped(golden: Path, scratch: Path) -> None:
    args = golden_request(golden, "lenet", "minmax", 40)
    merged = run_merge(observe_shards(args, (0, 240, 500), scratch), args)
    assert (merged["samples"], merged["batches"]) == (480, 12)
    assert merged == run_calibrate(args)


@pytest.mark.parametrize("share", [[5, 100], [0, 95], [0, 510], [100, 100], [100, 90], [-10, 100]])
def test_shares_that_are_not_made_of_batches_are_refused(golden: Path, scratch: Path, share: list[int]) -> None:
    args = golden_request(golden, "lenet", "minmax", 10)
    with pytest.raises(BadRequestError, match="is not made of batches of 10"):
        run_observe(args, scratch, "never.npz", samples=share)
    assert not list(scratch.iterdir())


def test_a_share_without_a_full_batch_is_refused(golden: Path, scratch: Path) -> None:
    args = golden_request(golden, "lenet", "minmax", 40)
    with pytest.raises(BadRequestError, match="is not made of batches of 40"):
        run_observe(args, scratch, "never.npz", samples=[480, 500])


@pytest.mark.parametrize(("chosen", "hole"), [([0, 2], "100 to 350"), ([1, 2], "0 to 100"), ([0, 1, 1], "350 to 100")])
def test_missing_and_repeated_shares_are_refused(golden: Path, scratch: Path, chosen: list[int], hole: str) -> None:
    args = golden_request(golden, "lenet", "minmax", 10)
    paths = observe_shards(args, CUTS, scratch)
    with pytest.raises(BadDataError, match=hole):
        run_merge([paths[index] for index in chosen], args)


def test_shares_that_end_too_early_are_refused(golden: Path, scratch: Path) -> None:
    args = golden_request(golden, "lenet", "minmax", 10)
    paths = observe_shards(args, (0, 100, 490), scratch)
    with pytest.raises(BadDataError, match="of 49 batches, and the data has 50"):
        run_merge(paths, args)


def test_statistics_of_another_model_are_refused(scratch: Path) -> None:
    data = weights(1, 8, 4)
    paths = []
    for share, factor in (([0, 4], 2.0), ([4, 8], 3.0)):
        model = make_model([node("Mul", ["x", "w"], "y")], {"x": ["N", 4]}, ["y"], {"w": np.array(factor, np.float32)})
        args = request(scratch, model, {"x": data}, "minmax", 2)
        paths.append(run_observe(args, scratch, f"{factor}.npz", samples=share))
    with pytest.raises(BadDataError, match="different models") as refused:
        run_merge(paths, args)
    assert refused.value.cause == "they differ in: model"


def test_statistics_of_other_data_are_refused(scratch: Path) -> None:
    """All that tells them from those of this data is what whoever asked called it."""
    args = scaled(scratch, weights(1, 8, 4), "entropy2")
    other = {"content": {**CONTENT, "dataset": "sha256:3"}}
    mine, others = run_observe(args, scratch, "mine.npz"), run_observe(args, scratch, "others.npz", **other)
    with pytest.raises(BadDataError, match="sha256:3"):
        run_merge([others], args)
    with pytest.raises(BadDataError, match="different models, data") as refused:
        run_merge([mine, others], args)
    assert refused.value.cause == "they differ in: content"
    bases = run_observe(args, scratch, "bases.npz", statistic="bases", **other)
    with pytest.raises(BadDataError, match="different models, data"):
        run_observe(args, scratch, "never.npz", samples=[4, 8], bases=str(bases))


@pytest.mark.parametrize("rule", [{"calibrator": "minmax"}, {"batch_size": 20}], ids=str)
def test_a_rule_that_needs_other_statistics_is_refused(golden: Path, scratch: Path, rule: dict[str, Any]) -> None:
    args = golden_request(golden, "lenet", "entropy2", 10)
    paths = observe_shards(args, (0, 500), scratch)
    with pytest.raises(BadRequestError, match="statistics are a histogram of batches of 10"):
        run_merge(paths, {**args, "rule": {**args["rule"], **rule}})


def test_nothing_to_merge_is_refused(scratch: Path) -> None:
    with pytest.raises(BadDataError, match="no statistics"):
        run_merge([], scaled(scratch, weights(1, 8, 4), "minmax"))


def scaled(scratch: Path, data: NDArray[np.float32], calibrator: str) -> dict[str, Any]:
    """A calibration of a model whose second tensor is its input times zero, and the third its negative part."""
    nodes = [node("Mul", ["x", "w"], "dead"), node("Min", ["x", "w"], "negative"), node("Sub", ["x", "x"], "y")]
    model = make_model(nodes, {"x": ["N", data.shape[1]]}, ["y", "dead", "negative"], {"w": np.zeros(1, np.float32)})
    return request(scratch, model, {"x": data}, calibrator, 2)


@pytest.mark.parametrize("calibrator", ["entropy2", "legacy", "percentile", "mse"])
def test_tensors_that_are_zero_at_first_have_their_range_from_a_later_share(scratch: Path, calibrator: str) -> None:
    """As a mask has that hides nothing in the first batches. No share sees by itself where its histogram begins."""
    data = np.abs(weights(1, 24, 64))
    data[9] *= -1.0
    data[13] *= -3.0
    data[20] *= -9.0
    args = scaled(scratch, data, calibrator)
    merged = run_merge(observe_shards(args, (0, 6, 12, 18, 24), scratch), args)
    assert merged == run_calibrate(args)
    assert {skip["tensor"] for skip in merged["assumed"]} == {"dead", "y"}


@pytest.mark.parametrize("calibrator", ["entropy2", "legacy", "percentile", "mse"])
def test_bases_of_another_kind_of_processor_change_a_bin_or_two(golden: Path, scratch: Path, calibrator: str) -> None:
    """The first share finds where its histograms begin by itself: on a processor that rounds otherwise, elsewhere."""
    args = golden_request(golden, "lenet", calibrator, 10)
    bases = run_observe(args, scratch, "bases.npz", statistic="bases")
    with np.load(bases) as file:
        np.savez(bases, **{**file, "base": np.float32(file["base"] * (1 + 1e-6)).astype(np.float64)})
    later = [
        run_observe(args, scratch, f"{start}.npz", samples=[start, stop], bases=str(bases))
        for start, stop in pairwise(CUTS[1:])
    ]
    merged = run_merge([run_observe(args, scratch, "0.npz", samples=[0, CUTS[1]]), *later], args)
    whole = run_calibrate(args)
    assert set(merged["unlike"]) <= set(whole["scales"])
    assert len(merged["unlike"]) > 5
    have, want = (np.array([amax_from_hex(scale) for scale in answer["scales"].values()]) for answer in (merged, whole))
    assert have == pytest.approx(want, rel=2e-3)


def test_bases_take_no_more_batches_than_they_must(
    golden: Path, scratch: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = list[int]()
    whole = Samples.read

    def watched(self: Samples, start: int, stop: int) -> dict[str, NDArray[Any]]:
        read.append(stop)
        return whole(self, start, stop)

    monkeypatch.setattr(Samples, "read", watched)
    run_observe(golden_request(golden, "lenet", "entropy2", 10), scratch, "bases.npz", statistic="bases")
    assert max(read) == 10


@given(
    seed=st.integers(0, 1 << 16),
    cuts=st.sets(st.integers(1, 7), max_size=5),
    quiet=st.integers(0, 8),
    calibrator=st.sampled_from(["minmax", "entropy2", "legacy"]),
)
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
def test_however_the_data_is_cut_the_table_is_the_same(
    scratch: Path, seed: int, cuts: set[int], quiet: int, calibrator: str
) -> None:
    """Magnitudes grow by powers of two, so that ranges double and values fall on their very ends."""
    random = np.random.default_rng(seed)
    data = np.exp2(random.integers(-6, 7, (16, 8))).astype(np.float32) * random.choice([-1, 0, 1], (16, 8))
    data[: 2 * quiet] = 0
    args = scaled(scratch, data.astype(np.float32), calibrator)
    bounds = (0, *(2 * cut for cut in sorted(cuts)), 16)
    assert run_merge(observe_shards(args, bounds, scratch), args) == run_calibrate(args)


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
