"""The data that a specification names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from trtfarm.datasets.content import kind_at
from trtfarm.datasets.filenames import file_name_of
from trtfarm.datasets.files import DataFile
from trtfarm.datasets.folder import npy_in
from trtfarm.datasets.sources import InputSource, Source, missing_inputs
from trtfarm.datasets.spec import DataSpec, InputSpec
from trtfarm.errors import DataError
from trtfarm.models.summary import TensorType


def as_specified(spec: DataSpec, folder: Path, inputs: Sequence[TensorType]) -> Source:
    """The data that a specification names, relative to a folder; raises DataError."""
    names = [tensor.name for tensor in inputs]
    if unknown := sorted(set(spec.inputs) - set(names)):
        raise DataError(
            f"the data specification has an entry for {unknown[0]!r}, which is no input of the model",
            remedy="its inputs are " + ", ".join(names),
        )
    sources = {name: _specified(entry, folder, file_name_of(name)) for name, entry in spec.inputs.items()}
    for name in names:
        if name not in sources and (found := npy_in(folder, name)):
            sources[name] = found
    if len(sources) < len(names):
        raise missing_inputs(inputs, sources, f"the data specification in {folder}")
    labels = _specified(spec.labels, folder, "labels.npy") if spec.labels else npy_in(folder, "labels")
    return Source(
        folder=folder,
        inputs={name: replace(sources[name], samples=spec.samples) for name in names},
        labels=replace(labels, samples=spec.samples) if labels else None,
        spec=spec,
    )


def _specified(entry: InputSpec, folder: Path, default: str) -> InputSource:
    path = folder / (entry.path or default)
    file = DataFile(path=path, root=folder)
    kind = entry.kind or kind_at(file)
    return InputSource(kind=kind, file=file, member=entry.member, preprocessing=entry.preprocessing)
