"""`trtfarm up`, `worker` and `reconciler`: they start, do what a client leaves to them, and stop when told."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from tests.acceptance.cli.program import Program


def test_up_runs_what_clients_leave_to_it_and_stops_all_it_started(builder: Program, digits: Path) -> None:
    wanted = "submit", digits / "lenet.onnx", "--target", "sm_89", "--require-label"
    with builder.started("up", "--label", "rack=a1") as service:
        service.until("worker is up")
        job = builder.json(*wanted, "rack=a1", "--detach")["steps"][0]["job"]
        builder.ok("jobs", "watch", job)
        # The same again waits for the workers instead of doing the rest itself.
        facts = builder.json(*wanted, "rack=a1")
        refused = builder.run(*wanted, "rack=b1")
        owners = {job["owner"].split("_")[0] for job in builder.json("jobs", "list")}
        ended = service.end(signal.SIGINT)
    assert facts["state"] == "done"
    assert owners == {"wrk"}
    assert (refused.code, "trtfarm worker --label rack=b1" in refused.err) == (6, True)
    assert (ended.code, ended.out) == (0, "")
    assert builder.processes() == []


@pytest.mark.parametrize("command", ["worker", "reconciler"])
def test_a_service_alone_stops_when_it_is_told(program: Program, command: str) -> None:
    with program.started(command) as service:
        service.until(f'event="{command} is up"')
        ended = service.end(signal.SIGTERM)
    assert (ended.code, ended.out) == (0, "")


@pytest.mark.parametrize("command", ["up", "worker", "reconciler"])
def test_a_broker_that_cannot_be_is_told_at_once(program: Program, command: str) -> None:
    """`up` would start the others again and again."""
    ended = program.run(command, TRTFARM_BROKER_URL="pigeon://coop")
    assert ended.code == 2
    assert "pigeon://" in ended.err
