"""A client in a process of its own: hands in its share of the orders, and notes those that were accepted.

`python -m tests.chaos.client HISTORY SEED JOBS SHARE SHARES SECONDS URL`. It speaks to the API at the URL, or to the
database where that is empty. Every order has an idempotency key, so that it may be sent again when nobody knows what
became of it.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol, TypeVar

import numpy as np

from tests.chaos.history import History
from tests.chaos.orders import Order, orders
from tests.conftest import REPOSITORY
from trtfarm.calibrators import CalibrationRule
from trtfarm.datasets.dataset import Array, DataSet
from trtfarm.digests import digest_of_file
from trtfarm.errors import TrtfarmError
from trtfarm.farm import Farm
from trtfarm.intake import add_dataset, add_model
from trtfarm.models.model import Model
from trtfarm.planning import SubmissionRequest
from trtfarm.settings import Settings
from trtfarm.submissions.submission import Sender
from trtfarm.targets import BuildTarget
from trtfarm_client import Client
from trtfarm_client.ask import Ask
from trtfarm_client.link import Link
from trtfarm_worker.inline import announce

MNIST = REPOSITORY / "calib_data" / "mnist"
TENSORRT = "1.7.1.116"
#: Nothing that happens to a farm here takes so long.
_PATIENCE_SECONDS = 240.0
_AGAIN_SECONDS = 0.5

Result = TypeVar("Result")


class Door(Protocol):
    """How a client reaches the farm."""

    def submit(self, order: Order, folder: Path, key: str) -> str:
        """The submission's id."""


class DirectDoor:
    """The database and the files themselves, as the program uses them on the farm's own host."""

    def __init__(self, settings: Settings) -> None:
        self._farm = patiently(lambda: Farm.open(settings))

    def submit(self, order: Order, folder: Path, key: str) -> str:
        model = patiently(lambda: add_model(self._farm, Model.read(MNIST / "lenet.onnx")))
        data, test = map(self._add, prepared(order, folder))
        request = request_of(order, model, data, test)
        submission, queued = patiently(
            lambda: self._farm.submit(request, sender=Sender(idempotency_key=key, asked=key))
        )
        announce(self._farm, queued, wanted=True)
        return submission

    def _add(self, data: DataSet | None) -> str | None:
        return patiently(lambda: add_dataset(self._farm, data)) if data else None


class HttpDoor:
    """The API."""

    def __init__(self, url: str) -> None:
        self._client = Client(Link(url=url, patience=_PATIENCE_SECONDS))

    def submit(self, order: Order, folder: Path, key: str) -> str:
        client = self._client
        file = MNIST / "lenet.onnx"
        model = patiently(lambda: client.add_model("lenet.onnx", client.upload([file])[file])).id
        data, test = map(self._add, prepared(order, folder))
        ask = Ask.of_request(request_of(order, model, data, test))
        return patiently(lambda: client.submit(ask, idempotency_key=key)).id

    def _add(self, data: DataSet | None) -> str | None:
        if data is None:
            return None
        client, path = self._client, data.inputs["data"].path
        return patiently(lambda: client.add_dataset(data.source, {"data": client.upload([path])[path]})).id


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


def prepared(order: Order, folder: Path) -> tuple[DataSet | None, DataSet | None]:
    """Calibration data that no other order has, and what is verified with."""
    if order.calibrator is None:
        return None, None
    digits, chance = np.load(MNIST / "data.npy"), np.random.default_rng(order.data)
    chosen = digits[chance.choice(len(digits), order.samples, replace=False)]
    noisy = chosen + chance.normal(0, 0.01, chosen.shape).astype(np.float32)
    test = _data_set(folder, "test", np.load(MNIST / "test" / "data.npy")[:32]) if order.verified else None
    return _data_set(folder, f"digits-{order.data}", noisy), test


def _data_set(folder: Path, name: str, values: np.ndarray) -> DataSet:
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


def main() -> None:
    history, url, seconds = History(Path(sys.argv[1])), sys.argv[7], float(sys.argv[6])
    seed, jobs, share, shares = map(int, sys.argv[2:6])
    mine = orders(seed, jobs)[share::shares]
    settings = Settings.from_environment()
    door: Door = HttpDoor(url) if url else DirectDoor(settings)
    folder = settings.home / f"client-{share}"
    folder.mkdir(parents=True, exist_ok=True)
    begun, pace = time.monotonic(), seconds / max(len(mine), 1)
    for place, order in enumerate(mine):
        time.sleep(max(0.0, begun + place * pace - time.monotonic()))  # spread over the time of trouble
        history.note("accepted", order=order.number, submission=door.submit(order, folder, f"order-{order.number}"))


if __name__ == "__main__":
    main()
