"""Two processes that submit the same at once share the work; when one of them dies, the other one does it all."""

from __future__ import annotations

import signal
from collections import Counter
from pathlib import Path

from tests.acceptance.cli.program import Program


def test_two_that_submit_the_same_build_it_once(builder: Program, digits: Path) -> None:
    command = ("submit", digits / "lenet.onnx", "--target", "sm_89", "--json")
    with builder.started(*command) as one, builder.started(*command) as other:
        ended = one.end(), other.end()
    assert [each.code for each in ended] == [0, 0], [each.err for each in ended]
    facts = [each.json for each in ended]
    assert facts[0]["engines"] == facts[1]["engines"]
    assert facts[0]["table"] == facts[1]["table"]
    assert facts[0]["submission"] != facts[1]["submission"]
    _did_it_once(builder, attempts=1)


def test_one_of_two_is_killed_and_the_other_ends_it(builder: Program, digits: Path) -> None:
    """It may run the calibration when it is killed, or follow the other one, which does."""
    command = ("submit", digits / "lenet.onnx", "--target", "sm_89", "--json")
    with builder.started(*command) as one, builder.started(*command) as other:
        one.until("calibrate: running")
        one.end(signal.SIGKILL)
        ended = other.end()
    assert ended.code == 0, ended.err
    assert ended.json["state"] == "done"
    _did_it_once(builder, attempts=2)


def _did_it_once(program: Program, *, attempts: int) -> None:
    """One job of each kind; a job whose client was killed was claimed a second time, and no other."""
    jobs = program.json("jobs", "list")
    assert Counter(job["kind"] for job in jobs) == dict.fromkeys(("calibrate", "quantize", "verify", "build"), 1)
    assert {job["state"] for job in jobs} == {"done"}
    assert max(job["attempt"] for job in jobs) <= attempts
    rows = program.rows()
    assert rows["submissions"] == 2
    assert {rows[name] for name in ("tables", "quantizations", "engines", "verifications", "models")} == {1}
    assert program.scratch() == []
    assert program.damaged() == []
