from __future__ import annotations

import os
from pathlib import Path

import pytest

from trtfarm.errors import BuilderCrashError
from trtfarm_worker.builder.request import BuilderAnswer, result_file


@pytest.fixture
def scratch(tmp_path: Path) -> Path:
    scratch = tmp_path / "scratch"
    (scratch / "folder").mkdir(parents=True)
    (scratch / "engine.plan").write_bytes(b"engine")
    (scratch / "folder" / "part").write_bytes(b"part")
    (tmp_path / "secret").write_bytes(b"secret")
    (scratch / "link").symlink_to(tmp_path / "secret")
    (scratch / "inner-link").symlink_to("engine.plan")
    (scratch / "folder-link").symlink_to(tmp_path)
    (scratch / "hard-link").hardlink_to(tmp_path / "secret")
    os.mkfifo(scratch / "pipe")
    return scratch


@pytest.mark.parametrize("name", ["engine.plan", "folder/part", "./engine.plan"])
def test_regular_files_inside_are_found(scratch: Path, name: str) -> None:
    assert result_file(scratch, name).is_file()


@pytest.mark.parametrize(
    "name",
    [
        "../secret",
        "folder/../../secret",
        "/etc/passwd",
        "link",
        "inner-link",
        "folder-link/secret",
        "hard-link",
        "pipe",
        "folder",
        ".",
        "",
        "gone",
        "engine.plan/part",
        "a\0b",
        "\ud800",
        "x" * 300,
        None,
        7,
        ["engine.plan"],
    ],
)
def test_nothing_else_is(scratch: Path, name: object) -> None:
    with pytest.raises(BuilderCrashError):
        result_file(scratch, name)


def test_an_answer_without_the_key_names_no_file(scratch: Path) -> None:
    answer = BuilderAnswer(
        result={"engine": "engine.plan"},
        scratch=scratch,
        native_log=scratch / "native.log",
        seconds=1.0,
        peak_memory_bytes=0,
    )
    assert answer.file("engine") == scratch / "engine.plan"
    with pytest.raises(BuilderCrashError, match="named no file"):
        answer.file("log")
