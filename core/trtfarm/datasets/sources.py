"""Data that was found but not read: for each input a file or folder, and how it is preprocessed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from trtfarm.datasets.filenames import file_name_of
from trtfarm.datasets.files import DataFile
from trtfarm.datasets.kinds import SourceKind
from trtfarm.datasets.preprocessing import CHANNELS, Preprocessing
from trtfarm.datasets.spec import DataSpec
from trtfarm.errors import DataError
from trtfarm.models.summary import TensorType


@dataclass(frozen=True, kw_only=True)
class InputSource:
    """Where one input's samples, or the labels, are. `member` names the array in an archive."""

    kind: SourceKind
    file: DataFile
    member: str | None = None
    preprocessing: Preprocessing | None = None
    #: The first sample that is used, and the one after the last; all unless given.
    samples: tuple[int, int] | None = None

    def __str__(self) -> str:
        span = f" ({self.samples[0]} to {self.samples[1]})" if self.samples else ""
        return (f"{self.file}[{self.member}]" if self.member else str(self.file)) + span


@dataclass(frozen=True, kw_only=True)
class Source:
    """All of a data set's files. `folder` is where they lie, and where `test/` is looked for."""

    folder: Path
    inputs: Mapping[str, InputSource]
    labels: InputSource | None = None
    spec: DataSpec | None = None
    notices: tuple[str, ...] = field(default=())

    @property
    def paths(self) -> tuple[Path, ...]:
        """Of what is read: files, and folders of images."""
        return tuple(entry.file.path for entry in (*self.inputs.values(), self.labels) if entry)

    def __str__(self) -> str:
        """What was taken, for the user."""
        return ", ".join(str(source) for source in self.inputs.values())


def spec_example(tensor: TensorType, path: str) -> str:
    """A `data.toml` for images that fits an input, for error messages."""
    dims = tensor.dims or ()
    nhwc = len(dims) == 4 and dims[3] in CHANNELS.values() and dims[1] not in CHANNELS.values()  # noqa: PLR2004 - N, H, W, C
    height, width, channels = (dims[1:] if nhwc else (*dims[2:], dims[1])) if len(dims) == 4 else (224, 224, 3)  # noqa: PLR2004
    lines = [
        f'[inputs."{tensor.name}"]',
        f'path = "{path}"',
        f"resize = [{height if isinstance(height, int) else 224}, {width if isinstance(width, int) else 224}]",
        f'color = "{"gray" if channels == 1 else "RGB"}"',
        f'layout = "{"NHWC" if nhwc else "NCHW"}"',
        "divide = 255.0",
    ]
    return "\n".join(lines)


def missing_inputs(inputs: Sequence[TensorType], found: Mapping[str, InputSource], where: str) -> DataError:
    """For data that has some of a model's inputs, or none."""
    missing = [tensor for tensor in inputs if tensor.name not in found]
    have = ", ".join(f"{source} for {name}" for name, source in found.items()) or "none of its inputs"
    return DataError(
        f"{where} has no data for the model's input " + ", ".join(str(tensor) for tensor in missing),
        cause=f"found {have}",
        remedy="put " + ", ".join(file_name_of(tensor.name) for tensor in missing) + " there (samples first)",
    )
