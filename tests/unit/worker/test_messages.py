"""What goes through a broker: hints that carry a job's id, which anybody may read, drop, repeat or make up."""

from __future__ import annotations

import json
import socket
import time
from base64 import b64decode
from pathlib import Path
from typing import Any

import pytest
from kombu.exceptions import ContentDisallowed

from tests.contracts.rows import job_row
from trtfarm import routing
from trtfarm.database.session import Database
from trtfarm.errors import UnreachableError
from trtfarm.jobs.manager import JobManager
from trtfarm.settings import Settings
from trtfarm_worker.app import CeleryPublisher, broker_of, make_app


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings.from_environment({"TRTFARM_HOME": str(tmp_path / "home")})


def test_a_message_carries_a_jobs_id_and_nothing_else_of_it(settings: Settings, database: Database) -> None:
    with database.write() as session:
        session.add(job_row(request={"model_id": "mod_of_ann"}, project="secret plans"))
    assert all(map(CeleryPublisher(settings), JobManager(database).hints.queued(["job_1"])))
    (file,) = (settings.home / "broker" / "messages").iterdir()
    message = json.loads(file.read_bytes())
    assert message["content-type"] == "application/json"
    arguments, named, _ = json.loads(b64decode(message["body"]))
    assert (arguments, named) == (["job_1"], {})
    told = file.read_text() + b64decode(message["body"]).decode()
    assert "mod_of_ann" not in told
    assert "secret plans" not in told


@pytest.mark.parametrize("scheme", ["redis", "amqp"])
def test_a_broker_that_says_nothing_takes_no_message_and_little_time(
    scheme: str, tmp_path: Path, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trtfarm_worker.app._ANSWER_SECONDS", 0.2)
    with database.write() as session:
        session.add(job_row())
    (job,) = JobManager(database).hints.queued(["job_1"])
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"{scheme}://:secret@127.0.0.1:{silent.getsockname()[1]}"
        settings = Settings.from_environment({"TRTFARM_HOME": str(tmp_path), "TRTFARM_BROKER_URL": url})
        begun = time.monotonic()
        assert not CeleryPublisher(settings)(job)
        with pytest.raises(UnreachableError, match="does not answer"):
            broker_of(settings)
    assert time.monotonic() - begun < 3


@pytest.mark.parametrize("serializer", ["pickle", "yaml"])
def test_a_message_that_could_run_code_is_not_even_read(settings: Settings, serializer: str) -> None:
    app: Any = make_app(settings)
    queue, refused = app.amqp.queues[routing.queue_of(routing.Need(routing.CPU))], list[Any]()

    def decode(message: Any) -> None:
        with pytest.raises(ContentDisallowed):
            message.decode()
        refused.append(message)
        message.ack()

    with app.connection_for_read() as connection:
        connection.Producer(routing_key=queue.name).publish({"id": "job_1"}, serializer=serializer, declare=[queue])
        with connection.Consumer([queue], accept=app.conf.accept_content, on_message=decode):
            connection.drain_events(timeout=5)
    assert len(refused) == 1
    assert app.conf.worker_enable_remote_control is False
