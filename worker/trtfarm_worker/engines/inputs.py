"""Data for an engine, checked against what the engine takes before a GPU is asked for."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from trtfarm.datasets.dataset import DataSet
from trtfarm.datasets.named import named
from trtfarm.datasets.prepare import prepare
from trtfarm.datasets.preprocessing import Preprocessing
from trtfarm.datasets.sources import Source
from trtfarm.models.summary import TensorType
from trtfarm.settings import Settings
from trtfarm.signing.statement import EngineStatement
from trtfarm_worker.builder.supervisor import Listener
from trtfarm_worker.data_reader import Tell
from trtfarm_worker.decoding import image_decoder
from trtfarm_worker.engines.profiles import EngineProfiles


def inputs_source(statement: EngineStatement, arguments: Sequence[str]) -> Source:
    """The data that `--inputs` names, found but not read. Raises DataError, UsageError.

    Whole numbers become the engine's type if they fit: TensorRT before 10 takes int32 where the model says int64.
    """
    inputs = input_types(statement)
    found = named(arguments, inputs, option="--inputs")
    whole = {tensor.name: Preprocessing(dtype=tensor.dtype) for tensor in inputs if "int" in tensor.dtype}
    return replace(
        found,
        inputs={
            name: replace(entry, preprocessing=entry.preprocessing or whole.get(name))
            for name, entry in found.inputs.items()
        },
    )


@dataclass(frozen=True, kw_only=True)
class EngineDataReader:
    """Prepares data for an engine in a folder that the caller removes.

    `tell` hears what there is to say of the data, `listener` the builders that decode images.
    """

    settings: Settings
    profiles: EngineProfiles
    folder: Path
    tell: Tell
    listener: Listener

    def read(self, source: Source, inputs: Sequence[TensorType], *, labels: bool = False) -> DataSet:
        """The data of a source, as arrays of these inputs and of shapes that the engine takes. Raises DataError."""
        into = Path(tempfile.mkdtemp(dir=self.folder))
        decode = image_decoder(self.settings, self.folder, self.listener)
        data = prepare(source, inputs, into, decode_images=decode, labels=labels, copy=False)
        self.profiles.check(data)
        for notice in data.notices:
            self.tell(notice)
        return data


def input_types(statement: EngineStatement) -> tuple[TensorType, ...]:
    """The engine's inputs; a dimension that the engine leaves free is None."""
    return tuple(
        TensorType(
            name=tensor["name"],
            dtype=tensor["dtype"],
            dims=tuple(size if size >= 0 else None for size in tensor["shape"]),
        )
        for tensor in statement.io
        if tensor["mode"] == "input"
    )
