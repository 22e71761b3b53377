from __future__ import annotations

import json
from pathlib import Path

import pytest

from scripts.gpu_checks.calibration import rule_of
from scripts.gpu_checks.check import Check, CheckFailedError, Numbers, Outcome, SkippedError, expect, perform
from scripts.gpu_checks.farm import HostFarm
from scripts.gpu_checks.host import Host
from scripts.gpu_checks.models import image_model, integer_model, unparsable_model
from scripts.gpu_checks.report import write_report
from scripts.gpu_checks.tables import differences, read_table
from trtfarm.errors import TableError
from trtfarm_worker.builder.events import Progress
from trtfarm_worker.toolchains.registry import reference_toolchain


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(toolchain=reference_toolchain(), golden=tmp_path, scratch=tmp_path)


def _outcome(host: Host, error: Exception | None) -> Outcome:
    def run(_: Host) -> Numbers:
        if error is not None:
            raise error
        return {"one": 1}

    return perform(Check(name="a", about="what", seconds=1, run=run), host)


def test_whatever_a_check_raises_is_its_outcome(host: Host) -> None:
    outcomes = [
        _outcome(host, error)
        for error in (
            None,
            SkippedError("not here"),
            CheckFailedError("too slow", {"seconds": 2}),
            TableError("bad", remedy="none"),
            ZeroDivisionError("oops"),
        )
    ]
    assert [outcome.status for outcome in outcomes] == ["pass", "skip", "fail", "fail", "fail"]
    assert [outcome.numbers for outcome in outcomes] == [{"one": 1}, {}, {"seconds": 2}, {}, {}]
    assert outcomes[3].text.startswith("bad_table: bad")
    assert outcomes[4].text == "ZeroDivisionError: oops"


def test_a_step_says_how_long_it_took_and_now_and_then_how_far_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    clock = iter((0.0, 10.0, 20.0, 30.0, 40.0, 41.0))
    monkeypatch.setattr("scripts.gpu_checks.host.time.monotonic", lambda: next(clock))
    told = Host(toolchain=reference_toolchain(), golden=Path(), scratch=Path(), say=said.append).told
    with told("search minilm") as tell:
        for done in range(4):
            tell(Progress(stage="trial", done=done, total=48, unit="nodes"))
    # Each line at least 15 s after the one before it.
    assert said == [
        "search minilm: trial, 1 of 48 nodes after 20 s",
        "search minilm: trial, 3 of 48 nodes after 40 s",
        "search minilm: 41.0 s",
    ]


def test_a_command_that_is_stuck_is_told_with_what_it_said(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scripts.gpu_checks.farm._STUCK_SECONDS", 0.01)
    farm = HostFarm(home=host.scratch / "home", folder=host.scratch, say=host.say)
    with pytest.raises(CheckFailedError, match=r"trtfarm submit model\.onnx did not end in 0\.01 s"):
        farm.run("submit", Path("/somewhere/model.onnx"))


def test_an_expectation_that_fails_keeps_its_numbers() -> None:
    expect(True, "fine", {})  # noqa: FBT003 - an assertion
    with pytest.raises(CheckFailedError) as caught:
        expect(False, "wrong", {"n": 1})  # noqa: FBT003 - an assertion
    assert caught.value.numbers == {"n": 1}


def test_the_report_says_it_all(host: Host, tmp_path: Path) -> None:
    outcomes = [_outcome(host, None), _outcome(host, CheckFailedError("too slow", {"table": "x" * 2000}))]
    write_report(tmp_path / "out", {"GPU": "H200"}, outcomes)
    data = json.loads((tmp_path / "out" / "report.json").read_text())
    text = (tmp_path / "out" / "report.md").read_text()
    assert data["facts"] == {"GPU": "H200"}
    assert [row["status"] for row in data["checks"]] == ["pass", "fail"]
    assert data["checks"][1]["numbers"]["table"] == "x" * 2000
    assert "1 passed, 1 failed, 0 skipped." in text
    assert "* GPU: H200" in text
    assert "too slow" in text
    assert max(map(len, text.splitlines())) < 1000


def test_tables_are_compared_tensor_by_tensor() -> None:
    ours = {"a": "3c010204", "b": "3c010205", "c": "3f800000", "d": "3f800000"}
    theirs = {"a": "3c010204", "b": "3c010204", "c": "40000000", "e": "3f800000"}
    found = differences(ours, theirs)
    assert (found["common"], found["equal"], found["worst"]) == (3, 1, "c")
    assert found["largest_relative"] == 0.5
    assert list(found["apart"]) == ["c"]
    assert (found["only_ours"], found["only_theirs"]) == (["d"], ["e"])


def test_a_golden_tables_name_tells_its_rule(golden: Path) -> None:
    for path in sorted(golden.glob("*/*.table")):
        rule = rule_of(path)
        header, scales = read_table(path.read_bytes())
        assert rule["before_fusion"] == (len(scales) > 7)
        assert (rule["quantile"] is not None) == header.startswith("0 ")
    assert rule_of(Path("legacy-bs50-q0.5.table"))["quantile"] == 0.5
    with pytest.raises(ValueError, match="does not name its rule"):
        rule_of(Path("notes.table"))


def test_the_models_that_checks_make_are_valid(tmp_path: Path) -> None:
    """The checker runs inside; a determinant is valid ONNX that TensorRT does not know."""
    for make in (integer_model, image_model, unparsable_model):
        assert Path(make(tmp_path)).stat().st_size > 0
