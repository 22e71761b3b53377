"""A farm that is up with its API: what is submitted over HTTP is done by its workers, and followed to its end."""

from __future__ import annotations

import json
import re
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.acceptance.cli.program import Program, Running
from tests.conftest import REPOSITORY
from trtfarm.digests import digest_of_bytes
from trtfarm_worker.toolchains.registry import ToolchainRegistry
from trtfarm_worker.toolchains.toolchain import Toolchain

DIGITS = REPOSITORY / "calib_data" / "mnist"


@pytest.fixture
def program(tmp_path: Path, migrated: Path, rtx_toolchain: Toolchain) -> Program:
    home = tmp_path / "home"
    home.mkdir()
    (home / "farm.db").write_bytes(migrated.read_bytes())
    ToolchainRegistry(home).put(replace(rtx_toolchain, environment=None))
    return Program(home=home, folder=tmp_path)


def test_a_submission_over_http_is_done_by_workers(program: Program) -> None:
    with (
        program.started("up", "--api-port", "0") as service,
        httpx2.Client(base_url=_address(service), timeout=30) as client,
    ):
        model = client.post("/v1/models", json={"name": "lenet", "blob": _upload(client, "lenet.onnx")}).json()
        digits = {"source": "digits", "inputs": {"data": _upload(client, "data.npy")}}
        asked = {
            "model": model["id"],
            "dataset": client.post("/v1/datasets", json=digits).json()["id"],
            "rule": {"calibrator": "minmax"},
            "shards": 2,
            # The worker's toolchain is chosen.
            "targets": [{"compute_capability": "sm_89"}],
        }
        submission = client.post("/v1/submissions", json=asked)
        assert submission.status_code == 201, submission.text
        last = _followed(client, submission.json()["id"])
        assert (last["state"], last["hit"]) == ("done", False)
        (engine,) = client.get("/v1/engines", params={"model": "lenet", "target": "8.9"}).json()["items"]
        assert digest_of_bytes(client.get(f"/v1/engines/{engine['id']}/plan").content) == engine["digest"]
        assert client.get(f"/v1/engines/{engine['id']}/signature").json()["statement"]
        again = client.post("/v1/submissions", json={**asked, "shards": 1}).json()
        assert (again["state"], again["hit"]) == ("done", True)
        # Who follows does not keep the server from ending.
        job = last["steps"][0]["job_id"]
        with client.stream("GET", f"/v1/jobs/{job}/events", headers={"Accept": "text/event-stream"}):
            assert service.end(signal.SIGINT).code == 0
    assert program.damaged() == []


def _address(service: Running) -> str:
    assert service.process.stderr is not None
    for line in service.process.stderr:
        if found := re.search(r"listening on (\S+)", line):
            return found[1]
    raise AssertionError("the API did not start")


def _upload(client: httpx2.Client, name: str) -> str:
    data = (DIGITS / name).read_bytes()
    digest = digest_of_bytes(data)
    upload = client.post("/v1/uploads", json={"digest": digest, "size": len(data)}).json()["id"]
    headers = {"Content-Range": f"bytes 0-{len(data) - 1}/{len(data)}"}
    assert client.patch(f"/v1/uploads/{upload}", content=data, headers=headers).status_code == 202
    assert client.post(f"/v1/uploads/{upload}/finish").status_code == 201
    return digest


def _followed(client: httpx2.Client, submission: str) -> dict[str, Any]:
    """What the last event of a submission says."""
    kind, last = "", {}
    with client.stream("GET", f"/v1/submissions/{submission}/events") as events:
        for line in events.iter_lines():
            if line.startswith("event: "):
                kind = line.removeprefix("event: ")
            elif line.startswith("data: ") and kind in {"submission", "end"}:
                last = json.loads(line.removeprefix("data: "))
    assert kind == "end"
    return last
