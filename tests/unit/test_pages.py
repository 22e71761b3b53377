"""What the pages name is there: other pages, files, folders, make's targets, variables, commands and their options."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import typer

from tests.conftest import REPOSITORY
from trtfarm_cli.main import app

PAGES = sorted([REPOSITORY / "README.md", REPOSITORY / "CHANGELOG.md", *(REPOSITORY / "docs").glob("*.md")])
PARTS = (
    "api",
    "benchmarks",
    "calib_data",
    "cli",
    "client",
    "core",
    "docker",
    "docs",
    "migrations",
    "scripts",
    "tests",
    "worker",
)
#: What users have and the farm makes, and no file of the tree.
OTHERS = {"data.toml", "data.json", "manifest.json", "profiles.json", "tmp/", "uploads/", "/v1/openapi.json"}
BLOCK = re.compile(r"^```\w*\n(.*?)^```$", re.MULTILINE | re.DOTALL)

page = pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)


@cache
def tree() -> list[Path]:
    found = [path for part in PARTS for path in (REPOSITORY / part).rglob("*") if "__pycache__" not in path.parts]
    return [*found, *REPOSITORY.iterdir()]


@cache
def places() -> set[str]:
    return {path.relative_to(REPOSITORY).as_posix() for path in tree()}


@cache
def program() -> Any:
    return typer.main.get_command(app)


@cache
def variables() -> set[str]:
    sources = [path for path in tree() if path.suffix in {".py", ".sh", ".yml"}]
    return {name for path in sources for name in re.findall(r"TRTFARM_[A-Z0-9_]+", path.read_text())}


def code_in(text: str) -> list[str]:
    """Blocks of code, and spans."""
    return [*BLOCK.findall(text), *re.findall(r"`([^`]+)`", BLOCK.sub("", text))]


@page
def test_links_lead_somewhere(page: Path) -> None:
    for link in re.findall(r"\]\(([^)#:]+)\)", page.read_text()):
        assert (page.parent / link).exists(), link


@page
def test_files_and_folders_are_there(page: Path) -> None:
    spans = re.findall(r"`([\w./-]+(?:\.(?:py|md|toml|yml|json|lock)|/))`", page.read_text())
    for name in set(spans) - OTHERS:
        end = name.rstrip("/")
        assert any(place == end or place.endswith(f"/{end}") for place in places()), name


@page
def test_targets_of_make_are_there(page: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (REPOSITORY / "Makefile").read_text(), re.MULTILINE))
    named = {name for code in code_in(page.read_text()) for name in re.findall(r"^make ([a-z-]+)", code, re.MULTILINE)}
    assert named <= targets


@page
def test_variables_are_read_by_something(page: Path) -> None:
    assert set(re.findall(r"TRTFARM_[A-Z0-9_]+", page.read_text())) <= variables()


@page
def test_commands_can_be_typed(page: Path) -> None:
    for typed in (line for code in code_in(page.read_text()) for line in commands_in(code)):
        command, rest = program(), typed.split()[1:]
        while rest and (inner := inside(command).get(rest[0])):
            command, rest = inner, rest[1:]
        assert not inside(command) or not rest or rest[0].startswith("-"), typed
        options = {option for param in command.params for option in (*param.opts, *param.secondary_opts)}
        assert {word for word in rest if re.fullmatch(r"--?[a-z][a-z0-9-]*", word)} <= options | {"--help", "-h"}, typed


def commands_in(code: str) -> Iterator[str]:
    """Without comments, and what is piped elsewhere."""
    yield from re.findall(r"^(?:\$ )?(trtfarm (?:[a-z]+|--[a-z-]+)(?: [^#|\n]*|$))", code, re.MULTILINE)


def inside(command: Any) -> dict[str, Any]:
    """A group's commands; none of a command."""
    commands: dict[str, Any] = getattr(command, "commands", {})
    return commands
