"""Where models, data and tables are kept: what taking an order asks of a farm, whether it is here or behind HTTP."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from trtfarm.catalog.lookup import find_one
from trtfarm.database.schema import TableRow
from trtfarm.datasets.dataset import DataSet
from trtfarm.datasets.sources import Source
from trtfarm.farm import Farm
from trtfarm.intake import add_dataset, add_model, add_table, dataset_stored, known_as, model_stored
from trtfarm.models.model import Model
from trtfarm.models.summary import TensorType
from trtfarm.recognition import recognised
from trtfarm.settings import Settings
from trtfarm_worker.elsewhere import toolchains_elsewhere, toolchains_lately
from trtfarm_worker.toolchains.toolchain import Toolchain

if TYPE_CHECKING:
    from trtfarm.tables.table import CalibrationTable


class Stock(Protocol):
    """What is there counts only if it is whole."""

    @property
    def settings(self) -> Settings:
        """Those of this host."""

    def scratch(self, prefix: str) -> AbstractContextManager[Path]:
        """A folder of this host for work in progress."""

    def toolchains(self) -> Sequence[Toolchain]:
        """Those of workers."""

    def toolchains_lately(self) -> Sequence[Toolchain]:
        """Those of workers that take no jobs just now, and may again."""

    def known_as(self, model: Model) -> str | None:
        """The name of an equal model; None if there is none."""

    def has_model(self, model: Model) -> bool: ...

    def has_data(self, dataset: DataSet) -> bool: ...

    def recognised(self, source: Source, inputs: Sequence[TensorType], *, labels: bool) -> DataSet | None:
        """The data set of a source whose files are there as they are; None for all others."""

    def table(self, text: str) -> tuple[TableRow, bytes]:
        """A table by its id or the start of it, and its text. Raises NotFoundError, UsageError."""

    def add_model(self, model: Model, copy: Sequence[Path]) -> str:
        """The id of the model, stored unless an equal one is; `copy` are its files, if they are written already."""

    def add_dataset(self, dataset: DataSet) -> str: ...

    def add_table(self, table: CalibrationTable, model_id: str) -> str: ...


class FarmStock:
    """A farm that is open in this process."""

    def __init__(self, farm: Farm) -> None:
        self._farm = farm

    @property
    def settings(self) -> Settings:
        return self._farm.settings

    def scratch(self, prefix: str) -> AbstractContextManager[Path]:
        return self._farm.scratch(prefix)

    def toolchains(self) -> Sequence[Toolchain]:
        return toolchains_elsewhere(self._farm.database)

    def toolchains_lately(self) -> Sequence[Toolchain]:
        return toolchains_lately(self._farm.database, socket.gethostname())

    def known_as(self, model: Model) -> str | None:
        return known_as(self._farm, model)

    def has_model(self, model: Model) -> bool:
        return model_stored(self._farm, model)

    def has_data(self, dataset: DataSet) -> bool:
        return dataset_stored(self._farm, dataset)

    def recognised(self, source: Source, inputs: Sequence[TensorType], *, labels: bool) -> DataSet | None:
        return recognised(self._farm, source, inputs, labels=labels)

    def table(self, text: str) -> tuple[TableRow, bytes]:
        with self._farm.database.read() as session:
            row = find_one(session, TableRow, text)
        return row, self._farm.blobs.read(row.blob)

    def add_model(self, model: Model, copy: Sequence[Path]) -> str:
        return add_model(self._farm, model, copy)

    def add_dataset(self, dataset: DataSet) -> str:
        return add_dataset(self._farm, dataset)

    def add_table(self, table: CalibrationTable, model_id: str) -> str:
        return add_table(self._farm, table, model_id)
