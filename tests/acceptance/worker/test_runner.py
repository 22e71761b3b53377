"""Jobs that run for real: LeNet through every step, and everything that can come between."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import select, update

from tests.acceptance.worker.conftest import builders, posing_as_rtx
from tests.acceptance.worker.farms import HANG, LeNetFarm, nobody, run_all
from trtfarm.blobs.garbage import find_garbage
from trtfarm.catalog.entries import WARNINGS
from trtfarm.database.clock import from_now
from trtfarm.database.schema import EngineRow, HolderRow, JobRow, TableRow, VerificationRow
from trtfarm.datasets.dataset import Array, DataSet
from trtfarm.digests import digest_of_file
from trtfarm.errors import UsageError
from trtfarm.intake import add_dataset
from trtfarm.jobs.history import events_since
from trtfarm.jobs.job import Claim, Job
from trtfarm.jobs.watching import until_ended
from trtfarm_worker.attempt import Listener
from trtfarm_worker.builder.events import LogLine, Progress
from trtfarm_worker.runner import Runner
from trtfarm_worker.toolchains.registry import ToolchainRegistry
from trtfarm_worker.toolchains.toolchain import Toolchain


def runner(lenet: LeNetFarm, *toolchains: Toolchain, listener: Listener = lambda _job, _event: None) -> Runner:
    return Runner(lenet.farm, "worker", lambda: toolchains, publish=nobody, listener=listener)


def test_lenet_goes_through_every_step(lenet: LeNetFarm, rtx_home: Path) -> None:
    submission = lenet.submit(lenet.request(max_drop=0.05))
    hands = Runner(lenet.farm, "worker", ToolchainRegistry(rtx_home).toolchains, publish=nobody)
    ran = run_all(lenet, hands.run)
    assert [(job.kind, job.state, job.attempt) for job in ran] == [
        ("calibrate", "done", 1),
        ("quantize", "done", 1),
        ("verify", "done", 1),
        ("build", "done", 1),
    ]
    assert lenet.state(submission) == "done"
    with lenet.farm.database.read() as session:
        table, engine = session.scalars(select(TableRow)).one(), session.scalars(select(EngineRow)).one()
        metrics = session.scalars(select(VerificationRow.metrics)).one()
        assert session.scalars(select(HolderRow)).all() == []
    assert table.scales["data"] == "3c010204"  # the digits' largest pixel is 1: the float32 nearest to 1 / 127
    assert lenet.farm.blobs.read(table.blob).startswith(b"TRT-8503-MinMaxCalibration\ndata: 3c010204\n")
    assert metrics["classification"]["candidate"]["top1"] > 0.9
    assert (engine.calibrator, engine.compute_capability, engine.tensorrt) == ("minmax", "sm_86", "1.7.1.116")
    assert engine.facts["int8_layers"] > 0
    assert len(lenet.farm.blobs.read(engine.blob)) == engine.size > 100_000
    assert engine.log_blob is not None
    assert b"Layers:" in lenet.farm.blobs.read(engine.log_blob)
    assert lenet.submit(lenet.request(max_drop=0.05)).hit
    assert list((rtx_home / "scratch").iterdir()) == []


def test_tensors_that_the_data_say_nothing_of_are_told(lenet: LeNetFarm, tmp_path: Path) -> None:
    black = tmp_path / "black.npy"
    np.save(black, np.zeros((50, 1, 28, 28), np.float32))
    data = Array(path=black, dtype="float32", shape=(50, 1, 28, 28), digest=digest_of_file(black))
    of_black = add_dataset(lenet.farm, DataSet(inputs={"data": data}, labels=None, preprocessing={}, source="black"))
    lenet.submit(lenet.request(dataset_id=of_black))
    heard: list[Progress | LogLine] = []
    assert runner(lenet, listener=lambda _job, event: heard.append(event)).run(lenet.only_job().id)
    (warning,) = [event.text for event in heard if isinstance(event, LogLine) and event.level == "warning"]
    nothing = "zero throughout; its largest magnitude is taken as 1"
    assert warning == f"tensors that any scale is right for: data ({nothing})"
    kept = [event.data for event in events_since(lenet.farm.database, lenet.only_job_of("calibrate").id)]
    assert {"level": "warning", "text": warning} in kept
    with lenet.farm.database.read() as session:
        assert session.scalars(select(TableRow)).one().rule[WARNINGS] == [warning]


def test_a_job_that_is_not_queued_is_left_alone(lenet: LeNetFarm) -> None:
    lenet.submit(lenet.request())
    job = lenet.only_job()
    assert lenet.farm.jobs.claim(job.id, "another") is not None
    assert not runner(lenet).run(job.id)
    assert not runner(lenet).run("job_unknown")
    assert lenet.only_job().owner == "another"


def test_a_watcher_hears_everything_that_the_builder_said(lenet: LeNetFarm, tmp_path: Path) -> None:
    lenet.submit(lenet.plain())
    said = "send(event='log', level='warning', text='mind the gap'); progress(7); sys.exit(3)"
    job, heard = lenet.only_job(), list[tuple[str, int | str | None]]()
    working = threading.Thread(target=run_all, args=(lenet, runner(lenet, posing_as_rtx(tmp_path, said)).run))
    working.start()
    ended = until_ended(
        lenet.farm.database,
        lenet.farm.jobs,
        job.id,
        lambda page: heard.extend((event.kind, event.data.get("text") or event.data.get("done")) for event in page),
    )
    working.join()
    assert ended.state == "failed"
    assert [fact for fact in heard if fact[0] != "state"] == [("log", "mind the gap"), ("progress", 7)] * 3


def test_a_claim_that_is_lost_on_the_way_discards_the_result(lenet: LeNetFarm) -> None:
    submission = lenet.submit(lenet.request())
    before, thief = lenet.blobs(), Thief(lenet)
    assert runner(lenet, listener=thief).run(lenet.only_job().id)
    job = lenet.only_job()
    assert (job.state, job.owner, job.attempt) == ("running", "thief", 2)
    assert lenet.count(TableRow) == 0
    assert set(lenet.blobs()) - set(before) <= _garbage(lenet)
    lenet.farm.jobs.release(thief.claims[0])
    assert runner(lenet).run(job.id)
    assert lenet.only_job_of("calibrate").state == "done"
    assert lenet.count(TableRow) == 1
    assert lenet.state(submission) == "active"


def test_a_builder_whose_claim_is_lost_is_ended(lenet: LeNetFarm, tmp_path: Path) -> None:
    lenet.submit(lenet.plain())
    hangs, hasty = posing_as_rtx(tmp_path, HANG), Thief(lenet)
    assert runner(_with_frequent_beats(lenet), hangs, listener=hasty).run(lenet.only_job().id)
    job = lenet.only_job()
    assert (job.state, job.owner, job.attempt, job.error) == ("running", "thief", 2, hasty.claims[0].job.error)
    assert builders(lenet.farm.settings.home) == []


def test_cancelling_reaches_the_builder(lenet: LeNetFarm, tmp_path: Path) -> None:
    submission = lenet.submit(lenet.plain())
    hangs = posing_as_rtx(tmp_path, HANG)
    hands = runner(_with_frequent_beats(lenet), hangs, listener=lambda job, _: _cancel(lenet, job))
    assert hands.run(lenet.only_job().id)
    assert (lenet.only_job().state, lenet.only_job().attempt) == ("cancelled", 1)
    assert lenet.state(submission) == "cancelled"
    assert builders(lenet.farm.settings.home) == []


def test_a_stopped_runner_gives_its_jobs_back_whole(lenet: LeNetFarm, tmp_path: Path) -> None:
    submission = lenet.submit(lenet.plain("sm_86", "sm_89"))
    one, other = lenet.queued()
    stopping = runner(lenet, posing_as_rtx(tmp_path, HANG), listener=lambda *_: stopping.stop())
    assert stopping.run(one.id)
    job = lenet.farm.jobs.get(one.id)
    assert (job.state, job.owner, job.hinted_at, job.error) == ("queued", None, None, None)
    assert job.max_attempts - job.attempt == one.max_attempts
    assert not stopping.run(other.id)
    assert lenet.farm.jobs.get(other.id).attempt == 0
    assert lenet.state(submission) == "active"


def test_a_runner_stopped_over_a_cancelled_job_moves_its_submission_on(lenet: LeNetFarm, tmp_path: Path) -> None:
    submission = lenet.submit(lenet.plain())

    def cancel_and_stop(job: Job, _event: Progress | LogLine) -> None:
        _cancel(lenet, job)
        stopping.stop()

    stopping = runner(lenet, posing_as_rtx(tmp_path, HANG), listener=cancel_and_stop)
    assert stopping.run(lenet.only_job().id)
    assert lenet.only_job().state == "cancelled"
    assert lenet.state(submission) == "cancelled"


def test_a_listener_that_fails_gives_the_job_back(lenet: LeNetFarm, tmp_path: Path) -> None:
    """A client whose terminal is gone must not fail the job for everybody else."""
    lenet.submit(lenet.plain())
    job = lenet.only_job()

    def deaf(_job: Job, _event: Progress | LogLine) -> None:
        raise BrokenPipeError

    with pytest.raises(BrokenPipeError):
        runner(lenet, posing_as_rtx(tmp_path, HANG), listener=deaf).run(job.id)
    given_back = lenet.only_job()
    assert (given_back.state, given_back.error) == ("queued", None)
    assert given_back.max_attempts - given_back.attempt == job.max_attempts


def test_a_toolchain_that_comes_later_is_found(lenet: LeNetFarm, rtx_home: Path) -> None:
    """`trtfarm toolchain install` beside a worker that runs."""
    registry = ToolchainRegistry(rtx_home)
    (toolchain,) = [found for found in registry.toolchains() if found.version == "1.7.1.116"]
    registry.remove(toolchain.name)
    hands = Runner(lenet.farm, "worker", registry.toolchains, publish=nobody)
    lenet.submit(lenet.plain())
    failed = lenet.only_job()
    assert hands.run(failed.id)
    error = lenet.only_job().error
    assert error is not None
    assert error["code"] == "no_toolchain"
    assert "trtfarm toolchain install tensorrt-rtx==1.7.1.116" in error["remedy"]
    registry.put(toolchain)
    lenet.farm.jobs.retry(failed.id)
    assert hands.run(failed.id)
    assert lenet.only_job().state == "done"


@pytest.mark.parametrize(
    ("body", "outcome"),
    [
        ("os.kill(os.getpid(), signal.SIGSEGV)", ("builder_crash", "crashed with SIGSEGV", 3)),
        ("os.kill(os.getpid(), signal.SIGKILL)", ("builder_crash", "killed by SIGKILL from outside", 3)),
        ("answer(engine='engine.plan'); os.abort()", ("builder_crash", "answered, but then crashed", 3)),
        ("x = b'x' * (200 << 20); progress(); signal.pause()", ("builder_memory", "over its limit", 3)),
        (HANG, ("builder_timeout", "no sign of life for 0.3 s", 1)),
        (
            "send(event='failure', code='bad_model', message='no', cause=None, remedy=None, trace=None); sys.exit(1)",
            ("bad_model", "no", 1),
        ),
    ],
)
def test_a_builder_that_dies_leaves_nothing_but_its_error(
    lenet: LeNetFarm, tmp_path: Path, body: str, outcome: tuple[str, str, int]
) -> None:
    code, words, attempts = outcome
    submission = lenet.submit(lenet.plain())
    # A builder that is slow to start must not be taken for a silent one where that is not what is tested.
    silent_seconds = 0.3 if code == "builder_timeout" else 600
    lenet.farm.settings = replace(lenet.farm.settings, silent_seconds=silent_seconds, memory_bytes=100 << 20)
    before = lenet.blobs()
    run_all(lenet, runner(lenet, posing_as_rtx(tmp_path, body)).run)
    job = lenet.only_job()
    assert (job.state, job.attempt) == ("failed", attempts)
    assert job.error is not None
    assert job.error["code"] == code
    assert words in job.error["message"]
    assert lenet.state(submission) == "failed"
    assert lenet.blobs() == before
    assert (lenet.count(EngineRow), lenet.count(HolderRow)) == (0, 0)
    assert list((lenet.farm.settings.home / "scratch").iterdir()) == []


def test_an_engine_of_another_tensorrt_is_refused(lenet: LeNetFarm, tmp_path: Path) -> None:
    """Somebody upgraded the interpreter in its place after it was probed."""
    lenet.submit(lenet.plain())
    body = "open('engine.plan', 'w').close(); answer(engine='engine.plan', log='engine.plan', tensorrt='1.8.0.1')"
    run_all(lenet, runner(lenet, posing_as_rtx(tmp_path, body)).run)
    job = lenet.only_job()
    assert job.error is not None
    assert (job.state, job.error["code"]) == ("failed", "no_toolchain")
    assert "1.8.0.1" in job.error["message"]
    assert lenet.count(EngineRow) == 0


def test_an_answer_that_lacks_something_fails_the_job_and_not_the_worker(lenet: LeNetFarm, tmp_path: Path) -> None:
    lenet.submit(lenet.plain())
    assert runner(lenet, posing_as_rtx(tmp_path, "answer(nothing=0)")).run(lenet.only_job().id)
    job = lenet.only_job()
    assert job.error is not None
    assert (job.state, job.error["cause"]) == ("failed", "a defect of trtfarm")
    assert "KeyError" in job.error["message"]


def test_no_build_option_names_another_file(lenet: LeNetFarm) -> None:
    with pytest.raises(UsageError, match="no builder option compute_capability, model"):
        replace(lenet.plain(), build_options={"model": "/etc/passwd", "compute_capability": "sm_75"})


class Thief:
    """A listener in whose job's first event the lease runs out, and another owner takes the job."""

    def __init__(self, lenet: LeNetFarm) -> None:
        self._farm = lenet.farm
        self.claims: list[Claim] = []

    def __call__(self, job: Job, _event: Progress | LogLine) -> None:
        if self.claims:
            return
        with self._farm.database.write() as session:
            session.execute(update(JobRow).where(JobRow.id == job.id).values(lease_until=from_now(-1)))
        self._farm.jobs.expire()
        claim = self._farm.jobs.claim(job.id, "thief")
        assert claim is not None
        self.claims.append(claim)


def _with_frequent_beats(lenet: LeNetFarm) -> LeNetFarm:
    lenet.farm.settings = replace(lenet.farm.settings, lease_seconds=1)
    return lenet


def _cancel(lenet: LeNetFarm, job: Job) -> None:
    lenet.farm.cancel(job.id)


def _garbage(lenet: LeNetFarm) -> set[str]:
    found = find_garbage(lenet.farm.database, lenet.farm.blobs, grace_seconds=0.0)
    return {stored.blob.digest for stored in found}
