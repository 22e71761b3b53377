"""What commands print of facts that have parts."""

from __future__ import annotations

from typing import Any

import pytest

from trtfarm_cli import output


@pytest.mark.parametrize(
    ("value", "lines"),
    [
        ({"samples": 500, "before": True, "cutoff": None, "options": {}}, ["facts  samples: 500, before: yes"]),
        (
            {"x": {"min": [1, 3], "max": [8, 3]}, "input_ids": {"min": [1], "max": None}},
            ["facts  x: min [1, 3], max [8, 3], input_ids: min [1]"],
        ),
        ({"sm_75": "a" * 60, "sm_80": "b" * 60}, [f"facts  sm_75: {'a' * 60}", f"       sm_80: {'b' * 60}"]),
        (
            [{"name": "x", "shape": [-1, 3]}, {"name": "y", "shape": [-1]}],
            ["facts  name x, shape [-1, 3]", "       name y, shape [-1]"],
        ),
        (["prod", "best"], ["facts  [prod, best]"]),
        ([{"name": "x\ndigest  sha256:0"}], ["facts  name x\\ndigest  sha256:0"]),
    ],
)
def test_facts_with_parts_are_written_for_people(
    capsys: pytest.CaptureFixture[str], value: Any, lines: list[str]
) -> None:
    output.emit_fields({"facts": value, "nothing": []})
    assert capsys.readouterr().out.splitlines() == lines


@pytest.mark.parametrize(
    ("share", "words"),
    [(0.0, "0.00%"), (7.9345e-7, "0.0000793%"), (0.00123, "0.123%"), (0.25, "25.00%"), (1.0, "100.00%")],
)
def test_a_small_share_is_not_rounded_to_nothing(share: float, words: str) -> None:
    assert output.exact_share(share) == words


def test_a_name_with_a_line_end_begins_no_line_of_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    output.emit_table([{"layer": "conv\nready: all of it"}, {"layer": None}], {"layer": None})
    assert capsys.readouterr().out.splitlines() == ["layer", "conv\\nready: all of it", "-"]


@pytest.mark.parametrize(("limit", "told"), [(2, "there may be more than these 2: --limit\n"), (3, ""), (None, "")])
def test_a_list_that_was_cut_off_says_so(capsys: pytest.CaptureFixture[str], limit: int | None, told: str) -> None:
    output.emit_table([{"id": "a"}, {"id": "b"}], {"id": None}, limit=limit)
    assert capsys.readouterr() == ("id\na\nb\n", told)


@pytest.mark.parametrize(
    ("count", "words"),
    [(0, "0 B"), (1023, "1023 B"), (1024, "1.0 KiB"), ((1 << 20) - 1, "1.0 MiB"), (1 << 50, "1048576.0 GiB")],
)
def test_bytes_are_told_in_the_unit_that_they_fill(count: int, words: str) -> None:
    assert output.size(count) == words


def test_one_thing_is_not_many() -> None:
    assert [output.counted(count, "batch", "batches") for count in (0, 1, 2)] == ["0 batches", "1 batch", "2 batches"]
    assert output.counted(1, "node") == "1 node"
