"""Ctrl-C and death at any moment: nothing runs on, nothing is lost, and the same command goes on where it was."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from tests.acceptance.cli.conftest import Stocked
from tests.acceptance.cli.program import Program

#: Lines on stderr that stand for moments: data read but nothing stored, work begun, all but the last of it done.
_READ = "calibration data:"
_CALIBRATING = "calibrate: running"
_BUILDING = "build sm_89 tensorrt-rtx-1.7.1.116: running"
#: What was there before the interruption is not made again.
_WHOLE = {"models": 1, "datasets": 2, "tables": 1, "quantizations": 1, "engines": 1, "verifications": 1, "jobs": 4}


@pytest.mark.parametrize("moment", [_CALIBRATING, _BUILDING])
def test_ctrl_c_stops_everything_and_the_same_command_goes_on(builder: Program, digits: Path, moment: str) -> None:
    command = ("submit", digits / "lenet.onnx", "--target", "sm_89")
    with builder.started(*command, "--json") as running:
        running.until(moment)
        ended = running.end(signal.SIGINT)
    assert (ended.code, ended.out) == (130, "")
    assert (ended.error["code"], ended.error["exit_code"]) == ("interrupted", 130)
    assert builder.processes() == []
    assert "running" not in builder.states()
    assert builder.scratch() == []
    _goes_on(builder, *command)


@pytest.mark.parametrize("moment", [_READ, _CALIBRATING, _BUILDING])
def test_a_killed_command_leaves_nothing_that_the_next_one_trips_over(
    builder: Program, digits: Path, moment: str
) -> None:
    command = ("submit", digits / "lenet.onnx", "--target", "sm_89")
    with builder.started(*command) as running:
        running.until(moment)
        assert running.end(signal.SIGKILL).code == -signal.SIGKILL
    # The kernel tells a builder of its supervisor's death, which may take it a moment to die of.
    assert psutil.wait_procs(builder.processes(), timeout=10)[1] == []
    _goes_on(builder, *command)


def test_ctrl_c_again_does_not_disturb_the_first(
    own_stock: Stocked, digits: Path, poser: Callable[[str], None]
) -> None:
    """The builder presses it again when it is asked to stop, and has to be killed in the end."""
    poser("""
signal.signal(signal.SIGTERM, lambda *_: os.kill(os.getppid(), signal.SIGINT))
progress()
while True:
    signal.pause()
""")
    program = own_stock.program
    with program.started("submit", digits / "lenet.onnx", "--target", "120") as running:
        running.until("build sm_120 tensorrt-rtx-1.7.1.116: running")
        assert running.end(signal.SIGINT).code == 130
    assert program.processes() == []
    assert program.states() == {"done", "queued"}
    assert program.scratch() == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_a_calibration_that_is_stopped_leaves_the_file_alone(
    program: Program, digits: Path, tmp_path: Path, number: signal.Signals
) -> None:
    """What it had to leave among the temporary files goes with the next one."""
    table, temporary = program.folder / "mine.table", tmp_path / "temporary"
    table.write_text("what was there before")
    temporary.mkdir()
    with program.started("calibrate", digits / "lenet.onnx", "-o", table, TMPDIR=str(temporary)) as running:
        running.until(_READ)
        assert running.end(number).code == (130 if number == signal.SIGINT else -number)
    assert table.read_text() == "what was there before"
    assert bool(list(temporary.iterdir())) == (number == signal.SIGKILL)
    program.ok("calibrate", digits / "lenet.onnx", "-o", table, TMPDIR=str(temporary))
    assert list(temporary.iterdir()) == []
    program.ok("tables", "validate", table)


def _goes_on(program: Program, *command: str | Path) -> None:
    """Runs the command to its end, and looks at all that the farm holds then."""
    facts = program.json(*command)
    assert facts["state"] == "done"
    assert facts["table"]["tensors"] == 12
    rows = program.rows()
    assert {name: rows[name] for name in _WHOLE} == _WHOLE
    assert program.states() == {"done"}
    assert program.scratch() == []
    assert program.damaged() == []
