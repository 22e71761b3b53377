"""What the farm promises on a broker of a team: a message is only a hint, and nothing is lost with it or with a worker.

Around the broker stand PostgreSQL and S3, and each worker has a home of its own, as on hosts of their own: nothing but
these servers is shared.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Protocol

import pytest

from tests.acceptance.worker.conftest import builders, posing_as_rtx
from tests.acceptance.worker.farms import ENGINE, HANG, LeNetFarm, stocked
from tests.acceptance.worker.programs import PATIENCE, program
from trtfarm import routing
from trtfarm.database.schema import BlobRow, EngineRow
from trtfarm.farm import Farm
from trtfarm.jobs.job import Event
from trtfarm.jobs.queries import list_jobs
from trtfarm.jobs.reconcile import publish, reconcile
from trtfarm.jobs.watching import until_ended
from trtfarm.settings import Settings
from trtfarm.submissions.submission import Submission
from trtfarm.workers import WorkerState, list_workers, set_state
from trtfarm_worker.app import CeleryPublisher, make_app
from trtfarm_worker.inline import see_through
from trtfarm_worker.toolchains.registry import ToolchainRegistry

RTX = "tensorrt-rtx-1.7.1.116"
QUEUES = tuple(routing.queues_of((routing.CPU, RTX), ()))
#: A worker looks for jobs by itself every 5 s: what it begins sooner than this, a message has told it of.
_HINTED_WITHIN = 4.0
_CLI = ["-m", "trtfarm_cli"]


class Broker(Protocol):
    url: str

    def start(self) -> None: ...
    def stop(self) -> None: ...
    def empty(self) -> None:
        """Loses every message."""


class BrokerContract:
    """Run with fixtures `broker`, `database_url` and `bucket` (an S3 URL that the environment has the keys for)."""

    @pytest.fixture
    def lenet(
        self, broker: Broker, database_url: str, bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> Iterator[LeNetFarm]:
        """The farm as a client sees it that runs no job; its environment is that of the workers, too."""
        monkeypatch.setenv("TRTFARM_DATABASE_URL", database_url)
        monkeypatch.setenv("TRTFARM_BROKER_URL", broker.url)
        monkeypatch.setenv("TRTFARM_BLOB_URL", bucket)
        settings = Settings.from_environment({**os.environ, "TRTFARM_HOME": str(tmp_path / "client")})
        with Farm.open(settings) as farm:
            yield stocked(farm)

    def test_a_hint_brings_a_worker_and_what_was_done_is_found_again(self, lenet: LeNetFarm, tmp_path: Path) -> None:
        with program([*_CLI, "worker"], host(tmp_path, ENGINE)) as worker:
            worker.line(lambda line: "worker is up" in line)
            submission_id, queued = lenet.farm.submit(lenet.request())
            # None are told of where the worker has just looked for itself and was faster.
            assert set(told(lenet, CeleryPublisher(lenet.farm.settings))) <= set(queued)
            assert ended(lenet, submission_id).state == "done"
        jobs = list_jobs(lenet.farm.database)
        assert {job.kind: job.attempt for job in jobs} == {"calibrate": 1, "quantize": 1, "verify": 1, "build": 1}
        first = lenet.only_job_of("calibrate")
        assert first.started is not None
        assert (first.started - first.created).total_seconds() < _HINTED_WITHIN
        assert lenet.count(BlobRow) == len(lenet.blobs()) > 0
        assert lenet.submit(lenet.request()).hit

    def test_the_job_of_a_killed_worker_is_done_by_another_within_seconds(
        self, lenet: LeNetFarm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("TRTFARM_LEASE_SECONDS", "3")
        submission_id, (job_id,) = lenet.farm.submit(lenet.plain())
        hangs = host(tmp_path / "one", HANG)
        with (
            program([*_CLI, "reconciler"], tmp_path / "reconciler"),
            program([*_CLI, "worker"], hangs) as first,
        ):
            until_begun(lenet, job_id)
            with program([*_CLI, "worker"], host(tmp_path / "other", ENGINE)) as other:
                other.line(lambda line: "worker is up" in line)
                first.process.kill()
                killed = time.monotonic()
                assert ended(lenet, submission_id).state == "done"
                assert time.monotonic() - killed < 25  # a lease is 30 s unless it is set
        job = lenet.only_job()
        assert (job.attempt, job.state) == (2, "done")
        assert lenet.count(EngineRow) == 1
        assert builders(hangs) == []

    def test_jobs_whose_messages_were_lost_are_done(self, lenet: LeNetFarm, broker: Broker, tmp_path: Path) -> None:
        submission_id, queued = lenet.farm.submit(lenet.plain("sm_80", "sm_86", "sm_89"))
        publisher = CeleryPublisher(lenet.farm.settings)
        assert set(told(lenet, publisher)) == set(queued)
        assert messages(lenet.farm) == 3
        broker.empty()
        assert messages(lenet.farm) == 0
        repairs = reconcile(
            lenet.farm.jobs,
            publisher,
            slots=lambda need: 3 * (need.capability == RTX),
            advance=lenet.farm.advance,
            hint_after_seconds=0,
        )
        assert (set(repairs.hinted), messages(lenet.farm)) == (set(queued), 3)
        broker.empty()
        with program([*_CLI, "worker"], host(tmp_path, ENGINE)):
            assert ended(lenet, submission_id).state == "done"
        assert {(job.state, job.attempt) for job in list_jobs(lenet.farm.database)} == {("done", 1)}

    def test_a_submission_is_taken_while_the_broker_is_down(
        self, lenet: LeNetFarm, broker: Broker, tmp_path: Path, capfd: pytest.CaptureFixture[str]
    ) -> None:
        publisher = CeleryPublisher(lenet.farm.settings)
        with program([*_CLI, "worker"], host(tmp_path, ENGINE)) as worker:
            worker.line(lambda line: "worker is up" in line)
            (known,) = list_workers(lenet.farm.database)
            set_state(lenet.farm.database, known.id, WorkerState.PAUSED)
            broker.stop()
            began = time.monotonic()
            submission_id, (job_id,) = lenet.farm.submit(lenet.plain())
            assert told(lenet, publisher) == ()
            assert time.monotonic() - began < 10
            assert "the broker took no message" in capfd.readouterr().err
            assert lenet.farm.jobs.get(job_id).state == "queued"
            broker.start()
            # The same publisher and the same worker as before.
            assert told(lenet, publisher) == (job_id,)
            set_state(lenet.farm.database, known.id, WorkerState.READY)
            assert ended(lenet, submission_id).state == "done"
            until_heard(lenet.farm)
        assert lenet.only_job().attempt == 1


class _BegunError(Exception):
    """Enough was seen."""


def host(folder: Path, builder: str) -> Path:
    """A home whose TensorRT-RTX is the program `builder`."""
    folder.mkdir(exist_ok=True)
    home = folder / "home"
    ToolchainRegistry(home).put(posing_as_rtx(folder, builder))
    return home


def told(lenet: LeNetFarm, publisher: CeleryPublisher) -> tuple[str, ...]:
    """The queued jobs that the broker took a message of."""
    return publish(lenet.farm.jobs, publisher, lenet.farm.jobs.hints.queued([job.id for job in lenet.queued()]))


def ended(lenet: LeNetFarm, submission_id: str) -> Submission:
    """The submission at its end; nothing of it runs in this process, which offers no toolchain."""
    return see_through(lenet.farm, submission_id, [], watcher=lambda _: None, listener=lambda _job, _event: None)


def until_begun(lenet: LeNetFarm, job_id: str) -> None:
    """Returns when a builder has told of its progress."""

    def look(events: list[Event]) -> None:
        if any(event.kind == "progress" for event in events):
            raise _BegunError

    with suppress(_BegunError):
        until_ended(lenet.farm.database, lenet.farm.jobs, job_id, look)


def messages(farm: Farm) -> int:
    """How many the broker has that no worker took yet."""
    app = make_app(farm.settings)
    with app.connection_for_read() as connection:
        return sum(app.amqp.queues[name](connection.default_channel).queue_declare().message_count for name in QUEUES)


def until_heard(farm: Farm) -> None:
    """Returns when workers have taken every message."""
    pause, deadline = threading.Event(), time.monotonic() + PATIENCE
    while messages(farm):
        assert time.monotonic() < deadline
        pause.wait(0.2)
