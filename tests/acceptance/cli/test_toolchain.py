"""`trtfarm toolchain`: the TensorRTs of this host."""

from __future__ import annotations

import sys

from tests.acceptance.cli.program import Program
from trtfarm_worker.toolchains.toolchain import Toolchain


def test_a_toolchain_is_added_listed_tested_and_forgotten(program: Program, rtx_toolchain: Toolchain) -> None:
    added = program.json("toolchain", "add", rtx_toolchain.python, "--name", "mine")
    assert (added["name"], added["kind"], added["version"]) == ("mine", "tensorrt-rtx", rtx_toolchain.version)
    assert "sm_89" in added["compute_capabilities"]
    reference, mine = program.json("toolchain", "list")
    assert (reference["name"], mine) == ("reference", added)
    assert "entropy2" in reference["calibrators"]
    lines = program.ok("toolchain", "list").out.splitlines()
    assert [line.split()[0] for line in lines] == ["name", "reference", "mine"]
    assert program.json("toolchain", "test", "mine") == added
    assert program.json("toolchain", "remove", "mine") == {"removed": "mine"}
    assert len(program.json("toolchain", "list")) == 1
    assert rtx_toolchain.python.exists()


def test_an_interpreter_without_tensorrt_is_refused(program: Program) -> None:
    error = program.fails(6, "toolchain", "add", sys.executable)
    assert error["code"] == "no_toolchain"
    assert len(program.json("toolchain", "list")) == 1


def test_names_that_cannot_be_are_refused(program: Program) -> None:
    assert program.fails(8, "toolchain", "test", "gone")["remedy"] == "there are: reference"
    assert program.fails(2, "toolchain", "remove", "reference")["code"] == "usage"
    assert program.fails(2, "toolchain", "install", "tensorflow")["code"] == "usage"
