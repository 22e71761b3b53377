"""Builders that die, starve or hang under `trtfarm submit`: what happened is told, and a sound one does it after."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from tests.acceptance.cli.conftest import Stocked
from trtfarm_worker.toolchains.registry import ToolchainRegistry
from trtfarm_worker.toolchains.toolchain import Toolchain

_BUILDER_FAILED = 9


@dataclass(frozen=True, kw_only=True)
class End:
    """What a builder does in which environment; the error's code, and words of its message."""

    body: str
    code: str
    told: str
    environment: Mapping[str, str] = field(default_factory=dict)


ENDS = {
    "SIGSEGV": End(body="os.kill(os.getpid(), signal.SIGSEGV)", code="builder_crash", told="SIGSEGV"),
    "SIGKILL": End(body="os.kill(os.getpid(), signal.SIGKILL)", code="builder_crash", told="SIGKILL"),
    "exit code": End(body="sys.exit(3)", code="builder_crash", told="exit code 3"),
    "out of memory": End(
        body="hoard = b'x' * (400 << 20); time.sleep(600)",
        code="builder_memory",
        told="limit of 204 MiB",
        environment={"TRTFARM_MEMORY_GIB": "0.2"},
    ),
    "silent": End(
        body="time.sleep(600)",
        code="builder_timeout",
        told="no sign of life for 1 s",
        environment={"TRTFARM_SILENT_SECONDS": "1"},
    ),
}


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS.keys())
def test_what_happened_to_a_builder_is_told(
    own_stock: Stocked, digits: Path, poser: Callable[[str], None], end: End
) -> None:
    poser(end.body)
    program, command = own_stock.program, ("submit", digits / "lenet.onnx", "--target", "120")
    error = program.fails(_BUILDER_FAILED, *command, TRTFARM_MAX_ATTEMPTS="1", **end.environment)
    assert error["code"] == end.code
    assert end.told in error["message"]
    assert error["remedy"]
    assert program.rows()["engines"] == 2
    assert program.scratch() == []
    assert program.processes() == []
    assert {step["name"].split()[0]: step["state"] for step in error["submission"]["steps"]}["verify"] == "hit"


def test_a_crash_is_tried_again_and_a_sound_toolchain_does_it_after(
    own_stock: Stocked, digits: Path, poser: Callable[[str], None], rtx_toolchain: Toolchain
) -> None:
    program, command = own_stock.program, ("submit", digits / "lenet.onnx", "--target", "sm_120")
    poser("print('the last words', flush=True); os.abort()")
    ended = program.run(*command)
    assert ended.code == _BUILDER_FAILED
    assert ended.out == ""
    assert "SIGABRT" in ended.err
    assert "the last words" in ended.err
    [job] = program.json("jobs", "list", "--state", "failed")
    assert job["attempt"] == 3
    ToolchainRegistry(program.home).put(replace(rtx_toolchain, environment=None))
    assert program.json(*command)["state"] == "done"
    assert program.json("jobs", "retry", job["id"][:-1])["state"] == "queued"


def test_a_toolchain_without_its_interpreter_is_no_crash(
    own_stock: Stocked, digits: Path, rtx_toolchain: Toolchain
) -> None:
    program = own_stock.program
    gone = replace(rtx_toolchain, python=program.folder / "gone" / "python", environment=None)
    ToolchainRegistry(program.home).put(gone)
    error = program.fails(6, "submit", digits / "lenet.onnx", "--target", "120")
    assert "gone/python" in error["message"] + str(error["cause"])
