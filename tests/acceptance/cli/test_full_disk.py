"""A disk that is full, for real: a small file system of the test's own, which grows when someone has made room."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.acceptance.cli.conftest import share
from tests.acceptance.cli.program import Program
from trtfarm_worker.toolchains.toolchain import Toolchain

_DISK_FULL = _STORAGE = 10


class Disk:
    """A file system in memory at `path`."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def mount(self, options: str) -> None:
        command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(self.path)]
        subprocess.run(command, check=True, capture_output=True)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    disk = Disk(tmp_path / "disk")
    disk.path.mkdir()
    try:
        disk.mount("size=100k")
    except (OSError, subprocess.CalledProcessError) as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(f"no file system can be mounted here: {error}")
    yield disk
    subprocess.run(["umount", str(disk.path)], check=True)  # noqa: S607 - wherever the system has it


@pytest.mark.parametrize("size", ["120k", "3m", "8m"])
def test_a_submission_goes_on_when_there_is_room_again(
    disk: Disk, program: Program, digits: Path, rtx_toolchain: Toolchain, size: str
) -> None:
    """Room for no database; for no model; for no engine."""
    disk.mount(f"remount,size={size}")
    program = replace(program, home=disk.path)
    share(program, rtx_toolchain)
    error = program.fails(_DISK_FULL, "submit", digits / "lenet.onnx")
    assert error["code"] == "disk_full"
    assert error["retryable"]
    assert error["remedy"]
    assert program.scratch() == []
    assert program.processes() == []
    disk.mount("remount,size=64m")
    assert program.json("submit", digits / "lenet.onnx")["state"] == "done"
    assert program.states() <= {"done", "failed"}
    assert program.damaged() == []


def test_a_file_that_cannot_be_written_whole_stays_what_it_was(
    disk: Disk, program: Program, digits: Path, golden: Path
) -> None:
    path = disk.path / "int8.onnx"
    path.write_text("what was there before")
    table = golden / "lenet" / "minmax-bs50.table"
    error = program.fails(_DISK_FULL, "quantize", digits / "lenet.onnx", "--table", table, "-o", path)
    assert str(path) in error["message"]
    assert [(file.name, file.read_text()) for file in disk.path.iterdir()] == [(path.name, "what was there before")]


def test_a_toolchain_that_has_no_room_leaves_nothing(disk: Disk, program: Program) -> None:
    error = replace(program, home=disk.path).fails(_DISK_FULL, "toolchain", "install", "tensorrt-rtx")
    assert (error["code"], error["message"]) == ("disk_full", "no space left for the toolchain")
    assert [path.name for path in (disk.path / "toolchains").iterdir() if path.name != ".lock"] == []


def test_a_home_that_can_only_be_read_is_told(disk: Disk, program: Program, migrated: Path) -> None:
    disk.mount("remount,size=8m")
    shutil.copy(migrated, disk.path / "farm.db")
    disk.mount("remount,ro")
    read_only = replace(program, home=disk.path)
    for command in (("engines", "list"), ("jobs", "cancel", "job_any")):
        error = read_only.fails(_STORAGE, *command)
        assert error["code"] == "storage"
        assert error["remedy"] == "check that the folder exists and can be written"
