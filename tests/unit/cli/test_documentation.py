"""docs/cli.md says what the program does: every command, every option, every exit code, every variable."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer

from tests.conftest import REPOSITORY
from trtfarm import errors
from trtfarm.build_options import options_of
from trtfarm_cli import exits
from trtfarm_cli.main import app

PAGE = (REPOSITORY / "docs" / "cli.md").read_text()
OTHER_TOOLS = (REPOSITORY / "docs" / "coming-from.md").read_text()


def commands() -> Iterator[tuple[str, set[str]]]:
    """Each command as it is typed, with its options."""
    groups = {"trtfarm": typer.main.get_command(app)}
    while groups:
        path, group = groups.popitem()
        for name, command in getattr(group, "commands", {}).items():
            if hasattr(command, "commands"):
                groups[f"{path} {name}"] = command
            else:
                options = {option for param in command.params for option in param.opts if option.startswith("--")}
                yield f"{path} {name}", options | {off for param in command.params for off in param.secondary_opts}


@pytest.mark.parametrize(
    ("command", "options"), sorted(commands()), ids=lambda value: value if isinstance(value, str) else ""
)
def test_every_command_has_a_section_that_names_its_options(command: str, options: set[str]) -> None:
    section = re.search(rf"^### `{command}\b[^`]*`\n(.*?)(?=^##)", PAGE + "\n##", re.MULTILINE | re.DOTALL)
    assert section is not None
    assert set(re.findall(r"`(--[a-z0-9-]+)[^`]*`", section[1])) == options


def test_every_command_is_said_to_be_done_here_or_by_the_farm_in_use() -> None:
    """Each once, in the table of what is embedded and what goes over HTTP."""
    table = re.search(r"^\| command \| embedded \| behind HTTP \|\n(.*?)\n\n", PAGE, re.MULTILINE | re.DOTALL)
    assert table is not None
    told = [name for row in table[1].splitlines() for name in re.findall(r"`([a-z ]+)`", row.split("|")[1])]
    assert sorted(told) == sorted(command.removeprefix("trtfarm ") for command, _ in commands())


def test_the_exit_codes_are_those_of_the_program() -> None:
    documented = {int(code) for code in re.findall(r"^\| (\d+) \|", PAGE, re.MULTILINE)}
    assert documented == {exits.OK, exits.DRAINED, exits.INTERRUPTED, *exits.CODES.values()}


def test_every_error_has_a_code_and_deliberate_ones_differ_by_kind() -> None:
    assert exits.code_of(errors.BuilderTimeoutError("hung")) == exits.code_of(errors.BuilderError("crashed")) == 9
    assert exits.code_of(errors.DiskFullError("full")) == 10
    assert exits.code_of(errors.JobFailedError("cancelled")) == exits.FAILED
    assert len(set(exits.CODES.values())) == len(exits.CODES)


def test_every_variable_is_named() -> None:
    places = (("core", "trtfarm", "settings.py"), ("cli", "trtfarm_cli", "profiles.py"))
    read = set(re.findall(r"TRTFARM_[A-Z_]+", "".join(Path(REPOSITORY, *place).read_text() for place in places)))
    assert set(re.findall(r"^\| `(TRTFARM_[A-Z_]+)` \|", PAGE, re.MULTILINE)) == read - {"TRTFARM_"}


def test_what_is_typed_instead_of_other_tools_can_be_typed() -> None:
    """docs/coming-from.md: the right-hand column has commands and options of the program, and builder options."""
    known = dict(commands())
    rows = [line.split(" | ", 1)[1] for line in OTHER_TOOLS.splitlines() if line.startswith("| `")]
    assert len(rows) > 20
    for text in re.findall(r"`([^`]*)`", "\n".join(rows)):
        command = next((name for name in known if text.startswith(f"{name} ")), "trtfarm submit")
        options = known[command] if command != "trtfarm submit" else set().union(*known.values())
        assert set(re.findall(r"(?<!\S)--[a-z0-9-]+", text)) <= options, text
        assert not text.startswith("trtfarm") or command in text
    given = re.findall(r"--option (\S+=[^\s`]+)", "\n".join(rows))
    assert set(options_of(given, None, None)) == {pair.partition("=")[0] for pair in given}
