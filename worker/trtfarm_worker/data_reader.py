"""Reading data sets from files on this machine, for one model, before anything of them is stored."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from trtfarm.datasets.dataset import DataSet
from trtfarm.datasets.fit import batch_size_for, check_batches
from trtfarm.datasets.sources import Source
from trtfarm.models.model import Model
from trtfarm.models.summary import TensorType
from trtfarm.settings import Settings

if TYPE_CHECKING:
    from trtfarm_worker.builder.supervisor import Listener

Tell = Callable[[str], None]


class Recognise(Protocol):
    """Gives the data set of a source that is known already; None for new data."""

    def __call__(self, source: Source, inputs: Sequence[TensorType], *, labels: bool) -> DataSet | None: ...


class DataReader:
    """Prepares data sets for one model in a folder that the caller removes."""

    def __init__(
        self,
        settings: Settings,
        model: Model,
        folder: Path,
        *,
        tell: Tell,
        listener: Listener,
        recognise: Recognise | None = None,
    ) -> None:
        self.model = model
        self._recognise = recognise
        self._folder = folder
        self._tell = tell
        self._settings = settings
        self._listener = listener

    def read(self, source: Source, *, labels: bool = False) -> DataSet:
        """The data set of a source, checked; says what was taken."""
        inputs = self.model.summary.inputs
        known = self._recognise(source, inputs, labels=labels) if self._recognise else None
        data = known or self._prepared(source, labels=labels)
        purpose = "verification" if labels else "calibration"
        labelled = "labelled " if data.labels else ""
        self._tell(f"{purpose} data: {data.samples} {labelled}samples from {data.source}")
        self.tell_all(data.notices)
        return data

    def _prepared(self, source: Source, *, labels: bool) -> DataSet:
        from trtfarm.datasets.prepare import prepare  # noqa: PLC0415 - NumPy, which known data does not need
        from trtfarm_worker.decoding import image_decoder  # noqa: PLC0415 - nor does it need builders

        into = Path(tempfile.mkdtemp(dir=self._folder))
        decode = image_decoder(self._settings, self._folder, self._listener)
        return prepare(source, self.model.summary.inputs, into, decode_images=decode, labels=labels, copy=False)

    def tell_all(self, notices: Sequence[str]) -> None:
        for notice in notices:
            self._tell(notice)

    def batch_size(self, wanted: int | None, data: DataSet) -> int:
        """Samples in a calibration batch: what was asked for, else the model's own where it is fixed, else 50 or less.

        Raises UsageError for a size that the model does not take, DataError for fewer samples than one batch.
        """
        inputs = self.model.summary.inputs
        batch_size = batch_size_for(wanted, data.samples, inputs)
        self.tell_all(check_batches(data, inputs, batch_size))
        return batch_size
