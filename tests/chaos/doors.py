"""The ways into the farm that a campaign's clients take: its own host's, both kinds of the SDK, and the program."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Protocol, TypeVar

import numpy as np

from tests.chaos.orders import Order
from tests.conftest import REPOSITORY
from trtfarm.calibrators import CalibrationRule
from trtfarm.datasets.dataset import Array, DataSet
from trtfarm.digests import digest_of_file
from trtfarm.errors import TrtfarmError, error_from_dict
from trtfarm.farm import Farm
from trtfarm.intake import add_dataset, add_model
from trtfarm.models.model import Model
from trtfarm.planning import SubmissionRequest
from trtfarm.settings import Settings
from trtfarm.submissions.submission import Sender
from trtfarm.targets import BuildTarget
from trtfarm_client import AsyncClient, Client
from trtfarm_client.ask import Ask
from trtfarm_client.link import Link
from trtfarm_worker.inline import announce

TENSORRT = "1.7.1.116"
_MNIST = REPOSITORY / "calib_data" / "mnist"
_MODEL = _MNIST / "lenet.onnx"
#: Nothing that happens to a farm here takes so long.
_PATIENCE_SECONDS = 240.0
_AGAIN_SECONDS = 0.5

Result = TypeVar("Result")


class Door(Protocol):
    """How a client reaches the farm."""

    def submit(self, order: Order, folder: Path, key: str) -> str:
        """The submission's id. Sent again under the same key, it is the same one, where the way in knows keys."""


class DirectDoor:
    """The database and the files themselves, as the program uses them on the farm's own host."""

    def __init__(self, _url: str) -> None:
        self._farm = patiently(lambda: Farm.open(Settings.from_environment()))

    def submit(self, order: Order, folder: Path, key: str) -> str:
        model = patiently(lambda: add_model(self._farm, Model.read(_MODEL)))
        data, test = map(self._add, prepared(order, folder))
        request = request_of(order, model, data, test)
        submission, queued = patiently(
            lambda: self._farm.submit(request, sender=Sender(idempotency_key=key, asked=key))
        )
        announce(self._farm, queued, wanted=True)
        return submission

    def _add(self, data: DataSet | None) -> str | None:
        return patiently(lambda: add_dataset(self._farm, data)) if data else None


class SyncDoor:
    """The API, by the client that waits."""

    def __init__(self, url: str) -> None:
        self._client = Client(Link(url=url, patience=_PATIENCE_SECONDS))

    def submit(self, order: Order, folder: Path, key: str) -> str:
        client = self._client
        model = patiently(lambda: client.add_model(_MODEL.name, client.upload([_MODEL])[_MODEL])).id
        data, test = map(self._add, prepared(order, folder))
        ask = Ask.of_request(request_of(order, model, data, test))
        return patiently(lambda: client.submit(ask, idempotency_key=key)).id

    def _add(self, data: DataSet | None) -> str | None:
        if data is None:
            return None
        client, path = self._client, data.inputs["data"].path
        return patiently(lambda: client.add_dataset(data.source, {"data": client.upload([path])[path]})).id


class AsyncDoor:
    """The API, by the client that is awaited; model and data are handed in at the same time."""

    def __init__(self, url: str) -> None:
        self._link = Link(url=url, patience=_PATIENCE_SECONDS)

    def submit(self, order: Order, folder: Path, key: str) -> str:
        return asyncio.run(self._submit(order, folder, key))

    async def _submit(self, order: Order, folder: Path, key: str) -> str:
        async with AsyncClient(self._link) as client:
            data, test = prepared(order, folder)
            model_id, data_id, test_id = await asyncio.gather(
                _awaited(lambda: self._model(client)),
                _awaited(lambda: self._data(client, data)),
                _awaited(lambda: self._data(client, test)),
            )
            ask = Ask.of_request(request_of(order, model_id, data_id, test_id))
            return (await _awaited(lambda: client.submit(ask, idempotency_key=key))).id

    async def _model(self, client: AsyncClient) -> str:
        return (await client.add_model(_MODEL.name, (await client.upload([_MODEL]))[_MODEL])).id

    async def _data(self, client: AsyncClient, data: DataSet | None) -> str | None:
        if data is None:
            return None
        path = data.inputs["data"].path
        return (await client.add_dataset(data.source, {"data": (await client.upload([path]))[path]})).id


class ProgramDoor:
    """The program `trtfarm` with nothing but the address of the API, in a process of its own for each submission.

    It takes no key: after a death nobody knows whether it handed in, so the farm may have been asked twice.
    """

    def __init__(self, url: str) -> None:
        self._environment = {name: os.environ[name] for name in ("PATH", "HOME", "PYTHONPATH") if name in os.environ}
        self._environment["TRTFARM_URL"] = url

    def submit(self, order: Order, folder: Path, key: str) -> str:
        data, test = prepared(order, folder)
        request = request_of(order, "the model", "the data" if data else None, None)
        words = ["--precision", request.precision, "--tensorrt", TENSORRT, "--detach", "--json"]
        words += [word for target in request.targets for word in ("--target", target.compute_capability)]
        words += [word for shape in Ask.of_request(request).shapes for word in ("--shape", shape)]
        if request.rule:
            words += ["--calibrator", request.rule.calibrator.value, "--batch-size", str(request.rule.batch_size)]
        for option, found in (("--data", data), ("--test-data", test)):
            words += [option, str(found.inputs["data"].path)] if found else []
        return patiently(lambda: self._told(words, folder))

    def _told(self, words: list[str], folder: Path) -> str:
        command = [sys.executable, "-m", "trtfarm_cli", "submit", str(_MODEL), *words]
        environment = {**self._environment, "TRTFARM_HOME": str(folder)}
        ended = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        if ended.returncode == 0:
            return str(json.loads(ended.stdout)["submission"])
        print(ended.stderr, flush=True)  # noqa: T201 - a log
        raise error_from_dict(json.loads(ended.stderr.splitlines()[-1]))


#: In the order in which clients take them.
DOORS: tuple[Callable[[str], Door], ...] = (DirectDoor, SyncDoor, AsyncDoor, ProgramDoor)


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


def prepared(order: Order, folder: Path) -> tuple[DataSet | None, DataSet | None]:
    """Calibration data that no other order has, and what is verified with."""
    if order.calibrator is None:
        return None, None
    digits, chance = np.load(_MNIST / "data.npy"), np.random.default_rng(order.data)
    chosen = digits[chance.choice(len(digits), order.samples, replace=False)]
    noisy = chosen + chance.normal(0, 0.01, chosen.shape).astype(np.float32)
    test = _data_set(folder, "held-out", np.load(_MNIST / "test" / "data.npy")[:32]) if order.verified else None
    return _data_set(folder, f"digits-{order.data}", noisy), test


def _data_set(folder: Path, name: str, values: np.ndarray[Any, Any]) -> DataSet:
    path = folder / f"{name}.npy"
    np.save(path, values)
    array = Array(path=path, dtype=str(values.dtype), shape=values.shape, digest=digest_of_file(path))
    return DataSet(inputs={"data": array}, labels=None, preprocessing={}, source=name)


def request_of(order: Order, model: str, data: str | None, test: str | None) -> SubmissionRequest:
    """What an order asks for, by the ids of what it names."""
    calibrator = order.calibrator
    sample = [1, 28, 28]
    return SubmissionRequest(
        model_id=model,
        precision="int8" if calibrator else "fp32",
        targets=tuple(
            BuildTarget(compute_capability=capability, toolchain="tensorrt-rtx", tensorrt=TENSORRT)
            for capability in order.capabilities
        ),
        rule=CalibrationRule.of(calibrator, batch_size=4) if calibrator else None,
        dataset_id=data,
        test_dataset_id=test,
        profiles={"data": {"min": [1, *sample], "opt": [1, *sample], "max": [order.batch, *sample]}},
    )
