"""What holds for every command: versions, completion, streams, errors, and hosts that are not as they should be."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.acceptance.cli.conftest import Stocked
from tests.acceptance.cli.program import Program
from trtfarm_worker.toolchains.toolchain import Toolchain

_BIN = Path(sys.executable).parent


def test_the_version(program: Program) -> None:
    assert program.json("version").keys() == {"trtfarm", "python"}
    assert program.ok("--version").out == program.ok("version").out


def test_completion_is_shown_for_the_shell_that_asks(program: Program) -> None:
    # Without the second command the shell would become the program.
    shell = ["bash", "-c", "trtfarm --show-completion && true"]
    said = _said(program, shell, PATH=f"{_BIN}:{os.environ['PATH']}")
    assert "_TRTFARM_COMPLETE=complete_bash" in said


def test_commands_and_choices_are_completed(program: Program) -> None:
    for words, expected in (("trtfarm eng", "engines"), ("trtfarm submit --calibrator ent", "entropy2")):
        position = str(len(words.split()) - 1)
        said = _said(
            program, [str(_BIN / "trtfarm")], COMP_WORDS=words, COMP_CWORD=position, _TRTFARM_COMPLETE="complete_bash"
        )
        assert expected in said.split()


def _said(program: Program, command: list[str], **environment: str) -> str:
    """What the installed program says: completion asks it by this name."""
    passed = {"PATH": os.environ["PATH"], "TRTFARM_HOME": str(program.home), **environment}
    return subprocess.run(command, env=passed, check=True, capture_output=True, text=True).stdout


def test_no_command_gets_help_and_a_wrong_one_an_error(program: Program) -> None:
    nothing = program.run("engines")
    assert (nothing.code, nothing.out) == (2, "")
    assert nothing.err.startswith("Usage: ")
    wrong = program.run("build")
    assert (wrong.code, wrong.out) == (2, "")
    assert wrong.err.startswith("error: No such command 'build'\nwhat to do: ")
    assert program.fails(2, "submit")["message"] == "Missing argument 'MODEL'"


def test_help_of_every_command_is_on_one_line(program: Program) -> None:
    """Cut short, it would tell nothing; and nobody waits for it."""
    groups = "engines keys tables jobs toolchain tokens workers projects submissions bundle profile"
    for group in groups.split():
        assert "..." not in program.ok(group, "-h").out.split("Commands:")[1]
    assert "..." not in program.ok("--help").out.split("Commands:")[1]


@pytest.mark.parametrize("words", ["engines list --json", "--help", "engines list --help"])
def test_what_is_asked_for_can_be_cut_off(stocked: Stocked, words: str) -> None:
    """As `| head -0` does; help is written by Typer."""
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-m", "trtfarm_cli", *words.split()]
    environment = {"PATH": os.environ["PATH"], "TRTFARM_HOME": str(stocked.program.home)}
    with subprocess.Popen(command, env=environment, stdout=writing, stderr=subprocess.PIPE) as process:
        os.close(writing)
        _, err = process.communicate()
    assert (process.returncode, err) == (0, b"")


@pytest.mark.parametrize("streams", [">&-", "2>&-", "<&- >&- 2>&-", "2>/dev/full"])
def test_standard_streams_may_be_missing_and_have_no_room_for_words(stocked: Stocked, streams: str) -> None:
    """A file that is opened must not get the number of one: what is printed would be written into the database."""
    environment = {"PATH": os.environ["PATH"], "TRTFARM_HOME": str(stocked.program.home)}

    def code(*arguments: str) -> int:
        command = ["sh", "-c", f'exec "$@" {streams}', "sh", sys.executable, "-m", "trtfarm_cli", *arguments]
        return subprocess.run(command, env=environment, check=False, stdout=subprocess.DEVNULL).returncode

    assert code("engines", "list") == 0
    assert code("engines", "show", "eng_gone") == 8
    assert stocked.program.rows()["engines"] == 2


@pytest.mark.parametrize("words", ["engines list", "--help"])
def test_a_result_that_there_is_no_room_for_is_an_error(stocked: Stocked, words: str) -> None:
    command = [sys.executable, "-m", "trtfarm_cli", *words.split()]
    environment = {"PATH": os.environ["PATH"], "TRTFARM_HOME": str(stocked.program.home)}
    with Path("/dev/full").open("wb") as full:
        ended = subprocess.run(command, env=environment, check=False, stdout=full, stderr=subprocess.PIPE, text=True)
    assert ended.returncode == 10
    assert ended.stderr.splitlines()[0] == "error: no space left for standard output"
    assert "Exception ignored" not in ended.stderr


def test_doctor_tells_what_there_is_and_what_lacks(builder: Program, rtx_toolchain: Toolchain) -> None:
    checks = {check["name"]: check for check in builder.json("doctor")}
    assert {"python", "home", "disk", "uv", "gpu driver", "database", "toolchain reference"} <= checks.keys()
    assert checks[f"toolchain {rtx_toolchain.name}"]["state"] in {"ok", "warn"}
    text = builder.ok("doctor").out
    assert f"database: sqlite:///{builder.home}/farm.db is up to date" in text


def test_doctor_fails_where_the_farm_would(program: Program) -> None:
    wrong = {"TRTFARM_BROKER_URL": "amqp://guest:secret@127.0.0.1:1//", "TRTFARM_BLOB_URL": "carrier-pigeon://coop"}
    ended = program.run("doctor", "--json", TRTFARM_DATABASE_URL="sqlite:////proc/farm.db", **wrong)
    assert ended.code == 1
    assert "secret" not in ended.out
    assert ended.err == ""
    checks = {check["name"]: check for check in ended.json}
    assert (checks["database"]["state"], checks["blobs"]["state"], checks["broker"]["state"]) == (
        "fail",
        "fail",
        "warn",
    )
    assert checks["toolchains"]["remedy"] == "trtfarm toolchain install tensorrt-rtx"


@pytest.mark.parametrize(
    ("environment", "code", "told"),
    [
        ({"TRTFARM_SLOTS": "several"}, 2, "TRTFARM_SLOTS=several"),
        ({"TRTFARM_DATABASE_URL": "oracle://host/farm"}, 2, "oracle"),
        ({"TRTFARM_HOME": "/proc/farm"}, 10, "/proc/farm"),
        ({"TRTFARM_HOME": "/etc/hostname"}, 10, "/etc/hostname"),
        ({"TRTFARM_BLOB_URL": "carrier-pigeon://coop"}, 2, "carrier-pigeon"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, dict) else "",
)
def test_surroundings_that_cannot_be_used_are_told(
    program: Program, environment: dict[str, str], code: int, told: str
) -> None:
    assert told in json.dumps(program.fails(code, "engines", "list", **environment))


def test_names_that_are_not_utf8_are_no_trouble(builder: Program, digits: Path) -> None:
    folder = builder.folder / os.fsdecode(b"caf\xe9")
    shutil.copytree(digits, folder)
    model = (folder / "lenet.onnx").rename(folder / os.fsdecode(b"lenet\xff.onnx"))
    ended = builder.ok("calibrate", model, "-o", folder / "lenet.table")
    assert "caf\\udce9/lenet.table" in ended.out
    assert [step["hit"] for step in builder.json("explain", model, "--target", "sm_89")] == [False] * 4
    assert builder.rows()["models"] == 1
    assert builder.json("engines", "list", "--model", model.stem) == []
    assert builder.fails(8, "jobs", "show", model.stem)["code"] == "not_found"
