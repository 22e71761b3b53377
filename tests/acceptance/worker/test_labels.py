"""Two real workers of different labels: who gets which job, and which is told of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from tests.acceptance.worker.conftest import posing_as_rtx
from tests.acceptance.worker.farms import ENGINE, LeNetFarm
from tests.acceptance.worker.programs import program
from trtfarm.jobs.watching import until_ended
from trtfarm.waiting import why_waits
from trtfarm.workers import list_workers
from trtfarm_worker.inline import announce
from trtfarm_worker.toolchains.registry import ToolchainRegistry

WORKER = ["-m", "trtfarm_cli", "worker"]
#: Target -> what its submission requires.
REQUIRED = {"sm_80": ("rack=a1",), "sm_86": ("rack=b1",), "sm_89": ("rack=b1", "zone=x"), "sm_75": ("rack=c1",)}


def test_jobs_run_where_their_labels_are(lenet: LeNetFarm, home: Path, tmp_path: Path) -> None:
    ToolchainRegistry(home).put(posing_as_rtx(tmp_path, ENGINE))
    database, manager = lenet.farm.database, lenet.farm.jobs
    jobs = {}
    for target, labels in REQUIRED.items():
        _, [jobs[target]] = lenet.farm.submit(replace(lenet.plain(target), require_labels=labels))
    announce(lenet.farm, [job for target, job in jobs.items() if target != "sm_75"], wanted=True)
    told = sorted(message.name.split(".trtfarm.")[1] for message in (home / "broker" / "messages").iterdir())
    assert told == [f"tensorrt-rtx-1.7.1.116.rack_{rack}.msg" for rack in ("a1", "b1", "b1")]
    with (
        program([*WORKER, "--label", "rack=a1"], home) as one,
        program(WORKER, home, TRTFARM_WORKER_LABELS="zone=x,rack=b1") as other,
    ):
        for worker in (one, other):
            worker.line(lambda line: "worker is up" in line)
        first, second = sorted(list_workers(database), key=lambda worker: worker.labels)
        done = {target: until_ended(database, manager, job, lambda _: None) for target, job in list(jobs.items())[:3]}
        left = manager.get(jobs["sm_75"])
        why = str(why_waits(database, left.need))
    assert (first.labels, second.labels) == (("rack=a1",), ("rack=b1", "zone=x"))
    assert first.memory_bytes
    owners = {target: (job.state, job.owner) for target, job in done.items()}
    assert owners == {"sm_80": ("done", first.id), "sm_86": ("done", second.id), "sm_89": ("done", second.id)}
    assert left.attempt == 0
    assert why.startswith("needs tensorrt-rtx-1.7.1.116 with rack=c1; no worker offers it; ")
    assert f"{first.id} has no rack=c1 (its labels: rack=a1)" in why
