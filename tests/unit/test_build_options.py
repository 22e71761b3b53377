"""Builder options as users write them, and what is refused before any builder runs."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from trtfarm.build_options import check_options, options_of, read_ranges
from trtfarm.errors import UsageError


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("workspace_bytes=256MiB", {"workspace_bytes": 256 << 20}),
        ("workspace-bytes = 1 GiB", {"workspace_bytes": 1 << 30}),
        ("workspace_bytes=1000", {"workspace_bytes": 1000}),
        ("refit=true", {"refit": True}),
        ("precision_constraints=obey", {"precision_constraints": "obey"}),
        ("tactic_sources=CUBLAS, CUBLAS_LT", {"tactic_sources": ["CUBLAS", "CUBLAS_LT"]}),
        ("tactic_sources=[]", {"tactic_sources": []}),
        ('layer_precisions={"/c2/Conv" = "fp32"}', {"layer_precisions": {"/c2/Conv": "fp32"}}),
    ],
)
def test_values_are_read_as_what_they_are(text: str, wanted: dict[str, Any]) -> None:
    found = options_of([text], None, None)
    assert found == wanted
    check_options(found, "tensorrt")


#: Every option but ranges, which have a file of their own, as it may be written.
EVERY = {
    "workspace_bytes": "1GiB",
    "avg_timing_iterations": "4",
    "min_timing_iterations": "2",
    "builder_optimization_level": "5",
    "max_aux_streams": "2",
    "max_num_tactics": "8",
    "flags": "DEBUG",
    "clear_flags": "TF32",
    "tactic_sources": "CUBLAS,CUBLAS_LT",
    "dla_core": "0",
    "gpu_fallback": "true",
    "sparse_weights": "true",
    "refit": "true",
    "strip_plan": "true",
    "version_compatible": "true",
    "hardware_compatibility": "AMPERE_PLUS",
    "precision_constraints": "prefer",
    "layer_precisions": '{"/c2/Conv" = "fp32"}',
    "io_formats": '{"data" = {dtype = "int8", formats = ["LINEAR"]}}',
    "strongly_typed": "true",
    "more_profiles": '[{"data" = {min = [1, 1, 28, 28], opt = [1, 1, 28, 28], max = [1, 1, 28, 28]}}]',
}


@pytest.mark.parametrize("name", EVERY)
def test_every_option_can_be_named_on_the_command_line(name: str) -> None:
    found = options_of([f"{name}={EVERY[name]}"], None, None)
    check_options(found, "tensorrt")
    with pytest.raises(UsageError, match=f"the builder option {name} cannot be"):
        check_options({name: {"x": {"y": 1}}}, "tensorrt")


def test_no_option_is_forgotten() -> None:
    with pytest.raises(UsageError) as caught:
        check_options({"": 1}, "tensorrt")
    assert set(str(caught.value.remedy).removeprefix("use: ").split(", ")) == {*EVERY, "dynamic_ranges"}


def test_a_file_gives_options_and_the_command_line_wins(tmp_path: Path) -> None:
    file, ranges = tmp_path / "options.toml", tmp_path / "ranges.txt"
    file.write_text("workspace_bytes = '1GiB'\navg_timing_iterations = 4\n[layer_precisions]\n'/c2/Conv' = 'fp32'\n")
    ranges.write_text("data: 1.0\n\nx:0: 2.5e-1\n")
    found = options_of(["avg_timing_iterations=8"], file, ranges)
    assert found == {
        "workspace_bytes": 1 << 30,
        "avg_timing_iterations": 8,
        "layer_precisions": {"/c2/Conv": "fp32"},
        "dynamic_ranges": {"data": 1.0, "x:0": 0.25},
    }
    check_options(found, "tensorrt")


@pytest.mark.parametrize("line", ["data 1.0", "data: wide", "data: 0", "data: -1", "data: nan", "data: inf", ": 1.0"])
def test_a_line_that_is_no_range_is_named(tmp_path: Path, line: str) -> None:
    path = tmp_path / "ranges.txt"
    path.write_text(f"prob: 1.0\n{line}\n")
    with pytest.raises(UsageError, match="line 2 of") as caught:
        read_ranges(path)
    assert caught.value.remedy


def test_words_and_files_that_nest_too_deep_are_told(tmp_path: Path) -> None:
    deep = "[" * 10_000
    assert options_of([f"flags={deep}"], None, None) == {"flags": [deep]}
    (tmp_path / "options.toml").write_text(f"flags = {deep}")
    with pytest.raises(UsageError, match="is not TOML"):
        options_of([], tmp_path / "options.toml", None)


def test_numbers_that_nobody_could_write_are_told(tmp_path: Path) -> None:
    digits = "1" * 5000
    assert options_of([f"dla_core={digits}"], None, None) == {"dla_core": digits}
    (tmp_path / "options.toml").write_text(f"dla_core = {digits}")
    with pytest.raises(UsageError, match="is not TOML"):
        options_of([], tmp_path / "options.toml", None)


def test_no_file_is_read_in_part(tmp_path: Path) -> None:
    (tmp_path / "ranges.txt").write_bytes(b"x: 1\n" * 4_000_000)
    with pytest.raises(UsageError, match="more than"):
        read_ranges(tmp_path / "ranges.txt")


@pytest.mark.parametrize("text", ["", "data: 1.0\ndata: 2.0\n"])
def test_ranges_that_say_nothing_or_two_things_are_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "ranges.txt").write_text(text)
    with pytest.raises(UsageError):
        read_ranges(tmp_path / "ranges.txt")


@pytest.mark.parametrize("content", [b"no toml", b"\xff\xfe", None])
def test_files_that_cannot_be_read_are_refused(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "options.toml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UsageError, match=r"options\.toml"):
        options_of([], path, None)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"model": "/etc/passwd"}, "no builder option model"),
        ({"timing_cache": "/etc/passwd"}, "no builder option timing_cache"),
        ({"workspace_bytes": "much"}, "workspace_bytes cannot be 'much'"),
        ({"workspace_bytes": -1}, "cannot be -1"),
        ({"refit": 1}, "refit cannot be 1"),
        ({"avg_timing_iterations": True}, "cannot be True"),
        ({"precision_constraints": "perhaps"}, "cannot be 'perhaps'"),
        ({"workspace_bytes": "1" * 5000 + "MiB"}, "workspace_bytes cannot be"),
        ({"precision_constraints": ["obey"]}, "precision_constraints cannot be"),
        ({"dla_core": 1 << 63}, "dla_core cannot be"),
        ({"dla_core": 1 << 20_000}, "not plain data"),
        ({"flags": ["\ud800"]}, "not plain data"),
        ({"io_formats": {"x": {"dtype": date(1979, 5, 27)}}}, "not plain data"),
        ({"io_formats": {"x": {"dtype": float("inf")}}}, "not plain data"),
        ({"dynamic_ranges": {"x": 0}}, "dynamic_ranges cannot be"),
        ({"io_formats": {"x": {"type": "int8"}}}, "io_formats cannot be"),
    ],
)
def test_what_no_builder_would_take_is_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words) as caught:
        check_options(options, "tensorrt")
    assert caught.value.remedy


def test_each_kind_of_toolchain_has_options_of_its_own() -> None:
    check_options({"avg_timing_iterations": 2}, "tensorrt-rtx")
    with pytest.raises(UsageError, match="tensorrt-rtx has no builder option refit"):
        check_options({"refit": True}, "tensorrt-rtx")
