"""One submission in full, asked about here and over HTTP, and as it is printed."""

from __future__ import annotations

import json
from contextlib import nullcontext
from typing import Any

import pytest
from sqlalchemy import delete, select

from tests.contracts.submission_bench import Bench
from trtfarm.catalog.entries import WARNINGS
from trtfarm.database.schema import EngineRow, TableRow
from trtfarm.errors import ModelError, NotFoundError
from trtfarm.farm import Farm
from trtfarm.submissions.submission import Submission
from trtfarm_cli import summary
from trtfarm_cli.commands import submissions, tables
from trtfarm_cli.farms.here.farm import FarmHere
from trtfarm_cli.farms.remote.farm import RemoteFarm
from trtfarm_client import Client

WARNING = "tensors without a scale: mask (a value is infinite)"
ERROR = ModelError("the parser refuses node 7\nand more", remedy="export it again")


@pytest.fixture
def bench(farm: Farm) -> Bench:
    return Bench(farm.database, farm.settings.home)


def shown(farm: Farm, client: Client, submission: Submission) -> dict[str, Any]:
    """What is told, which is the same here and over HTTP."""
    here: dict[str, Any] = json.loads(
        json.dumps(FarmHere(farm.settings, lambda: farm).submissions.details(submission.id))
    )
    assert RemoteFarm(client, farm.settings).submissions.details(submission.id[:-1]) == here
    return here


def test_each_target_has_its_engine_or_its_error(bench: Bench, farm: Farm, client: Client) -> None:
    submission = bench.submit(bench.request(None, "sm_86", "sm_89", "sm_75", test_dataset_id=None))
    waiting = shown(farm, client, submission)
    assert [(target["state"], target["engine_id"]) for target in waiting["targets"]] == [("pending", None)] * 3
    bench.do(bench.queued_of("calibrate"))
    bench.do(bench.queued_of("quantize"))
    bench.fail(bench.job_of(submission, "build sm_86"), ERROR)
    bench.do_all()
    with farm.database.write() as session:
        session.execute(delete(EngineRow).where(EngineRow.compute_capability == "sm_75"))
    found = shown(farm, client, submission)
    failed, done, removed = found["targets"]
    assert (failed["state"], failed["engine"], failed["error"]) == ("failed", None, ERROR.as_dict())
    assert (done["state"], done["engine"]["id"], done["error"]) == ("done", done["engine_id"], None)
    assert (removed["state"], removed["engine"], removed["engine_id"][:4]) == ("done", None, "eng_")
    assert (found["state"], found["model"]["name"], found["request"]["precision"]) == ("failed", "lenet", "int8")
    jobs = {step["name"].partition(" tensorrt")[0]: step for step in found["steps"]}
    assert jobs["build sm_86"]["job"] == bench.job_of(submission, "build sm_86").id
    assert {(step["attempt"], step["seconds"] >= 0) for step in jobs.values()} == {(1, True)}
    assert found["seconds"] >= jobs["calibrate"]["seconds"]


def test_what_was_left_out_says_because_of_what(bench: Bench, farm: Farm, client: Client) -> None:
    submission = bench.submit(bench.request())
    bench.fail(bench.queued_of("calibrate"), ERROR)
    targets = shown(farm, client, submission)["targets"]
    assert [(target["state"], target["error"], target["because"]) for target in targets] == [
        ("skipped", None, ["calibrate"])
    ] * 2


def test_what_was_there_has_no_job(bench: Bench, farm: Farm, client: Client) -> None:
    request = bench.request()
    bench.submit(request)
    bench.do_all()
    found = shown(farm, client, bench.submit(request))
    assert (found["state"], found["hit"]) == ("done", True)
    assert {(step["state"], step["job"], step["started"]) for step in found["steps"]} == {("hit", None, None)}
    with pytest.raises(NotFoundError):
        RemoteFarm(client, farm.settings).submissions.details("sub_none")


def test_who_finds_a_table_hears_what_its_calibration_warned_of(
    bench: Bench, farm: Farm, client: Client, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    request = bench.request(test_dataset_id=None)
    bench.submit(request)
    bench.do_all()
    with farm.database.write() as session:
        table = session.scalars(select(TableRow)).one()
        table.rule = {**table.rule, WARNINGS: [WARNING]}
    hit = bench.submit(request)
    here, remote = FarmHere(farm.settings, lambda: farm), RemoteFarm(client, farm.settings)
    assert (hit.hit, shown(farm, client, hit)["warnings"]) == (True, [WARNING])
    facts = client.submission_facts(hit.id)
    assert facts["table"]["warnings"] == [WARNING]
    assert f"          warning: {WARNING}" in list(summary.lines({**facts, "seconds": 0.1, "kept_in": "home"}))
    for one in (here, remote):
        found = one.tables.details(table.id)
        assert (found["warnings"], WARNINGS in found["rule"]) == ([WARNING], False)
        assert [entry.warnings for entry in one.tables.find({}, limit=10)] == [[WARNING]]
    monkeypatch.setattr(submissions, "open_any", lambda: nullcontext(here))
    monkeypatch.setattr(tables, "open_any", lambda: nullcontext(here))
    submissions.show(hit.id)
    tables.show(table.id)
    assert capsys.readouterr().out.splitlines().count(f"warning: {WARNING}") == 2


def test_it_is_printed(
    bench: Bench, farm: Farm, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    submission = bench.submit(bench.request(None, "sm_86", "sm_89", test_dataset_id=None))
    bench.do(bench.queued_of("calibrate"))
    bench.do(bench.queued_of("quantize"))
    bench.fail(bench.job_of(submission, "build sm_86"), ERROR)
    monkeypatch.setattr(submissions, "open_any", lambda: nullcontext(FarmHere(farm.settings, lambda: farm)))
    submissions.show(submission.id, json=True)
    details = json.loads(capsys.readouterr().out)
    submissions.show(submission.id)
    lines = capsys.readouterr().out.splitlines()
    (failed,) = [line for line in lines if line.startswith("sm_86")]
    assert failed.split("  ", 1)[0] == "sm_86 tensorrt-rtx-1.7.1.116"
    assert failed.endswith("the parser refuses node 7")
    (calibrated,) = [line for line in lines if line.startswith("calibrate")]
    assert details["steps"][0]["job"] in calibrated
    assert any(line.startswith("build sm_89 tensorrt-rtx-1.7.1.116  active") for line in lines)
