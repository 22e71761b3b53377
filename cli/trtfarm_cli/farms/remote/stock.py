"""What taking an order asks of a farm, asked over HTTP: only what the farm lacks is uploaded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trtfarm.database.schema import TableRow
from trtfarm.datasets.dataset import DataSet
from trtfarm.datasets.sources import Source
from trtfarm.errors import NotFoundError
from trtfarm.models.model import Model
from trtfarm.models.summary import TensorType
from trtfarm.origins import TableOrigin
from trtfarm.recognition import PlainFiles, StoredData, recognised_by
from trtfarm.scratch import temporary_folder
from trtfarm.settings import Settings
from trtfarm.stored_names import as_stored, plain
from trtfarm.workers import Worker, WorkerState
from trtfarm_cli.progress import View
from trtfarm_client import Client, Transferred
from trtfarm_worker.elsewhere import toolchains_of
from trtfarm_worker.toolchains.toolchain import Toolchain

if TYPE_CHECKING:
    from trtfarm.tables.table import CalibrationTable
    from trtfarm_client.records import DataSetRecord, ModelRecord

_WEIGHTS = "model.weights"
#: What a server says nothing of, because it is of use only on the worker's host.
_OF_THE_HOST: Mapping[str, Any] = {"python": "", "library_path": [], "python_path": [], "environment": None}


class RemoteStock:
    """Fulfils `Stock`. Answers about what is there hold for as long as one order takes."""

    def __init__(self, client: Client, settings: Settings, shown: View) -> None:
        self.settings = settings
        self._client = client
        self._shown = shown
        self._models: dict[str, ModelRecord | None] = {}
        self._datasets: dict[str, DataSetRecord | None] = {}

    def scratch(self, prefix: str) -> AbstractContextManager[Path]:  # noqa: ARG002 - no home has to be swept of it
        return temporary_folder()

    def toolchains(self) -> Sequence[Toolchain]:
        return toolchains_of(filter(lambda worker: worker.ready, map(worker_of, self._client.workers())))

    def toolchains_lately(self) -> Sequence[Toolchain]:
        away = (worker for worker in map(worker_of, self._client.workers(left=True)) if not worker.ready)
        return toolchains_of(away)

    def known_as(self, model: Model) -> str | None:
        found = self._model(model.digest)
        return found.name if found else None

    def has_model(self, model: Model) -> bool:
        found = self._model(model.digest)
        return found is not None and found.whole

    def has_data(self, dataset: DataSet) -> bool:
        found = self._dataset(dataset.digest)
        return found is not None and found.whole

    def recognised(self, source: Source, inputs: Sequence[TensorType], *, labels: bool) -> DataSet | None:
        return recognised_by(self._found, source, inputs, labels=labels)

    def table(self, text: str) -> tuple[TableRow, bytes]:
        details = self._client.table(text)
        words = ("id", "tensorrt", "portable", "device", "rule")
        row = TableRow(**{name: details[name] for name in words}, origin=TableOrigin(details["origin"]))
        with temporary_folder() as folder:
            self._client.download_table(row.id, folder / "table")
            return row, (folder / "table").read_bytes()

    def add_model(self, model: Model, copy: Sequence[Path]) -> str:
        known = self._model(model.digest)
        if known and known.whole and known.name == as_stored(model.name):
            return known.id
        with temporary_folder() as folder:
            files = copy or model.copy_to(folder)
            digests = [self._upload(files)[path] for path in files]
        weights = {_WEIGHTS: digests[1]} if len(digests) > 1 else {}
        return self._client.add_model(as_stored(model.name), digests[0], weights).id

    def add_dataset(self, dataset: DataSet) -> str:
        known = self._dataset(dataset.digest)
        if known and known.whole:
            return known.id
        arrays = [*dataset.inputs.values(), *([dataset.labels] if dataset.labels else [])]
        self._upload([array.path for array in arrays])
        return self._client.add_dataset(
            plain(dataset.source),
            {name: array.digest for name, array in dataset.inputs.items()},
            labels=dataset.labels.digest if dataset.labels else None,
            preprocessing=dataset.preprocessing,
        ).id

    def add_table(self, table: CalibrationTable, model_id: str) -> str:
        with temporary_folder() as folder:
            path = folder / "table"
            path.write_bytes(table.render())
            return str(self._client.add_table(model_id, self._upload([path])[path])["id"])

    def _upload(self, paths: Sequence[Path]) -> dict[Path, str]:
        def report(sent: Transferred) -> None:
            self._shown.progress(f"upload {sent.path.name}", "sent", sent.done, sent.total, "bytes")

        return self._client.upload(paths, report=report)

    def _model(self, digest: str) -> ModelRecord | None:
        if digest not in self._models:
            self._models[digest] = None
            with suppress(NotFoundError):
                self._models[digest] = self._client.model(digest)
        return self._models[digest]

    def _dataset(self, digest: str) -> DataSetRecord | None:
        if digest not in self._datasets:
            self._datasets[digest] = None
            with suppress(NotFoundError):
                self._datasets[digest] = self._client.dataset(digest)
        return self._datasets[digest]

    def _found(self, files: PlainFiles) -> StoredData | None:
        found = self._dataset(files.digest())
        return found if found and found.whole else None


def worker_of(facts: Mapping[str, Any]) -> Worker:
    """What a server tells of a worker, without what it keeps to itself."""
    return Worker(
        id=facts["id"],
        host=facts["host"],
        pid=0,
        state=WorkerState(facts["state"]),
        alive=facts["alive"],
        slots=facts["slots"],
        capabilities=tuple(facts["capabilities"]),
        toolchains=tuple({**_OF_THE_HOST, **toolchain} for toolchain in facts["toolchains"]),
        gpus=tuple(facts["gpus"]),
        started=datetime.fromisoformat(facts["started"]),
        lease_until=datetime.fromisoformat(facts["lease_until"]),
        labels=tuple(facts["labels"]),
        memory_bytes=facts["memory_bytes"],
    )
