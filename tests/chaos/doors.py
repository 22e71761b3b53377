"""The ways into the farm that a campaign's clients take: its own host's, both kinds of the SDK, and the program."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol, TypeVar

from tests.chaos.material import MODEL, prepared, request_of
from tests.chaos.orders import Order
from trtfarm.datasets.dataset import DataSet
from trtfarm.errors import ConflictError, TrtfarmError, error_from_dict
from trtfarm.farm import Farm
from trtfarm.intake import add_dataset, add_model
from trtfarm.models.model import Model
from trtfarm.settings import Settings
from trtfarm.submissions.submission import Sender
from trtfarm_client import AsyncClient, Client
from trtfarm_client.ask import Ask
from trtfarm_client.link import Link
from trtfarm_worker.inline import announce

#: Nothing that happens to a farm here takes so long.
_PATIENCE_SECONDS = 240.0
_AGAIN_SECONDS = 0.5

Result = TypeVar("Result")


@dataclass(frozen=True, kw_only=True)
class Way:
    """Where the farm is, and as which project it is asked; the token is that project's."""

    url: str
    token: str
    project: str

    @property
    def link(self) -> Link:
        return Link(url=self.url, token=self.token, patience=_PATIENCE_SECONDS)


class Door(Protocol):
    """How a client reaches the farm."""

    def submit(self, order: Order, folder: Path, key: str) -> Sequence[str]:
        """The id of the submission each time that the order was sent under the key: always the same one."""

    def cancel(self, submission: str) -> object:
        """Takes it back, if it has not ended."""


class DirectDoor:
    """The database and the files themselves, as the program uses them on the farm's own host."""

    def __init__(self, way: Way) -> None:
        self._project = way.project
        self._farm = patiently(lambda: Farm.open(Settings.from_environment()))

    def submit(self, order: Order, folder: Path, key: str) -> Sequence[str]:
        model = patiently(lambda: add_model(self._farm, Model.read(MODEL), project=self._project))
        data, test = map(self._add, prepared(order, folder))
        request = request_of(order, model, data, test)
        sender = Sender(project=self._project, idempotency_key=key, asked=key)
        submission, queued = patiently(lambda: self._farm.submit(request, sender=sender))
        announce(self._farm, queued, wanted=True)
        return submission, patiently(lambda: self._farm.submit(request, sender=sender))[0]

    def cancel(self, submission: str) -> object:
        return patiently(lambda: self._farm.cancel_submission(submission))

    def _add(self, data: DataSet | None) -> str | None:
        return patiently(lambda: add_dataset(self._farm, data, project=self._project)) if data else None


class SyncDoor:
    """The API, by the client that waits. The key is then tried with something else, which has to be refused."""

    def __init__(self, way: Way) -> None:
        self._client = Client(way.link)

    def submit(self, order: Order, folder: Path, key: str) -> Sequence[str]:
        client = self._client
        model = patiently(lambda: client.add_model(MODEL.name, client.upload([MODEL])[MODEL])).id
        data, test = map(self._add, prepared(order, folder))
        ask = Ask.of_request(request_of(order, model, data, test))
        ids = [patiently(lambda: client.submit(ask, idempotency_key=key)).id for _ in range(2)]
        try:
            ids.append(patiently(lambda: client.submit(replace(ask, priority=1), idempotency_key=key)).id)
        except ConflictError:
            return ids
        return [*ids, f"something else than {ids[0]}, taken under its key"]

    def cancel(self, submission: str) -> object:
        return patiently(lambda: self._client.cancel_submission(submission))

    def _add(self, data: DataSet | None) -> str | None:
        if data is None:
            return None
        client, path = self._client, data.inputs["data"].path
        return patiently(lambda: client.add_dataset(data.source, {"data": client.upload([path])[path]})).id


class AsyncDoor:
    """The API, by the client that is awaited; model and data are handed in at the same time, and the order twice."""

    def __init__(self, way: Way) -> None:
        self._link = way.link

    def submit(self, order: Order, folder: Path, key: str) -> Sequence[str]:
        return asyncio.run(self._submit(order, folder, key))

    async def _submit(self, order: Order, folder: Path, key: str) -> Sequence[str]:
        async with AsyncClient(self._link) as client:
            data, test = prepared(order, folder)
            model_id, data_id, test_id = await asyncio.gather(
                _awaited(lambda: self._model(client)),
                _awaited(lambda: self._data(client, data)),
                _awaited(lambda: self._data(client, test)),
            )
            ask = Ask.of_request(request_of(order, model_id, data_id, test_id))
            sent = [_awaited(lambda: client.submit(ask, idempotency_key=key)) for _ in range(2)]
            return [submission.id for submission in await asyncio.gather(*sent)]

    def cancel(self, submission: str) -> object:
        return asyncio.run(self._cancel(submission))

    async def _cancel(self, submission: str) -> object:
        async with AsyncClient(self._link) as client:
            return await _awaited(lambda: client.cancel_submission(submission))

    async def _model(self, client: AsyncClient) -> str:
        return (await client.add_model(MODEL.name, (await client.upload([MODEL]))[MODEL])).id

    async def _data(self, client: AsyncClient, data: DataSet | None) -> str | None:
        if data is None:
            return None
        path = data.inputs["data"].path
        return (await client.add_dataset(data.source, {"data": (await client.upload([path]))[path]})).id


class ProgramDoor:
    """The program `trtfarm` with nothing but address and token of the API, in a process of its own for each call."""

    def __init__(self, way: Way) -> None:
        self._environment = {name: os.environ[name] for name in ("PATH", "HOME", "PYTHONPATH") if name in os.environ}
        self._environment |= {"TRTFARM_URL": way.url, "TRTFARM_TOKEN": way.token}
        self._folder = Path.cwd()

    def submit(self, order: Order, folder: Path, key: str) -> Sequence[str]:
        self._folder = folder
        data, test = prepared(order, folder)
        request = request_of(order, "the model", "the data" if data else None, None)
        words = [
            "--precision",
            request.precision,
            "--tensorrt",
            str(request.targets[0].tensorrt),
            "--shards",
            str(request.shards),
        ]
        words += [word for target in request.targets for word in ("--target", target.compute_capability)]
        words += [word for shape in Ask.of_request(request).shapes for word in ("--shape", shape)]
        words += [word for label in request.require_labels for word in ("--require-label", label)]
        if request.rule:
            words += ["--calibrator", request.rule.calibrator.value, "--batch-size", str(request.rule.batch_size)]
        for option, found in (("--data", data), ("--test-data", test)):
            words += [option, str(found.inputs["data"].path)] if found else []
        asked = ["submit", str(MODEL), *words, "--detach", "--json", "--idempotency-key", key]
        return (str(patiently(lambda: self._told(asked))["submission"]),)

    def cancel(self, submission: str) -> object:
        return patiently(lambda: self._told(["submissions", "cancel", submission, "--json"]))

    def _told(self, words: list[str]) -> dict[str, Any]:
        command = [sys.executable, "-m", "trtfarm_cli", *words]
        environment = {**self._environment, "TRTFARM_HOME": str(self._folder)}
        ended = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        if ended.returncode == 0:
            told: dict[str, Any] = json.loads(ended.stdout)
            return told
        print(ended.stderr, flush=True)  # noqa: T201 - a log
        raise error_from_dict(json.loads(ended.stderr.splitlines()[-1]))


#: In the order in which clients take them.
DOORS: tuple[Callable[[Way], Door], ...] = (DirectDoor, SyncDoor, AsyncDoor, ProgramDoor)


def patiently(do: Callable[[], Result]) -> Result:
    """Tries again what the farm's trouble has prevented."""
    until = time.monotonic() + _PATIENCE_SECONDS
    while True:
        try:
            return do()
        except TrtfarmError as error:
            if not error.retryable or time.monotonic() > until:
                raise
            time.sleep(_AGAIN_SECONDS)


async def _awaited(do: Callable[[], Awaitable[Result]]) -> Result:
    """`patiently` for what is awaited."""
    until = time.monotonic() + _PATIENCE_SECONDS
    while True:
        try:
            return await do()
        except TrtfarmError as error:
            if not error.retryable or time.monotonic() > until:
                raise
            await asyncio.sleep(_AGAIN_SECONDS)
