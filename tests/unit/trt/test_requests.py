"""What a build is asked for: where its scales come from, and what contradicts itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.unit.trt.conftest import Recorded
from trtfarm_builder.failures import BadModelError, BadRequestError, BadTableError, ToolchainUnfitError

_TABLE = "TRT-8503-MinMaxCalibration\nx: 3c010204\ny: 3c810204\n"


@pytest.fixture
def table(tmp_path: Path) -> str:
    path = tmp_path / "calibration.table"
    path.write_text(_TABLE)
    return str(path)


def test_ranges_by_hand_win_over_the_table(recorded: Recorded, table: str) -> None:
    given = recorded.child("given_scales").given_scales({"table": table, "dynamic_ranges": {"y": 1.0, "z": 127}})
    assert (given.calibrator, given.digits) == ("minmax", "8503")
    assert given.scales == {"x": "3c010204", "y": "3c010204", "z": "3f800000"}


def test_ranges_alone_make_a_table(recorded: Recorded) -> None:
    given_scales = recorded.child("given_scales").given_scales
    if recorded.version.startswith("11."):
        with pytest.raises(ToolchainUnfitError, match="no calibrator"):
            given_scales({"dynamic_ranges": {"x": 1.0}})
        return
    assert given_scales({"dynamic_ranges": {"x": 1.0}}).scales == {"x": "3c010204"}
    assert given_scales({"precision": "fp32"}) is None


def test_a_table_is_stamped_with_this_tensorrts_version(recorded: Recorded, table: str) -> None:
    module = recorded.child("given_scales")
    given = module.given_scales({"table": table})
    own = recorded.child("binding").header_digits(recorded.version)
    header = module.stamped(given, {"x": "3c010204"}).render().decode().splitlines()[0]
    assert header == f"TRT-{own}-MinMaxCalibration"
    assert module.restamped_from(given) == (None if own == "8503" else "8503")


@pytest.mark.parametrize(
    ("ranges", "error"),
    [
        ({"x": 0.0}, BadTableError),
        ({"x": -1.0}, BadTableError),
        ({"x": float("nan")}, BadTableError),
        ({"x": 1e300}, BadRequestError),
        ({"x": "wide"}, BadRequestError),
    ],
)
def test_ranges_that_are_none_are_refused(
    recorded: Recorded, table: str, ranges: dict[str, Any], error: type[Exception]
) -> None:
    with pytest.raises(error, match="'x'"):
        recorded.child("given_scales").given_scales({"table": table, "dynamic_ranges": ranges})


def test_arguments_that_would_be_passed_over_are_refused(recorded: Recorded) -> None:
    check_names = recorded.child("contradictions").check_names
    check_names({"model": "m", "workspace_bytes": 1}, frozenset({"model"}))
    with pytest.raises(BadRequestError, match="no builder option io_formats") as caught:
        check_names({"model": "m", "io_formats": {}}, frozenset({"model", "profile"}))
    assert "profile, " in str(caught.value.remedy)
    assert "model" not in str(caught.value.remedy)


def check(recorded: Recorded, precision: str, *, quantized: bool = False, **args: Any) -> None:
    words = recorded.child("options").words_of(precision)
    recorded.child("contradictions").check_precision(words, args, quantized=quantized)


@pytest.mark.parametrize(
    ("precision", "quantized", "args", "words"),
    [
        ("int8", False, {}, "INT8 needs scales"),
        ("fp32", False, {"table": "t"}, "table would not be used"),
        ("int8", True, {"dynamic_ranges": {"x": 1.0}}, "dynamic_ranges would not be used"),
        ("fp32", False, {"layer_precisions": {"a": "fp32"}}, "layer_precisions would not be heeded"),
    ],
)
def test_contradictions_are_told(
    recorded: Recorded,
    precision: str,
    quantized: bool,  # noqa: FBT001 - a parameter of the test
    args: dict[str, Any],
    words: str,
) -> None:
    with pytest.raises(BadRequestError, match=words):
        check(recorded, precision, quantized=quantized, **args)


def test_a_model_with_pairs_is_int8(recorded: Recorded) -> None:
    check(recorded, "int8", quantized=True)
    check(recorded, "fp8", quantized=True)
    with pytest.raises(BadModelError, match="needs INT8"):
        check(recorded, "fp32", quantized=True)


def test_types_are_the_networks_own_from_11_on_and_where_asked_from_10_on(recorded: Recorded) -> None:
    strongly_typed = recorded.child("contradictions").strongly_typed
    assert strongly_typed({}) == recorded.version.startswith("11.")
    if recorded.version.startswith("8."):
        with pytest.raises(ToolchainUnfitError, match="no strongly_typed"):
            strongly_typed({"strongly_typed": True})
        return
    assert strongly_typed({"strongly_typed": True})
    with pytest.raises(ToolchainUnfitError, match="no calibration tables for strongly typed networks"):
        check(recorded, "int8", table="t", strongly_typed=True)
    with pytest.raises(BadRequestError, match="takes no precision fp16"):
        check(recorded, "fp16", strongly_typed=True)
    with pytest.raises(BadRequestError, match="takes no precision fp8"):
        check(recorded, "fp8", strongly_typed=True)
    check(recorded, "fp8", quantized=True, strongly_typed=True)


@pytest.mark.parametrize(("precision", "since"), [("bf16", "10."), ("fp8", "8.6")])
def test_newer_types_are_flags_where_a_release_has_them(recorded: Recorded, precision: str, since: str) -> None:
    config = recorded.config()
    options = recorded.child("options")
    has = {"bf16": ("10.",), "fp8": ("8.6", "10.")}[precision]
    if recorded.version.startswith(has):
        options.allow_precisions(config, precision)
        assert config.flags_set == [precision.upper()]
        return
    with pytest.raises(ToolchainUnfitError, match=f"no precision {precision}") as caught:
        options.allow_precisions(config, precision)
    assert since in str(caught.value.cause)
