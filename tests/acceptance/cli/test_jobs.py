"""`trtfarm jobs`: what runs, what ran, and why something did not."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from pathlib import Path

from tests.acceptance.cli.conftest import Stocked
from tests.acceptance.cli.program import Program


def test_jobs_are_listed_and_found_by_state_and_kind(stocked: Stocked) -> None:
    program = stocked.program
    builds = program.json("jobs", "list", "--state", "done", "--kind", "build", "--limit", "9")
    assert [(job["kind"], job["state"], job["model"]) for job in builds] == [("build", "done", "lenet")] * 2
    assert {job["result"]["engine_id"] for job in builds} == {engine["id"] for engine in stocked.facts["engines"]}
    assert all(job["seconds"] > 0 for job in builds)
    header, *lines = program.ok("jobs", "list").out.splitlines()
    assert header.split()[:3] == ["id", "kind", "model"]
    assert [line.split()[1] for line in lines if "sm_" in line] == ["build", "build"]
    assert "'queued'" in program.fails(2, "jobs", "list", "--state", "lost")["message"]


def test_a_job_tells_its_history(stocked: Stocked) -> None:
    program = stocked.program
    job = next(step["job"] for step in stocked.facts["steps"] if step["name"] == "calibrate")
    shown = program.json("jobs", "show", job[:-2])
    assert (shown["id"], shown["what"]) == (job, "minmax")
    events = [json.loads(line) for line in program.ok("jobs", "logs", job, "--json").out.splitlines()]
    assert [event["data"]["to"] for event in events if event["kind"] == "state"] == ["queued", "running", "done"]
    assert events[-1]["data"]["to"] == "done"
    text = program.ok("jobs", "watch", job)
    assert [line.split("  ")[1] for line in text.out.splitlines()][:2] == ["attempt 0", "attempt 1"]
    assert text.err == f"{job} is done\n"


def test_a_detached_submission_waits_for_workers_and_can_be_cancelled(builder: Program, digits: Path) -> None:
    command = ("submit", digits / "lenet.onnx", "--target", "sm_89", "--idempotency-key", "nightly")
    ended = builder.ok(*command, "--detach")
    assert "active" in ended.out
    assert "trtfarm up" in ended.err
    [job] = builder.json("jobs", "list", "--state", "queued")
    assert builder.json("jobs", "cancel", job["id"][:-1])["state"] == "cancelled"
    assert builder.run("jobs", "watch", job["id"]).code == 1
    retried = builder.ok("jobs", "retry", job["id"])
    queued, submission = retried.out.splitlines()
    assert queued == f"{job['id']} is queued"
    assert submission.endswith(" goes on")
    assert "trtfarm up" in retried.err
    facts = builder.json(*command)
    assert facts["state"] == "done"
    assert [each["id"] for each in builder.json("submissions", "list")] == [facts["submission"]]
    assert builder.fails(16, *command, "--shards", "2")["message"].startswith(f"submission {facts['submission']} ")
    assert builder.fails(2, *command, "--dry-run")["code"] == "usage"
    assert facts["steps"][0]["job"] == job["id"]
    assert builder.fails(2, "jobs", "retry", job["id"])["code"] == "usage"


def test_a_submission_is_taken_back_as_a_whole(builder: Program, digits: Path) -> None:
    command = ("submit", digits / "lenet.onnx", "--target", "sm_89", "--detach", "--fresh", "--json")
    mine, other = (builder.json(*command)["submission"] for _ in range(2))
    told = builder.ok("submissions", "cancel", mine[:-1]).out
    assert told == f"{mine} is cancelled: 1 job left to other submissions\n"
    assert len(builder.json("submissions", "cancel", other)["withdrawn"]) == 1
    assert builder.ok("submissions", "cancel", mine).out == f"{mine} is cancelled\n"
    assert [each["id"] for each in builder.json("submissions", "list", "--state", "cancelled")] == [other, mine]
    header, line, *_ = builder.ok("submissions", "list", "--limit", "1").out.splitlines()
    assert header.split()[:3] == ["id", "project", "model"]
    assert line.split()[:3] == [other, "default", "lenet"]
    shares = builder.ok("projects", "set", "vision", "--weight", "3").out.splitlines()
    assert shares[1].split() == ["vision", "3", "-", "0", "0"]
    assert [each["name"] for each in builder.json("projects", "list")] == ["default", "vision"]
    assert builder.fails(2, "projects", "set", "vision", "--weight", "0")["code"] == "usage"


def test_a_running_job_can_be_watched_and_cancelled(
    own_stock: Stocked, digits: Path, poser: Callable[[str], None]
) -> None:
    """Who stops watching does not stop the job; whoever cancels it ends the submission that waits for it."""
    poser("progress(); time.sleep(600)")
    program = own_stock.program
    with program.started("submit", digits / "lenet.onnx", "--target", "120", "--json") as submitting:
        submitting.until("build sm_120 tensorrt-rtx-1.7.1.116: running")
        [job] = program.json("jobs", "list", "--state", "running")
        with program.started("jobs", "watch", job["id"], "--json") as watching:
            watching.until("{", on_stdout=True)
            assert watching.end(signal.SIGINT).code == 130
        assert "running" in program.states()
        told = program.ok("jobs", "cancel", job["id"]).out
        assert told == f"{job['id']} is running, asked to stop\n"
        ended = submitting.end()
    assert (ended.code, ended.out) == (1, "")
    assert ended.error["code"] == "job_failed"
    assert ended.error["submission"]["state"] == "cancelled"
    assert program.states() == {"done", "cancelled"}
    assert program.processes() == []


def test_a_job_that_is_not_there(stocked: Stocked) -> None:
    for command in ("watch", "cancel"):
        assert stocked.program.fails(8, "jobs", command, "job_gone")["code"] == "not_found"
