"""What a folder has for a model, told by the names of its files: arrays of inputs, labels, a specification, images."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from trtfarm.datasets.filenames import file_names_of
from trtfarm.datasets.files import DataFile
from trtfarm.datasets.images import IMAGE_SUFFIXES
from trtfarm.datasets.kinds import SourceKind
from trtfarm.datasets.sources import InputSource
from trtfarm.datasets.spec import SPEC_FILES
from trtfarm.models.summary import TensorType

#: The arrays that are no input's.
LABELS_NAMES = ("labels", "label")


def has_spec(folder: Path) -> bool:
    return any((folder / name).is_file() for name in SPEC_FILES)


def found_in(folder: Path, inputs: Sequence[TensorType]) -> dict[str, InputSource]:
    """The `<input>.npy` files of a folder, by input."""
    found = {tensor.name: npy_in(folder, tensor.name) for tensor in inputs}
    return {name: source for name, source in found.items() if source is not None}


def npy_in(folder: Path, name: str) -> InputSource | None:
    """The `.npy` file of an input, or of the labels."""
    for file_name in file_names_of(name):
        if (folder / file_name).exists():
            return InputSource(kind=SourceKind.NPY, file=DataFile(path=folder / file_name))
    return None


def is_known(file_name: str, inputs: Sequence[TensorType]) -> bool:
    """Whether a `.npy` file is called as an input or as labels."""
    known = {name for tensor in inputs for name in file_names_of(tensor.name)}
    return file_name in known or file_name.removesuffix(".npy") in LABELS_NAMES


def is_image_folder(folder: Path) -> bool:
    """Whether a folder has images and nothing that tells more."""
    names = [path.name for path in folder.iterdir()]
    return any(Path(name).suffix.lower() in IMAGE_SUFFIXES for name in names) and not any(
        name in SPEC_FILES or name.endswith(".npy") for name in names
    )
